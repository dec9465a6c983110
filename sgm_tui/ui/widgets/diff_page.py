"""What a plan would write, diff below diff, on a page that scrolls and keeps its place."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from sgm_tui.ui.present.tones import Line
from sgm_tui.ui.widgets.rendering import render_line, render_page

Parts = Sequence[tuple[str, Sequence[Line]]]
"""File and lines of each part of the page, from the top."""


class DiffPage(VerticalScroll, can_focus=False):
    """Parts of a page, each about one file."""

    def __init__(self) -> None:
        super().__init__(id="page")
        self._parts: Parts = ()

    def compose(self) -> ComposeResult:
        """All of it is one text."""
        yield Static(id="diffs", markup=False)

    def say(self, *lines: Line) -> None:
        """What is about no file."""
        self.show([("", lines)])

    def show(self, parts: Parts) -> None:
        """These from now on; where they are the same files, the one in sight stays there, whatever is above it."""
        place = self._new_place(round(self.scroll_y), parts)
        self._parts = parts
        self.query_one("#diffs", Static).update(render_page([line for _, lines in parts for line in lines]))
        if place is not None:
            self.call_after_refresh(self.scroll_to, y=place, animate=False, immediate=True)

    def show_from(self, path: str) -> None:
        """The page from this file on."""
        above = 0
        for (at, _), height in zip(self._parts, self._heights(self._parts), strict=True):
            if at == path:
                self.scroll_to(y=above, animate=False, immediate=True)
                return
            above += height

    def turn(self, direction: int) -> None:
        """Scroll by a page."""
        self.scroll_relative(y=direction * max(1, self.size.height - 1), animate=False, immediate=True)

    def _new_place(self, place: int, parts: Parts) -> int | None:
        """Where the same diff is when what is above it has changed; None where it need not be looked for."""
        if place <= 0 or [path for path, _ in self._parts] != [path for path, _ in parts]:
            return None
        end = moved = 0
        for before, after in zip(self._heights(self._parts), self._heights(parts), strict=True):
            end, moved = end + before, moved + after - before
            if place < end:
                break
        return max(0, place + moved)

    def _heights(self, parts: Parts) -> list[int]:
        width = self.query_one("#diffs").content_size.width
        return [sum(_height(line, width) for line in lines) for _, lines in parts]


def _height(line: Line, width: int) -> int:
    """Lines it takes on the screen."""
    return 1 if sum(cell_len(text) for text, _ in line) <= width else render_line(line).get_height({}, width)
