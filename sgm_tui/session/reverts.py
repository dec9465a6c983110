"""Intents about reverts: the history of cells, their revert targets, known-bad versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sgm_tui.fleet.model import CellKey, ServiceName, Version
from sgm_tui.fleet.plans.plan import Change, Refusal, StagingResult
from sgm_tui.session.plans import PlanIntents

if TYPE_CHECKING:
    from sgm_tui.fleet.history.cell_history import RevertForecast
    from sgm_tui.operations.reverter import Reverter


class RevertIntents(PlanIntents):
    """The history of cells, and reverting them."""

    @property
    def history(self) -> Reverter:
        """The use case that reads the versions of cells and plans their reverts without staging them."""
        return self.services.reverter

    async def stage_revert(self, key: CellKey, to: str | None) -> Change | Refusal:
        """Stage the revert of a cell."""
        return await self._stage_one(
            await (await self.wait_for_services()).reverter.plan_revert(self.store.snapshot, key, to)
        )

    async def stage_revert_of(self, service: ServiceName, version: Version) -> StagingResult:
        """Stage the reverts of every cell with a version live or on its way."""
        staged = await (await self.wait_for_services()).reverter.plan_version_reverts(
            self.store.snapshot, service, version
        )
        staged = staged or (Refusal("", f"no cell runs {service} {version}, or is about to"),)
        changes = tuple(one for one in staged if isinstance(one, Change))
        return await self._stage(StagingResult(changes, tuple(one for one in staged if isinstance(one, Refusal))))

    async def stage_reverts(self, changes: Iterable[Change]) -> StagingResult:
        """Stage exactly these reverts as one step, which one undo takes back."""
        return await self._stage(StagingResult(tuple(changes)))

    async def forecast_revert(self, key: CellKey, to: str | None) -> RevertForecast | Refusal:
        """Return what happens when that revert is merged."""
        reverter = (await self.wait_for_services()).reverter
        change = await reverter.plan_revert(self.store.snapshot, key, to)
        if isinstance(change, Refusal):
            return change
        return await reverter.forecast_revert(self.store.snapshot, change)

    async def mark_bad(self, service: ServiceName, version: Version, reason: str) -> None:
        """Mark a version as known bad; "" as reason unmarks it."""
        self._may_write()
        await (await self.wait_for_services()).reverter.mark(service, version, reason)
