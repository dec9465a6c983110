"""When each cell was first seen drifted, kept over restarts: Argo CD says that it differs, not since when."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sgm_tui.errors import SgmError
from sgm_tui.fleet.applications import DriftSighting
from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.operations.state_files import replace_text, run_in_thread

_LARGEST = 8_000_000
_log = logging.getLogger("sgm.drift")


class DriftLog:
    """A file of the state directory; what cannot be read or written there only costs how long a drift has lasted."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._sightings: dict[CellKey, DriftSighting] = {}

    def read(self) -> Mapping[CellKey, DriftSighting]:
        """Read what an earlier run saw; nothing where that cannot be read."""
        try:
            if self._file.stat().st_size <= _LARGEST:
                entries = json.loads(self._file.read_text(encoding="utf-8"))
                self._sightings = dict(_sighting(entry) for entry in entries)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            _log.info("what drifted before cannot be read: %s", error)
        return self._sightings

    async def follow(self, snapshots: AsyncIterator[FleetSnapshot]) -> None:
        """Record which cells have drifted since when, until cancelled."""
        async for snapshot in snapshots:
            sightings = self._after(snapshot)
            if sightings != self._sightings:
                self._sightings = sightings
                try:
                    await run_in_thread(replace_text, self._file, _text(sightings))
                except SgmError as error:
                    _log.info("what has drifted cannot be recorded: %s", error.message)

    def _after(self, snapshot: FleetSnapshot) -> dict[CellKey, DriftSighting]:
        """What is known after a snapshot: a cell that nobody can judge now may be drifted still."""
        unjudged = {
            key: sighting
            for key, sighting in self._sightings.items()
            if (cell := snapshot.cells.get(key)) is None or cell.journey in {Journey.UNKNOWN, Journey.SYNCING}
        }
        return unjudged | {
            key: DriftSighting(cell.since, cell.facts.application.uid)
            for key, cell in snapshot.cells.items()
            if cell.journey is Journey.DRIFTED and cell.facts.application is not None
        }


def _text(sightings: Mapping[CellKey, DriftSighting]) -> str:
    entries = [
        {**asdict(key), "since": one.since.isoformat(), "uid": one.uid}
        for key, one in sorted(sightings.items(), key=lambda item: str(item[0]))
    ]
    return json.dumps(entries)


def _sighting(entry: Any) -> tuple[CellKey, DriftSighting]:
    since = datetime.fromisoformat(entry["since"])
    if since.tzinfo is None:
        raise ValueError(f"{entry['since']!r} has no time zone")
    key = CellKey(ServiceName(entry["service"]), StageName(entry["stage"]), ClusterName(entry["cluster"]))
    return key, DriftSighting(since, str(entry["uid"]))
