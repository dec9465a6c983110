"""Intents about going back: the history of cells, their reverts, known-bad versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sgm_tui.fleet.model import CellKey, ServiceName, Version
from sgm_tui.fleet.plans.plan import Change, Refusal, StagingResult
from sgm_tui.session.plans import PlanIntents

if TYPE_CHECKING:
    from sgm_tui.fleet.history.cell_history import PastVersion, RevertForecast
    from sgm_tui.fleet.reverts.promotion import PromotionRevert


class RevertIntents(PlanIntents):
    """What a cell had, and how it goes back to it."""

    async def past(self, key: CellKey) -> tuple[PastVersion, ...]:
        """The versions of a cell, newest first."""
        return await self.services.reverter.past_versions(key)

    async def measured(self, pasts: Sequence[PastVersion]) -> tuple[PastVersion, ...]:
        """The same versions of one cell, each with how long it ran healthy, as far as anybody knows."""
        return await self.services.reverter.add_healthy_times(self.store.snapshot, pasts)

    async def revert_of(self, key: CellKey, to: str | None) -> Change | Refusal:
        """The way back of a cell, not staged."""
        return await self.services.reverter.plan_revert(self.store.snapshot, key, to)

    async def reverts_of(self, service: ServiceName, version: Version) -> tuple[Change | Refusal, ...]:
        """The reverts of every cell that runs, or is about to run, a version; not staged."""
        return await self.services.reverter.plan_version_reverts(self.store.snapshot, service, version)

    async def stage_revert(self, key: CellKey, to: str | None) -> Change | Refusal:
        """Put the way back of a cell into the plan."""
        return await self._stage_one(await self.revert_of(key, to))

    async def stage_revert_of(self, service: ServiceName, version: Version) -> StagingResult:
        """Put the reverts of every cell that runs, or is about to run, a version into the plan."""
        staged = await self.reverts_of(service, version)
        staged = staged or (Refusal("", f"no cell runs {service} {version}, or is about to"),)
        changes = tuple(one for one in staged if isinstance(one, Change))
        return await self._stage(StagingResult(changes, tuple(one for one in staged if isinstance(one, Refusal))))

    async def promotion_reverts(self, keys: Iterable[CellKey]) -> tuple[PromotionRevert, ...]:
        """The last promotion of each stage of each service among these cells, and its revert in exactly these cells."""
        return await self.services.reverter.plan_promotion_reverts(self.store.snapshot, keys)

    async def stage_reverts(self, changes: Iterable[Change]) -> StagingResult:
        """Put exactly these reverts into the plan, as one step that one undo takes back."""
        return await self._stage(StagingResult(tuple(changes)))

    async def forecast_revert(self, key: CellKey, to: str | None) -> RevertForecast | Refusal:
        """What will happen when that revert is merged."""
        change = await self.revert_of(key, to)
        if isinstance(change, Refusal):
            return change
        return await self.services.reverter.forecast_revert(self.store.snapshot, change)

    async def mark_bad(self, service: ServiceName, version: Version, reason: str) -> None:
        """Hold a version back from every promotion; "" lets it go again."""
        self._may_write()
        await self.services.reverter.mark(service, version, reason)
