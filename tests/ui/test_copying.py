"""ctrl+c copies what is selected; without a selection it ends the program, as everywhere."""

from __future__ import annotations

import builders
from textual.selection import SELECT_ALL
from textual.widgets import Input, Static

from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.entry import EntryScreen


def application() -> SgmApp:
    return SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C.UTF-8"})


async def test_a_selection_on_the_screen_is_copied_and_the_next_ctrl_c_quits() -> None:
    app = application()
    async with app.run_test() as pilot:
        await pilot.pause()
        line = app.screen.query(Static).first()
        app.screen.selections = {line: SELECT_ALL}
        await pilot.press("ctrl+c")
        assert app.clipboard
        assert app.clipboard in str(line.visual)
        assert app.is_running
        await pilot.press("ctrl+c")
    assert app.return_code == 130


async def test_a_selection_in_a_field_is_copied() -> None:
    app = application()
    async with app.run_test() as pilot:
        await pilot.pause()
        await app.push_screen(EntryScreen("A version", value="v1.4.2"))
        await pilot.pause()
        app.screen.query_one(Input).select_all()
        await pilot.press("ctrl+c")
        assert app.clipboard == "v1.4.2"
        assert app.is_running
        await pilot.press("ctrl+c")
    assert app.return_code == 130
