"""Intents about promotions in waves over clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sgm_tui.fleet.completeness import find_gaps
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep, next_step
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.session.connected import ConnectedSession
from sgm_tui.threads import Lane, run_in

if TYPE_CHECKING:
    from sgm_tui.fleet.plans.proposal import Progress


class WaveIntents(ConnectedSession):
    """Wave plans: open what is due, list, stop, resume, drop."""

    def __init__(self, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self.tell: Callable[[Progress], None] = lambda _: None
        """Called with every wave it opens."""

    async def open_waves(self) -> Sequence[Progress]:
        """Open every wave that is due; none before every source has answered."""
        self._may_write()
        snapshot = self.store.snapshot
        if find_gaps(snapshot):
            return ()
        waves = (await self.wait_for_services()).waves
        outcome = await waves.step(lambda: self.store.snapshot, snapshot.generated_at, self.tell_bug)
        for progress in outcome:
            self.tell(progress)
        if outcome:
            await self.refresh()
        return outcome

    async def waves(self) -> tuple[tuple[WavePlan, WaveStep], ...]:
        """Return every wave plan that has not ended, with what it waits for."""
        snapshot = self.store.snapshot
        plans = await run_in(Lane.RECORDS, (await self.wait_for_services()).waves.plans)
        return tuple((plan, next_step(plan, snapshot, snapshot.generated_at)) for plan in plans)

    async def stop_waves(self, identity: str, reason: str) -> None:
        """Open no further wave of a plan until it is resumed."""
        self._may_write()
        await run_in(Lane.RECORDS, (await self.wait_for_services()).waves.stop, identity, reason)

    async def resume_waves(self, identity: str, consent: Consent = NO_CONSENT) -> None:
        """Resume a stopped wave plan; `consent` adds to what was accepted with the plan."""
        self._may_write()
        await run_in(Lane.RECORDS, (await self.wait_for_services()).waves.resume, identity, consent)

    async def drop_waves(self, identity: str) -> None:
        """Drop a wave plan: what it opened stays, the rest is never opened."""
        self._may_write()
        await run_in(Lane.RECORDS, (await self.wait_for_services()).waves.forget, identity)
