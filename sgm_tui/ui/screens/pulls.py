"""Pull requests that touch the fleet: what each changes, and what stands between it and its merge."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.getters import query_one
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Footer, Static

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.present.pulls import HEADINGS, pull_details, pull_row
from sgm_tui.ui.present.tables import aligned
from sgm_tui.ui.present.tones import Tone, page
from sgm_tui.ui.widgets.bars import SourceBar, SummaryBar
from sgm_tui.ui.widgets.cell_grid import NO_FLEET
from sgm_tui.ui.widgets.choices import Choices


class PullsScreen(Screen[None]):
    """Open and just merged pull requests, the newest first."""

    CSS_PATH = styles() / "pulls.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.PULLS
    AUTO_FOCUS = "Choices"

    snapshot: var[FleetSnapshot] = var(NO_FLEET)

    choices = query_one(Choices)

    def compose(self) -> ComposeResult:
        """The same two lines, the list, and the chosen one in full."""
        yield SummaryBar().data_bind(PullsScreen.snapshot)
        yield SourceBar().data_bind(PullsScreen.snapshot)
        yield Static(id="headings", markup=False)
        yield Choices()
        yield Static(id="chosen", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show them at once."""
        self.watch_snapshot()

    def on_resize(self) -> None:
        """Columns follow the width."""
        self.watch_snapshot()

    def watch_snapshot(self) -> None:
        """Checks, approvals and merges happen elsewhere."""
        if not self.is_mounted:
            return
        now = self.snapshot.generated_at
        rows = [pull_row(request, now) for request in self.snapshot.pull_requests]
        headings = tuple((heading, Tone.TITLE) for heading in HEADINGS)
        lines = aligned([headings, *rows], self.size.width - 4, flexible=1)
        self.query_one("#headings", Static).update(page(lines[:1]))
        self.choices.show(lines[1:] or [(("No pull request touches the fleet.", Tone.QUIET),)])
        self.show_chosen()

    @on(Choices.OptionHighlighted)
    def show_chosen(self) -> None:
        """The chosen one in full, below the list."""
        requests = self.snapshot.pull_requests
        at = self.choices.highlighted
        lines = pull_details(requests[at]) if at is not None and at < len(requests) else []
        self.query_one("#chosen", Static).update(page(lines))

    def action_choose(self, step: int) -> None:
        """Choose another."""
        self.choices.choose(step)

    def action_back(self) -> None:
        """Back to the matrix."""
        self.dismiss()
