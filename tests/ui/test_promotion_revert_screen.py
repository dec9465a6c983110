"""`v` on marked cells and on a folded stage: the last promotion reverted there, and nowhere else."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import builders
import pytest
from textual.pilot import Pilot

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.history.cell_history import PastVersion, PastVersionKind
from sgm_tui.fleet.history.last_promotion import LastPromotion
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Refusal
from sgm_tui.fleet.reverts.promotion import PromotionRevert
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.fleet import FleetScreen
from sgm_tui.ui.screens.promotion_revert import PromotionRevertScreen

UTF8 = {"LANG": "C.UTF-8"}
PROD = {where: builders.key("checkout", f"prod-{where}") for where in ("eu1", "us1", "ap1")}
TO_PROD = ("j", "j", "3")
"""The cursor on checkout in the first cluster of prod."""


def past(key: CellKey, version: str, at: int, kind: PastVersionKind = "promotion") -> PastVersion:
    since, until = builders.ago((at + 1) * 86400), builders.ago(at * 86400) if at else None
    subject = f"feat(checkout): prod -> {version} (#{300 + at})"
    return PastVersion(
        key, Version(version), f"{at}" * 40, "", "values.yaml", "mia", subject, since, until, kind, 300 + at
    )


class Session(builders.ScriptedSession):
    """The last promotion of checkout reached two of the three clusters of prod, and ap1 has left it again."""

    def __init__(self) -> None:
        super().__init__(builders.release())
        desired = {where: self.snapshot.cells[key].desired_version or Version("") for where, key in PROD.items()}
        for where, key in PROD.items():
            kind: PastVersionKind = "revert" if where == "ap1" else "promotion"
            self.histories[key] = (past(key, desired[where], 0, kind), past(key, "v1.3.0", 1))
        newest = self.histories[PROD["eu1"]][0]
        group = (PROD["eu1"].service, PROD["eu1"].stage)
        self.last_promotions[group] = LastPromotion(newest, (PROD["eu1"],), (PROD["ap1"],), (PROD["us1"],))


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
        if asking := [one for one in pilot.app.workers if one.group in {"past", "planning"}]:
            await pilot.app.workers.wait_for_complete(asking)
    await pilot.pause()


def matrix_of(app: SgmApp) -> FleetScreen:
    (matrix,) = (screen for screen in app.screen_stack if isinstance(screen, FleetScreen))
    return matrix


def planned(app: SgmApp) -> dict[CellKey, Version]:
    return app.snapshot.plan.staged_versions()


@pytest.fixture
def session() -> Session:
    return Session()


async def test_v_on_a_folded_stage_shows_what_the_revert_touches_and_what_stays(session: Session) -> None:
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "z", "v")
        assert isinstance(app.screen, PromotionRevertScreen)
        shown = text_of(app)
        assert "Revert checkout in prod" in shown
        assert "1 of 3 cells to revert" in shown
        lines = {
            name: next(line for line in shown.splitlines() if f"  {key.cluster}  " in line)
            for name, key in PROD.items()
        }
        assert "v1.3.0" in lines["eu1"]
        assert "not part of the last promotion" in lines["us1"]
        assert "already reverted" in lines["ap1"]
        assert planned(app) == {}
        await press(pilot, "enter")
        assert planned(app) == {PROD["eu1"]: "v1.3.0"}
        assert isinstance(app.screen, FleetScreen)
        assert [one.title for one in app._notifications] == ["planned: revert checkout in prod-eu1"]


@pytest.mark.parametrize("marked", [{"eu1"}, {"us1"}, {"eu1", "us1"}, {"eu1", "us1", "ap1"}])
async def test_v_reverts_exactly_the_marked_cells_wherever_the_cursor_is(session: Session, marked: set[str]) -> None:
    app = SgmApp(session, environ=UTF8)
    keys = frozenset(PROD[where] for where in marked)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, "end")
        matrix_of(app).marked = keys
        await press(pilot, "v", "enter")
        assert set(planned(app)) == keys & {PROD["eu1"]}
        reverted = "eu1" in marked
        assert isinstance(app.screen, FleetScreen if reverted else PromotionRevertScreen)
        assert matrix_of(app).marked == (frozenset() if reverted else keys)


async def test_marks_survive_leaving_the_page_and_a_plan_that_cannot_be_kept(session: Session) -> None:
    app = SgmApp(session, environ=UTF8)
    marked = frozenset({PROD["eu1"], PROD["us1"]})
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot)
        matrix_of(app).marked = marked
        await press(pilot, "v", "escape")
        assert matrix_of(app).marked == marked
        session.refusal = Refusal("", "another terminal holds the plan")
        await press(pilot, "v", "enter")
        assert isinstance(app.screen, PromotionRevertScreen)
        assert [one.message for one in app._notifications] == ["another terminal holds the plan"]
        assert matrix_of(app).marked == marked
        assert planned(app) == {}
        session.refusal = None
        await press(pilot, "enter")
        assert matrix_of(app).marked == frozenset()


async def test_one_undo_takes_back_all_reverts_that_were_staged_together(session: Session) -> None:
    group = (PROD["eu1"].service, PROD["eu1"].stage)
    whole = replace(session.last_promotions[group], current=tuple(PROD.values()), reverted=(), untouched=())
    session.last_promotions[group] = whole
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "z", "space", "v", "enter")
        assert set(planned(app)) == set(PROD.values())
        await press(pilot, "u")
        assert planned(app) == {}


async def test_a_cell_whose_history_is_not_known_says_so_and_is_not_reverted(session: Session) -> None:
    del session.histories[PROD["us1"]]
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "z", "v")
        line = next(line for line in text_of(app).splitlines() if "prod-us1" in line)
        assert "? no revert" in line
        assert "its history is not read yet" in line


async def test_a_stage_whose_promotions_git_does_not_have_is_not_reverted(session: Session) -> None:
    session.last_promotions.clear()
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "z", "v", "enter")
        assert "none in git" in text_of(app)
        assert "0 of 3 cells to revert" in text_of(app)
        assert planned(app) == {}
        assert [one.title for one in app._notifications] == ["not planned"]


async def test_a_history_that_cannot_be_read_is_said_and_read_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    readable, broken = session.plan_promotion_reverts, True

    async def plan_promotion_reverts(snapshot: FleetSnapshot, keys: tuple[CellKey, ...]) -> tuple[PromotionRevert, ...]:
        if broken:
            raise UnreachableError("git did not answer", "Is the server up?")
        return await readable(snapshot, keys)

    monkeypatch.setattr(session, "plan_promotion_reverts", plan_promotion_reverts)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "z", "v", "enter")
        assert "git did not answer" in text_of(app)
        assert planned(app) == {}
        broken = False
        await press(pilot, "r")
        assert "1 of 3 cells to revert" in text_of(app)


async def test_read_only_marks_and_shows_the_targets_and_says_why_it_stages_nothing(session: Session) -> None:
    session.push(replace(session.snapshot, read_only=True))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "space", "v")
        assert "v1.3.0" in text_of(app)
        await press(pilot, "enter")
        assert [one.title for one in app._notifications] == ["read-only: revert is disabled"]
        assert planned(app) == {}
        assert matrix_of(app).marked == {PROD["eu1"]}


async def test_leaving_while_the_history_is_being_read_harms_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()
    readable = session.plan_promotion_reverts

    async def plan_promotion_reverts(snapshot: FleetSnapshot, keys: tuple[CellKey, ...]) -> tuple[PromotionRevert, ...]:
        await answered.wait()
        return await readable(snapshot, keys)

    monkeypatch.setattr(session, "plan_promotion_reverts", plan_promotion_reverts)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        for key in (*TO_PROD, "z", "v"):
            await pilot.press(key)
        await pilot.pause()
        assert "reading the history" in text_of(app)
        await pilot.press("enter", "escape")
        answered.set()
        await press(pilot)
        assert isinstance(app.screen, FleetScreen)
        assert not app.bugs
