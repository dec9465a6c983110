"""The session the front ends are given: snapshots out, intents in.

A session exists at once and empty; `wiring` connects it in the background and then gives it a desk, on which lies
everything that writes. Reading never waits for writing, and read-only refuses at one place, before anything is sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.completeness import EVERYTHING, Selection, gaps
from sgm_tui.fleet.gates import judge_pull
from sgm_tui.fleet.model import CellKey, ServiceName, StageName, Version
from sgm_tui.fleet.plan import Change, Plan, Refusal, Staged
from sgm_tui.fleet.proposal import ENDED, UNWRITTEN, Terms
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.staging import behind, promotion_into, promotions_into
from sgm_tui.fleet.waves import WavePlan, WaveStep, next_step
from sgm_tui.operations.planning import edited
from sgm_tui.permission import Permitted
from sgm_tui.store import Store
from sgm_tui.threads import Lane, run_in
from sgm_tui.waiting import complete_snapshot

if TYPE_CHECKING:
    from sgm_tui.config import Config
    from sgm_tui.fleet.gate import Gate
    from sgm_tui.fleet.history import Past, WayBack
    from sgm_tui.fleet.observed import Rollout
    from sgm_tui.fleet.proposal import Preview, Progress, Terms, Unfinished
    from sgm_tui.fleet.pulls import PullAction
    from sgm_tui.fleet.rollout_actions import RolloutAction
    from sgm_tui.operations.audit import Audit
    from sgm_tui.operations.planning import Planning
    from sgm_tui.operations.promote import Promoter
    from sgm_tui.operations.pull_requests import PullRequests
    from sgm_tui.operations.recovery import Recovery
    from sgm_tui.operations.revert import Reverter
    from sgm_tui.operations.rollout_actions import RolloutActions
    from sgm_tui.operations.waves import Waves
    from sgm_tui.policy import Policy

logger = logging.getLogger("sgm")

_LOOK_SECONDS = 1.0
"""How often the plan is looked at for what another terminal put into it."""


class Refreshable(Protocol):
    """Something that can look again when asked."""

    def refresh(self) -> None:
        """Look again now."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that writes, once the configuration has been read."""

    config: Config
    planning: Planning
    promoter: Promoter
    reverter: Reverter
    recovery: Recovery
    waves: Waves
    audit: Audit
    pulls: PullRequests | None
    """None where no forge is configured."""
    rollouts: RolloutActions
    versions: Callable[[ServiceName], Awaitable[tuple[Version, ...]]]
    """Every version of a service that git ever wanted or the registry has, newest first."""


class LiveSession(Permitted):
    """What a front end needs of the world; satisfies `ui.session.Session`."""

    def __init__(self, *, read_only: bool = False, opens_waves: bool = False) -> None:
        """`opens_waves` lets it open the next wave of what goes wave by wave, as long as it lasts."""
        self.store = Store()
        self.opens_waves = opens_waves
        self.tell: Callable[[Progress], None] = lambda _: None
        """Told of every wave it opens."""
        self.error: SgmError | None = None
        """Why nothing can be shown at all; the store's snapshot carries the same as text."""
        super().__init__(read_only=read_only)
        self.sources: list[Refreshable] = []
        self._desk: Desk | None = None

    @property
    def desk(self) -> Desk:
        """Everything that writes.

        Raises:
            SgmError: the configuration has not been read yet.
        """
        if self._desk is None:
            raise self.error or SgmError("not connected yet", "Wait until the repository has been read.")
        return self._desk

    @property
    def config(self) -> Config:
        """The configuration this session runs on."""
        return self.desk.config

    async def furnish(self, desk: Desk) -> None:
        """Give it everything that writes, and show the plan that was kept."""
        self._desk = desk
        try:
            await desk.planning.look()
        except SgmError as error:
            # A plan that cannot be read hides no fleet; it is said as soon as something is to be put into it.
            logger.warning("the plan cannot be read: %s", error)

    def fail(self, error: SgmError) -> None:
        """Nothing can be shown at all."""
        self.error = error
        self.store.fail(str(error))

    async def follow_plan(self) -> None:
        """Show what other terminals put into the same plan, and open waves; ends only by being cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._desk is None:
                continue
            try:
                await self._desk.planning.look()
                if self.opens_waves and not self.read_only:
                    await self.open_waves()
            except SgmError as error:
                # Said again, and to a person, as soon as somebody puts something into the plan or opens its waves.
                logger.warning("the plan or its waves cannot be looked at: %s", error)

    async def open_waves(self) -> Sequence[Progress]:
        """Open every wave that may open by the facts; nothing before every source has answered."""
        self._may_write()
        snapshot = self.store.snapshot
        if gaps(snapshot):
            return ()
        told = await self.desk.waves.step(lambda: self.store.snapshot, snapshot.generated_at)
        for progress in told:
            self.tell(progress)
        if told:
            await self.refresh()
        return told

    async def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """Every newest snapshot, the current one first, each with whether anything may be written."""
        async for snapshot in self.store.snapshots():
            yield replace(snapshot, read_only=self.read_only)

    async def settled(self, seconds: float | None = None, selection: Selection = EVERYTHING) -> FleetSnapshot:
        """Return the first snapshot in which every source of the selection has answered, details included.

        While answers are coming it is waited for; after `seconds` in all, or after a while in which nothing more has
        come, it is the newest snapshot: `fleet.completeness.gaps` says what is missing.
        """
        snapshot = await complete_snapshot(self.store, seconds, selection)
        return replace(snapshot, read_only=self.read_only)

    async def refresh(self) -> None:
        """Ask every source to look again now."""
        for source in self.sources:
            source.refresh()

    async def stage_promotion(self, key: CellKey, version: Version | None = None) -> Change | Refusal:
        """Put the version of the stage before, or this one, into the plan for a cell."""
        return await self._stage_one(promotion_into(self.store.snapshot, key, version))

    async def stage_promotions(self, keys: Iterable[CellKey]) -> Staged:
        """The same for many cells, as one step that one undo takes back."""
        return await self._stage(promotions_into(self.store.snapshot, keys))

    async def stage_behind(self, stage: StageName) -> Staged:
        """Everything the stage before has that this one has not."""
        return await self.stage_promotions(behind(self.store.snapshot, stage))

    async def _stage_one(self, found: Change | Refusal) -> Change | Refusal:
        if isinstance(found, Refusal):
            return found
        staged = await self._stage(Staged((found,)))
        return staged.refusals[0] if staged.refusals else staged.changes[0]

    async def _stage(self, staged: Staged) -> Staged:
        """Keep what was staged; where it cannot be kept nothing is staged, and it says why."""
        if staged.changes:
            try:
                await self._plan(lambda plan: plan.with_change(*staged.changes))
            except SgmError as error:
                return Staged(refusals=(Refusal("", str(error)),))
        return staged

    async def _plan(self, change: Callable[[Plan], Plan]) -> None:
        self._may_write()
        await self.desk.planning.change(change)

    async def edit(
        self, change: Change, version: Version | None = None, strategy: str | None = None
    ) -> Change | Refusal:
        """Give a staged change another version or another rollout strategy ("" keeps the file's own)."""
        try:
            made = edited(change, version, strategy, self.config)
            if isinstance(made, Change):
                await self._plan(lambda plan: plan.replaced(change, made))
        except SgmError as error:
            return Refusal(change.path, str(error))
        return made

    async def undo(self) -> None:
        """Take back the last step of the plan: staged, edited or dropped."""
        await self._plan(lambda plan: plan.undone())

    async def drop(self, change: Change) -> None:
        """Take one change out of the plan."""
        await self._plan(lambda plan: plan.without(change))

    async def versions(self, service: ServiceName) -> tuple[Version, ...]:
        """Every version known of a service, newest first."""
        return await self.desk.versions(service)

    def strategies(self) -> tuple[str, ...]:
        """The names of the team's own rollout strategies."""
        return tuple(self.config.policy.strategies)

    async def sketch(self) -> Preview:
        """The plan's diffs at once, against what was fetched last and without gates: to look at, never to write."""
        return await self.desk.promoter.sketch(self.store.plan, self.store.snapshot)

    async def preview(self, terms: Terms) -> Preview:
        """The plan against a freshly fetched repository."""
        return await self.preview_of(self.store.plan, terms)

    async def preview_of(self, plan: Plan, terms: Terms) -> Preview:
        """Any plan against a freshly fetched repository, with every gate."""
        return await self.desk.promoter.preview(plan, self.store.snapshot, terms)

    async def submit(self, preview: Preview) -> AsyncIterator[Progress]:
        """Open the pull requests of exactly this preview; what was opened leaves the plan, later waves are kept."""
        self._may_write()
        kept = await _keep_waves(self.desk, preview, self.store.snapshot.generated_at)
        if preview.adopted:
            await self._forget(tuple(one.change for one in preview.adopted))
        async for progress in self.desk.promoter.submit(preview, lambda: self.store.snapshot):
            bundle = progress.proposal.bundle
            if bundle in kept and progress.step in UNWRITTEN:
                # Its first wave was not written whole: there is nothing for the others to wait for.
                await run_in(Lane.RECORDS, self.desk.waves.forget, kept.pop(bundle))
            if progress.step in ENDED:
                await self._forget(tuple(edit.change for edit in progress.proposal.edits))
            if progress.step in ENDED | UNWRITTEN:
                await self.refresh()  # what failed may be there all the same
            yield progress

    async def _forget(self, done: tuple[Change, ...]) -> None:
        await self._plan(lambda plan: plan.written(*done))

    async def why(self, key: CellKey) -> tuple[Gate, ...] | Refusal:
        """Every gate of the change that is staged for a cell, or of the promotion that would be."""
        snapshot = self.store.snapshot
        staged = next((one for one in snapshot.plan.changes if key in one.cells), None)
        change = staged or promotion_into(snapshot, key)
        if isinstance(change, Refusal):
            return change
        gates = [gate for gate in await self.desk.promoter.judge(change, snapshot) if gate.cell == key]
        return (*gates, *_on_the_way(snapshot, key, self.config.policy))

    async def past(self, key: CellKey) -> tuple[Past, ...]:
        """The versions of a cell, newest first."""
        return await self.desk.reverter.past(key)

    async def measured(self, pasts: Sequence[Past]) -> tuple[Past, ...]:
        """The same versions of one cell, each with how long it ran healthy, as far as anybody knows."""
        return await self.desk.reverter.measured(self.store.snapshot, pasts)

    async def revert_of(self, key: CellKey, to: str | None) -> Change | Refusal:
        """The way back of a cell, not staged."""
        return await self.desk.reverter.change(self.store.snapshot, key, to)

    async def reverts_of(self, service: ServiceName, version: Version) -> tuple[Change | Refusal, ...]:
        """The reverts of every cell that runs, or is about to run, a version; not staged."""
        return await self.desk.reverter.revert_plan(self.store.snapshot, service, version)

    async def stage_revert(self, key: CellKey, to: str | None) -> Change | Refusal:
        """Put the way back of a cell into the plan."""
        return await self._stage_one(await self.revert_of(key, to))

    async def stage_revert_of(self, service: ServiceName, version: Version) -> Staged:
        """Put the reverts of every cell that runs, or is about to run, a version into the plan."""
        found = await self.reverts_of(service, version)
        found = found or (Refusal("", f"no cell runs {service} {version}, or is about to"),)
        changes = tuple(one for one in found if isinstance(one, Change))
        return await self._stage(Staged(changes, tuple(one for one in found if isinstance(one, Refusal))))

    async def way_back(self, key: CellKey, to: str | None) -> WayBack | Refusal:
        """What will happen when that revert is merged."""
        change = await self.revert_of(key, to)
        if isinstance(change, Refusal):
            return change
        return await self.desk.reverter.way_back(self.store.snapshot, change)

    async def mark_bad(self, service: ServiceName, version: Version, reason: str) -> None:
        """Hold a version back from every promotion; "" lets it go again."""
        self._may_write()
        await self.desk.reverter.mark(service, version, reason)

    async def act_on_pull(self, number: int, head: str, action: PullAction) -> str:
        """Do something to a pull request whose head is still `head`."""
        self._may_write()
        pulls = self.desk.pulls
        if pulls is None:
            raise SgmError("no pull requests: github.repository is not configured")
        request = next((one for one in self.store.snapshot.pull_requests if one.number == number), None)
        if request is None or request.head != head:
            raise RefusedError(f"#{number} has moved meanwhile: nothing was done", "Look at it again.")
        said = await pulls.act(request, action)
        await self.refresh()
        return said

    async def act_on_rollout(self, key: CellKey, seen: Rollout, action: RolloutAction, reason: str = "") -> str:
        """Do something to the rollout of a cell, as it was seen."""
        self._may_write()
        said = await self.desk.rollouts.act(key, seen, action, reason)
        await self.refresh()
        return said

    async def waves(self) -> tuple[tuple[WavePlan, WaveStep], ...]:
        """Every wave plan that has not ended, with what it waits for."""
        snapshot = self.store.snapshot
        plans = await run_in(Lane.RECORDS, self.desk.waves.plans)
        return tuple((plan, next_step(plan, snapshot, snapshot.generated_at)) for plan in plans)

    async def stop_waves(self, identity: str, reason: str) -> None:
        """Open no further wave of a plan until it is let go on."""
        self._may_write()
        await run_in(Lane.RECORDS, self.desk.waves.stop, identity, reason)

    async def resume_waves(self, identity: str) -> None:
        """Let a stopped wave plan go on."""
        self._may_write()
        await run_in(Lane.RECORDS, self.desk.waves.resume, identity)

    async def drop_waves(self, identity: str) -> None:
        """Forget a wave plan: what it opened stays as it is, what it has not is never opened."""
        self._may_write()
        await run_in(Lane.RECORDS, self.desk.waves.forget, identity)

    async def unfinished(self) -> tuple[Unfinished, ...]:
        """Writes that were begun and never seen to their end."""
        return await self.desk.recovery.unfinished()

    async def resume(self, operation: str) -> AsyncIterator[Progress]:
        """Go on with an unfinished write from where it stopped; what is proposed by it leaves the plan."""
        self._may_write()
        try:
            async for progress in self.desk.recovery.resume(operation):
                if progress.step in ENDED and progress.proposal.edits:
                    await self._forget(tuple(edit.change for edit in progress.proposal.edits))
                yield progress
        finally:
            await self.refresh()

    async def discard(self, operation: str) -> str:
        """Take back what an unfinished write left behind."""
        self._may_write()
        said = await self.desk.recovery.discard(operation)
        await self.refresh()
        return said

    def _may_write(self) -> None:
        if self.read_only:
            raise RefusedError("read-only: nothing is written", "Start sgm without --read-only.")


async def _keep_waves(desk: Desk, preview: Preview, now: datetime) -> dict[int, str]:
    """Bundle → the identity of its wave plan, kept before anything is written: a crash loses no later wave."""
    firsts = {one.bundle: one for one in reversed(preview.proposals) if one.waves > 1}
    keep, policy = desk.waves.keep, desk.config.policy
    return {bundle: await run_in(Lane.RECORDS, keep, preview, one, now, policy) for bundle, one in firsts.items()}


def _on_the_way(snapshot: FleetSnapshot, key: CellKey, policy: Policy) -> list[Gate]:
    """The gates of the open pull requests that change a cell."""
    numbers = {pending.number for pending in snapshot.cells[key].facts.pending}
    open_ones = [one for one in snapshot.open_pull_requests if one.number in numbers]
    return [gate for one in open_ones for gate in judge_pull(one, policy, (key,))]
