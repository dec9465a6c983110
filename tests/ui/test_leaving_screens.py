"""A screen that is left while it waits: nothing it waited for comes after it, and no bug of a part ends the whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import builders
import pytest
from textual import events
from textual.app import ComposeResult
from textual.command import CommandList
from textual.pilot import Pilot
from textual.widgets import Static

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.plans.plan import Plan, Refusal, StagingResult
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.palette import Palette
from sgm_tui.ui.screens import revert, why
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.fleet import FleetScreen
from sgm_tui.ui.screens.help import HelpScreen
from sgm_tui.ui.screens.leavable import ClosableScreen
from sgm_tui.ui.screens.revert import RevertScreen

UTF8 = {"LANG": "C.UTF-8"}
BUG = "a bug in sgm"


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where crash reports are kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "sgm" / "reports"


class Slow(builders.ScriptedSession):
    """Every answer of one name waits until a test lets it come."""

    def __init__(self, *names: str) -> None:
        super().__init__(builders.release())
        self.may_answer = asyncio.Event()
        self.cancelled: list[str] = []
        for name in names:
            setattr(self, name, self._slow(name, getattr(self, name)))

    def _slow(self, name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        async def later(*asked: Any, **terms: Any) -> Any:
            try:
                await self.may_answer.wait()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            return await answer(*asked, **terms)

        return later


def failing(error: Exception) -> Callable[..., Any]:
    async def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def texts_in(folder: Path) -> dict[Path, str]:
    return {file: file.read_text(encoding="utf-8") for file in folder.glob("*")}


def titles(app: SgmApp) -> list[str]:
    return [one.title for one in app._notifications]


async def until(pilot: Pilot[None], true: Callable[[], object]) -> None:
    """Not with the pilot's own pause alone: it waits for widgets that may have failed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within a minute; on top is {pilot.app.screen}")


async def lives(pilot: Pilot[None]) -> None:
    """It shows the next snapshot and its cursor moves."""
    app = pilot.app
    assert isinstance(app, SgmApp)
    assert app._exception is None
    screen = app.screen
    assert isinstance(screen, FleetScreen)
    await pilot.press("home", "j")
    await until(pilot, lambda: screen.grid.row == 1)


@pytest.mark.parametrize(
    ("key", "waits_for"),
    [
        ("v", "past_versions"),
        ("v", "add_healthy_times"),
        ("v", "forecast_revert"),
        ("y", "why"),
        ("c", "list_unfinished"),
        ("c", "waves"),
    ],
)
async def test_leaving_a_screen_cancels_what_it_waits_for(key: str, waits_for: str) -> None:
    session = Slow(waits_for)
    past = builders.key("checkout", "prod-us1")
    session.pasts = tuple(
        revert.PastVersion(past, v, v * 9, "", "f", "mia", "s", builders.ago(9), None, "promotion", 1, "")
        for v in ("v1", "v2")
    )
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press(key)
        await until(pilot, lambda: not isinstance(app.screen, FleetScreen))
        await pilot.pause()
        await pilot.press("escape")
        session.may_answer.set()
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        await until(pilot, lambda: waits_for in session.cancelled)
        await lives(pilot)
        assert titles(app) == []


async def test_an_answer_that_comes_in_the_turn_in_which_the_screen_is_left_changes_nothing() -> None:
    session = Slow("why")
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, why.WhyScreen))
        await pilot.pause()
        session.may_answer.set()
        app.screen.dismiss()
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        await lives(pilot)


async def test_the_palette_opens_again_while_the_one_before_it_is_being_taken_away() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, Palette))
        left = app.screen
        left.dismiss()
        app.action_command_palette()
        await until(pilot, lambda: isinstance(app.screen, Palette) and app.screen is not left)
        assert titles(app) == []
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        await lives(pilot)


async def test_a_click_on_a_text_that_was_just_removed_does_nothing() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        text = Static("a text to click on")
        await app.screen.mount(text)
        await until(pilot, lambda: text.region)
        x, y = text.region.x, text.region.y
        text.remove()
        for _ in range(1000):
            if text.parent is None:
                break
            await asyncio.sleep(0)
        assert text.parent is None
        for kind in (events.MouseDown, events.MouseMove, events.MouseUp):
            await app.on_event(kind(None, x, y, 0, 0, 1, False, False, False, x, y))
        await lives(pilot)


@pytest.mark.parametrize("key", ["colon", "ctrl+p", "ctrl+t", "question_mark", "v", "y", "c", "o", "enter"])
async def test_a_screen_that_is_left_leaves_no_worker_behind(key: str) -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: not isinstance(app.screen, FleetScreen))
        page = app.screen
        assert isinstance(page, ClosableScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        assert not [one for one in app.workers if one.node is page and not one.is_cancelled and not one.is_finished]
        assert titles(app) == []
        await lives(pilot)


@pytest.mark.parametrize("key", ["pagedown", "pageup"])
async def test_a_page_key_does_nothing_in_a_palette_whose_list_is_not_laid_out(key: str) -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, Palette) and app.screen.query_one(CommandList).option_count)
        commands = app.screen.query_one(CommandList)
        commands.display = False
        await until(pilot, lambda: not commands.scrollable_content_region)
        commands.clear_options()
        commands.add_options(["one", "two"])
        commands.highlighted = 0
        await pilot.press(key)
        assert titles(app) == []
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        await lives(pilot)


async def test_a_screen_below_another_one_takes_only_itself_away() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, RevertScreen))
        page = app.screen
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        page.dismiss()
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen), "the help is what the person reads"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        page.dismiss()
        await lives(pilot)


async def test_a_screen_is_left_once_however_often_it_is_asked_to() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        for key in ("v", "y", "c", "o", "enter", "question_mark", "ctrl+p"):
            await pilot.press(key)
            await until(pilot, lambda: not isinstance(app.screen, FleetScreen))
            page = app.screen
            page.dismiss()
            page.dismiss()
            page.dismiss()
            await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        await lives(pilot)


async def test_a_question_nobody_waits_for_any_more_is_taken_away() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("o")
        await until(pilot, lambda: getattr(app.screen, "choices", None) is not None)
        await pilot.pause()
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        for worker in list(app.workers):
            if worker.group == "acting":
                worker.cancel()
        await until(pilot, lambda: not isinstance(app.screen, AskScreen))
        await pilot.press("escape")
        await lives(pilot)


async def test_what_is_done_to_a_pull_request_is_not_cut_off_by_leaving_the_list() -> None:
    session = Slow("act_on_pull")
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("o")
        await pilot.pause()
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AskScreen) and app.screen.armed)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, AskScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        session.may_answer.set()
        await until(pilot, lambda: titles(app))
        assert session.cancelled == []
        assert [one[0] for one in session.asked] == ["approve"]


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (("r",), "refresh"),
        (("v",), "past_versions"),
        (("y",), "why"),
        (("c",), "sketch"),
        (("c",), "list_unfinished"),
        (("p",), "stage_promotion"),
        (("A",), "stage_behind"),
        (("u",), "undo"),
        (("c", "W"), "waves"),
    ],
)
async def test_a_bug_behind_a_key_is_told_and_reported_and_the_dashboard_goes_on(
    reports: Path, keys: tuple[str, ...], asked: str
) -> None:
    session = builders.ScriptedSession(builders.release())
    session.plan(Plan().with_change(builders.promotion(builders.key("cart", "prod-us1"), "v9.9.9")))
    setattr(session, asked, failing(KeyError("no such thing")))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: [one for one in titles(app) if one.startswith(f"{BUG}: KeyError")])
        message = next(one.message for one in app._notifications if one.title.startswith(BUG))
        assert message in {f"Crash report: {one}" for one in texts_in(reports)}
        assert "no such thing" in "".join(texts_in(reports).values())
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        await lives(pilot)


async def test_an_error_no_handler_expected_is_told_with_its_advice_and_is_no_bug(reports: Path) -> None:
    session = builders.ScriptedSession(builders.release())
    session.stage_promotion = failing(UnreachableError("git does not answer", "Check the network."))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("p")
        await until(pilot, lambda: titles(app))
        (shown,) = app._notifications
        assert (shown.title, shown.message) == ("git does not answer", "Check the network.")
        assert not texts_in(reports)


@pytest.mark.parametrize("broken", ["compose", "on_mount", "action_back", "_show"])
async def test_a_page_that_fails_is_closed_and_the_matrix_goes_on(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(*_: Any) -> ComposeResult:
        raise RuntimeError(f"{broken} is broken")

    monkeypatch.setattr(why.WhyScreen, broken, fail)
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        await pilot.press("escape")
        await until(pilot, lambda: [one for one in titles(app) if one.startswith(BUG)])
        monkeypatch.undo()
        await pilot.press("q") if isinstance(app.screen, why.WhyScreen) else None
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        await lives(pilot)


async def test_a_page_that_cannot_be_drawn_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("o")
        await pilot.pause()
        part = app.screen.query_one("#chosen", Static)
        monkeypatch.setattr(part, "key_x", failing_now, raising=False)
        part.post_message(events.Key("x", "x"))
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        await until(pilot, lambda: titles(app))
        await lives(pilot)


async def test_a_snapshot_that_cannot_be_shown_does_not_stop_the_next_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    monkeypatch.setattr("sgm_tui.ui.app._PAUSE", 0.0)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        with monkeypatch.context() as broken:
            broken.setattr(FleetScreen, "watch_snapshot", lambda *_: failing_now())
            session.push(builders.calm())
            await until(pilot, lambda: [one for one in titles(app) if one.startswith(BUG)])
        newest = builders.release()
        session.push(newest)
        await until(pilot, lambda: app.snapshot is newest)
        await lives(pilot)


def failing_now() -> None:
    raise RuntimeError("this cannot be shown")


@pytest.mark.parametrize("failure", ["refused", "failed", "unanswered"])
async def test_marks_stay_until_they_are_staged(failure: str) -> None:
    session = Slow("stage_promotions")
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, FleetScreen)
        await pilot.press("3", "space", "space")
        marks = screen.marked
        assert len(marks) == 2
        if failure == "failed":
            session.stage_promotions = failing(UnreachableError("the plan cannot be kept"))
        elif failure == "refused":
            session.stage_promotions = answering(StagingResult(refusals=(Refusal("", "read-only"),)))
        await pilot.press("p")
        if failure != "unanswered":
            await until(pilot, lambda: titles(app))
        assert screen.marked == marks
        if failure == "unanswered":
            session.may_answer.set()
            await until(pilot, lambda: not screen.marked)


def answering(answer: object) -> Callable[..., Any]:
    async def give(*_: Any, **__: Any) -> Any:
        return answer

    return give
