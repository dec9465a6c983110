"""A terminal too small for any screen: a calm notice, no keys, and everything as it was once it has grown again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import builders
import pytest
from textual.geometry import Size
from textual.pilot import Pilot
from textual.widgets import Input

from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.confirm import ConfirmScreen
from sgm_tui.ui.screens.fleet import FleetScreen
from sgm_tui.ui.terminal import canvas

UTF8 = {"LANG": "C.UTF-8"}
CHECKOUT_IN_PROD = ("j", "j", "3", "l", "p")
SCREENS = {
    "the matrix": (),
    "the filter": ("slash", "c"),
    "one cell": ("enter",),
    "why not": ("y",),
    "the way back": ("v",),
    "the revert of marked cells": ("space", "v"),
    "pull requests": ("o",),
    "the plan": (*CHECKOUT_IN_PROD, "c"),
    "an entry": (*CHECKOUT_IN_PROD, "c", "w"),
    "the question": (*CHECKOUT_IN_PROD, "c", "enter"),
    "the help": ("question_mark",),
    "the palette": ("colon",),
}


def app_on_a_release() -> tuple[SgmApp, builders.ScriptedSession]:
    session = builders.ScriptedSession(builders.release())
    return SgmApp(session, environ=UTF8), session


async def until(pilot: Pilot[None], so: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "it never came to be so"
        await pilot.pause(0.01)


async def press(pilot: Pilot[None], *keys: str) -> None:
    await until(pilot, lambda: pilot.app.screen_stack[0].query("#filter"))
    for key in keys:
        await pilot.press(key)
    await pilot.pause()


async def arrived(pilot: Pilot[None], size: tuple[int, int]) -> None:
    """Resize, and wait until the screen has that size, or the least there is."""
    await pilot.resize_terminal(*size)
    await until(pilot, lambda: pilot.app.screen.outer_size == canvas.at_least(Size(*size)))


@pytest.mark.parametrize(
    ("size", "lines"),
    [
        ((39, 24), ("terminal too small (39×24)", "sgm needs 40×10", "ctrl+c quits")),
        ((100, 2), ("too small (100×2), needs 40×10",)),
        ((20, 5), ("too small (20×5)",)),
        ((12, 1), ("12×1 < 40×10",)),
        ((4, 4), ("4×4",)),
        ((2, 2), ("2×",)),
        ((1, 1), ("1",)),
    ],
    ids=lambda value: "x".join(map(str, value)) if isinstance(value[0], int) else "",
)
def test_the_notice_fits_where_nothing_else_does(size: tuple[int, int], lines: tuple[str, ...]) -> None:
    assert canvas.notice(Size(*size)) == lines


async def test_keys_for_what_is_not_there_yet_do_nothing() -> None:
    app, _ = app_on_a_release()
    async with app.run_test(size=(120, 36)) as pilot:
        await app.run_action("screen.filter")
        await app.run_action("screen.back")
        await until(pilot, lambda: app.screen.query("#filter"))
        assert not app.screen.query_one("#filter").display
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize("keys", SCREENS.values(), ids=SCREENS.keys())
async def test_every_screen_survives_a_terminal_of_one_cell(keys: tuple[str, ...]) -> None:
    app, _ = app_on_a_release()
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *keys)
        shown = app.screen
        for size in ((1, 1), (2, 2), (20, 5), (500, 200), (40, 10), (120, 36)):
            await arrived(pilot, size)
            assert app.is_readable == (size >= (40, 10))
        assert app.screen is shown


@pytest.mark.parametrize("keys", [(), SCREENS["the question"]], ids=["the matrix", "the question"])
async def test_any_sizes_in_any_order_are_survived(keys: tuple[str, ...]) -> None:
    app, _ = app_on_a_release()
    sizes = random.Random(7)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, *keys)
        for _ in range(40):
            await pilot.resize_terminal(sizes.randrange(1, 260), sizes.randrange(1, 90))
        await arrived(pilot, (80, 24))
        assert app.is_readable


async def test_what_nobody_can_see_takes_no_keys_and_comes_back_as_it_was() -> None:
    app, session = app_on_a_release()
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *CHECKOUT_IN_PROD, "c", "enter")
        screen = app.screen
        assert isinstance(screen, ConfirmScreen)
        await until(pilot, lambda: screen.readable)
        await press(pilot, *"pro")
        await arrived(pilot, (20, 5))
        await press(pilot, "d", "enter", "escape", "q")
        await arrived(pilot, (120, 36))
        assert app.screen is screen
        assert screen.query_one("#word", Input).value == "pro"
        assert app.focused is screen.query_one("#word")
        assert session.submitted == []
        await press(pilot, "d", "enter")
        await until(pilot, lambda: session.submitted)


async def test_the_cursor_the_marks_and_the_filter_outlast_a_small_terminal() -> None:
    app, session = app_on_a_release()
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, "slash", *"prod", "enter", "j", "l", "space")
        screen = app.screen
        assert isinstance(screen, FleetScreen)
        before = (screen.selected, screen.marked, screen.view)
        await arrived(pilot, (10, 3))
        await press(pilot, "p", "j", "escape")
        await arrived(pilot, (120, 36))
        assert (screen.selected, screen.marked, screen.view) == before
        assert not session.snapshot.plan.changes


async def test_ctrl_c_leaves_even_there_and_a_remapped_key_as_well() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), keymap={"interrupt": "ctrl+x"}, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await arrived(pilot, (20, 5))
        await press(pilot, "ctrl+x")
    assert app.return_code == 130


async def test_at_the_least_size_a_question_shows_its_word_and_its_answers() -> None:
    app, _ = app_on_a_release()
    async with app.run_test(size=canvas.LEAST) as pilot:
        await press(pilot, *SCREENS["the question"])
        assert isinstance(app.screen, AskScreen)
        inside = app.screen.region
        for part in ("#question", "#arming", "#word", "#yes"):
            region = app.screen.query_one(part).region
            assert region.area, part
            assert region in inside, part
        before = app.screen.scroller.scroll_offset
        await press(pilot, "down")
        await until(pilot, lambda: app.screen.query_one("#dialog VerticalScroll").scroll_offset.y == before.y + 1)
