"""The lines of the matrix: what each shows now, and whether that differs from what is on the screen.

A line's signature is the tuple of its cells' parts. Cells are frozen and keep their identity from snapshot to
snapshot, so presenting again costs a comparison for each visible cell that has not changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from textual.strip import Strip

from sgm_tui.fleet.ages import age, age_changes_in
from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.last_seen import LastSeen
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.cells import absent_sign, cell_line, folded_line, last_seen_line
from sgm_tui.ui.present.empty_matrix import describe_empty_matrix
from sgm_tui.ui.present.fit import pad, shorten_middle
from sgm_tui.ui.present.glyphs import BAND, CURSOR, MARKED
from sgm_tui.ui.present.headers import band_line, cluster_line
from sgm_tui.ui.present.marks import NONE, Marks, row_marks, running
from sgm_tui.ui.present.rows import View
from sgm_tui.ui.present.tones import Line, Part, Tone
from sgm_tui.ui.widgets.grid_layout import GAP, MARKER, Column, Layout
from sgm_tui.ui.widgets.grid_paint import Ground, Painter, Piece

HEADER = 2
"""Frozen lines: stage bands, cluster names."""

Place = tuple[int, int, int]
"""Cursor row, cursor column, first offset of the body that is shown."""
_Seen = tuple[int, Column, Piece | None]
"""A column's index, the column, and the rule before it when it is the first of its stage."""
_Versions = tuple[tuple[ClusterName, Version | None], ...]
_Row = tuple[tuple[Cell | None, ...], dict[ClusterName, Cell], dict[ClusterName, Marks], _Versions, frozenset[Version]]
"""A service's cells in column order, the same by cluster, their marks, and the versions and releases these were made
from."""

_Look = tuple[ServiceName, Place, int, Layout, LastSeen | None, Part]

_MARK: Line = ((MARKED, Tone.STAGED),)
"""Stands before a marked cell, where else is a gap."""
_SPACE: Line = ((" " * GAP, Tone.TEXT),)
_DAY = 86_400.0


class GridLines:
    """Everything the matrix shows of one snapshot, line by line."""

    def __init__(self, painter: Painter, snapshot: FleetSnapshot) -> None:
        self._painter = painter
        self._snapshot = snapshot
        self._layout = Layout()
        self._services: tuple[ServiceName, ...] = ()
        self._empty: tuple[Line, ...] = ()
        self._absent = absent_sign(snapshot)
        self._rows: dict[ServiceName, _Row] = {}
        self._checked: set[ServiceName] = set()
        self._journeys: Mapping[StageName, Mapping[Journey, int]] = {}
        self._cells: dict[CellKey, tuple[Cell, Marks, str, int, Line]] = {}
        self._drawn: dict[tuple[ServiceName, int], Line] = {}
        """Service and column → its cell as it reads now; for this snapshot and this layout."""
        self._painted: dict[int, tuple[Piece, ...]] = {}
        self._marked: frozenset[CellKey] = frozenset()
        self._unchanged: dict[int, tuple[_Look, tuple[Cell | None, ...], datetime]] = {}
        """Line of the screen → what it was last compared for, and until when its ages read the same."""
        self._window: tuple[tuple[int, int], tuple[_Seen, ...]] = ((0, 0), ())

    def update(self, snapshot: FleetSnapshot, view: View, services: tuple[ServiceName, ...], layout: Layout) -> None:
        """Show this from now on."""
        self._snapshot, self._services, self._layout = snapshot, services, layout
        self._window = ((0, 0), ())
        self._absent = absent_sign(snapshot)
        self._empty = () if services else describe_empty_matrix(snapshot, view)
        self._checked.clear()
        self._drawn.clear()
        journeys: defaultdict[StageName, Counter[Journey]] = defaultdict(Counter)
        for key, cell in snapshot.cells.items():
            journeys[key.stage][cell.journey] += 1
        self._journeys = journeys

    def mark(self, marked: frozenset[CellKey]) -> None:
        """These cells carry a mark from now on."""
        self._marked = marked
        self._unchanged.clear()

    def cells_of(self, service: ServiceName, column: Column) -> list[Cell]:
        """The cells one row has in one column: several in a folded stage, none where it is not deployed."""
        keys = (CellKey(service, column.stage, cluster.name) for cluster in column.clusters)
        return [cell for key in keys if (cell := self._snapshot.cells.get(key)) is not None]

    def strip(self, y: int, row: int, place: Place, width: int) -> Strip:
        """Line `y` of the screen, which shows `row` (negative: the header), painted."""
        pieces = self._painted[y] = self._pieces(row, place, width)
        return self._painter.line(pieces, width)

    def differs(self, y: int, row: int, place: Place, width: int) -> bool:
        """Whether that line looks different from what was painted last.

        A row whose cells are the very same, and whose ages read the same for a while, is not even presented again.
        """
        if not 0 <= row < len(self._services):
            return self._painted.get(y) != self._pieces(row, place, width)
        service, now = self._services[row], self._snapshot.generated_at
        cells = self._cells_and_marks(service)[0]
        look = (service, place, width, self._layout, self._snapshot.last_seen, self._absent)
        unchanged = self._unchanged.get(y)
        if unchanged is not None and unchanged[0] == look and unchanged[1] is cells and now < unchanged[2]:
            return False
        changes = min((age_changes_in(now - cell.since) for cell in cells if cell), default=_DAY)
        self._unchanged[y] = (look, cells, now + timedelta(seconds=changes))
        return self._painted.get(y) != self._pieces(row, place, width)

    def _pieces(self, row: int, place: Place, width: int) -> tuple[Piece, ...]:
        if row == -HEADER:
            return tuple(self._bands(place, width))
        if row == -1:
            return tuple(self._clusters(place, width))
        if not self._services:
            line = self._empty[row - 1] if 0 < row <= len(self._empty) else ()
            return ((pad([("  ", Tone.TEXT), *line], width), Ground.PLAIN),)
        if row >= len(self._services):
            return ()
        return tuple(self._row(self._services[row], place, width, under_cursor=row == place[0]))

    def _bands(self, place: Place, width: int) -> Iterator[Piece]:
        yield self._blank(self._layout.frozen), Ground.PLAIN
        offset, room = place[2], width - self._layout.frozen
        for number, band in enumerate(self._layout.bands, 1):
            shown = min(band.x + band.width, offset + room) - max(band.x, offset)
            if shown < 2:
                yield from [(self._blank(shown), Ground.PLAIN)] if shown == 1 else []
                continue
            counts = self._journeys.get(band.stage, {})
            line = band_line(band.stage, counts, shown - GAP, number=number, protected=band.protected)
            yield line, Ground.PROTECTED if band.protected else Ground.BAND
            yield self._blank(GAP), Ground.PLAIN

    def _clusters(self, place: Place, width: int) -> Iterator[Piece]:
        yield pad([(" " * MARKER, Tone.TEXT), ("service", Tone.TITLE)], self._layout.frozen), Ground.PLAIN
        for index, column, edge in self._visible(place, width):
            if edge is not None:
                yield edge
            if column.folded:
                yield pad([(f"{len(column.clusters)}", Tone.QUIET)], column.width + GAP), Ground.PLAIN
            else:
                line = cluster_line(column.clusters[0], column.width, under_cursor=index == place[1])
                yield (*line, (" " * GAP, Tone.TEXT)), Ground.PLAIN

    def _row(self, service: ServiceName, place: Place, width: int, *, under_cursor: bool) -> Iterator[Piece]:
        ground = Ground.ROW if under_cursor else Ground.PLAIN
        name = shorten_middle(service, self._layout.service_width)
        tone = Tone.STRONG if under_cursor else Tone.TEXT
        marker = (CURSOR if under_cursor else " ", Tone.BUSY)
        yield pad([marker, (name, tone)], self._layout.frozen), ground
        _, cells, marks, *_ = self._cells_and_marks(service)
        visible = self._visible(place, width)
        for (index, column, edge), following in zip(visible, (*visible, None)[1:], strict=True):
            if edge is not None:
                yield self._marked_edge(service, column, edge[0]), ground
            line = self._drawn.get((service, index))
            if line is None:
                line = self._drawn[service, index] = self._cell(service, column, cells, marks)
            yield line, Ground.CURSOR if under_cursor and index == place[1] else ground
            marks_next = following is not None and following[2] is None and self._is_marked(service, following[1])
            yield _MARK if marks_next else _SPACE, ground
        if under_cursor:
            yield self._blank(width), ground

    def _is_marked(self, service: ServiceName, column: Column) -> bool:
        if not self._marked:
            return False
        return any(CellKey(service, column.stage, cluster.name) in self._marked for cluster in column.clusters)

    def _marked_edge(self, service: ServiceName, column: Column, edge: Line) -> Line:
        """The rule before the first column of a stage, and the mark of its cell in the space behind it."""
        if not self._is_marked(service, column):
            return edge
        return ((BAND, edge[0][1]), *_MARK)

    def _cell(
        self, service: ServiceName, column: Column, row: dict[ClusterName, Cell], marks: dict[ClusterName, Marks]
    ) -> Line:
        cells = [row[cluster.name] for cluster in column.clusters if cluster.name in row]
        if not cells:
            keys = (CellKey(service, column.stage, cluster.name) for cluster in column.clusters)
            seen = [self._snapshot.last_seen_version(key) for key in keys]
            versions = [version for version in seen if version is not None]
            return last_seen_line(versions, column.width) if versions else pad([self._absent], column.width)
        if column.folded:
            return folded_line(cells, column.width)
        cell, mark = cells[0], marks.get(cells[0].key.cluster, NONE)
        passed = age(self._snapshot.generated_at - cell.since)
        cached = self._cells.get(cell.key)
        if cached is not None and cached[0] is cell and cached[1:4] == (mark, passed, column.width):
            return cached[4]
        line = cell_line(cell, mark, self._snapshot.generated_at, column.width)
        self._cells[cell.key] = (cell, mark, passed, column.width, line)
        return line

    def _cells_and_marks(self, service: ServiceName) -> _Row:
        """One row's cells and marks, marked again only when one of its cells was joined again."""
        cached = self._rows.get(service)
        if cached is not None and service in self._checked:
            return cached
        self._checked.add(service)
        keys = (CellKey(service, cluster.stage, cluster.name) for cluster in self._snapshot.fleet.clusters)
        cells = tuple(self._snapshot.cells.get(key) for key in keys)
        releases = self._snapshot.releases.get(service, frozenset())
        same = cached is not None and len(cached[0]) == len(cells) and cached[4] == releases
        if cached is None or not same or any(old is not new for old, new in zip(cached[0], cells, strict=True)):
            by_cluster = {cell.key.cluster: cell for cell in cells if cell}
            versions = tuple((name, running(cell)) for name, cell in by_cluster.items())
            marks = cached[2] if cached is not None and cached[3:] == (versions, releases) else None
            if marks is None:
                marks = row_marks(self._snapshot.fleet, tuple(by_cluster.values()), releases)
            cached = (cells, by_cluster, marks, versions, releases)
            self._rows[service] = cached
        return cached

    def _visible(self, place: Place, width: int) -> tuple[_Seen, ...]:
        """The columns that fit whole; the same for every line of a screen, so found once."""
        offset, room = place[2], width - self._layout.frozen
        if self._window[0] != (offset, room):
            visible = tuple(
                (index, column, _rule(column) if column.leads else None)
                for index, column in enumerate(self._layout.columns)
                if column.start >= offset and column.x + column.width <= offset + room
            )
            self._window = ((offset, room), visible)
        return self._window[1]

    def _blank(self, width: int) -> Line:
        return ((" " * width, Tone.TEXT),)


def _rule(column: Column) -> Piece:
    return ((f"{BAND} ", Tone.PROTECTED if column.protected else Tone.QUIET),), Ground.PLAIN
