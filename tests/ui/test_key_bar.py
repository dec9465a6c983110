"""The footer, the palette and the help: all from one declaration of keys, none of it cut."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import OptionList, Static
from textual.widgets._footer import FooterKey

from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.picture_file import save_picture
from sgm_tui.ui.screens.help import HelpScreen

SCREENS = {
    "the matrix": (),
    "the cell": ("enter",),
    "why": ("y",),
    "the way back": ("v",),
    "the revert of marked cells": ("space", "v"),
    "the plan": ("p", "c"),
    "waves": ("c", "W"),
    "unfinished": ("c", "U"),
    "pull requests": ("o",),
}


def app_on() -> SgmApp:
    return SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C.UTF-8"})


async def go(pilot: Pilot[None], *keys: str) -> None:
    await pilot.pause()
    await pilot.press("j", "j", "3", "l", *keys)
    await pilot.pause()
    await pilot.pause()


def footer(app: SgmApp) -> dict[str, str]:
    return {key.key_display: key.description for key in app.screen.query(FooterKey)}


@pytest.mark.parametrize("width", [40, 80, 120, 220])
@pytest.mark.parametrize("name", SCREENS)
async def test_no_footer_is_cut_and_help_and_the_way_out_are_in_it(name: str, width: int) -> None:
    app = app_on()
    async with app.run_test(size=(width, 24)) as pilot:
        await go(pilot, *SCREENS[name])
        assert max(key.region.right for key in app.screen.query(FooterKey)) <= width
        shown = footer(app)
        assert shown["?"] == "help"
        assert "quit" in shown.values() if name == "the matrix" else shown["esc"] == "back"


async def test_a_wide_footer_has_every_key_that_does_more_than_move() -> None:
    app = app_on()
    async with app.run_test(size=(280, 50)) as pilot:
        await go(pilot)
        assert {"/", "z", "w", "space", "i", "p", "P", "A", "L", "v", "f", "^p", "^q"} <= footer(app).keys()
        assert not {"↑", "j", "1", "pgup"} & footer(app).keys()


async def test_what_is_switched_on_says_so_however_narrow_the_footer() -> None:
    app = app_on()
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot)
        assert footer(app)["f"] == "attention"
        await pilot.press("f", "w")
        await pilot.pause()
        await pilot.pause()
        assert {"f": "attention on", "w": "worst first on"}.items() <= footer(app).items()


async def test_more_keys_come_when_the_terminal_grows() -> None:
    app = app_on()
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot)
        assert "/" not in footer(app)
        await pilot.resize_terminal(160, 24)
        await pilot.pause()
        await pilot.pause()
        assert footer(app)["/"] == "filter"


async def test_the_palette_has_our_commands_alone() -> None:
    app = app_on()
    async with app.run_test(size=(120, 60)) as pilot:
        await go(pilot, "colon")
        assert isinstance(app.screen, CommandPalette)
        options = app.screen.query_one(OptionList)
        for _ in range(200):
            if options.option_count:
                break
            await pilot.pause(0.02)
        told = {str(options.get_option_at_index(at).prompt).split("\n")[0] for at in range(options.option_count)}
        assert {"promote", "filter", "theme", "picture", "quit"} <= told
        assert not {"Keys", "Maximize", "Screenshot", "Quit", "Theme", "interrupt"} & told


async def test_a_picture_of_the_screen_is_kept_and_the_place_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = app_on()
    async with app.run_test(size=(120, 36)) as pilot:
        await go(pilot, "ctrl+s")
        for _ in range(200):
            if app._notifications:
                break
            await pilot.pause(0.02)
        told = {one.title: one.message for one in app._notifications}
    (file,) = kept_in(tmp_path)
    assert told["screen saved"] == str(file)
    assert "checkout" in file.read_text(encoding="utf-8")
    with pytest.raises(FileExistsError):
        save_picture("another", builders.NOW)  # one of this second is there already, and stays


def kept_in(folder: Path) -> list[Path]:
    return list(folder.glob("*.svg"))


async def test_the_help_knows_every_key_and_the_mouse() -> None:
    app = app_on()
    async with app.run_test(size=(120, 60)) as pilot:
        await go(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        lines = str(app.screen.query_one("#keys", Static).content).splitlines()
        labels = {line[:12].strip() for line in lines}
        assert {"/", "z", "w", "space", "i", "^c", "^q", "^z", "click", "twice", "on a stage"} <= labels
