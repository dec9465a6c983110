"""Intents about reverts: the history of cells, their revert targets, known-bad versions."""

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
    """The history of cells, and reverting them."""

    async def past(self, key: CellKey) -> tuple[PastVersion, ...]:
        """Return the versions of a cell, newest first."""
        return await self.services.reverter.past_versions(key)

    async def measured(self, pasts: Sequence[PastVersion]) -> tuple[PastVersion, ...]:
        """Return the same versions, each with how long it ran healthy as far as that is known."""
        return await self.services.reverter.add_healthy_times(self.store.snapshot, pasts)

    async def revert_of(self, key: CellKey, to: str | None) -> Change | Refusal:
        """Return the revert of a cell without staging it."""
        return await self.services.reverter.plan_revert(self.store.snapshot, key, to)

    async def reverts_of(self, service: ServiceName, version: Version) -> tuple[Change | Refusal, ...]:
        """Return the reverts of every cell with a version live or on its way, without staging them."""
        return await self.services.reverter.plan_version_reverts(self.store.snapshot, service, version)

    async def stage_revert(self, key: CellKey, to: str | None) -> Change | Refusal:
        """Stage the revert of a cell."""
        return await self._stage_one(await self.revert_of(key, to))

    async def stage_revert_of(self, service: ServiceName, version: Version) -> StagingResult:
        """Stage the reverts of every cell with a version live or on its way."""
        staged = await self.reverts_of(service, version)
        staged = staged or (Refusal("", f"no cell runs {service} {version}, or is about to"),)
        changes = tuple(one for one in staged if isinstance(one, Change))
        return await self._stage(StagingResult(changes, tuple(one for one in staged if isinstance(one, Refusal))))

    async def promotion_reverts(self, keys: Iterable[CellKey]) -> tuple[PromotionRevert, ...]:
        """Return the last promotion of each service and stage of these cells, and its revert in exactly these cells."""
        return await self.services.reverter.plan_promotion_reverts(self.store.snapshot, keys)

    async def stage_reverts(self, changes: Iterable[Change]) -> StagingResult:
        """Stage exactly these reverts as one step, which one undo takes back."""
        return await self._stage(StagingResult(tuple(changes)))

    async def forecast_revert(self, key: CellKey, to: str | None) -> RevertForecast | Refusal:
        """Return what happens when that revert is merged."""
        change = await self.revert_of(key, to)
        if isinstance(change, Refusal):
            return change
        return await self.services.reverter.forecast_revert(self.store.snapshot, change)

    async def mark_bad(self, service: ServiceName, version: Version, reason: str) -> None:
        """Mark a version as known bad; "" as reason unmarks it."""
        self._may_write()
        await self.services.reverter.mark(service, version, reason)
