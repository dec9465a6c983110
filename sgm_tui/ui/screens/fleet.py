"""The main screen: the matrix, what surrounds it, and what its keys mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.getters import query_one
from textual.reactive import var
from textual.widgets import Input, Static

from sgm_tui.errors import SgmError
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plan import Change, Refusal, Staged
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui import keys
from sgm_tui.ui.messages import (
    CellRequested,
    PlanRequested,
    PullsRequested,
    RevertRequested,
    RolloutRequested,
    WhyRequested,
)
from sgm_tui.ui.present.narrowed import narrowed
from sgm_tui.ui.present.tones import page
from sgm_tui.ui.rows import View
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.session import Session
from sgm_tui.ui.widgets.bars import SourceBar, SummaryBar
from sgm_tui.ui.widgets.cell_grid import CellGrid

WIDE = 200
"""Columns from which details stand beside the matrix: only there its cells stay as wide as on a usual wide terminal."""
_TALL = 32
_FAR = 1_000_000
_OF_A_CELL = frozenset(
    ["open", "promote", "promote_row", "promote_stage", "promote_location", "revert", "why", "rollout", "mark"]
)
"""Actions that need a cell under the cursor."""
_REASONS = 3
"""So many reasons fit into one notification."""


class FleetScreen(FleetPage):
    """Services × clusters."""

    BINDINGS: ClassVar[list[BindingType]] = keys.MATRIX
    AUTO_FOCUS = "CellGrid"

    selected: var[CellKey | None] = var[CellKey | None](None)
    """What the pane shows; it follows the cursor a moment later, so keys act on what the grid says."""
    view: var[View] = var(View())
    marked: var[frozenset[CellKey]] = var(frozenset[CellKey]())
    """The cells that `p` stages together."""

    grid = query_one(CellGrid)
    filter = query_one("#filter", Input)

    def __init__(self, session: Callable[[], Session]) -> None:
        """`session` gives the one there is now: the first frame is painted before there is any."""
        super().__init__()
        self._get_session = session
        self._pane_wanted: bool | None = None
        self._was_roomy: bool | None = None

    @property
    def _session(self) -> Session:
        return self._get_session()

    def compose(self) -> ComposeResult:
        """Two lines over the matrix."""
        yield SummaryBar().data_bind(FleetScreen.snapshot)
        yield SourceBar().data_bind(FleetScreen.snapshot)
        with Container(id="body"):
            yield CellGrid().data_bind(FleetScreen.snapshot, FleetScreen.view, FleetScreen.marked)

    def on_mount(self) -> None:
        """The matrix is painted first; what surrounds it comes a moment later."""
        self.call_after_refresh(self._surround)

    async def _surround(self) -> None:
        from sgm_tui.ui.widgets.detail_pane import DetailPane
        from sgm_tui.ui.widgets.key_bar import KeyBar

        pane = DetailPane().data_bind(FleetScreen.snapshot, FleetScreen.selected)
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
        wanted = roomy if self._pane_wanted is None else self._pane_wanted
        body = self.query_one("#body")
        body.set_class(wanted, "-with-details")
        body.set_class(not wanted, "-without-details")

    @on(CellGrid.CellHighlighted)
    def show_cell(self, message: CellGrid.CellHighlighted) -> None:
        """The pane follows the cursor."""
        self.selected = message.key

    @on(CellGrid.CellOpened)
    def open_cell(self) -> None:
        """A double click opens."""
        self.action_open()

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
        if meant := frozenset(self.grid.meant):
            self.marked = self.marked - meant if meant <= self.marked else self.marked | meant
            self.grid.move(1, 0)

    def action_promote(self) -> None:
        """Stage the version of the stage before for the marked cells, or for what is under the cursor."""
        meant, selected = sorted(self.marked) or self.grid.meant, self.grid.selected
        if self.marked or len(meant) > 1:
            self._stage(lambda: self._session.stage_promotions(meant), frozenset(meant))
        elif selected is not None:
            self._stage(lambda: _only(self._session.stage_promotion(selected)))

    def action_promote_row(self) -> None:
        """Stage this service along its stages: each gets what the stage before wants now."""
        from sgm_tui.fleet.staging import row

        if (cell := self.grid.selected) is not None:
            keys = row(self.snapshot, cell.service)
            self._stage(lambda: self._session.stage_promotions(keys))

    def action_promote_location(self) -> None:
        """Stage this service for every cluster of this stage that is where the cursor's is."""
        from sgm_tui.fleet.staging import cells_of

        cell = self.grid.selected
        cluster = self.snapshot.fleet.cluster(cell.cluster) if cell is not None else None
        if cell is None or cluster is None:
            return
        if not cluster.location:
            self.notify(f"{cluster.name} has no location in sgm.yaml", title="not planned", markup=False)
            return
        keys = cells_of(self.snapshot, cell.stage, service=cell.service, location=cluster.location)
        self._stage(lambda: self._session.stage_promotions(keys))

    def action_promote_stage(self) -> None:
        """Stage everything the stage before has and this one has not."""
        if (cell := self.grid.selected) is not None:
            self._stage(lambda: self._session.stage_behind(cell.stage))

    @work(group="planning")
    async def _stage(self, intent: Callable[[], Awaitable[Staged]], marks: frozenset[CellKey] = frozenset()) -> None:
        """Wait beside the screen until it is kept: another terminal may hold the plan. Marks stay until then."""
        before = self.snapshot.plan.changes
        staged = await intent()
        if staged.changes:
            self.marked -= marks
        self._tell(staged, [one for one in staged.changes if one not in before])

    def _tell(self, staged: Staged, new: Sequence[Change]) -> None:
        """Say what was staged and what was not; what there is nothing to do for is only worth a word alone."""
        changes, refused = staged.changes, [one for one in staged.refusals if not one.nothing]
        if changes:
            self.app.clear_notifications()  # they speak of a plan that was another one
            title = f"planned: {_said(new)}" if new else f"planned already: {_said(changes)}"
            does = "c shows the plan, u takes it back" if new else "c shows the plan"
            self.notify(does, title=title, markup=False)
        if refused or not changes:
            text = _reasons([one.reason for one in refused or staged.refusals[:1]])
            self.notify(text or "nothing to promote", title="not planned", severity="warning", markup=False)

    def action_revert(self) -> None:
        """Choose a version to go back to."""
        cell, meant = self.grid.selected, self.grid.meant
        if len(meant) > 1:
            self.grid.fold_stage()
            said = f"{len(meant)} clusters are here, and each has a past of its own: choose one, then v again."
            self.notify(said, title=f"{meant[0].stage} is unfolded", markup=False)
        elif cell is not None:
            self.post_message(RevertRequested(cell))

    def action_why(self) -> None:
        """Everything in the way of this cell's next version."""
        if (cell := self.grid.selected) is not None:
            self.post_message(WhyRequested(cell))

    def action_rollout(self, name: str) -> None:
        """Let this cell's rollout go on, or abort it, once asked about."""
        if (cell := self.grid.selected) is not None:
            self.post_message(RolloutRequested(cell, name))

    @work(group="planning")
    async def action_undo(self) -> None:
        """Take back the last step of the plan."""
        plan = self.snapshot.plan
        kept = plan.undone().changes
        try:
            await self._session.undo()
        except SgmError as error:
            self.notify(error.hint, title=error.message, severity="error", markup=False)
            return
        self.app.clear_notifications()  # they speak of what is not planned any more
        again = [one for one in kept if one not in plan.changes]
        gone = [one for one in plan.changes if one not in kept]
        title = f"planned again: {_said(again)}" if again else f"taken back: {_said(gone)}"
        self.notify("git keeps what it wants", title=title, markup=False)

    def action_open(self) -> None:
        """Open the cell under the cursor."""
        if (cell := self.grid.selected) is not None:
            self.post_message(CellRequested(cell))

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

    @on(CellGrid.Folded)
    def say_narrowed(self) -> None:
        """Say what part of the fleet is shown, once the matrix shows it."""
        for place in self.query("#narrowed").results(Static):
            line = narrowed(self.view, len(self.grid.services), len(self.snapshot.services), self.grid.folded)
            place.display = bool(line)
            place.update(page([line]))

    def _toggled(self) -> frozenset[str]:
        """What is switched on, for the footer."""
        on = {"attention": self.view.attention, "worst": self.view.worst_first}
        return frozenset(action for action, switched in on.items() if switched)

    def watch_view(self, old: View, new: View) -> None:
        """The footer says what is switched on, the line below the matrix what that makes of it."""
        self.call_after_refresh(self.say_narrowed)
        if (old.attention, old.worst_first) != (new.attention, new.worst_first):
            self.refresh_bindings()

    def offers(self, action: str) -> bool | None:
        """Keys that would do nothing now are dimmed."""
        if action == "undo":
            return bool(self.snapshot.plan.before) or None
        if action in {"filter", "back"}:
            return bool(self.query("#filter")) or None  # it comes a moment after the first frame
        if action in _OF_A_CELL:
            return self.selected is not None or None
        return True

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


async def _only(staging: Awaitable[Change | Refusal]) -> Staged:
    """One answer as the answer to a wish."""
    found = await staging
    return Staged((found,)) if isinstance(found, Change) else Staged(refusals=(found,))


def _reasons(reasons: Sequence[str]) -> str:
    more = f"\nand {len(reasons) - _REASONS} more" if reasons[_REASONS:] else ""
    return "\n".join(reasons[:_REASONS]) + more


def _said(changes: Sequence[Change]) -> str:
    """One change in a few words, several as how many."""
    if len(changes) != 1:
        return f"{len(changes)} changes"
    (one,) = changes
    return f"{one.service} {one.place} {one.from_version} → {one.to_version}"
