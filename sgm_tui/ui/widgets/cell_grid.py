"""The matrix: services × clusters as a line-API widget, so that its cost follows the screen and not the fleet.

The two header lines and the service column are frozen. The cursor is a service and a cluster, not a row and a column:
it stays on its cell when rows re-sort, stages fold or snapshots come. A new snapshot repaints the lines that look
different and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Self

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.model import CellKey, ServiceName, StageName
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.cells import urgency
from sgm_tui.ui.present.rows import View, visible_services
from sgm_tui.ui.widgets.grid_cursor import GridCursor
from sgm_tui.ui.widgets.grid_layout import lay_out
from sgm_tui.ui.widgets.grid_lines import HEADER, GridLines
from sgm_tui.ui.widgets.grid_paint import Painter

NO_FLEET = FleetSnapshot(generated_at=datetime(1970, 1, 1, tzinfo=UTC))
"""What is known before anything is: nothing."""


class CellGrid(ScrollView, can_focus=True, inherit_bindings=False):
    """Services down, clusters across, one cell under the cursor.

    Longer than 200 lines because it is the one widget: what its geometry, cursor, lines and strips are is decided in
    modules of their own, and here Textual's events meet them.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "cell-grid--row",
        "cell-grid--cursor",
        "cell-grid--band",
        "cell-grid--protected",
    }
    DEFAULT_CSS = """
    CellGrid { height: 1fr; width: 1fr; scrollbar-size: 1 1; }
    """

    snapshot: var[FleetSnapshot] = var(NO_FLEET)
    view: var[View] = var(View())
    marked: var[frozenset[CellKey]] = var(frozenset[CellKey]())
    """Cells that are marked for what is to be done to all of them."""

    @dataclass
    class CellHighlighted(Message):
        """The cursor is on another cell, or on none."""

        key: CellKey | None

    @dataclass
    class CellOpened(Message):
        """The cell was double-clicked."""

        key: CellKey

    class Folded(Message):
        """A stage was folded, or unfolded."""

    def __init__(self) -> None:
        super().__init__()
        self._cursor = GridCursor()
        self._folded: frozenset[StageName] = frozenset()
        self._painter = Painter(self, "cell-grid")
        self._lines = GridLines(self._painter, NO_FLEET)
        self._announced: CellKey | None = None
        self._shown: dict[int, Strip] = {}
        """Lines of the screen as they are on it."""
        self._width_laid_out = 0
        """The width that columns were laid out for; 0 before the first time."""

    @property
    def selected(self) -> CellKey | None:
        """The key of the cell under the cursor, if it is shown; on a folded stage the most urgent one of its row."""
        cells = self._cells_under_cursor()
        return min(cells, key=urgency).key if cells else None

    @property
    def target_keys(self) -> tuple[CellKey, ...]:
        """Every cell under the cursor: one, or on a folded stage all of its row, for what can be done to many."""
        return tuple(cell.key for cell in self._cells_under_cursor())

    def _cells_under_cursor(self) -> Sequence[Cell]:
        column, service = self._cursor.column, self._cursor.shown_service
        return self._lines.cells_of(service, column) if column is not None and service is not None else ()

    @property
    def folded(self) -> tuple[StageName, ...]:
        """The stages that are folded, in the fleet's order."""
        return tuple(band.stage for band in self._cursor.layout.bands if band.folded)

    @property
    def services(self) -> tuple[ServiceName, ...]:
        """The rows as they are shown."""
        return self._cursor.services

    @property
    def row(self) -> int:
        """The cursor's row."""
        return self._cursor.row

    @property
    def column(self) -> int:
        """The cursor's column."""
        return self._cursor.column_index

    def watch_snapshot(self, old: FleetSnapshot, new: FleetSnapshot) -> None:
        """Repaint what looks different."""
        self._arrange(relayout=old.fleet != new.fleet or old.services != new.services)

    def watch_view(self) -> None:
        """Show other rows."""
        self._arrange(relayout=False)

    def watch_marked(self) -> None:
        """Show the marks."""
        self._lines.mark(self.marked)
        self._arrange(relayout=False)

    def on_resize(self) -> None:
        """Columns follow the width."""
        self._arrange(relayout=True)

    def notify_style_update(self) -> None:
        """The theme has changed: nothing painted before is right."""
        super().notify_style_update()
        self._painter.forget()
        self._shown.clear()

    def _arrange(self, *, relayout: bool) -> None:
        if not self.size.width:
            return
        layout, services = self._cursor.layout, self.services
        self._lay_out(relayout=relayout)
        height = HEADER + max(len(self.services), 1)
        self.virtual_size = Size(self._cursor.layout.frozen + self._cursor.layout.body_width, height)
        if services != self.services or layout != self._cursor.layout:
            self._keep_in_sight()
            self.refresh()
        else:
            self._refresh_changed()
        self._announce()

    def _lay_out(self, *, relayout: bool) -> None:
        """Decide which rows there are, where the columns and the cursor stand, and what each line shows."""
        self._width_laid_out = self.size.width
        services = visible_services(self.snapshot, self.view)
        if services != self.services:
            self._cursor.replace_rows(services)
        if relayout:
            width = self.size.width - self.scrollbar_size_vertical
            self._cursor.layout = lay_out(self.snapshot, self._folded, width)
        self._cursor.choose_start()
        self._lines.update(self.snapshot, self.view, services, self._cursor.layout)

    def _refresh_changed(self) -> None:
        for y in range(self.size.height):
            if self._lines.differs(y, self._line_at(y), self._place, self.size.width):
                self.refresh(Region(0, y, self.size.width, 1))

    def _announce(self) -> None:
        selected = self.selected
        if selected != self._announced:
            self._announced = selected
            self.post_message(self.CellHighlighted(selected))

    @property
    def _place(self) -> tuple[int, int, int]:
        """Everything besides its cells that a line's look depends on: cursor row, cursor column, first offset."""
        return (self.row, self.column, self._cursor.layout.snapped(self.scroll_x))

    def _line_at(self, y: int) -> int:
        """The row at line `y` of the screen; negative for the header."""
        return y - HEADER + round(self.scroll_y) if y >= HEADER else y - HEADER

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Have these lines painted again, or all of them."""
        if regions:
            for y in {y for region in regions for y in region.line_range}:
                self._shown.pop(y, None)
        else:
            self._shown.clear()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a part of the screen. There is no border or padding here for Textual to add to each of them,
        and it asks for all between the first and the last that are to be painted again.
        """
        width = self.size.width
        if not self._width_laid_out:
            self._lay_out(relayout=True)  # the first frame is painted before the size is announced
        for y in crop.line_range:
            strip = self._shown.get(y)
            if strip is None or strip.cell_length != width:
                self._shown[y] = self.render_line(y)
        return [self._shown[y].crop(crop.x, crop.right) for y in crop.line_range]

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        return self._lines.strip(y, self._line_at(y), self._place, self.size.width)

    def move(self, rows: int = 0, columns: int = 0) -> None:
        """Move the cursor by rows and columns, stopping at the edges."""
        self.go_to(self.row + rows, self.column + columns)

    def go_to(self, row: int, column: int) -> None:
        """Put the cursor at a row and column, or at the nearest there is."""
        before = self._place
        if not self._cursor.go_to(row, column):
            return
        self._keep_in_sight()
        after = self._place
        if before[2] == after[2]:
            for line in {1, self._screen_line(before[0]), self._screen_line(after[0])}:
                self.refresh(Region(0, line, self.size.width, 1))
        else:
            self.refresh()
        self._announce()

    def jump_to_stage(self, number: int) -> None:
        """Put the cursor on the first cluster of the stage with this number, counted from one."""
        bands = self._cursor.layout.bands
        if 0 < number <= len(bands):
            self.go_to(self.row, self._cursor.layout.columns.index(bands[number - 1].columns[0]))

    def fold_stage(self, stage: StageName | None = None) -> None:
        """Fold or unfold a stage: the one under the cursor, when none is given."""
        column = self._cursor.column
        name = stage or (column.stage if column else None)
        if name is not None:
            self._folded = self._folded ^ {name}
            self._arrange(relayout=True)
            self.post_message(self.Folded())

    def select(self, key: CellKey) -> None:
        """Put the cursor on this cell, if it is shown."""
        if (position := self._cursor.find(key)) is not None:
            self.go_to(*position)

    def _screen_line(self, row: int) -> int:
        return row + HEADER - round(self.scroll_y)

    def _keep_in_sight(self) -> None:
        column = self._cursor.column
        if column is None:
            return
        top, height = round(self.scroll_y), max(1, self.size.height - HEADER - self.scrollbar_size_horizontal)
        y = min(max(top, self.row - height + 1), self.row)
        x = self._cursor.layout.offset_showing(column, self.scroll_x)
        if (x, y) != (self._place[2], top):
            self.scroll_to(x, y, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        """A cell is chosen by a click and opened by a second; a stage's band folds."""
        offset = event.x - self._cursor.layout.frozen
        if offset >= 0:
            offset += self._place[2]
        if event.y < HEADER:
            band = self._cursor.layout.band_at(offset) if offset >= 0 else None
            if event.y == 0 and band is not None:
                self.fold_stage(band.stage)
            return
        row = self._line_at(event.y)
        if row >= len(self.services):
            return
        column = self._cursor.layout.column_at(offset) if offset >= 0 else self.column
        if column is not None:
            self.go_to(row, column)
            if event.chain == 2 and self.selected is not None:
                self.post_message(self.CellOpened(self.selected))
