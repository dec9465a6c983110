"""The matrix page: the grid, what surrounds it, and what is shown of it: cursor, marks, filter, order, folding."""

from __future__ import annotations

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.getters import query_one
from textual.reactive import var
from textual.widgets import Input, Static

from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.filters import describe_filter
from sgm_tui.ui.present.rows import View
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.widgets.bars import SourceBar, SummaryBar
from sgm_tui.ui.widgets.cell_grid import CellGrid
from sgm_tui.ui.widgets.rendering import render_page

WIDE = 200
"""Columns from which details stand beside the matrix: only there its cells stay as wide as on a usual wide terminal."""
_TALL = 32
_FAR = 1_000_000


class MatrixPage(FleetPage):
    """Services × clusters, and the keys that only change what is shown of them."""

    AUTO_FOCUS = "CellGrid"

    selected: var[CellKey | None] = var[CellKey | None](None)
    """What the pane shows; it follows the cursor a moment later, so keys act on what the grid says."""
    view: var[View] = var(View())
    marked: var[frozenset[CellKey]] = var(frozenset[CellKey]())
    """The cells that `p` and `v` act on together."""

    grid = query_one(CellGrid)
    filter = query_one("#filter", Input)

    def __init__(self) -> None:
        super().__init__()
        self._pane_wanted: bool | None = None
        self._was_roomy: bool | None = None

    def compose(self) -> ComposeResult:
        """Two lines over the matrix."""
        yield SummaryBar().data_bind(MatrixPage.snapshot)
        yield SourceBar().data_bind(MatrixPage.snapshot)
        with Container(id="body"):
            yield CellGrid().data_bind(MatrixPage.snapshot, MatrixPage.view, MatrixPage.marked)

    def on_mount(self) -> None:
        """The matrix is painted first; what surrounds it comes a moment later."""
        self.call_after_refresh(self._surround)

    async def _surround(self) -> None:
        from sgm_tui.ui.widgets.detail_pane import DetailPane
        from sgm_tui.ui.widgets.key_bar import KeyBar

        pane = DetailPane().data_bind(MatrixPage.snapshot, MatrixPage.selected)
        words = "words: service stage cluster version journey"
        # A signal may end the application at any moment after the first frame: then there is nothing to surround.
        if self.is_attached:
            await self.query_one("#body").mount(pane)
        if self.is_attached:
            await self.mount(
                Static(id="narrowed", markup=False),
                Input(id="filter", placeholder=words, compact=True),
                KeyBar(self._toggled),
            )
            self.refresh_bindings()  # the footer fills itself only when it is told

    def on_resize(self) -> None:
        """Details go where there is room; what was wished for holds only as long as there is as much of it."""
        if self._is_roomy() is not self._was_roomy:
            self._was_roomy, self._pane_wanted = self._is_roomy(), None
        self._place_pane()

    def _is_roomy(self) -> bool:
        return self.size.width >= WIDE or self.size.height >= _TALL

    def _place_pane(self) -> None:
        roomy = self._is_roomy()
        shows_pane = roomy if self._pane_wanted is None else self._pane_wanted
        body = self.query_one("#body")
        body.set_class(shows_pane, "-with-details")
        body.set_class(not shows_pane, "-without-details")

    @on(CellGrid.CellHighlighted)
    def show_cell(self, message: CellGrid.CellHighlighted) -> None:
        """The pane follows the cursor."""
        self.selected = message.key

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor."""
        self.grid.move(rows, columns)

    def action_page(self, direction: int) -> None:
        """Move the cursor by a screen."""
        self.grid.move(direction * max(1, self.grid.size.height - 3))

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or last row."""
        self.grid.move(direction * _FAR)

    def action_stage(self, number: int) -> None:
        """Jump to a stage."""
        self.grid.jump_to_stage(number)

    def action_fold(self) -> None:
        """Fold or unfold the stage under the cursor."""
        self.grid.fold_stage()

    def action_attention(self) -> None:
        """Show only what needs attention, or everything."""
        self.view = replace(self.view, attention=not self.view.attention)

    def action_worst(self) -> None:
        """Most urgent rows first, or by name."""
        self.view = replace(self.view, worst_first=not self.view.worst_first)

    def action_details(self) -> None:
        """Show all details, or only their first line."""
        self._pane_wanted = self.query_one("#body").has_class("-without-details")
        self._place_pane()

    def action_filter(self) -> None:
        """Ask for words."""
        self.filter.add_class("-open")
        self.filter.focus()

    @on(Input.Changed, "#filter")
    def narrow(self, message: Input.Changed) -> None:
        """Rows follow every letter."""
        self.view = replace(self.view, query=message.value)

    @on(Input.Submitted, "#filter")
    def keep_filter(self) -> None:
        """Back to the matrix, the filter stays; the line of what narrows it says so."""
        self.filter.remove_class("-open")
        self.grid.focus()

    def action_back(self) -> None:
        """Take the marks away, then leave the filter, then the attention view."""
        if self.marked:
            self.marked = frozenset()
        elif self.filter.has_class("-open") or self.view.query:
            self.filter.value = ""
            self.filter.remove_class("-open")
            self.grid.focus()
        elif self.view.attention:
            self.view = replace(self.view, attention=False)

    def action_mark(self) -> None:
        """Mark what is under the cursor, a folded stage as a whole, or take the mark away; go on to the next row."""
        if keys := frozenset(self.grid.target_keys):
            self.marked = self.marked - keys if keys <= self.marked else self.marked | keys
            self.grid.move(1, 0)

    @on(CellGrid.Folded)
    def say_narrowed(self) -> None:
        """Say what part of the fleet is shown, once the matrix shows it."""
        for place in self.query("#narrowed").results(Static):
            line = describe_filter(self.view, len(self.grid.services), len(self.snapshot.services), self.grid.folded)
            place.display = bool(line)
            place.update(render_page([line]))

    def _toggled(self) -> frozenset[str]:
        """What is switched on, for the footer."""
        on = {"attention": self.view.attention, "worst": self.view.worst_first}
        return frozenset(action for action, switched in on.items() if switched)

    def watch_view(self, old: View, new: View) -> None:
        """The footer says what is switched on, the line below the matrix what that makes of it."""
        self.call_after_refresh(self.say_narrowed)
        if (old.attention, old.worst_first) != (new.attention, new.worst_first):
            self.refresh_bindings()

    def watch_selected(self, old: CellKey | None, new: CellKey | None) -> None:
        """Some keys need a cell; the footer is made again only when that changes."""
        if (old is None) != (new is None):
            self.refresh_bindings()

    def watch_snapshot(self, old: FleetSnapshot, new: FleetSnapshot) -> None:
        """Some keys need a plan; how many services are shown may have changed."""
        if self.view.narrowed:
            self.call_after_refresh(self.say_narrowed)
        if bool(old.plan.changes) != bool(new.plan.changes):
            self.refresh_bindings()
