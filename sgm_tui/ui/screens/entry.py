"""One line of text from a person, with what is known to choose from; nothing where they think better of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.getters import query_one
from textual.widgets import Input, Static

from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.dialog import ROOMY, Dialog
from sgm_tui.ui.screens.leavable import ClosableScreen
from sgm_tui.ui.widgets.choices import Choices
from sgm_tui.ui.widgets.rendering import render_page

_MOST_ROWS = 9
"""As many known values are on the screen at once, where there is room: with the question they fit 24 lines."""


def explained_width(terminal: int) -> int:
    """How many cells a line of explanation has in a terminal so wide: `modal.tcss` less border and padding."""
    return min(90, terminal * 96 // 100) - 6


class EntryScreen(Dialog[str | None]):
    """Ask for a value."""

    CSS_PATH = styles() / "modal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("entry")
    AUTO_FOCUS = "Input"

    field = query_one("#entry", Input)
    choices = query_one(Choices)

    def __init__(
        self,
        title: str,
        explained: Sequence[Line] = (),
        choices: Sequence[str] = (),
        *,
        value: str = "",
        least: int = 1,
    ) -> None:
        super().__init__()
        self._title = title
        self._explained = explained
        self._choices = tuple(choices)
        self._value = value
        self._least = least
        """Fewer characters than these are no answer."""

    def compose(self) -> ComposeResult:
        """The question, the field, what is known."""
        with Vertical(id="dialog"):
            yield Static(render_page([((self._title, Tone.STRONG),), *self._explained]), id="question", markup=False)
            yield Input(value=self._value, id="entry", compact=True)
            yield Choices()
            hint = "⏎ accept   ↑↓ choose   esc cancel" if self._choices else "⏎ accept   esc cancel"
            yield Static(render_page([((hint, Tone.QUIET),)]), id="hint", markup=False)

    def on_mount(self) -> None:
        """Everything known, before anything is typed, and the field's own value among it."""
        super().on_mount()
        self.choices.display = bool(self._choices)
        self._narrow("")

    def on_resize(self) -> None:
        """What is typed narrows the list and not the dialog: nothing jumps, where there is room for that."""
        self.choices.styles.min_height = min(len(self._choices), _MOST_ROWS) if self.size.height >= ROOMY else 0

    @on(Input.Changed, "#entry")
    def narrow(self, message: Input.Changed) -> None:
        """What is known follows what is typed."""
        self._narrow(message.value if message.value != self._value else "")

    def _narrow(self, typed: str) -> None:
        self._shown = tuple(one for one in self._choices if typed.lower() in one.lower())
        self.choices.show([((one, Tone.TEXT),) for one in self._shown])
        # What is in the field is the answer, not what happens to be the first here.
        self.choices.highlighted = self._shown.index(self.field.value) if self.field.value in self._shown else None

    def action_choose(self, step: int) -> None:
        """Take another known value into the field."""
        if not self._shown:
            return
        if self.choices.highlighted is None:
            self.choices.highlighted = 0
        else:
            self.choices.choose(step)
        self._take_over(self.choices.highlighted or 0)

    @on(Choices.OptionSelected)
    def take_clicked(self, message: Choices.OptionSelected) -> None:
        """A known value that was clicked goes into the field, where enter takes it."""
        self._take_over(message.option_index)
        self.field.focus()

    def _take_over(self, at: int) -> None:
        with self.prevent(Input.Changed):
            self.field.value = self._shown[at]
            self.field.cursor_position = len(self.field.value)

    @on(Input.Submitted, "#entry")
    def take(self, message: Input.Submitted) -> None:
        """Enter gives the answer."""
        if len(message.value.strip()) < self._least:
            self.notify(f"enter at least {self._least} characters", severity="warning", markup=False)
            return
        self.dismiss(message.value.strip())

    def action_cancel(self) -> None:
        """No answer."""
        self.dismiss(None)


async def until_taken(
    screen: ClosableScreen[Any],
    value: str,
    make_screen: Callable[[str], EntryScreen],
    take: Callable[[str], Awaitable[Change | Refusal]],
) -> None:
    """Ask until the answer is taken or none is given: what is refused is there again, to be put right.

    Args:
        screen: where it is asked from, and told why an answer was refused.
        value: what is in the field at first.
        asked: the question, with this in its field.
        take: tries an answer.
    """
    typed: str | None = value
    while typed is not None:
        typed = await screen.ask(make_screen(typed))
        result = await take(typed) if typed is not None else None
        if not isinstance(result, Refusal):
            return
        screen.notify(result.reason, title="not changed", severity="warning", markup=False)
