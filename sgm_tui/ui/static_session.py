"""A session that shows one snapshot for ever: for pictures, and wherever nothing may be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.model import CellKey, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Refusal, StagingResult
from sgm_tui.fleet.plans.proposal import Preview, Progress
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.permission import NO_CONSENT, Consent

if TYPE_CHECKING:
    from sgm_tui.fleet.facts import Rollout
    from sgm_tui.fleet.gate import Gate
    from sgm_tui.fleet.history.cell_history import PastVersion, RevertForecast
    from sgm_tui.fleet.plans.proposal import UnfinishedWrite, WriteOptions
    from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
    from sgm_tui.fleet.pull_request_actions import PullAction
    from sgm_tui.fleet.reverts.promotion import PromotionRevert
    from sgm_tui.fleet.rollouts.actions import RolloutAction

_PICTURE = "this is a static snapshot of the fleet"


class StaticSession:
    """One snapshot; every intent is refused."""

    def __init__(self, snapshot: FleetSnapshot, why: str = _PICTURE) -> None:
        self.snapshot = snapshot
        self._why = why
        self._no = Refusal("", why)

    async def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """The one, and then nothing until cancelled."""
        yield self.snapshot
        await asyncio.Event().wait()

    async def refresh(self) -> None:
        """There is nothing newer."""

    async def stage_promotion(self, key: CellKey, version: Version | None = None) -> Change | Refusal:
        """Refused."""
        return self._no

    async def stage_promotions(self, keys: Iterable[CellKey]) -> StagingResult:
        """Refused."""
        return StagingResult(refusals=(self._no,))

    async def stage_behind(self, stage: StageName) -> StagingResult:
        """Refused."""
        return StagingResult(refusals=(self._no,))

    async def edit(
        self, change: Change, version: Version | None = None, strategy: str | None = None
    ) -> Change | Refusal:
        """Refused."""
        return self._no

    async def undo(self) -> None:
        """There is nothing to undo."""

    async def drop(self, change: Change) -> None:
        """There is nothing to drop."""

    async def versions(self, service: ServiceName) -> tuple[Version, ...]:
        """None are known."""
        return ()

    def strategies(self) -> tuple[str, ...]:
        """None are known."""
        return ()

    async def sketch(self) -> Preview:
        """Nothing would be written."""
        return Preview(base=self.snapshot.revision)

    async def preview(self, terms: WriteOptions) -> Preview:
        """Nothing would be written."""
        return Preview(base=self.snapshot.revision)

    def submit(self, preview: Preview, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Refused."""
        raise RefusedError(self._why)

    async def why(self, key: CellKey) -> tuple[Gate, ...] | Refusal:
        """Nothing is judged."""
        return self._no

    @property
    def history(self) -> StaticSession:
        """Return this session: it has no history."""
        return self

    async def past_versions(self, key: CellKey) -> tuple[PastVersion, ...]:
        """Return no versions."""
        return ()

    async def add_healthy_times(self, snapshot: FleetSnapshot, pasts: Sequence[PastVersion]) -> tuple[PastVersion, ...]:
        """Return the versions unchanged."""
        return tuple(pasts)

    async def stage_revert(self, key: CellKey, to: str | None) -> Change | Refusal:
        """Refused."""
        return self._no

    async def stage_revert_of(self, service: ServiceName, version: Version) -> StagingResult:
        """Refused."""
        return StagingResult(refusals=(self._no,))

    async def plan_promotion_reverts(
        self, snapshot: FleetSnapshot, keys: Iterable[CellKey]
    ) -> tuple[PromotionRevert, ...]:
        """Refuse: there is no history."""
        raise RefusedError(self._why)

    async def stage_reverts(self, changes: Iterable[Change]) -> StagingResult:
        """Refused."""
        return StagingResult(refusals=(self._no,))

    async def forecast_revert(self, key: CellKey, to: str | None) -> RevertForecast | Refusal:
        """Nothing is judged."""
        return self._no

    async def mark_bad(self, service: ServiceName, version: Version, reason: str) -> None:
        """Refused."""
        raise RefusedError(self._why)

    async def act_on_pull(self, number: int, head: str, action: PullAction, consent: Consent = NO_CONSENT) -> str:
        """Refused."""
        raise RefusedError(self._why)

    async def act_on_rollout(
        self, key: CellKey, rollout: Rollout, action: RolloutAction, *, consent: Consent = NO_CONSENT
    ) -> str:
        """Refused."""
        raise RefusedError(self._why)

    async def waves(self) -> tuple[tuple[WavePlan, WaveStep], ...]:
        """None are under way."""
        return ()

    async def stop_waves(self, identity: str, reason: str) -> None:
        """Refused."""
        raise RefusedError(self._why)

    async def resume_waves(self, identity: str, consent: Consent = NO_CONSENT) -> None:
        """Refused."""
        raise RefusedError(self._why)

    async def drop_waves(self, identity: str) -> None:
        """Refused."""
        raise RefusedError(self._why)

    @property
    def recovery(self) -> StaticSession:
        """Return this session: it has no unfinished writes."""
        return self

    async def list_unfinished(self) -> tuple[UnfinishedWrite, ...]:
        """Return no unfinished writes."""
        return ()

    def resume(self, operation: str, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Refused."""
        raise RefusedError(self._why)

    async def discard(self, operation: str) -> str:
        """Refused."""
        raise RefusedError(self._why)
