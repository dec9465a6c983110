"""The Applications of every hub by the cell they deploy, and the cells whose Application was deleted."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime

from sgm_tui.fleet.facts import Application
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.source import SourceId


@dataclass(frozen=True, slots=True)
class DriftSighting:
    """When an Application was first seen drifted."""

    since: datetime
    uid: str
    """UID of the Application: a new one of the same name starts anew."""


class Applications:
    """The Applications the hubs last reported, one for each cell."""

    def __init__(self) -> None:
        self._by_cell: dict[CellKey, Application] = {}
        self._hubs: dict[CellKey, SourceId] = {}
        self._rows_only: set[SourceId] = set()
        self._missing: dict[CellKey, datetime] = {}
        self._sightings: Mapping[CellKey, DriftSighting] = {}

    @property
    def cells(self) -> Set[CellKey]:
        """The cells that have an Application."""
        return self._by_cell.keys()

    @property
    def missing(self) -> Mapping[CellKey, datetime]:
        """The cells whose Application was deleted, and when that was noticed."""
        return self._missing

    def of(self, key: CellKey) -> Application | None:
        """Return the Application of a cell; None where it has none."""
        return self._by_cell.get(key)

    def hub_of(self, key: CellKey) -> SourceId | None:
        """Return the hub of a cell's Application; None where it has none."""
        return self._hubs.get(key)

    def lists_all(self, hub: SourceId) -> bool:
        """Return whether a hub lists every Application: Table rows have no labels to find all of them by."""
        return hub not in self._rows_only

    def remember_drift(self, sightings: Mapping[CellKey, DriftSighting]) -> None:
        """Set the drift that an earlier run of sgm saw."""
        self._sightings = sightings

    def drifted_before(self, key: CellKey) -> datetime | None:
        """Return since when a cell was drifted in an earlier run; None where it is new or was synced since."""
        application, sighting = self._by_cell.get(key), self._sightings.get(key)
        if application is None or sighting is None or not application.detailed or application.uid != sighting.uid:
            return None
        ended = application.operation.finished_at if application.operation else None
        synced = max((one for one in (ended, application.deployed_at) if one is not None), default=None)
        return None if synced is not None and synced > sighting.since else sighting.since

    def list(self, hub: SourceId, listed: Mapping[CellKey, Application], now: datetime) -> Set[CellKey]:
        """Replace the Applications of one hub and return every affected cell.

        A Table row never overwrites the details of the same revision.
        """
        before = {key for key, owner in self._hubs.items() if owner == hub}
        for key in before - listed.keys():
            self._mark_missing(key, now)
        rows = any(not application.detailed for application in listed.values())
        (self._rows_only.add if rows else self._rows_only.discard)(hub)
        for key, application in listed.items():
            if application.detailed or not _has_same_state(self._by_cell.get(key), application):
                self._by_cell[key] = application
            self._hubs[key] = hub
            self._missing.pop(key, None)
        return before | listed.keys()

    def change(self, hub: SourceId, key: CellKey, application: Application) -> bool:
        """Store one Application; return whether anything but the time of its last reconciliation changed."""
        before = self._by_cell.get(key)
        self._by_cell[key], self._hubs[key] = application, hub
        self._missing.pop(key, None)
        return before is None or replace(before, reconciled_at=application.reconciled_at) != application

    def remove(self, hub: SourceId, key: CellKey, now: datetime) -> bool:
        """Remove a deleted Application; return False when another hub has the cell by now."""
        if self._hubs.get(key) != hub:
            return False
        self._mark_missing(key, now)
        return True

    def forget(self, key: CellKey) -> None:
        """Forget a cell that git no longer has: its Application is not missing."""
        self._missing.pop(key, None)

    def _mark_missing(self, key: CellKey, now: datetime) -> None:
        del self._by_cell[key], self._hubs[key]
        self._missing[key] = now


def _has_same_state(before: Application | None, row: Application) -> bool:
    """Return whether the known details agree with a newer Table row."""
    return (
        before is not None
        and before.detailed
        and (before.sync, before.health, before.revision) == (row.sync, row.health, row.revision)
    )
