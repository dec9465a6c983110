"""Intents about the plan: stage, edit, preview, submit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from sgm_tui.errors import SgmError
from sgm_tui.fleet.gates.evaluation import evaluate_required_checks
from sgm_tui.fleet.model import CellKey, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Plan, Refusal, StagingResult
from sgm_tui.fleet.plans.proposal import ENDED, UNWRITTEN, WriteOptions
from sgm_tui.fleet.plans.staging import find_cells_behind, plan_promotion, plan_promotions
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.operations.planning import edit_change
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.session.connected import ConnectedSession
from sgm_tui.session.write_services import WriteServices
from sgm_tui.threads import Lane, run_in

if TYPE_CHECKING:
    from sgm_tui.fleet.gate import Gate
    from sgm_tui.fleet.plans.proposal import Preview, Progress, WriteOptions
    from sgm_tui.fleet.policy import Policy


class PlanIntents(ConnectedSession):
    """Stage changes, preview what they write, and write it."""

    async def stage_promotion(self, key: CellKey, version: Version | None = None) -> Change | Refusal:
        """Stage the previous stage's version, or the given one, for a cell."""
        return await self._stage_one(plan_promotion(self.store.snapshot, key, version))

    async def stage_promotions(self, keys: Iterable[CellKey]) -> StagingResult:
        """Stage many cells as one step, which one undo takes back."""
        return await self._stage(plan_promotions(self.store.snapshot, keys))

    async def stage_behind(self, stage: StageName) -> StagingResult:
        """Stage every version the previous stage has and this one lacks."""
        return await self.stage_promotions(find_cells_behind(self.store.snapshot, stage))

    async def _stage_one(self, outcome: Change | Refusal) -> Change | Refusal:
        if isinstance(outcome, Refusal):
            return outcome
        staged = await self._stage(StagingResult((outcome,)))
        return staged.refusals[0] if staged.refusals else staged.changes[0]

    async def _stage(self, staged: StagingResult) -> StagingResult:
        """Save staged changes; if they cannot be saved, stage nothing and return why."""
        if staged.changes:
            try:
                await self._plan(lambda plan: plan.with_change(*staged.changes))
            except SgmError as error:
                return StagingResult(refusals=(Refusal("", str(error)),))
        return staged

    async def _plan(self, change: Callable[[Plan], Plan]) -> None:
        self._may_write()
        await (await self.wait_for_services()).planning.change(change)

    async def edit(
        self, change: Change, version: Version | None = None, strategy: str | None = None
    ) -> Change | Refusal:
        """Give a staged change another version or rollout strategy ("" keeps the file's own)."""
        try:
            services = await self.wait_for_services()
            result = edit_change(change, version, strategy, services.config)
            if isinstance(result, Change):
                await self._plan(lambda plan: plan.with_replacement(change, result))
        except SgmError as error:
            return Refusal(change.path, str(error))
        return result

    async def undo(self) -> None:
        """Undo the last step of the plan."""
        await self._plan(lambda plan: plan.before_last_step())

    async def drop(self, change: Change) -> None:
        """Remove one change from the plan."""
        await self._plan(lambda plan: plan.without(change))

    @property
    def versions(self) -> Callable[[ServiceName], Awaitable[tuple[Version, ...]]]:
        """The function that returns every known version of a service, newest first."""
        return self.services.versions

    def strategies(self) -> tuple[str, ...]:
        """Return the names of the team's own rollout strategies."""
        return tuple(self.services.config.policy.strategies)

    async def sketch(self) -> Preview:
        """Return the plan's diffs at once, from the last fetch and without gates; to show, never to write."""
        return await (await self.wait_for_services()).promoter.sketch(self.store.plan, self.store.snapshot)

    async def preview(self, terms: WriteOptions) -> Preview:
        """Preview the plan on a freshly fetched repository, with every gate."""
        return await (await self.wait_for_services()).promoter.preview(self.store.plan, self.store.snapshot, terms)

    async def submit(self, preview: Preview, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Open the pull requests of exactly this preview; opened changes leave the plan, later waves are saved.

        Raises:
            RefusedError: read-only, or it changes a protected stage to which `consent` was not given.
        """
        self._may_write()
        services = await self.wait_for_services()
        stages = preview.protected_stages(self.store.snapshot.fleet)
        self.permission.check_stages(services.config.repository.name, stages, consent)
        waves_kept = await _keep_waves(services, preview, self.store.snapshot.generated_at, consent)
        if preview.adopted:
            await self._forget(tuple(one.change for one in preview.adopted))
        async for progress in services.promoter.submit(preview, lambda: self.store.snapshot, consent):
            bundle = progress.proposal.bundle
            if bundle in waves_kept and progress.step in UNWRITTEN:
                # Its first wave was not written whole: there is nothing for the others to wait for.
                await run_in(Lane.RECORDS, services.waves.forget, waves_kept.pop(bundle))
            if progress.step in ENDED:
                await self._forget(tuple(edit.change for edit in progress.proposal.edits))
            if progress.step in ENDED | UNWRITTEN:
                await self.refresh()  # what failed may be there all the same
            yield progress

    async def _forget(self, done: tuple[Change, ...]) -> None:
        await self._plan(lambda plan: plan.without_written(*done))

    async def why(self, key: CellKey) -> tuple[Gate, ...] | Refusal:
        """Return every gate of the change staged for a cell, or of the promotion that would be staged."""
        snapshot = self.store.snapshot
        staged = next((one for one in snapshot.plan.changes if key in one.cells), None)
        change = staged or plan_promotion(snapshot, key)
        if isinstance(change, Refusal):
            return change
        services = await self.wait_for_services()
        gates = [gate for gate in await services.promoter.evaluate_gates(change, snapshot) if gate.cell == key]
        return (*gates, *_on_the_way(snapshot, key, services.config.policy))


async def _keep_waves(services: WriteServices, preview: Preview, now: datetime, consent: Consent) -> dict[int, str]:
    """Return bundle → identity of its wave plan, saved before anything is written so that no wave is lost."""
    firsts = {first.bundle: first for first in reversed(preview.proposals) if first.waves > 1}
    keep, policy = services.waves.save, services.config.policy
    return {
        bundle: await run_in(Lane.RECORDS, keep, preview, first, now, policy, consent)
        for bundle, first in firsts.items()
    }


def _on_the_way(snapshot: FleetSnapshot, key: CellKey, policy: Policy) -> list[Gate]:
    """Return the gates of the open pull requests that change a cell."""
    numbers = {pending.number for pending in snapshot.cells[key].facts.pending}
    open_ones = [one for one in snapshot.open_pull_requests if one.number in numbers]
    return [gate for one in open_ones for gate in evaluate_required_checks(one, policy, (key,))]
