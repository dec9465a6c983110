"""The two lines above the matrix. Each repaints itself only when it would look different."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import var
from textual.widget import Widget

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.sources import source_line
from sgm_tui.ui.present.summary import summary
from sgm_tui.ui.present.tones import Line
from sgm_tui.ui.widgets.cell_grid import NO_FLEET
from sgm_tui.ui.widgets.rendering import render_line


class Bar(Widget):
    """One line made from the snapshot."""

    DEFAULT_CSS = """
    Bar { height: 1; width: 1fr; }
    """

    snapshot: var[FleetSnapshot] = var(NO_FLEET)

    def __init__(self) -> None:
        super().__init__()
        self._shown: Line = ()

    def present(self, width: int) -> Line:
        """The line in `width` cells."""
        raise NotImplementedError

    def watch_snapshot(self) -> None:
        """Repaint if it looks different."""
        if self.present(self.size.width) != self._shown:
            self.refresh()

    def render(self) -> Content:
        """The line as it is now."""
        self._shown = self.present(self.size.width)
        return render_line(self._shown)


class SummaryBar(Bar):
    """What fleet this is and what is going on in it."""

    def present(self, width: int) -> Line:
        """Counts by journey, pull requests, alerts, time."""
        return summary(self.snapshot, width)


class SourceBar(Bar):
    """How fresh everything is that the matrix is made of."""

    def present(self, width: int) -> Line:
        """Every source, and the stages that are locked."""
        return source_line(self.snapshot, width)
