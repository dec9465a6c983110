"""Whatever is written can be read: every character of every screen, in every theme, against what it is painted on."""

from __future__ import annotations

from collections.abc import Iterator

import builders
import pytest
from rich.color import Color as RichColor
from test_looks import typing
from test_present import contrast
from textual.color import Color
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input

from sgm_tui.ui import themes
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.present.tones import Tone
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.entry import EntryScreen

LEAST = 4.5
"""WCAG 2.2 AA for text."""
DRAWING = " ─│╭╮╰╯━▔▁▂▃▄▅▆▇█▎▊▌▐░"
"""Borders and bars are no text."""
COLOURED = [theme.name for theme in themes.THEMES if not theme.ansi]
OPEN = {
    "matrix": ("j", "j"),
    "details": ("j", "enter"),
    "filter": ("slash", "p", "r"),
    "plan": ("j", "j", "3", "l", "p", "c"),
    "pulls": ("o",),
    "why": ("j", "3", "y"),
    "help": ("question_mark",),
    "palette": ("colon",),
    "marked": ("space", "j"),
}


def strips(app: SgmApp) -> Iterator[Strip]:
    """Yield the lines of the screen as the terminal gets them; of a dialog, those parts that it covers itself."""
    dialog = next(iter(app.screen.query("#dialog, #--container")), None) if app.screen.is_modal else None
    area = dialog.region if dialog is not None else app.screen.region
    for row in app.screen._compositor.render_strips(app.size)[area.y : area.bottom]:
        strip = row.crop(area.x, area.right)
        for line_filter in app._filters:
            strip = strip.apply_filter(line_filter, Color(0, 0, 0)) if line_filter.enabled else strip
        yield strip


def unreadable(app: SgmApp) -> set[tuple[str, str, float]]:
    """Return each text whose contrast is below the least, with its style and its contrast."""
    poor = set()
    for strip in strips(app):
        for text, style, _ in strip:
            if text.strip(DRAWING) and style is not None and style.color is not None and style.bgcolor is not None:
                ratio = contrast(shown(style.color), shown(style.bgcolor))
                poor |= {(text.strip(), str(style), round(ratio, 2))} if ratio < LEAST else set()
    return poor


def shown(colour: RichColor) -> Color:
    return Color(*colour.get_truecolor())


async def unreadable_in_any_theme(app: SgmApp, pilot: Pilot[None]) -> dict[str, set[tuple[str, str, float]]]:
    poor = {}
    for theme in COLOURED:
        app.theme = theme
        await pilot.pause()
        poor[theme] = unreadable(app)
    return {theme: texts for theme, texts in poor.items() if texts}


@pytest.mark.parametrize("screen", OPEN, ids=OPEN.keys())
async def test_every_text_of_a_screen_can_be_read(screen: str) -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await typing(*OPEN[screen])(pilot)
        assert await unreadable_in_any_theme(app, pilot) == {}


async def test_every_text_of_a_question_can_be_read() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        for locked in ((), ("prod",)):
            await app.push_screen(AskScreen("Open a pull request", [(("what happens", Tone.TEXT),)], locked))
            for severity in ("error", "warning", "information"):
                app.notify("text", title="title", severity=severity)
            assert await unreadable_in_any_theme(app, pilot) == {}
        await app.push_screen(EntryScreen("A version", choices=["v1", "v2"]))
        await pilot.press("down")
        assert await unreadable_in_any_theme(app, pilot) == {}


async def test_a_locked_question_without_colour_shows_its_button_and_an_empty_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await app.push_screen(AskScreen("Open a pull request", [(("what happens", Tone.TEXT),)], ("prod",)))
        while not app.screen.query_one("#word", Input).has_focus:
            await pilot.pause(0.02)
        app.screen.query_one("#word", Input).cursor_blink = False
        await pilot.pause()
        lines = list(strips(app))
        texts = [line.text for line in lines]
        assert sum("Open a pull request" in text for text in texts) == 2, "the question and its button"
        field = next(line for line in lines if "│  > " in line.text)
        assert "prod" not in field.text
        assert any(style is not None and style.reverse for _, style, _ in field), "the cursor stands in the field"
