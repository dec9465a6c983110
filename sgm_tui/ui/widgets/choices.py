"""A list of lines of which one is chosen; it keeps the choice while the lines change."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widgets import OptionList

from sgm_tui.ui.present.tones import Line
from sgm_tui.ui.widgets.rendering import render_line


class Choices(OptionList, can_focus=True, inherit_bindings=False):
    """An option list that is fed whole and redraws only for a difference."""

    def __init__(self) -> None:
        super().__init__(markup=False, compact=True)
        self._choices: tuple[Line, ...] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Show exactly these lines."""
        if tuple(lines) == self._choices:
            return
        chosen = self.highlighted or 0
        self._choices = tuple(lines)
        self.clear_options()
        self.add_options([render_line(line) for line in lines])
        self.highlighted = min(chosen, len(lines) - 1) if lines else None

    def choose(self, step: int) -> None:
        """Choose another line, `step` away."""
        if self._choices:
            self.highlighted = max(0, min((self.highlighted or 0) + step, len(self._choices) - 1))
