"""Waiting until a fleet has been read: as long as answers are coming, and never for what nobody selected."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from sgm_tui.fleet.completeness import Selection, find_gaps, sources_of
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceHealth
from sgm_tui.store.fleet_store import Store

SILENCE_SECONDS = 20.0
"""How long a command waits while no source sends anything more."""
CLONE_SECONDS = 150.0
"""The same while the configuration, or git for the first time, is being read: git itself gives up before."""


async def complete_snapshot(store: Store, seconds: float | None, selection: Selection) -> FleetSnapshot:
    """Return the first snapshot in which every source of the selection has answered, details included.

    After `seconds` in all (None: no limit), or after a while in which nothing more has come, it is the newest one.
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
    """Return how many seconds of silence are waited for: a first clone says nothing until it is whole."""
    states = {one.source.kind: one.state for one in sources}
    return CLONE_SECONDS if states.get("git", "waiting") == "waiting" else SILENCE_SECONDS
