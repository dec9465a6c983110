"""How every screen looks, in every state, at the sizes people have: golden pictures in `snapshots/`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import builders
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.ask import AskScreen

Compare = Callable[..., bool]
UTF8 = {"LANG": "C.UTF-8"}
SMALL, NORMAL, LARGE = (80, 24), (120, 36), (220, 60)
SIZES = pytest.mark.parametrize("size", [SMALL, NORMAL, LARGE], ids=["80x24", "120x36", "220x60"])


def app_on(shown: FleetSnapshot, theme: str = "") -> SgmApp:
    return SgmApp(builders.ScriptedSession(shown), theme=theme, environ=UTF8)


def typing(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Wait for the fleet, press these, and wait until it is quiet."""

    async def run(pilot: Pilot[None]) -> None:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            groups = {"preview", "judge", "past", "way", "unfinished", "waves"}
            asking = [worker for worker in pilot.app.workers if worker.group in groups]
            if asking:
                await pilot.app.workers.wait_for_complete(asking)
        await pilot.pause()
        if isinstance(pilot.app.screen, AskScreen):
            while not pilot.app.screen.readable:
                await pilot.pause(0.02)
        await pilot.pause()
        for toast in pilot.app.screen.query("Toast"):
            toast.remove()
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause()

    return run


@SIZES
def test_a_release_is_under_way(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(builders.release()), terminal_size=size, run_before=typing("j", "j", "l", "l"))


@SIZES
def test_all_is_calm(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(builders.calm()), terminal_size=size, run_before=typing())


@SIZES
def test_nothing_answers(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(builders.outage()), terminal_size=size, run_before=typing())


@pytest.mark.parametrize("theme", ["light", "high-contrast", "colour-blind", "terminal"])
def test_a_release_in_every_theme(snap_compare: Compare, theme: str) -> None:
    assert snap_compare(app_on(builders.release(), theme), terminal_size=NORMAL, run_before=typing("j", "j", "l", "l"))


def test_a_release_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_on(builders.release()), terminal_size=NORMAL, run_before=typing("j", "j", "l", "l"))


def test_a_release_in_ascii(snap_compare: Compare) -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C"})
    assert snap_compare(app, terminal_size=NORMAL, run_before=typing("j", "j", "l", "l"))


def test_the_first_answers_are_awaited(snap_compare: Compare) -> None:
    assert snap_compare(app_on(builders.loading()), terminal_size=SMALL, run_before=typing())


def test_nothing_can_be_shown_at_all(snap_compare: Compare) -> None:
    problem = "sgm.yaml:12: unknown key argcd\nDid you mean argocd?"
    shown = replace(builders.snapshot(()), problem=problem)
    assert snap_compare(app_on(shown), terminal_size=SMALL, run_before=typing())


def test_a_large_fleet_scrolls_sideways(snap_compare: Compare) -> None:
    assert snap_compare(app_on(builders.big()), terminal_size=NORMAL, run_before=typing(*"j" * 30, *"l" * 14))


def test_a_stage_is_folded_and_the_worst_comes_first(snap_compare: Compare) -> None:
    assert snap_compare(app_on(builders.release()), terminal_size=NORMAL, run_before=typing("3", "z", "w"))


def test_the_filter_narrows(snap_compare: Compare) -> None:
    assert snap_compare(app_on(builders.release()), terminal_size=SMALL, run_before=typing("slash", *"prod failed"))


def test_the_filter_finds_nothing(snap_compare: Compare) -> None:
    assert snap_compare(app_on(builders.release()), terminal_size=SMALL, run_before=typing("slash", *"zzz", "enter"))


def test_only_what_needs_attention(snap_compare: Compare) -> None:
    assert snap_compare(app_on(builders.release()), terminal_size=SMALL, run_before=typing("f"))


@SIZES
def test_one_cell_in_full(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(builders.release()), terminal_size=size, run_before=typing("j", "j", "3", "enter"))


def test_a_failed_cell_in_full(snap_compare: Compare) -> None:
    keys = typing(*"j" * 7, "2", "enter")
    assert snap_compare(app_on(builders.release()), terminal_size=NORMAL, run_before=keys)


@SIZES
def test_the_plan_with_its_diff(snap_compare: Compare, size: tuple[int, int]) -> None:
    keys = typing("j", "j", "3", "l", "p", "l", "p", "c")
    assert snap_compare(app_on(builders.release()), terminal_size=size, run_before=keys)


def test_the_plan_in_the_light(snap_compare: Compare) -> None:
    keys = typing("j", "j", "3", "l", "p", "c")
    assert snap_compare(app_on(builders.release(), "light"), terminal_size=NORMAL, run_before=keys)


def test_an_empty_plan(snap_compare: Compare) -> None:
    assert snap_compare(app_on(builders.release()), terminal_size=SMALL, run_before=typing("c"))


def test_a_plan_that_cannot_be_compared(snap_compare: Compare) -> None:
    session = builders.ScriptedSession(builders.release())
    session.failure = UnreachableError("github.com does not answer", "Check the network, then press r.")
    app = SgmApp(session, environ=UTF8)
    assert snap_compare(app, terminal_size=SMALL, run_before=typing("j", "j", "3", "l", "p", "c"))


@pytest.mark.parametrize("size", [SMALL, NORMAL], ids=["80x24", "120x36"])
def test_the_last_question(snap_compare: Compare, size: tuple[int, int]) -> None:
    keys = typing("j", "j", "3", "l", "p", "c", "enter")
    assert snap_compare(app_on(builders.release()), terminal_size=size, run_before=keys)


@pytest.mark.parametrize("size", [SMALL, NORMAL], ids=["80x24", "120x36"])
def test_the_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(builders.release()), terminal_size=size, run_before=typing("question_mark"))


def test_the_pull_requests(snap_compare: Compare) -> None:
    assert snap_compare(app_on(builders.release()), terminal_size=NORMAL, run_before=typing("o"))
