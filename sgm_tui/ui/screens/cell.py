"""One cell on a page of its own, with everything known of it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.getters import query_one
from textual.widgets import Static

from sgm_tui.fleet.model import CellKey
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.messages import RolloutRequested
from sgm_tui.ui.present.sources import health_line
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.widgets.bars import SourceBar, SummaryBar
from sgm_tui.ui.widgets.detail_pane import DetailPane
from sgm_tui.ui.widgets.key_bar import KeyBar
from sgm_tui.ui.widgets.rendering import render_page


class CellScreen(FleetPage):
    """The four truths in full, and the sources they come from."""

    CSS_PATH = styles() / "cell.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("cell")

    scroller = query_one(VerticalScroll)

    def __init__(self, key: CellKey) -> None:
        super().__init__()
        self._key = key

    def compose(self) -> ComposeResult:
        """The same two lines, then the page."""
        yield SummaryBar().data_bind(CellScreen.snapshot)
        yield SourceBar().data_bind(CellScreen.snapshot)
        with VerticalScroll():
            pane = DetailPane(in_full=True).data_bind(CellScreen.snapshot)
            pane.selected = self._key
            yield pane
            yield Static(id="sources", markup=False)
        yield KeyBar()

    def watch_snapshot(self) -> None:
        """The sources of this cell age and fail."""
        if self.is_present:
            self.query_one("#sources", Static).update(render_page(self._sources()))

    def on_mount(self) -> None:
        """Show them at once."""
        self.query_one("#sources", Static).update(render_page(self._sources()))

    def _sources(self) -> list[Line]:
        related = [one for one in self.snapshot.sources if one.source.scope in {"", self._key.cluster, "hub"}]
        lines = [health_line(one, self.snapshot.generated_at) for one in related]
        return [(("Sources", Tone.TITLE),), *lines]

    def action_scroll(self, lines: int) -> None:
        """Scroll the page."""
        self.scroller.scroll_relative(y=lines, animate=False, immediate=True)

    def action_rollout(self, name: str) -> None:
        """Let its rollout go on, or abort it, once asked about."""
        self.post_message(RolloutRequested(self._key, name))

    def action_back(self) -> None:
        """Back to the matrix."""
        self.dismiss()
