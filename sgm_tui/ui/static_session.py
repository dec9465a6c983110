"""A session that shows one snapshot for ever: for pictures, and wherever nothing may be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plan import Change, Preview, Progress, Refusal
from sgm_tui.fleet.snapshot import FleetSnapshot

_WHY = "this is a picture of the fleet, not the fleet"


class StaticSession:
    """One snapshot; every intent is refused."""

    def __init__(self, snapshot: FleetSnapshot) -> None:
        self.snapshot = snapshot

    async def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """The one, and then nothing until cancelled."""
        yield self.snapshot
        await asyncio.Event().wait()

    def stage_promotion(self, key: CellKey) -> Change | Refusal:
        """Refused."""
        return Refusal(str(key), _WHY)

    def undo(self) -> None:
        """There is nothing to undo."""

    def drop(self, change: Change) -> None:
        """There is nothing to drop."""

    async def preview(self) -> Preview:
        """Nothing would be written."""
        return Preview(base=self.snapshot.revision)

    def submit(self, preview: Preview) -> AsyncIterator[Progress]:
        """Refused."""
        raise RefusedError(_WHY)

    async def refresh(self) -> None:
        """It is as it is."""
