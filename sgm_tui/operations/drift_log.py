"""Remember since when each cell has drifted, across restarts: Argo CD reports that it differs, not since when."""

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
from sgm_tui.json_reader import read_json
from sgm_tui.operations.state_files import replace_text, run_in_thread

_LARGEST = 8_000_000
_log = logging.getLogger("sgm.drift")


class DriftLog:
    """A file in the state directory; if it cannot be read or written, only the duration of drifts is lost."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._sightings: dict[CellKey, DriftSighting] = {}

    def read(self) -> Mapping[CellKey, DriftSighting]:
        """Read the drifts an earlier run recorded; empty if they cannot be read."""
        try:
            if self._file.stat().st_size <= _LARGEST:
                entries = read_json(self._file.read_text(encoding="utf-8"))
                self._sightings = dict(_sighting(entry) for entry in entries)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            _log.info("what drifted before cannot be read: %s", error)
        return self._sightings

    async def follow(self, snapshots: AsyncIterator[FleetSnapshot]) -> None:
        """Record since when cells have drifted, until cancelled."""
        async for snapshot in snapshots:
            sightings = self._update(snapshot)
            if sightings != self._sightings:
                self._sightings = sightings
                try:
                    await run_in_thread(replace_text, self._file, _text(sightings))
                except SgmError as error:
                    _log.info("what has drifted cannot be recorded: %s", error.message)

    def _update(self, snapshot: FleetSnapshot) -> dict[CellKey, DriftSighting]:
        """Return the drifts as of a snapshot; a cell whose state is unknown or syncing keeps its earlier one."""
        undecided = {
            key: sighting
            for key, sighting in self._sightings.items()
            if (cell := snapshot.cells.get(key)) is None or cell.journey in {Journey.UNKNOWN, Journey.SYNCING}
        }
        return undecided | {
            key: DriftSighting(cell.since, cell.facts.application.uid)
            for key, cell in snapshot.cells.items()
            if cell.journey is Journey.DRIFTED and cell.facts.application is not None
        }


def _text(sightings: Mapping[CellKey, DriftSighting]) -> str:
    entries = [
        {**asdict(key), "since": sighting.since.isoformat(), "uid": sighting.uid}
        for key, sighting in sorted(sightings.items(), key=lambda item: str(item[0]))
    ]
    return json.dumps(entries)


def _sighting(entry: Any) -> tuple[CellKey, DriftSighting]:
    since = datetime.fromisoformat(entry["since"])
    if since.tzinfo is None:
        raise ValueError(f"{entry['since']!r} has no time zone")
    key = CellKey(ServiceName(entry["service"]), StageName(entry["stage"]), ClusterName(entry["cluster"]))
    return key, DriftSighting(since, str(entry["uid"]))
