"""A plan of many changes says how many are blocked, marks them, and tells why ⏎ opens nothing; then follows what it
opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import builders
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import FileEdit, Preview
from sgm_tui.fleet.plans.staging import plan_promotion
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.confirm import ConfirmScreen
from sgm_tui.ui.screens.plan import PlanScreen

UTF8 = {"LANG": "C.UTF-8"}


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], so: Callable[[], object]) -> None:
    for _ in range(1000):
        if so():
            return
        await pilot.pause(0.01)
    raise AssertionError("it never came to be so")


async def open_plan(pilot: Pilot[None]) -> PlanScreen:
    await pilot.pause()
    await pilot.press("c")
    await until(pilot, lambda: isinstance(pilot.app.screen, PlanScreen))
    screen = pilot.app.screen
    assert isinstance(screen, PlanScreen)
    await until(pilot, lambda: screen.preview is not None)
    await pilot.pause()
    return screen


def told(app: SgmApp) -> list[tuple[str, str]]:
    return [(one.title, one.message) for one in app._notifications]


def planned(count: int) -> builders.ScriptedSession:
    """So many changes in one pull request."""
    shown = builders.calm()
    keys = [key for key in shown.cells if key.stage == "prod"][:count]
    changes = [plan_promotion(shown, key, Version("v9.9.9")) for key in keys]
    return builders.ScriptedSession(replace(shown, plan=Plan(tuple(one for one in changes if isinstance(one, Change)))))


def gated(session: builders.ScriptedSession, *gates: Gate) -> None:
    def previewed(shown: FleetSnapshot) -> Preview:
        made = builders.preview(shown)
        return replace(made, proposals=tuple(replace(one, gates=gates) for one in made.proposals))

    session.previewed = previewed


async def test_enter_on_a_blocked_plan_says_how_much_blocks_why_and_goes_there() -> None:
    session = planned(17)
    changes = session.snapshot.plan.changes
    blocked, unknown, soaking = changes[12], changes[14], "healthy in staging for 2h of 24h"
    gated(
        session,
        Gate(blocked.cells[0], "soak", "block", soaking),
        Gate(unknown.cells[0], "sli", "unknown", "the metrics are stale"),
    )
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_plan(pilot)
        assert "17 changes, 1 blocked, 1 unknown" in text_of(app)
        assert "2 gates not passing (1 unknown)" in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is screen
        assert told(app) == [
            (
                "not opened: 17 changes, 1 blocked, 1 unknown",
                (
                    f"{blocked.service} {blocked.place}: soak: {soaking}\nand 1 more\n"
                    "press o to override the gates, with a reason"
                ),
            )
        ]
        assert screen.choices.highlighted == 12
        marks = [str(screen.choices.get_option_at_index(at).prompt)[0] for at in range(17)]
        assert marks == ["✖" if at == 12 else "?" if at == 14 else "✓" for at in range(17)]
        assert session.submitted == []


@pytest.mark.parametrize("failure", [True, False])
async def test_enter_always_says_something(failure: bool) -> None:
    session = planned(2)
    if failure:
        session.failure = UnreachableError("git did not answer")
    else:
        session.previewed = lambda _: Preview(builders.REVISION)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("c", "enter")
        await until(pilot, lambda: app._notifications)
        (title, message) = told(app)[0]
        expected = ("not opened", "could not be compared with git") if failure else ("nothing to write", "already has")
        assert (title, expected[1] in message) == (expected[0], True)


async def test_the_later_waves_of_a_plan_do_not_block_its_first() -> None:
    session = planned(3)

    def previewed(shown: FleetSnapshot) -> Preview:
        (whole,) = builders.preview(shown).proposals
        waves = []
        for at, change in enumerate(shown.plan.changes):
            gate = Gate(change.cells[0], "in-flight", "block" if at else "pass", "a rollout is under way")
            waves.append(replace(whole, edits=(FileEdit(change, ""),), gates=(gate,), wave=at, waves=3))
        return Preview(builders.REVISION, tuple(waves))

    session.previewed = previewed
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot)
        assert "3 changes, none blocked" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))


async def test_what_was_opened_is_followed_until_it_has_arrived_or_failed_also_after_a_look_elsewhere() -> None:
    session = planned(1)
    (change,) = session.snapshot.plan.changes
    shown = session.snapshot
    app = SgmApp(session, environ=UTF8)

    def pull(state: str) -> FleetSnapshot:
        merged_at = builders.ago(60) if state == "merged" else None
        request = replace(builders.pull_request(57, change.subject), state=state, merged_at=merged_at)
        return replace(shown, plan=Plan(), pull_requests=(request,))

    def cell(journey: Journey, reason: str = "") -> FleetSnapshot:
        key = change.cells[0]
        made = builders.cell(key.service, key.cluster, "v9.9.9", journey, reason=reason, since=1)
        return replace(pull("merged"), cells={**shown.cells, key: made})

    async with app.run_test(size=(140, 36)) as pilot:
        await open_plan(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and app.screen.readable)
        app.screen.query_one(Input).value = "prod"
        await pilot.press("enter")
        await until(pilot, lambda: "✓ opened" in text_of(app))
        for snapshot, sign in (
            (pull("open"), "✓ opened"),
            (pull("merged"), "… merged"),
            (cell(Journey.ROLLING), "… merged"),
            (cell(Journey.FAILED, "the canary was aborted"), "✖ failed"),
            (cell(Journey.SETTLED), "✓ arrived"),
        ):
            session.push(snapshot)
            await until(pilot, lambda sign=sign: sign in text_of(app))
        await pilot.press("escape")
        await open_plan_again(pilot)
        assert "✓ arrived" in text_of(app)
        session.push(cell(Journey.FAILED, "the canary was aborted"))
        await until(pilot, lambda: "the canary was aborted" in text_of(app))


async def open_plan_again(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.press("c")
    await until(pilot, lambda: isinstance(pilot.app.screen, PlanScreen))
    await pilot.pause()
