"""The way back: what the past was, what is known against it, how fast it goes, and planning it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import builders
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.history.cell_history import HealthyTime, PastVersion, PastVersionKind, RevertForecast
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change, Refusal, StagingResult
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.entry import EntryScreen
from sgm_tui.ui.screens.fleet import FleetScreen
from sgm_tui.ui.screens.revert import RevertScreen

UTF8 = {"LANG": "C.UTF-8"}
PROD = builders.key("checkout", "prod-us1")
TO_PROD = ("j", "j", "3", "l")
REVISIONS = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)


def past(version: str, days: float, kind: PastVersionKind = "promotion", bad: str = "", at: int = 0) -> PastVersion:
    subject = f"feat(checkout): prod-us1 -> {version}"
    since, until = builders.ago(days * 86400), None if at == 0 else builders.ago((days - 1) * 86400)
    revision = REVISIONS[at]
    return PastVersion(
        PROD, Version(version), revision, "", "values.yaml", "mia", subject, since, until, kind, 300 + at, bad
    )


PASTS = (
    past("v1.4.3", 1),
    past("v1.4.2", 2, bad="reverted by jonas (bbbbbbbb)", at=1),
    past("v1.4.1", 9, at=2),
)
OLDER = past("v1.4.0", 12, at=3)
FARED = {
    "v1.4.3": HealthyTime(0.0, whole=True, reason="v1.4.2 is the stable version still"),
    "v1.4.2": HealthyTime(5400.0, whole=True),
    "v1.4.1": HealthyTime(60000.0, reason="Prometheus knows 17h of 1d"),
}


class Session(builders.ScriptedSession):
    """A session whose way back can be chosen."""

    def __init__(self) -> None:
        super().__init__(builders.release())
        self.pasts = PASTS
        self.fared = dict(FARED)
        self.way: RevertForecast | Refusal = RevertForecast(False, "it walks all 8 steps again", "set env.A back too")

    async def forecast_revert(self, where: CellKey, to: str | None) -> RevertForecast | Refusal:
        self.asked.append(("way", where, to))
        return self.way

    async def stage_revert(self, where: CellKey, to: str | None) -> Change | Refusal:
        self.asked.append(("revert", where, to))
        change = await self.stage_promotion(where)
        assert isinstance(change, Change)
        return change


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await pilot.pause()
    asking = [one for one in pilot.app.workers if one.group in {"past", "way"}]
    if asking:
        await pilot.app.workers.wait_for_complete(asking)
    await pilot.pause()


@pytest.fixture
def session() -> Session:
    return Session()


async def test_the_cursor_starts_on_the_newest_version_nothing_is_known_against(session: Session) -> None:
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v")
        screen = app.screen
        assert isinstance(screen, RevertScreen)
        assert screen.choices.highlighted == 2
        assert session.asked[-1] == ("way", PROD, REVISIONS[2])


async def test_each_version_says_how_long_it_ran_healthy_and_a_good_one_is_marked(session: Session) -> None:
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v")
        shown = text_of(app)
        assert "✓ good" in shown
        assert "≥ 16h" in shown
        assert "not yet" in shown
        assert "healthy for at least 16h 40m (Prometheus knows 17h of 1d)" in shown


async def test_the_cursor_passes_over_a_version_that_never_was_healthy(session: Session) -> None:
    session.pasts = (*PASTS, OLDER)
    session.fared["v1.4.1"] = HealthyTime(0.0, whole=True)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v")
        assert isinstance(app.screen, RevertScreen)
        assert app.screen.choices.highlighted == 3
        assert "time healthy is unknown" not in text_of(app)
        await press(pilot, "up")
        assert "✖ never" in text_of(app)
        assert "never healthy" in text_of(app)


async def test_a_cursor_that_was_moved_while_prometheus_was_asked_stays_where_it_is(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()

    async def add_healthy_times(snapshot: FleetSnapshot, pasts: Sequence[PastVersion]) -> tuple[PastVersion, ...]:
        await answered.wait()
        return tuple(pasts)

    monkeypatch.setattr(session, "add_healthy_times", add_healthy_times)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        for key in (*TO_PROD, "v", "down"):
            await pilot.press(key)
        assert "…" in text_of(app)
        answered.set()
        await press(pilot)
        assert isinstance(app.screen, RevertScreen)
        assert app.screen.choices.highlighted == 1


async def test_where_nobody_measures_it_says_so(session: Session) -> None:
    session.fared = {one.version: HealthyTime(reason="no prometheus is configured for prod-us1") for one in PASTS}
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v")
        assert "unknown (no prometheus is configured for prod-us1)" in text_of(app)


async def test_it_says_beforehand_whether_the_way_back_is_fast_and_what_would_be_faster(session: Session) -> None:
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v")
        shown = text_of(app)
        assert "step by step: it walks all 8 steps again" in shown
        assert "faster: set env.A back too" in shown


async def test_what_is_known_against_a_version_is_shown_with_it(session: Session) -> None:
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v", "up")
        assert "✖ bad" in text_of(app)
        assert "reverted by jonas" in text_of(app)


async def test_enter_plans_the_way_back_and_returns_to_the_matrix(session: Session) -> None:
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v", "enter")
        assert ("revert", PROD, REVISIONS[2]) in session.asked
        assert isinstance(app.screen, FleetScreen)


@pytest.mark.parametrize(
    ("moved", "version"), [((), "v1.4.3"), (("down", "up", "up"), "v1.4.3"), (("down", "down"), "v1.4.1")]
)
async def test_the_version_that_is_left_is_marked_known_bad_unless_another_one_was_chosen(
    session: Session, moved: tuple[str, ...], version: str
) -> None:
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v")
        assert isinstance(app.screen, RevertScreen)
        assert app.screen.choices.highlighted == 2, "the good target"
        await press(pilot, *moved)
        assert f"b marks {version} as known bad" in text_of(app)
        await press(pilot, "b")
        assert isinstance(app.screen, EntryScreen)
        assert f"Why is {version} bad?" in text_of(app)
        app.screen.query_one(Input).value = "leaks memory"
        await press(pilot, "enter")
        assert ("bad", PROD.service, version, "leaks memory") in session.asked
        assert [one.title for one in app._notifications] == [f"{version} is marked as known bad"]


async def test_a_marked_version_is_let_go_and_a_version_that_was_clicked_is_chosen(session: Session) -> None:
    session.pasts = (past("v1.4.3", 1, bad="known bad: leaks (mia)"), *PASTS[1:])
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v")
        assert "b unmarks v1.4.3" in text_of(app)
        await pilot.click("Choices", offset=(4, 2))
        await press(pilot)
        assert "b marks v1.4.1 as known bad" in text_of(app)
        await press(pilot, "k", "k", "b")
        assert ("bad", PROD.service, "v1.4.3", "") in session.asked
        assert [one.title for one in app._notifications] == ["v1.4.3 is unmarked"]


async def test_every_cell_of_the_version_can_be_brought_back(session: Session) -> None:
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v", "E")
        assert ("revert of", PROD.service, "v1.4.3") in session.asked


async def test_a_history_that_cannot_be_read_says_why_and_stays(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(where: CellKey) -> tuple[PastVersion, ...]:
        raise UnreachableError("git did not answer", "Is the server up?")

    monkeypatch.setattr(session, "past_versions", fail)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v")
        assert "git did not answer" in text_of(app)
        assert isinstance(app.screen, RevertScreen)


async def test_what_no_revert_undoes_is_said_beside_what_is_planned(session: Session) -> None:
    why = "#314 proposes v1.4.3 for checkout@prod-ap1: close that pull request"
    session.reverts = StagingResult((builders.promotion(PROD, "v1.4.1"),), (Refusal("", why, nothing=True),))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v", "E")
        told = {one.title: one.message for one in app._notifications}
        assert told["not reverted"] == why
        assert "planned: revert in prod-us1" in told


async def test_after_a_revert_the_cursor_stays_on_what_git_has_and_going_further_back_is_a_choice(
    session: Session,
) -> None:
    session.pasts = (past("v1.4.1", 1, "revert"), *PASTS[1:])
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "v")
        assert isinstance(app.screen, RevertScreen)
        assert app.screen.choices.highlighted == 0
        assert "set by a revert. Select an older one to revert further." in text_of(app)
