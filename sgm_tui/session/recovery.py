"""Intents about unfinished writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from sgm_tui.fleet.plans.proposal import ENDED
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.session.plans import PlanIntents

if TYPE_CHECKING:
    from sgm_tui.fleet.plans.proposal import Progress
    from sgm_tui.operations.recovery import Recovery


class RecoveryIntents(PlanIntents):
    """List, resume and discard unfinished writes."""

    @property
    def recovery(self) -> Recovery:
        """The use case that finds the unfinished writes; front ends resume and discard them by this session."""
        return self.services.recovery

    async def resume(self, operation: str, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Resume an unfinished write where it stopped; what it proposes leaves the plan.

        `consent` adds to what was accepted when it began.
        """
        self._may_write()
        recovery = (await self.wait_for_services()).recovery
        try:
            async for progress in recovery.resume(operation, consent):
                if progress.step in ENDED and progress.proposal.edits:
                    await self._forget(tuple(edit.change for edit in progress.proposal.edits))
                yield progress
        finally:
            await self.refresh()

    async def discard(self, operation: str) -> str:
        """Undo what an unfinished write left behind."""
        self._may_write()
        outcome = await (await self.wait_for_services()).recovery.discard(operation)
        await self.refresh()
        return outcome
