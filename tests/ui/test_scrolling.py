"""Pages longer than the screen: a held key scrolls as far as it was pressed."""

from __future__ import annotations

import builders
import pytest
from textual import events
from textual.containers import VerticalScroll

from sgm_tui.ui.app import SgmApp


@pytest.mark.parametrize("key", ["enter", "question_mark"], ids=["the cell", "the help"])
async def test_no_key_of_a_held_one_is_lost(key: str) -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("j", "j", "3", key)
        await pilot.pause()
        for _ in range(6):  # as a terminal sends them: all of them before the screen is painted again
            app.post_message(events.Key("j", "j"))
        await pilot.pause()
        assert app.screen.query_one(VerticalScroll).scroll_y == 6
