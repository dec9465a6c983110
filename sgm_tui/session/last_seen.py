"""Keep a file of what the dashboard shows, for the first frame of the next one."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.store.last_seen_file import has_certain_version, write_last_seen
from sgm_tui.threads import Lane, run_in

_SAVE_EVERY = timedelta(minutes=1)

logger = logging.getLogger("sgm.last_seen")


async def save_while_open(file: Path, snapshots: AsyncIterator[FleetSnapshot], every: timedelta = _SAVE_EVERY) -> None:
    """Save confirmed snapshots, the first at once and then one in `every`; when cancelled, the newest once more.

    If the file cannot be written, only the next start has no fleet on its first frame. While no version is certain,
    because the network is down or a source that every cell depends on, what was saved before is worth more.
    """
    saved_at: datetime | None = None
    unsaved: FleetSnapshot | None = None
    try:
        async for snapshot in snapshots:
            if snapshot.last_seen is not None or not snapshot.cells:
                continue
            unsaved = snapshot
            if saved_at is None or snapshot.generated_at - saved_at >= every:
                saved_at, unsaved = snapshot.generated_at, None
                await run_in(Lane.RECORDS, _save, file, snapshot)
    finally:
        if unsaved is not None:
            _save(file, unsaved)  # the program ends: nothing else has to run meanwhile


def _save(file: Path, snapshot: FleetSnapshot) -> None:
    if not has_certain_version(snapshot):
        return
    try:
        write_last_seen(file, snapshot)
    except OSError as error:
        logger.info("what is shown cannot be saved for the next start: %s", error)
