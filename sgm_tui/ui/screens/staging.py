"""The keys of the matrix that put changes into the plan, and take them back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from textual import work

from sgm_tui.errors import SgmError
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plans.plan import Change, Refusal, StagingResult
from sgm_tui.ui.messages import PromotionRevertRequested, RevertRequested
from sgm_tui.ui.ports import MatrixActions
from sgm_tui.ui.screens.matrix import MatrixPage

_REASONS = 3
"""So many reasons fit into one notification."""


class StagingPage(MatrixPage):
    """The matrix with the keys that stage promotions and reverts."""

    def __init__(self, session: Callable[[], MatrixActions]) -> None:
        """`session` gives the one there is now: the first frame is painted before there is any."""
        super().__init__()
        self._get_session = session

    @property
    def _session(self) -> MatrixActions:
        return self._get_session()

    def action_promote(self) -> None:
        """Stage the version of the stage before for the marked cells, or for what is under the cursor."""
        keys, selected = sorted(self.marked) or self.grid.target_keys, self.grid.selected
        if self.marked or len(keys) > 1:
            self._stage(lambda: self._session.stage_promotions(keys), frozenset(keys))
        elif selected is not None:
            self._stage(lambda: _only(self._session.stage_promotion(selected)))

    def action_promote_row(self) -> None:
        """Stage this service along its stages: each gets what the stage before wants now."""
        from sgm_tui.fleet.plans.staging import promotable_cells

        if (cell := self.grid.selected) is not None:
            keys = promotable_cells(self.snapshot, cell.service)
            self._stage(lambda: self._session.stage_promotions(keys))

    def action_promote_location(self) -> None:
        """Stage this service for every cluster of this stage that is where the cursor's is."""
        from sgm_tui.fleet.plans.staging import cells_of

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
    async def _stage(
        self, intent: Callable[[], Awaitable[StagingResult]], marks: frozenset[CellKey] = frozenset()
    ) -> None:
        """Wait beside the screen until it is kept: another terminal may hold the plan. Marks stay until then."""
        before = self.snapshot.plan.changes
        staged = await intent()
        if staged.changes:
            self.marked -= marks
        self._tell(staged, [one for one in staged.changes if one not in before])

    def _tell(self, staged: StagingResult, new: Sequence[Change]) -> None:
        """Report what was staged and what was refused; report "nothing to do" only when there is nothing else."""
        changes, refused = staged.changes, [one for one in staged.refusals if not one.nothing]
        if changes:
            self.app.clear_notifications()  # they speak of a plan that was another one
            title = f"planned: {_describe(new)}" if new else f"planned already: {_describe(changes)}"
            does = "c: review the plan, u: undo" if new else "c: review the plan"
            self.notify(does, title=title, markup=False)
        if refused or not changes:
            text = _reasons([one.reason for one in refused or staged.refusals[:1]])
            self.notify(text or "nothing to promote", title="not planned", severity="warning", markup=False)

    def action_revert(self) -> None:
        """Show the revert of the last promotion in the marked cells or a folded stage, or the history of one cell."""
        keys = tuple(sorted(self.marked)) or self.grid.target_keys
        if self.marked or len(keys) > 1:
            self.post_message(PromotionRevertRequested(keys))
        elif (cell := self.grid.selected) is not None:
            self.post_message(RevertRequested(cell))

    @work(group="planning")
    async def action_undo(self) -> None:
        """Undo the last step of the plan."""
        plan = self.snapshot.plan
        previous = plan.before_last_step().changes
        try:
            await self._session.undo()
        except SgmError as error:
            self.notify(error.hint, title=error.message, severity="error", markup=False)
            return
        self.app.clear_notifications()  # they speak of what is not planned any more
        again = [one for one in previous if one not in plan.changes]
        undone = [one for one in plan.changes if one not in previous]
        title = f"planned again: {_describe(again)}" if again else f"undone: {_describe(undone)}"
        self.notify("git is unchanged", title=title, markup=False)


async def _only(staging: Awaitable[Change | Refusal]) -> StagingResult:
    """One answer as the answer to a wish."""
    staged = await staging
    return StagingResult((staged,)) if isinstance(staged, Change) else StagingResult(refusals=(staged,))


def _reasons(reasons: Sequence[str]) -> str:
    more = f"\nand {len(reasons) - _REASONS} more" if reasons[_REASONS:] else ""
    return "\n".join(reasons[:_REASONS]) + more


def _describe(changes: Sequence[Change]) -> str:
    """One change in a few words, several as how many."""
    if len(changes) != 1:
        return f"{len(changes)} changes"
    (change,) = changes
    return f"{change.service} {change.place} {change.from_version} → {change.to_version}"
