"""Wait until the selected part of a fleet has been read, as long as its sources keep responding."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from sgm_tui.fleet.completeness import Selection, find_gaps, sources_of
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceHealth
from sgm_tui.store.fleet_store import Store

SILENCE_SECONDS = 20.0
"""Seconds a command waits without any new data from a source."""
CLONE_SECONDS = 150.0
"""The same while the configuration is read, or git for the first time; longer than git's own timeout."""


async def wait_for_complete_snapshot(store: Store, seconds: float | None, selection: Selection) -> FleetSnapshot:
    """Wait for the first snapshot in which every source of the selection has responded, details included.

    Return the newest snapshot after `seconds` in total (None: no limit), after `SILENCE_SECONDS` without new data
    (`CLONE_SECONDS` during a first clone), or at once if the snapshot reports a problem.
    """
    clock, since = asyncio.get_running_loop().time, 0.0
    progress: tuple[tuple[str, ...], int] | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for snapshot in store.snapshots():
                missing = find_gaps(snapshot, selection)
                if snapshot.problem or not missing:
                    return snapshot
                sources = sources_of(snapshot, selection)
                reached = (missing, sum(store.answer_parts[one.source] for one in sources))
                if reached != progress:
                    progress, since = reached, clock()
                elif clock() - since > _patience(sources):
                    break
    return store.publish()


def _patience(sources: Iterable[SourceHealth]) -> float:
    """Return the seconds to wait without new data: a first clone reports nothing until it is complete."""
    states = {one.source.kind: one.state for one in sources}
    return CLONE_SECONDS if states.get("git", "waiting") == "waiting" else SILENCE_SECONDS
