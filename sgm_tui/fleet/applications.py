"""The Applications of every hub by the cell they deploy, and which cells have lost theirs."""

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
    """Of the Application: another one of the same name has another past."""


class Applications:
    """What the hubs last reported, one Application a cell."""

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
        """The cells whose Application went away, and when that was noticed."""
        return self._missing

    def of(self, key: CellKey) -> Application | None:
        """The Application of a cell."""
        return self._by_cell.get(key)

    def hub_of(self, key: CellKey) -> SourceId | None:
        """Which hub has it."""
        return self._hubs.get(key)

    def lists_all(self, hub: SourceId) -> bool:
        """Whether what a hub does not list is not there: Table rows have no labels to find every Application by."""
        return hub not in self._rows_only

    def remember_drift(self, sightings: Mapping[CellKey, DriftSighting]) -> None:
        """Take in what an earlier run of this program saw drifted."""
        self._sightings = sightings

    def drifted_before(self, key: CellKey) -> datetime | None:
        """Since when it was drifted in an earlier run; None where it is another Application or was synced since."""
        application, sighting = self._by_cell.get(key), self._sightings.get(key)
        if application is None or sighting is None or not application.detailed or application.uid != sighting.uid:
            return None
        ended = application.operation.finished_at if application.operation else None
        synced = max((one for one in (ended, application.deployed_at) if one is not None), default=None)
        return None if synced is not None and synced > sighting.since else sighting.since

    def list(self, hub: SourceId, listed: Mapping[CellKey, Application], now: datetime) -> Set[CellKey]:
        """Replace one hub's Applications and return every cell concerned; a Table row never overwrites the details of
        the same revision."""
        before = {key for key, owner in self._hubs.items() if owner == hub}
        for key in before - listed.keys():
            self._lose(key, now)
        rows = any(not application.detailed for application in listed.values())
        (self._rows_only.add if rows else self._rows_only.discard)(hub)
        for key, application in listed.items():
            if application.detailed or not _still_true(self._by_cell.get(key), application):
                self._by_cell[key] = application
            self._hubs[key] = hub
            self._missing.pop(key, None)
        return before | listed.keys()

    def change(self, hub: SourceId, key: CellKey, application: Application) -> bool:
        """Take in one Application; True when that changes anything but when Argo CD last looked at it."""
        before = self._by_cell.get(key)
        self._by_cell[key], self._hubs[key] = application, hub
        self._missing.pop(key, None)
        return before is None or replace(before, reconciled_at=application.reconciled_at) != application

    def remove(self, hub: SourceId, key: CellKey, now: datetime) -> bool:
        """Forget a deleted Application; False when another hub has the cell by now."""
        if self._hubs.get(key) != hub:
            return False
        self._lose(key, now)
        return True

    def forget(self, key: CellKey) -> None:
        """Nothing wants the cell any more: it misses no Application."""
        self._missing.pop(key, None)

    def _lose(self, key: CellKey, now: datetime) -> None:
        del self._by_cell[key], self._hubs[key]
        self._missing[key] = now


def _still_true(before: Application | None, row: Application) -> bool:
    """Whether the details that are here say the same as a newer Table row."""
    return (
        before is not None
        and before.detailed
        and (before.sync, before.health, before.revision) == (row.sync, row.health, row.revision)
    )
