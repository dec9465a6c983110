"""What the terminal needs from the world: one protocol, satisfied by `wiring.LiveSession` and by test doubles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plan import Change, Preview, Progress, Refusal
from sgm_tui.fleet.snapshot import FleetSnapshot


class Session(Protocol):
    """Snapshots come out, intents go in; nothing is shown that was not observed."""

    def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """Every newest snapshot, the current one first; latest wins, at most ten a second."""
        ...

    def stage_promotion(self, key: CellKey) -> Change | Refusal:
        """Put the version of the stage before into the plan for this cell (key `p`)."""
        ...

    def undo(self) -> None:
        """Take the newest change out of the plan."""
        ...

    def drop(self, change: Change) -> None:
        """Take one change out of the plan."""
        ...

    async def preview(self) -> Preview:
        """The plan against a freshly fetched repository: titles, exact diffs, refusals.

        Raises:
            SgmError: the repository cannot be reached or read.
        """
        ...

    def submit(self, preview: Preview) -> AsyncIterator[Progress]:
        """Commit and open the pull requests of exactly this preview; what was opened leaves the plan."""
        ...

    async def refresh(self) -> None:
        """Ask every source to look again now."""
        ...
