"""The ports of the screens: one small protocol for each thing a session serves.

A screen takes the ports it uses and no others. `Session` is all of them together, for the application that opens the
screens; `session.LiveSession`, `ui.static_session.StaticSession` and the doubles of the tests satisfy it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from sgm_tui.fleet.model import CellKey, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Refusal, StagingResult
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.permission import NO_CONSENT, Consent

if TYPE_CHECKING:
    from sgm_tui.fleet.facts import Rollout
    from sgm_tui.fleet.gate import Gate
    from sgm_tui.fleet.history.cell_history import PastVersion, RevertForecast
    from sgm_tui.fleet.plans.proposal import Preview, Progress, UnfinishedWrite, WriteOptions
    from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
    from sgm_tui.fleet.pull_request_actions import PullAction
    from sgm_tui.fleet.reverts.promotion import PromotionRevert
    from sgm_tui.fleet.rollouts.actions import RolloutAction


class Snapshots(Protocol):
    """The fleet as it is observed."""

    def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """Yield the current snapshot, then each newer one: the latest wins, at most ten a second."""
        ...

    async def refresh(self) -> None:
        """Refresh every source now."""
        ...


class Staging(Protocol):
    """Promotions put into the plan, and taken out again."""

    async def stage_promotion(self, key: CellKey, version: Version | None = None) -> Change | Refusal:
        """Stage a promotion of a cell to this version, or to the previous stage's version when none is passed."""
        ...

    async def stage_promotions(self, keys: Iterable[CellKey]) -> StagingResult:
        """Stage the previous stage's version for several cells, as one step that one undo reverses."""
        ...

    async def stage_behind(self, stage: StageName) -> StagingResult:
        """Stage every version that this stage is missing, as one step."""
        ...

    async def undo(self) -> None:
        """Undo the last step of the plan: a change that was staged, edited or dropped.

        Raises:
            SgmError: the plan cannot be saved.
        """
        ...


class Plans(Protocol):
    """The plan: its changes, what they would write, and writing it."""

    async def edit(
        self, change: Change, version: Version | None = None, strategy: str | None = None
    ) -> Change | Refusal:
        """Replace the version or the rollout strategy of a staged change; the strategy "" keeps the file's own."""
        ...

    async def undo(self) -> None:
        """Undo the last step of the plan: a change that was staged, edited or dropped.

        Raises:
            SgmError: the plan cannot be saved.
        """
        ...

    async def drop(self, change: Change) -> None:
        """Remove one change from the plan.

        Raises:
            SgmError: the plan cannot be saved.
        """
        ...

    @property
    def versions(self) -> Callable[[ServiceName], Awaitable[tuple[Version, ...]]]:
        """The function that returns the versions of a service in git's history and the registry, newest first.

        Raises:
            SgmError: the configuration has not been read yet.
        """
        ...

    def strategies(self) -> tuple[str, ...]:
        """Return the names of the rollout strategies that the configuration defines.

        Raises:
            SgmError: the configuration has not been read yet.
        """
        ...

    async def sketch(self) -> Preview:
        """Return the plan's diffs at once, against the last fetch and without gates; never used for writing.

        Raises:
            SgmError: nothing has been fetched yet.
        """
        ...

    async def preview(self, terms: WriteOptions) -> Preview:
        """Compare the plan with a freshly fetched repository: titles, exact diffs, gates, refusals.

        Raises:
            SgmError: the repository cannot be reached or read.
        """
        ...

    def submit(self, preview: Preview, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Commit and open the pull requests of exactly this preview; opened changes leave the plan."""
        ...


class Gates(Protocol):
    """The gates of a promotion."""

    async def why(self, key: CellKey) -> tuple[Gate, ...] | Refusal:
        """Evaluate the gates of the change staged for a cell, or of the promotion `p` would stage."""
        ...


class CellHistories(Protocol):
    """The versions that cells had, and the promotions that can be reverted; `operations.Reverter` satisfies it."""

    async def past_versions(self, key: CellKey) -> tuple[PastVersion, ...]:
        """Return the versions of a cell, newest first.

        Raises:
            SgmError: the repository cannot be read.
        """
        ...

    async def add_healthy_times(self, snapshot: FleetSnapshot, pasts: Sequence[PastVersion]) -> tuple[PastVersion, ...]:
        """Return the same versions of one cell, each with how long it ran healthy, where that is recorded."""
        ...

    async def plan_promotion_reverts(
        self, snapshot: FleetSnapshot, keys: Iterable[CellKey]
    ) -> tuple[PromotionRevert, ...]:
        """Return the last promotion of each stage and service among these cells, with its revert in exactly these.

        Nothing is staged.

        Raises:
            SgmError: the repository cannot be read.
        """
        ...


class History(Protocol):
    """The histories of cells."""

    @property
    def history(self) -> CellHistories:
        """The histories of cells, read from git.

        Raises:
            SgmError: the configuration has not been read yet.
        """
        ...


class Reverts(Protocol):
    """Reverts forecast and put into the plan, and versions marked as bad."""

    async def forecast_revert(self, key: CellKey, to: str | None) -> RevertForecast | Refusal:
        """Predict what happens once the revert of a cell is merged; None is the version before the current one."""
        ...

    async def stage_revert(self, key: CellKey, to: str | None) -> Change | Refusal:
        """Stage a revert to a version or commit of the cell's history; None is the version before the current one."""
        ...

    async def stage_revert_of(self, service: ServiceName, version: Version) -> StagingResult:
        """Stage reverts of every cell that runs this version or is about to.

        A cell that no revert can help, because an open pull request brings the version, is refused with the remedy.
        """
        ...

    async def mark_bad(self, service: ServiceName, version: Version, reason: str) -> None:
        """Mark a version as bad, which blocks its promotion everywhere; the reason "" unmarks it."""
        ...


class PromotionReverts(History, Protocol):
    """What the screen of promotion reverts uses: the promotions to revert, and staging their reverts."""

    async def stage_reverts(self, changes: Iterable[Change]) -> StagingResult:
        """Stage exactly these reverts, as one step that one undo reverses."""
        ...


class PullRequests(Protocol):
    """Actions on pull requests."""

    async def act_on_pull(self, number: int, head: str, action: PullAction, consent: Consent = NO_CONSENT) -> str:
        """Run an action on a pull request whose head is still `head`; return the outcome as text.

        Raises:
            SgmError: GitHub refused, or the pull request changed meanwhile.
        """
        ...


class Rollouts(Protocol):
    """Actions on rollouts."""

    async def act_on_rollout(
        self, key: CellKey, rollout: Rollout, action: RolloutAction, *, consent: Consent = NO_CONSENT
    ) -> str:
        """Run an action on exactly this revision of a cell's rollout; return the outcome as text.

        Raises:
            SgmError: the cluster refused, or the rollout changed meanwhile.
        """
        ...


class Waves(Protocol):
    """Promotions queued in waves."""

    async def waves(self) -> tuple[tuple[WavePlan, WaveStep], ...]:
        """Return every wave plan that has not ended, with its next step."""
        ...

    async def stop_waves(self, identity: str, reason: str) -> None:
        """Stop a wave plan: no further wave opens until it is resumed."""
        ...

    async def resume_waves(self, identity: str, consent: Consent = NO_CONSENT) -> None:
        """Resume a stopped wave plan."""
        ...

    async def drop_waves(self, identity: str) -> None:
        """Drop a wave plan: its unopened waves never open."""
        ...


class UnfinishedWrites(Protocol):
    """The list of unfinished writes; `operations.Recovery` satisfies it."""

    async def list_unfinished(self) -> tuple[UnfinishedWrite, ...]:
        """Return the unfinished writes, each with its one safe next step.

        Raises:
            SgmError: the journal or the repository cannot be read.
        """
        ...


class Recovery(Protocol):
    """Unfinished writes: their list, resuming and discarding them."""

    @property
    def recovery(self) -> UnfinishedWrites:
        """The list of unfinished writes.

        Raises:
            SgmError: the configuration has not been read yet.
        """
        ...

    def resume(self, operation: str, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Resume an unfinished write from where it stopped."""
        ...

    async def discard(self, operation: str) -> str:
        """Remove what an unfinished write left behind; return the outcome as text."""
        ...


class PlanReview(Plans, Recovery, Waves, Protocol):
    """What the plan screen uses: the plan, and how many writes and waves are unfinished."""


class PullRequestList(PullRequests, Snapshots, Protocol):
    """What the list of pull requests uses: their actions, and refreshing."""


class GateReview(Gates, Staging, Protocol):
    """What the gates screen uses: evaluating the gates of a promotion, and staging it."""


class VersionHistory(History, Reverts, Protocol):
    """What the revert screen uses: the history of a cell, and reverts to it."""


class MatrixActions(Staging, Snapshots, Protocol):
    """What the matrix uses: staging, and refreshing."""


class Session(
    MatrixActions, PlanReview, GateReview, VersionHistory, PromotionReverts, PullRequestList, Rollouts, Protocol
):
    """Snapshots come out, intents go in; nothing is shown that was not observed."""
