"""The cell under the cursor in full, beside or below the matrix; the four truths as four blocks."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Container
from textual.reactive import var
from textual.widgets import Static

from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.detail import Section, gate_hint, heading, no_cell_line, sections
from sgm_tui.ui.present.tones import Line
from sgm_tui.ui.widgets.cell_grid import NO_FLEET
from sgm_tui.ui.widgets.rendering import render_page

_BLOCKS = 4
_ROOMY = 36
"""Lines from which every rollout step gets one of its own."""
_PLENTY = 1_000
_AROUND = 2
"""Lines of a block that stands above another one besides its own: its title, and the space below it."""


class DetailPane(Container):
    """Shows one cell; every block repaints only when it would look different."""

    DEFAULT_CSS = """
    DetailPane { layout: grid; }
    """

    snapshot: var[FleetSnapshot] = var(NO_FLEET)
    selected: var[CellKey | None] = var[CellKey | None](None)

    def __init__(self, *, in_full: bool = False) -> None:
        super().__init__()
        self._in_full = in_full
        self._shown: dict[str, tuple[Line, ...]] = {}

    def compose(self) -> ComposeResult:
        """A heading over four blocks."""
        yield Static(classes="heading", markup=False)
        for number in range(_BLOCKS):
            yield Static(classes=f"block block-{number}", markup=False)

    def watch_snapshot(self) -> None:
        """The cell may have changed."""
        self._show()

    def watch_selected(self) -> None:
        """It is another cell."""
        self._show()

    def on_resize(self) -> None:
        """Lines are cut to the width of their block."""
        self._show()

    def _show(self) -> None:
        if not self.is_mounted or not self.display or not self.size.width:
            return
        cell = self.snapshot.cells.get(self.selected) if self.selected else None
        if cell is None:
            self._put(".heading", no_cell_line(self.snapshot))
            blocks: tuple[Section, ...] = ()
            widths: list[int] = []
        else:
            self._put(".heading", (*heading(cell, self.snapshot), gate_hint(cell, self.snapshot)))
            widths = [
                self.query_one(f".block-{number}").content_size.width or self.size.width for number in range(_BLOCKS)
            ]
            in_full = self._in_full or self.size.height >= _ROOMY
            blocks = sections(cell, self.snapshot, widths, in_full=in_full)
        spare = self._spare(blocks)
        for number in range(_BLOCKS):
            lines = blocks[number].shown(widths[number], spare[number]) if number < len(blocks) else ()
            self._put(f".block-{number}", *lines)

    def _spare(self, blocks: Sequence[Section]) -> list[int]:
        """Lines that each block has left for what is long: all one could want on a page of its own.

        Blocks below each other share what the pane has, so that none is pushed out of it.
        """
        if self._in_full:
            return [_PLENTY] * len(blocks)
        heights = [self.query_one(f".block-{number}") for number in range(len(blocks))]
        if any(one.styles.height is not None and one.styles.height.is_auto for one in heights):
            used = sum(len(block.lines) + _AROUND for block in blocks) + _AROUND
            return [max(0, self.size.height - used) // max(1, len(blocks))] * len(blocks)
        pairs = zip(heights, blocks, strict=True)
        return [one.content_size.height - len(block.lines) - 1 for one, block in pairs]

    def _put(self, selector: str, *lines: Line) -> None:
        before = self._shown.get(selector)
        if before != lines:
            self._shown[selector] = lines
            # Only then does anything have to move; on a page of its own the heading takes the lines it needs.
            resized = before is None or len(before) != len(lines) or self._in_full
            self.query_one(selector, Static).update(render_page(lines), layout=resized)
