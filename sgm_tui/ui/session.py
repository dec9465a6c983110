"""What the terminal needs from the world: one protocol, satisfied by `session.LiveSession` and by test doubles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
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


class Session(Protocol):
    """Snapshots come out, intents go in; nothing is shown that was not observed."""

    def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """Every newest snapshot, the current one first; latest wins, at most ten a second."""
        ...

    async def refresh(self) -> None:
        """Ask every source to look again now."""
        ...

    async def stage_promotion(self, key: CellKey, version: Version | None = None) -> Change | Refusal:
        """Put the version of the stage before, or this one, into the plan for a cell (key `p`)."""
        ...

    async def stage_promotions(self, keys: Iterable[CellKey]) -> StagingResult:
        """The same for many cells, as one step that one undo takes back."""
        ...

    async def stage_behind(self, stage: StageName) -> StagingResult:
        """Everything the stage before has that this one has not."""
        ...

    async def edit(
        self, change: Change, version: Version | None = None, strategy: str | None = None
    ) -> Change | Refusal:
        """Give a staged change another version or another rollout strategy ("" keeps the file's own)."""
        ...

    async def undo(self) -> None:
        """Take back the last step of the plan: staged, edited or dropped.

        Raises:
            SgmError: the plan cannot be kept; this goes for every intent about the plan that gives no refusal.
        """
        ...

    async def drop(self, change: Change) -> None:
        """Take one change out of the plan."""
        ...

    async def versions(self, service: ServiceName) -> tuple[Version, ...]:
        """Every version known of a service, from git's history and the registry, newest first."""
        ...

    def strategies(self) -> tuple[str, ...]:
        """The names of the team's own rollout strategies.

        Raises:
            SgmError: the configuration has not been read yet.
        """
        ...

    async def sketch(self) -> Preview:
        """The plan's diffs at once, against what was fetched last and without gates: to look at, never to write.

        Raises:
            SgmError: nothing has been fetched yet.
        """
        ...

    async def preview(self, terms: WriteOptions) -> Preview:
        """The plan against a freshly fetched repository: titles, exact diffs, gates, refusals.

        Raises:
            SgmError: the repository cannot be reached or read.
        """
        ...

    def submit(self, preview: Preview, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Commit and open the pull requests of exactly this preview; what was opened leaves the plan."""
        ...

    async def why(self, key: CellKey) -> tuple[Gate, ...] | Refusal:
        """Every gate of the promotion that `p` would stage, or that is staged; or why there is none to judge."""
        ...

    async def past(self, key: CellKey) -> tuple[PastVersion, ...]:
        """The versions of a cell, newest first."""
        ...

    async def measured(self, pasts: Sequence[PastVersion]) -> tuple[PastVersion, ...]:
        """The same versions of one cell, each with how long it ran healthy, as far as anybody knows."""
        ...

    async def stage_revert(self, key: CellKey, to: str | None) -> Change | Refusal:
        """Put the way back into the plan: the version before, or a version or commit of the cell's history."""
        ...

    async def stage_revert_of(self, service: ServiceName, version: Version) -> StagingResult:
        """Put into the plan the reverts of every cell that runs, or is about to run, this version.

        What no revert can undo (an open pull request that brings it) is refused with what to do.
        """
        ...

    async def promotion_reverts(self, keys: Iterable[CellKey]) -> tuple[PromotionRevert, ...]:
        """The last promotion of each stage of each service among these cells, and its revert in exactly these cells.

        Nothing is staged.

        Raises:
            SgmError: the repository cannot be read.
        """
        ...

    async def stage_reverts(self, changes: Iterable[Change]) -> StagingResult:
        """Put exactly these reverts into the plan, as one step that one undo takes back."""
        ...

    async def forecast_revert(self, key: CellKey, to: str | None) -> RevertForecast | Refusal:
        """What will happen when that revert is merged."""
        ...

    async def mark_bad(self, service: ServiceName, version: Version, reason: str) -> None:
        """Hold a version back from every promotion; "" lets it go again."""
        ...

    async def act_on_pull(self, number: int, head: str, action: PullAction, consent: Consent = NO_CONSENT) -> str:
        """Do something to a pull request whose head is still `head`; what happened, in words.

        Raises:
            SgmError: GitHub said no, or it has moved meanwhile.
        """
        ...

    async def act_on_rollout(
        self, key: CellKey, rollout: Rollout, action: RolloutAction, *, consent: Consent = NO_CONSENT
    ) -> str:
        """Do something to the rollout of a cell, as it was seen; what happened, in words.

        Raises:
            SgmError: the cluster said no, or it has moved meanwhile.
        """
        ...

    async def waves(self) -> tuple[tuple[WavePlan, WaveStep], ...]:
        """Every wave plan that has not ended, with what it waits for."""
        ...

    async def stop_waves(self, identity: str, reason: str) -> None:
        """Open no further wave of a plan until it is let go on."""
        ...

    async def drop_waves(self, identity: str) -> None:
        """Forget a wave plan: what it has not opened is never opened."""
        ...

    async def resume_waves(self, identity: str, consent: Consent = NO_CONSENT) -> None:
        """Let a stopped wave plan go on."""
        ...

    async def unfinished(self) -> tuple[UnfinishedWrite, ...]:
        """Writes that were begun and never seen to their end, each with its one safe next step."""
        ...

    def resume(self, operation: str, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Go on with an unfinished write from where it stopped."""
        ...

    async def discard(self, operation: str) -> str:
        """Take back what an unfinished write left behind; what was done, in words."""
        ...
