"""The main screen: the matrix, and the pages and actions its keys lead to."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.binding import BindingType

from sgm_tui.errors import SgmError
from sgm_tui.ui import keys
from sgm_tui.ui.messages import CellRequested, PlanRequested, PullsRequested, RolloutRequested, WhyRequested
from sgm_tui.ui.screens.staging import StagingPage
from sgm_tui.ui.widgets.cell_grid import CellGrid

_CELL_ACTIONS = keys.find_cell_actions("matrix")


class FleetScreen(StagingPage):
    """Services × clusters, with every key of the main screen."""

    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("matrix")

    @on(CellGrid.CellOpened)
    def open_cell(self) -> None:
        """A double click opens."""
        self.action_open()

    def action_open(self) -> None:
        """Open the cell under the cursor."""
        if (cell := self.grid.selected) is not None:
            self.post_message(CellRequested(cell))

    def action_why(self) -> None:
        """Show the gates of this cell's next version."""
        if (cell := self.grid.selected) is not None:
            self.post_message(WhyRequested(cell))

    def action_rollout(self, name: str) -> None:
        """Resume or abort this cell's rollout, after a confirmation."""
        if (cell := self.grid.selected) is not None:
            self.post_message(RolloutRequested(cell, name))

    def action_plan(self) -> None:
        """Open the plan; what was said of how to come here has been read."""
        self.app.clear_notifications()
        self.post_message(PlanRequested())

    def action_pulls(self) -> None:
        """Open the list of pull requests."""
        self.post_message(PullsRequested())

    @work(group="refresh", exclusive=True)
    async def action_refresh(self) -> None:
        """Ask every source to look again."""
        try:
            await self._session.refresh()
        except SgmError as error:
            self.notify(error.hint, title=error.message, severity="error", markup=False)

    def offers(self, action: str) -> bool | None:
        """Keys that would do nothing now are dimmed."""
        if action == "undo":
            return bool(self.snapshot.plan.before) or None
        if action in {"filter", "back"}:
            return bool(self.query("#filter")) or None  # it comes a moment after the first frame
        if action in _CELL_ACTIONS:
            return self.selected is not None or None
        return True
