"""One list of what stands in the way, and what is done about it in the plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import builders
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.gate import Gate, GateLevel, GateResult
from sgm_tui.fleet.model import StageName, Version
from sgm_tui.fleet.plans.proposal import Preview, UnfinishedWrite
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.present.gates import gate_lines
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.entry import EntryScreen
from sgm_tui.ui.screens.fleet import FleetScreen
from sgm_tui.ui.screens.plan import PlanScreen
from sgm_tui.ui.screens.unfinished import UnfinishedScreen
from sgm_tui.ui.screens.why import WhyScreen

UTF8 = {"LANG": "C.UTF-8"}
PROD = builders.key("checkout", "prod-us1")
TO_PROD = ("j", "j", "3", "l")


def gate(name: str, result: GateResult, reason: str = "because", level: GateLevel = "block", minutes: int = 0) -> Gate:
    eta = builders.NOW + timedelta(minutes=minutes) if minutes else None
    return Gate(PROD, name, result, reason, eta, level)


SOAKING = gate("soak", "block", "healthy in staging for 10m of 30m", minutes=20)
FINE = gate("image", "pass", "ghcr.io/acme/checkout:v1.4.2 is there")
SILENT = gate("sli", "unknown", "no metrics for 5m")
FIRM = gate("held", "block", "reverted from here 1h ago", "never")


def judged(*gates: Gate) -> builders.ScriptedSession:
    session = builders.ScriptedSession(builders.release())
    session.gates = gates

    def previewed(shown: FleetSnapshot) -> Preview:
        made = builders.preview(shown)
        return replace(made, proposals=tuple(replace(one, gates=gates) for one in made.proposals))

    session.previewed = previewed
    return session


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await pilot.pause()
    asking = [one for one in pilot.app.workers if one.group in {"preview", "judge", "unfinished"}]
    if asking:
        await pilot.app.workers.wait_for_complete(asking)
    await pilot.pause()


async def typed(pilot: Pilot[None], text: str) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, EntryScreen)
    screen.query_one(Input).value = text
    await press(pilot, "enter")


async def test_why_not_lists_every_gate_the_worst_first_and_when_time_clears_it() -> None:
    app = SgmApp(judged(FINE, SOAKING, SILENT), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "y")
        assert isinstance(app.screen, WhyScreen)
        shown = text_of(app)
        assert shown.index("soak") < shown.index("sli") < shown.index("image")
        assert "clears in 20m" in shown
        assert "2 gates not passing (1 unknown)" in shown


async def test_a_blocked_plan_cannot_be_sent_until_the_gates_are_overridden_with_a_reason() -> None:
    app = SgmApp(judged(SOAKING, SILENT), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "p", "c")
        screen = app.screen
        assert isinstance(screen, PlanScreen)
        await press(pilot, "enter")
        assert app.screen is screen, "nothing is asked while a gate blocks"
        await press(pilot, "o")
        assert "healthy in staging for 10m of 30m" in text_of(app)
        await typed(pilot, "too short")
        assert isinstance(app.screen, EntryScreen)
        await typed(pilot, "incident 4711: payments fail")
        assert app.screen is screen
        assert screen.check_action("confirm", ()) is True
        assert "incident 4711" in text_of(app)


async def test_a_gate_of_level_never_cannot_be_gone_over() -> None:
    app = SgmApp(judged(FIRM), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "p", "c")
        screen = app.screen
        assert isinstance(screen, PlanScreen)
        assert screen.check_action("override", ()) is None
        await press(pilot, "enter")
        assert app.screen is screen, "nothing is asked while a gate blocks"
        assert "no override" in text_of(app)


async def test_marked_cells_are_planned_together_and_undone_together() -> None:
    session = builders.ScriptedSession(builders.calm())
    promoted = {
        where: replace(one, facts=replace(one.facts, desired=replace(one.facts.desired, version=Version("v9"))))
        for where, one in session.snapshot.cells.items()
        if where.stage == "staging" and one.facts.desired is not None
    }
    session.snapshot = replace(session.snapshot, cells={**session.snapshot.cells, **promoted})
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, "3", "space", "space")
        screen = app.screen
        assert isinstance(screen, FleetScreen)
        assert len(screen.marked) == 2
        assert text_of(app).count("◆") == 2
        await press(pilot, "p")
        assert len(session.snapshot.plan.changes) == 2
        assert screen.marked == frozenset()
        await press(pilot, "u")
        assert session.snapshot.plan.changes == ()
        await press(pilot, "A")
        assert len(session.snapshot.plan.changes) == len(session.snapshot.services) * 3


async def test_escape_takes_marks_away_first() -> None:
    app = SgmApp(builders.ScriptedSession(builders.calm()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, "space")
        screen = app.screen
        assert isinstance(screen, FleetScreen)
        assert screen.marked
        await press(pilot, "escape")
        assert not screen.marked
        assert "◆" not in text_of(app)


async def test_another_version_is_chosen_from_those_that_are_known() -> None:
    session = judged()
    session.list_available_versions = (Version("v1.4.2"), Version("v1.4.0"))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "p", "c", "e")
        assert isinstance(app.screen, EntryScreen)
        await press(pilot, "down", "enter")
        assert [one.to_version for one in session.snapshot.plan.changes] == ["v1.4.0"]


async def test_another_strategy_is_written_down_with_the_change() -> None:
    session = judged()
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "p", "c", "s")
        await typed(pilot, "canary10-30-60")
        assert [one.strategy for one in session.snapshot.plan.changes] == ["canary10-30-60"]
        assert "canary10-30-60" in text_of(app)


@pytest.mark.parametrize(("advice", "asked"), [("resume", "resume"), ("discard", "discard")])
async def test_what_a_crash_left_behind_is_shown_with_its_one_safe_next_step(advice: str, asked: str) -> None:
    session = judged()
    session.begun = (
        UnfinishedWrite(
            operation="1f3a",
            title="feat(cart): prod-eu1 -> v2",
            branch="sgm/prod/cart-v2-1f3a",
            began_at=builders.ago(600),
            reached="push",
            found="the branch",
            advice="resume" if advice == "resume" else "discard",
            explained="open its pull request",
            stages=(StageName("prod"),),
        ),
    )
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, "c")
        assert "1 unfinished write (U)" in text_of(app)
        await press(pilot, "U")
        assert isinstance(app.screen, UnfinishedScreen)
        assert "feat(cart): prod-eu1 -> v2" in text_of(app)
        await press(pilot, "enter")
        question = await readable(pilot)
        assert question._locked == (("prod",) if advice == "resume" else ())
        await press(pilot, "enter")
        assert session.asked == ([] if advice == "resume" else [(asked, "1f3a")])
        if advice == "resume":
            question.query_one("#word", Input).value = "prod"
            await press(pilot, "enter")
        for _ in range(200):
            if session.asked:
                break
            await pilot.pause(0.02)
        assert session.asked == [(asked, "1f3a")]


async def test_a_no_leaves_what_was_begun_as_it_is() -> None:
    session = judged()
    facts = ("sgm/prod/cart-v2-1f3a", builders.ago(600), "push", "the branch", "discard")
    session.begun = (UnfinishedWrite("1f3a", "feat(cart): prod-eu1 -> v2", *facts),)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, "c", "U", "enter")
        await readable(pilot)
        await press(pilot, "escape")
        assert isinstance(app.screen, UnfinishedScreen)
        assert session.asked == []


async def readable(pilot: Pilot[None]) -> AskScreen:
    """The question, when it can be answered."""
    for _ in range(200):
        screen = pilot.app.screen
        if isinstance(screen, AskScreen) and screen.readable:
            return screen
        await pilot.pause(0.02)
    raise AssertionError("no question was asked")


def test_gates_of_several_services_say_whose_they_are_however_narrow_it_is() -> None:
    other = builders.key("recommendations", "staging-eu1")
    gates = (SILENT, replace(SILENT, cell=other), FINE, replace(FINE, cell=other, result="block", reason="no such tag"))
    for width in (40, 74, 114):
        lines = ["".join(part for part, _ in line) for line in gate_lines(gates, builders.NOW, width)]
        text = "\n".join(lines)
        assert "image          recommendations@staging-eu1" in text
        assert "checkout@prod-us1" in text
        assert "pass" not in text, "image does not pass everywhere"
        assert all(len(line) <= max(width, 56) for line in lines), text


def test_gates_of_one_service_say_only_where() -> None:
    (line,) = gate_lines((SILENT,), builders.NOW, 100)
    assert "".join(part for part, _ in line) == "  ? unknown sli            prod-us1      no metrics for 5m"


async def test_the_list_says_which_version_it_is_about() -> None:
    session = judged(FINE)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "y")
        assert "next       v1.4.2  the previous stage has it" in text_of(app)
        await press(pilot, "p", "escape", "y")
        assert "next       v1.4.2  planned" in text_of(app)


VERSIONS = tuple(Version(f"v1.{minor}.{patch}") for minor in (6, 5, 4) for patch in (2, 1, 0))


async def test_the_cursor_of_the_known_versions_starts_at_the_one_that_is_planned() -> None:
    session = judged()
    session.list_available_versions = VERSIONS
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "p", "c", "e", "down", "enter")
        assert [one.to_version for one in session.snapshot.plan.changes] == ["v1.4.1"]


async def test_the_first_strategy_is_one_key_away_and_none_is_taken_by_merely_looking() -> None:
    session = judged()
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "p", "c", "s")
        assert isinstance(app.screen, EntryScreen)
        assert app.screen.choices.highlighted is None
        first = app.screen._choices[0]
        await press(pilot, "down", "enter")
        assert [one.strategy for one in session.snapshot.plan.changes] == [first]


async def test_a_known_version_that_is_clicked_goes_into_the_field() -> None:
    session = judged()
    session.list_available_versions = VERSIONS
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *TO_PROD, "p", "c", "e")
        await pilot.click("EntryScreen Choices", offset=(3, 1))
        await press(pilot, "enter")
        assert [one.to_version for one in session.snapshot.plan.changes] == ["v1.6.1"]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_typing_narrows_the_list_and_moves_nothing(size: tuple[int, int]) -> None:
    session = judged()
    session.list_available_versions = VERSIONS
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=size) as pilot:
        await press(pilot, *TO_PROD, "p", "c", "e")
        dialog = app.screen.query_one("#dialog")
        before = dialog.region
        await press(pilot, "x", "y")
        assert "v1.6.2" not in text_of(app)
        assert dialog.region == before
        assert "accept" in text_of(app)


@pytest.mark.parametrize(
    ("journey", "facts", "shown"),
    [
        (Journey.FAILED, {}, "desired    v1.4.2   live  v1.4.1"),
        (Journey.ROLLING, {}, "desired    v1.4.2   live  v1.4.1 → v1.4.2"),
        (Journey.ROLLING, {"stale": ("rollouts prod-us1",)}, "live  v1.4.1 → v1.4.2, as last seen"),
        (
            Journey.ROLLING,
            {"stale": ("git",), "desired_as_of": builders.ago(180)},
            "desired    v1.4.2, as of 3m ago   live",
        ),
    ],
)
async def test_it_says_what_runs_and_as_of_when(journey: Journey, facts: dict[str, Any], shown: str) -> None:
    where = builders.key("checkout", "prod-us1")
    rollout = builders.rolling(where, "v1.4.1", "v1.4.2")
    cell = builders.cell("checkout", "prod-us1", "v1.4.2", journey, rollout=rollout, **facts)
    app = SgmApp(builders.ScriptedSession(builders.snapshot([cell])), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, "3", "l", "y")  # prod-us1
        line = next(line for line in text_of(app).splitlines() if "desired" in line)
        assert shown in line
        assert ("→" in line) is (journey is Journey.ROLLING)
