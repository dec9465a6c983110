"""The fleet as an earlier run saw it last: shown until the sources confirm it, and never acted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sgm_tui.fleet.model import CellKey, ClusterName, Fleet, ServiceName, Version

UNCERTAIN = Version("")
"""Stands for the version of a cell that was there, but whose version was not certain."""


@dataclass(frozen=True, slots=True, eq=False)
class LastSeen:
    """The services of a fleet and the version each ran in each cluster, at one time in the past."""

    seen_at: datetime
    fleet: Fleet = field(default_factory=Fleet)
    versions: Mapping[ServiceName, Mapping[ClusterName, Version]] = field(default_factory=dict)
    """Service → cluster → version; a cluster is absent where the service did not run."""

    def version(self, key: CellKey) -> Version | None:
        """Return the version a cell was last seen with, or `UNCERTAIN`; None where there was no such cell."""
        row = self.versions.get(key.service)
        return row.get(key.cluster) if row is not None else None
