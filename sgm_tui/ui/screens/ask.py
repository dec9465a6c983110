"""The last question before anything is done: exactly what will happen, and arming where a stage is protected.

Keys typed before it has been on the screen for a moment are dropped, and so is anything pasted: a yes is always given
to what is on the screen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.getters import query_one
from textual.reactive import var
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.dialog import ROOMY, Dialog
from sgm_tui.ui.widgets.rendering import render_page

ARMING_SECONDS = 0.4
"""How long a dialog is on the screen before it can be answered."""

_AROUND = 8
"""Lines of the dialog that are not about what will happen: border, padding, question, buttons."""
_LOCK = 5
"""Lines of arming: what is protected, which may take two, the word, and space around both."""


class TypedInput(Input):
    """An input that takes what is typed and nothing that is pasted; the application says so."""

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()


class AskScreen(Dialog[bool]):
    """Yes or no to exactly what it shows."""

    CSS_PATH = styles() / "modal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("question")
    AUTO_FOCUS = ""

    scroller = query_one(VerticalScroll)

    readable: var[bool] = var(False)
    """It has been on the screen long enough to be read and answered."""
    typed: var[str] = var("")

    def __init__(self, verb: str, lines: Sequence[Line], locked: Sequence[str] = ()) -> None:
        """Ask for `verb`; where `locked` names protected stages, they have to be typed."""
        super().__init__()
        self._verb = verb
        self._lines = tuple(lines)
        self._locked = tuple(locked)
        self._readable_at = math.inf
        self._wait = Timer(self, ARMING_SECONDS)

    def compose(self) -> ComposeResult:
        """What will happen, the word to type, two buttons."""
        with Vertical(id="dialog"):
            yield Static(render_page([((f"{self._verb}?", Tone.STRONG),)]), id="question", markup=False)
            with VerticalScroll(can_focus=False):
                yield Static(render_page(self._lines), markup=False)
            if self._locked:
                yield Static(render_page(self._arming()), id="arming", markup=False)
                with Horizontal(id="unlock"):
                    yield Static("> ", id="prompt", markup=False)
                    yield TypedInput(id="word", compact=True, disabled=True)
            with Horizontal(id="buttons"):
                yield Button(f"{self._verb}  ⏎", id="yes", variant="primary", compact=True, disabled=True)
                yield Button("Cancel  esc", id="no", compact=True)

    def on_resize(self) -> None:
        """However much will happen, the word and the buttons are on the screen; in a small one the style sees to it."""
        around = _AROUND + (_LOCK if self._locked else 0)
        room = self.size.height * 9 // 10 - around if self.size.height >= ROOMY else None
        self.scroller.styles.max_height = room

    def _arming(self) -> list[Line]:
        names = " and ".join(self._locked)
        word = " ".join(self._locked)
        return [((f"{names} is protected. ", Tone.PROTECTED), (f"Type {word} to unlock it.", Tone.TEXT))]

    def begin_again(self) -> None:
        """It has to be read, and the word typed, once more."""
        super().begin_again()
        self.readable, self._readable_at = False, math.inf
        if self._locked:
            word = self.query_one("#word", Input)
            word.value, word.disabled = "", True
        self.query_one("#yes", Button).disabled = True

    def be_painted(self) -> None:
        """Count from the moment it has been painted."""
        super().be_painted()
        self._wait.stop()
        self._wait = self.set_timer(ARMING_SECONDS, self._be_readable)

    def _be_readable(self) -> None:
        self.readable = True
        self._readable_at = time.monotonic()
        if self._locked:
            word = self.query_one("#word", Input)
            word.disabled = False
            word.focus()
        self.query_one("#yes", Button).disabled = not self.armed

    def takes(self, event: events.Event) -> bool:
        """A no and looking around at once, everything else once it can have been read."""
        hasty = isinstance(event, events.Key) and event.key not in {"escape", "up", "down"}
        return event.time >= self._readable_at if hasty else super().takes(event)

    @property
    def armed(self) -> bool:
        """Whether a yes would be taken."""
        return self.readable and self.typed.strip() == " ".join(self._locked)

    @on(Input.Changed, "#word")
    def take_word(self, message: Input.Changed) -> None:
        """The word arms."""
        self.typed = message.value
        self.query_one("#yes", Button).disabled = not self.armed

    @on(Input.Submitted, "#word")
    def submit_word(self) -> None:
        """Enter in the field is a yes."""
        self.action_answer(True)

    @on(Button.Pressed)
    def press(self, message: Button.Pressed) -> None:
        """The buttons answer as the keys do."""
        self.action_answer(message.button.id == "yes")

    def action_scroll(self, lines: int) -> None:
        """Scroll what will happen, where it does not fit."""
        self.scroller.scroll_relative(y=lines, animate=False, immediate=True)

    def action_answer(self, yes: bool) -> None:
        """Give the answer; a yes that is not armed is none."""
        if not yes:
            self.dismiss(False)
        elif self.armed:
            self.dismiss(True)
        elif self.readable and self.typed.strip():
            word = " ".join(self._locked)
            self.notify(
                f"Type {word}, or press esc to cancel.",
                title="the text does not match",
                severity="warning",
                markup=False,
            )
