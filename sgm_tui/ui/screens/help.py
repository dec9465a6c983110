"""Every key and every sign, made from the one declaration of keys and the one table of glyphs."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.getters import query_one
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from sgm_tui.fleet.cell import Journey
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.present import glyphs
from sgm_tui.ui.present.cells import journey_tone
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.leavable import ClosableScreen
from sgm_tui.ui.widgets.rendering import render_page

_KEY_WIDTH = 12


class HelpScreen(ModalScreen[None], ClosableScreen[None]):
    """The keys of the screen it was opened on, and what the signs of the matrix mean."""

    CSS_PATH = styles() / "modal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("help")

    scroller = query_one(VerticalScroll)

    def __init__(self, below: Screen[object]) -> None:
        super().__init__()
        self._keys = _key_lines(below)

    def compose(self) -> ComposeResult:
        """Keys beside signs."""
        with VerticalScroll(id="dialog"), Horizontal():
            yield Static(render_page([(("Keys", Tone.TITLE),), *self._keys]), id="keys", markup=False)
            yield Static(render_page(_sign_lines()), id="signs", markup=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll."""
        self.scroller.scroll_relative(y=lines, animate=False, immediate=True)

    def action_back(self) -> None:
        """Close."""
        self.dismiss()


def _key_lines(below: Screen[object]) -> list[Line]:
    """One line for each command: its keys and what it does."""
    shown: dict[str, tuple[list[str], Binding]] = {}
    for _, active in keys.sort_active(below.active_bindings.values()):
        binding = active.binding
        keys_of, _ = shown.setdefault(binding.action, ([], binding))
        keys_of.append(below.app.get_key_display(binding))
    lines: list[Line] = []
    stages = [action for action in shown if action.startswith("stage(")]
    for action in stages[1:]:
        del shown[action]
    for action, (names, binding) in shown.items():
        jump = action in stages
        text = "Jump to a stage" if jump else binding.tooltip
        label = f"1…{len(stages)}" if jump else " ".join(names)
        lines.append(_explained(label, text))
    return [*lines, (), (("Mouse", Tone.TITLE),), *(_explained(*one) for one in keys.MOUSE)]


def _explained(label: str, text: str) -> Line:
    return ((f"{label:<{_KEY_WIDTH}}", Tone.STRONG), (text, Tone.TEXT))


def _sign_lines() -> list[Line]:
    lines: list[Line] = [(("Journey of a change", Tone.TITLE),)]
    lines.extend(
        (
            (f"{glyphs.JOURNEY[journey]} ", journey_tone(journey)),
            (f"{journey.value:<10}", Tone.STRONG),
            (glyphs.MEANING[journey], Tone.TEXT),
        )
        for journey in Journey
    )
    lines.extend(
        (
            (),
            (("Marks", Tone.TITLE),),
            ((f"{glyphs.BEHIND}1 {glyphs.AHEAD}1     ", Tone.STRONG), ("behind, ahead of previous stage", Tone.TEXT)),
            ((f"{glyphs.SKEWED}         ", Tone.ATTENTION), ("skew: clusters of this stage differ", Tone.TEXT)),
            ((f"{glyphs.ALERT}2        ", Tone.ATTENTION), ("firing alerts", Tone.TEXT)),
            (("‖?        ", Tone.UNKNOWN), ("a source is not responding", Tone.TEXT)),
            ((f"{glyphs.MARKED}         ", Tone.STAGED), ("marked: p and v act on all", Tone.TEXT)),
            (("▂▃▅       ", Tone.QUIET), ("requests in the last 30 minutes", Tone.TEXT)),
            (),
            (("Sources", Tone.TITLE),),
            ((f"{glyphs.FRESH} fresh   ", Tone.GOOD), (f"{glyphs.WAITING} waiting   ", Tone.BUSY)),
            ((f"{glyphs.STALE} stale   ", Tone.BAD), (f"{glyphs.OFF} not configured", Tone.QUIET)),
        )
    )
    return lines
