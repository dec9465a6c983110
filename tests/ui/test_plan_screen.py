"""The plan and its last question: nothing is written but what was shown, answered and armed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import builders
import pytest
from textual import events
from textual.driver import Driver
from textual.pilot import Pilot
from textual.widgets import Input

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.plans.plan import Change, Plan, Refusal
from sgm_tui.fleet.plans.proposal import Preview, Progress, ProgressStep, Superseded
from sgm_tui.fleet.plans.staging import plan_promotion
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.present.progress import WriteProgress
from sgm_tui.ui.screens import ask
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.confirm import ConfirmScreen
from sgm_tui.ui.screens.entry import EntryScreen
from sgm_tui.ui.screens.fleet import FleetScreen
from sgm_tui.ui.screens.plan import PlanScreen

UTF8 = {"LANG": "C.UTF-8"}
CHECKOUT_IN_PROD = ("j", "j", "3", "l", "p")
"""checkout in prod-us1, which is protected."""
INVENTORY_IN_STAGING = ("j", "j", "j", "j", "j", "2", "p")


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await pilot.pause()


async def until(pilot: Pilot[None], so: Callable[[], object]) -> None:
    for _ in range(500):
        if so():
            return
        await pilot.pause(0.01)
    raise AssertionError("it never came to be so")


async def open_plan(pilot: Pilot[None], *keys: str) -> PlanScreen:
    await pilot.pause()
    await press(pilot, *keys, "c")
    screen = pilot.app.screen
    assert isinstance(screen, PlanScreen)
    for _ in range(200):
        if screen.preview is not None:
            break
        await pilot.pause(0.01)
    return screen


async def question(pilot: Pilot[None]) -> ConfirmScreen:
    await press(pilot, "enter")
    screen = pilot.app.screen
    assert isinstance(screen, ConfirmScreen)
    for _ in range(200):
        if screen.readable:
            break
        await pilot.pause(0.01)
    return screen


async def until_sent(pilot: Pilot[None], session: builders.ScriptedSession) -> None:
    for _ in range(200):
        if session.submitted and isinstance(pilot.app.screen, PlanScreen) and not pilot.app.screen.sending:
            return
        await pilot.pause(0.01)


async def test_the_plan_shows_the_exact_diff() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        shown = text_of(app)
        assert "-  tag: v1.4.1" in shown
        assert "+  tag: v1.4.2" in shown
        assert "@acme/sre" in shown


async def test_the_strategies_of_the_team_are_among_those_to_choose_from() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        await press(pilot, "s")
        shown = text_of(app)
        assert "careful" in shown
        assert "bluegreen" in shown


async def test_a_pull_request_in_the_way_is_superseded_only_when_it_is_asked_for() -> None:
    session = builders.ScriptedSession(builders.release())
    old = Superseded(41, "77" * 20, "sgm/staging/inventory-1f3a", "https://github.com/acme/gitops/pull/41")

    def previewed(shown: FleetSnapshot) -> Preview:
        made = builders.preview(shown)
        return replace(made, proposals=tuple(replace(one, replaceable=(old,)) for one in made.proposals))

    session.previewed = previewed
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(160, 36)) as pilot:
        screen = await open_plan(pilot, *INVENTORY_IN_STAGING)
        assert "S supersede" in text_of(app)
        assert "superseded  " not in text_of(app)
        await press(pilot, "S")
        for _ in range(200):
            if screen.preview is not None and screen.preview.proposals[0].supersedes:
                break
            await pilot.pause(0.01)
        assert f"closes     #41 superseded  {old.url}" in text_of(app)
        await question(pilot)
        assert f"closes     #41 superseded  {old.url}" in text_of(app)
        await press(pilot, "enter")
        await until_sent(pilot, session)
        (submitted,) = session.submitted
        assert [one.supersedes for one in submitted.proposals] == [(old,)]
        assert isinstance(app.screen, PlanScreen)
        assert screen is app.screen


async def test_without_github_the_plan_says_how_it_can_be_written_and_does_so() -> None:
    session = builders.ScriptedSession(builders.release())

    def previewed(shown: FleetSnapshot) -> Preview:
        made = builders.preview(shown)
        barred = (replace(one, pushable=True, unwritable="no GitHub; D pushes instead") for one in made.proposals)
        return replace(made, proposals=tuple(barred))

    session.previewed = previewed
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(160, 36)) as pilot:
        screen = await open_plan(pilot, *INVENTORY_IN_STAGING)
        assert "cannot be written  no GitHub; D pushes instead" in text_of(app)
        await press(pilot, "enter")
        assert app.screen is screen
        assert [(one.title, one.message) for one in app._notifications] == [
            ("not opened: 1 change, 1 blocked", "inventory staging: no GitHub; D pushes instead")
        ]
        await press(pilot, "D")
        for _ in range(200):
            if screen.preview is not None and screen.preview.proposals[0].direct:
                break
            await pilot.pause(0.01)
        assert "cannot be written" not in text_of(app)
        await question(pilot)
        assert "Push a commit?" in text_of(app)
        await press(pilot, "enter")
        await until_sent(pilot, session)
        assert [one.direct for one in session.submitted[0].proposals] == [True]


async def test_superseding_is_taken_back_by_the_same_key_and_not_offered_where_nothing_is_in_the_way() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_plan(pilot, *INVENTORY_IN_STAGING)
        assert "supersede" not in text_of(app)
        assert screen.check_action("supersede", ()) is False
        screen.action_supersede()
        assert screen.check_action("supersede", ()) is True
        screen.action_supersede()
        assert screen.check_action("supersede", ()) is False


async def test_a_stage_that_is_not_protected_needs_one_yes() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_plan(pilot, *INVENTORY_IN_STAGING)
        preview = screen.preview
        await question(pilot)
        await press(pilot, "enter")
        await until_sent(pilot, session)
        assert session.submitted == [preview]
        assert "#57" in text_of(app)
        assert "pull/57" in text_of(app)


async def test_a_protected_stage_opens_only_to_its_name() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        await question(pilot)
        await press(pilot, "enter", *"staging", "enter")
        assert session.submitted == []
        assert isinstance(app.screen, ConfirmScreen)
        await press(pilot, *["backspace"] * 7, *"prod", "enter")
        await until_sent(pilot, session)
        assert len(session.submitted) == 1


async def test_keys_from_before_the_question_was_shown_do_not_answer_it_however_late_they_arrive() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *INVENTORY_IN_STAGING)
        early = [events.Key("enter", "\r"), events.Key("escape", "\x1b")]
        screen = await question(pilot)
        for key in early:
            app.post_message(key)
        await pilot.pause()
        assert app.screen is screen
        assert session.submitted == []
        await press(pilot, "enter")
        await until_sent(pilot, session)
        assert len(session.submitted) == 1


async def test_after_a_stop_a_question_has_to_be_armed_again() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        screen = await question(pilot)
        await press(pilot, *"prod")
        assert screen.armed
        app.post_message(Driver.SignalResume())
        while screen.armed:
            await pilot.pause()
        assert screen.query_one("#word", Input).value == ""


async def test_keys_from_before_an_entry_was_shown_are_not_typed_into_it() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *INVENTORY_IN_STAGING)
        early = [events.Key("d", "d"), events.Key("enter", "\r")]
        await press(pilot, "w")
        screen = app.screen
        assert isinstance(screen, EntryScreen)
        for key in early:
            app.post_message(key)
        await press(pilot, *"why")
        assert app.screen is screen
        assert screen.field.value == "why"


async def test_keys_typed_before_the_question_can_be_read_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "ARMING_SECONDS", 60.0)
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        await press(pilot, "enter", *"prod", "enter")
        assert session.submitted == []
        assert isinstance(app.screen, ConfirmScreen)
        assert app.screen.query_one("#word", Input).value == ""


async def test_escape_answers_no() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        await press(pilot, "enter", "escape")
        assert isinstance(app.screen, PlanScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, FleetScreen)
        assert session.submitted == []
        assert session.snapshot.plan.changes


async def test_of_a_pull_request_that_is_open_one_line_stays() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *INVENTORY_IN_STAGING)
        await question(pilot)
        await press(pilot, "enter")
        await until_sent(pilot, session)
        shown = text_of(app)
        assert "✓ opened" in shown
        assert "committing" not in shown


async def test_a_failure_on_the_way_is_told_with_what_to_do() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *INVENTORY_IN_STAGING)
        await question(pilot)
        session.failure = UnreachableError("github.com does not answer", "Nothing was written: press r, then enter.")
        await press(pilot, "enter")
        await until_sent(pilot, session)
        shown = text_of(app)
        assert "github.com does not answer" in shown
        assert "Nothing was written" in shown
        assert session.snapshot.plan.changes


async def test_a_plan_that_cannot_be_compared_cannot_be_sent() -> None:
    session = builders.ScriptedSession(builders.release())
    session.failure = UnreachableError("the repository does not answer", "Check the network.")
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, *CHECKOUT_IN_PROD, "c", "enter")
        assert isinstance(app.screen, PlanScreen)
        assert "Check the network." in text_of(app)


async def test_a_change_can_be_dropped_and_undone() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD, "l", "p")
        assert len(session.snapshot.plan.changes) == 2
        await press(pilot, "d")
        assert [change.place for change in session.snapshot.plan.changes] == ["prod-ap1"]
        await press(pilot, "u")
        assert [change.place for change in session.snapshot.plan.changes] == ["prod-us1", "prod-ap1"]
        await press(pilot, "u", "u", "u")
        assert session.snapshot.plan.changes == ()
        assert app.screen.check_action("undo", ()) is None


async def test_a_wrong_word_is_said_to_be_one() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        asked = AskScreen("Merge", [], ["prod"])
        app.push_screen(asked)
        while not asked.readable:
            await pilot.pause(0.02)
        await pilot.press(*"prid", "enter")
        await pilot.pause()
        assert app.screen is asked
        assert [(one.title, one.message) for one in app._notifications] == [
            ("the text does not match", "Type prod, or press esc to cancel.")
        ]


async def test_the_diff_of_the_chosen_change_is_shown() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 24)) as pilot:
        screen = await open_plan(pilot, *CHECKOUT_IN_PROD, "2", "A", "1", "3", "A")
        plan = screen.snapshot.plan.changes
        assert len(plan) > 5
        for change in plan[1:]:
            await press(pilot, "j")
            assert f"+++ b/{change.path}" in text_of(app), change
        await press(pilot, *("k" for _ in plan))
        assert f"+++ b/{plan[0].path}" in text_of(app)


async def test_a_reason_is_seen_before_it_is_written() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_plan(pilot, *CHECKOUT_IN_PROD)
        await press(pilot, "w", *"why not", "enter")
        for _ in range(200):
            if screen.preview is not None and screen.preview.proposals[0].reason:
                break
            await pilot.pause(0.01)
        assert "reason     why not" in text_of(app)
        await question(pilot)
        assert "reason: why not" in text_of(app)


async def test_the_question_tells_what_is_opened_now_from_what_follows_wave_by_wave() -> None:
    session = builders.ScriptedSession(builders.release())

    def in_waves(shown: FleetSnapshot) -> Preview:
        (one,) = builders.preview(shown).proposals
        return Preview("3f2a1c9", tuple(replace(one, wave=wave, waves=3) for wave in range(3)))

    session.previewed = in_waves
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        await question(pilot)
        shown = text_of(app)
        assert "Open a pull request, queue 2 for later waves?" in shown
        heading = r"│  prod  feat\S+ prod-us1 -> v1\.4\.2 *│.*\n.*│    opens automatically once wave {} has settled"
        assert all(re.search(heading.format(wave), shown) for wave in (1, 2)), shown


async def test_nothing_said_on_the_matrix_covers_the_diff() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        assert not app._notifications


def _planned() -> FleetSnapshot:
    staged = plan_promotion(builders.release(), builders.key("checkout", "prod-us1"))
    assert isinstance(staged, Change)
    return replace(builders.release(), plan=Plan((staged,)))


def _steps(*names: ProgressStep, branch: str = "sgm/prod/one", number: int = 0) -> list[Progress]:
    (one,) = builders.preview(_planned()).proposals
    return [Progress(name, replace(one, branch=branch), name, number if name == "opened" else 0) for name in names]


def course_of(*progress: Progress, width: int = 100) -> list[str]:
    course = WriteProgress()
    for one in progress:
        course.step(one)
    return ["".join(part for part, _ in line).rstrip() for line in course.lines(width)]


def test_a_step_that_is_over_no_longer_looks_as_if_it_went_on() -> None:
    first, second = course_of(*_steps("committing", "pushing"))
    assert (first[:12], second[:9]) == ("✓ committing", "… pushing")


def test_what_failed_leaves_the_step_before_it_unfinished() -> None:
    first, second, third = course_of(*_steps("committing", "pushing", "failed"))
    assert (first[0], second[0], third[0]) == ("✓", "…", "✖")


def test_many_pull_requests_are_told_in_a_line_each() -> None:
    told = [one for at in range(9) for one in _steps("committing", "pushing", "opened", branch=f"b{at}", number=at)]
    assert [line[:8] for line in course_of(*told)] == ["✓ opened"] * 9


def test_a_link_that_does_not_fit_is_below_and_whole() -> None:
    (opened,) = _steps("opened", number=7)
    _, second = course_of(replace(opened, text="x" * 40, url="https://github.com/acme/gitops/pull/7"), width=74)
    assert second == " " * 23 + "https://github.com/acme/gitops/pull/7"


async def test_what_was_dropped_on_the_page_of_waves_is_not_told_in_the_plan_any_more() -> None:
    session = builders.ScriptedSession(builders.release())
    (change,) = _planned().plan.changes
    plan = WavePlan("1f3a", ((change,), (change,)), builders.ago(900), 900)
    session.wave_plans = ((plan, WaveStep("wait", "soaking")),)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        await until(pilot, lambda: "1 wave rollout in progress (W)" in text_of(app))
        await press(pilot, "W")
        session.wave_plans = ()
        await press(pilot, "escape")
        await until(pilot, lambda: "wave rollout" not in text_of(app))
        assert "The plan" in text_of(app)


def test_what_to_do_about_a_failure_is_below_it() -> None:
    (failed,) = _steps("failed")
    first, second = course_of(replace(failed, text="image.tag is v3 now\nNothing was written."))
    assert first.endswith("image.tag is v3 now")
    assert second == " " * 23 + "Nothing was written."


@pytest.mark.parametrize("size", [(80, 20), (80, 24), (120, 36), (220, 60)])
async def test_however_much_will_happen_the_buttons_of_the_question_are_on_the_screen(size: tuple[int, int]) -> None:
    session = builders.ScriptedSession(builders.release())

    def many(shown: FleetSnapshot) -> Preview:
        (one,) = builders.preview(shown).proposals
        return Preview("3f2a1c9", tuple(replace(one, edits=one.edits * 40) for _ in range(2)))

    session.previewed = many
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=size) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        screen = await question(pilot)
        for _ in range(2):
            shown = text_of(app)
            assert "Open 2 pull requests  ⏎" in shown
            assert "Type prod to unlock it" in shown
            assert screen.query_one("#yes").region.height == 1
            await pilot.resize_terminal(size[0] + 20, max(20, size[1] - 6))
            await pilot.pause()


async def test_gates_judged_during_an_outage_are_judged_again_when_the_source_speaks_again() -> None:
    github, told = builders.source("forge"), builders.release()
    silent = replace(told, sources=(replace(github, state="stale"),))
    session = builders.ScriptedSession(silent)

    def previewed(shown: FleetSnapshot) -> Preview:
        made = builders.preview(shown)
        unknown = any(one.state == "stale" for one in shown.sources)
        (change,) = shown.plan.changes
        gates = [Gate(change.cells[0], "pull-request", "unknown", f"github is silent, {at}") for at in range(9)]
        return replace(made, proposals=tuple(replace(one, gates=tuple(gates * unknown)) for one in made.proposals))

    session.previewed = previewed
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 24)) as pilot:
        screen = await open_plan(pilot, *CHECKOUT_IN_PROD)
        await until(pilot, lambda: "github is silent" in text_of(app))
        await press(pilot, "pagedown")
        await until(pilot, lambda: screen.page.scroll_y > 0)
        top = next(line for line in text_of(app).splitlines()[4:] if line.strip() and "─" not in line)
        session.push(replace(session.snapshot, sources=(github,)))
        await until(pilot, lambda: screen.preview is not None and not screen.preview.proposals[0].refused)
        await until(pilot, lambda: "clears in" not in text_of(app))
        assert "soaks" not in text_of(app)
        await until(pilot, lambda: screen.check_action("confirm", ()))
        assert "github is silent" not in text_of(app)
        await until(pilot, lambda: top.strip(" ▁▂▃▄▅▆▇█") in text_of(app) or screen.page.max_scroll_y == 0)


async def test_a_gate_that_time_clears_is_judged_again_at_that_time() -> None:
    session = builders.ScriptedSession(builders.release())
    opens = session.snapshot.generated_at + timedelta(minutes=5)

    def previewed(shown: FleetSnapshot) -> Preview:
        made = builders.preview(shown)
        (change,) = shown.plan.changes
        gate = Gate(change.cells[0], "soak", "block", "soaks", eta=opens)
        shut = shown.generated_at < opens
        return replace(made, proposals=tuple(replace(one, gates=(gate,) * shut) for one in made.proposals))

    session.previewed = previewed
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_plan(pilot, *CHECKOUT_IN_PROD)
        await until(pilot, lambda: "clears in 5m" in text_of(app))
        session.push(replace(session.snapshot, generated_at=opens))
        await until(pilot, lambda: screen.preview is not None and not screen.preview.proposals[0].refused)
        await until(pilot, lambda: "clears in" not in text_of(app))
        assert "soaks" not in text_of(app)


def test_a_step_that_waits_says_for_whom_and_how_long() -> None:
    now = [0.0]
    course = WriteProgress(lambda: now[0])
    (step,) = _steps("committing")
    course.step(step)
    assert len(course.lines(100)) == 1
    now[0] = 42.0
    _, ((waits, _),) = course.lines(100)
    assert waits.strip() == "no answer for 42s: waiting for git and GitHub"
    (failed,) = _steps("failed")
    course.step(failed)
    now[0] = 90.0
    assert not any("waiting" in part for line in course.lines(100) for part, _ in line)


async def test_what_was_typed_is_there_again_when_it_is_refused() -> None:
    session = builders.ScriptedSession(builders.release())
    session.refusal = Refusal("", "that is no step")
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_plan(pilot, *CHECKOUT_IN_PROD)
        await press(pilot, "s")
        await until(pilot, lambda: isinstance(app.screen, EntryScreen))
        first = app.screen
        first.query_one(Input).value = "canary10-x"
        await until(pilot, lambda: first.query_one(Input).value == "canary10-x")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, EntryScreen) and app.screen is not first)
        await until(pilot, lambda: app.screen.query(Input))
        assert app.screen.query_one(Input).value == "canary10-x"
        session.refusal = None
        await until(pilot, lambda: app.screen.focused is not None)
        await press(pilot, "enter")
        await until(pilot, lambda: session.snapshot.plan.changes[0].strategy == "canary10-x")
