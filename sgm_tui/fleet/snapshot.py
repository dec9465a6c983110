"""The whole fleet at one moment: a frozen value, compared by identity, made by the store and by nobody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.model import CellKey, Fleet, ServiceName, Version
from sgm_tui.fleet.plans.plan import Plan

if TYPE_CHECKING:
    from sgm_tui.fleet.facts import Alert, PullRequest
    from sgm_tui.fleet.source import SourceHealth


@dataclass(frozen=True, slots=True, eq=False)
class FleetSnapshot:
    """What is true of the fleet, as far as the sources tell."""

    generated_at: datetime
    fleet: Fleet = field(default_factory=Fleet)
    services: tuple[ServiceName, ...] = ()
    """Every service, sorted by name."""
    cells: Mapping[CellKey, Cell] = field(default_factory=dict)
    sources: tuple[SourceHealth, ...] = ()
    pull_requests: tuple[PullRequest, ...] = ()
    alerts: tuple[Alert, ...] = ()
    plan: Plan = field(default_factory=Plan)
    repository: str = ""
    """How people call it: "acme/gitops"."""
    branch: str = ""
    revision: str = ""
    """Head of the branch; "" until git has answered."""
    releases: Mapping[ServiceName, frozenset[Version]] = field(default_factory=dict)
    """Versions git has ever wanted of each service, as far as they have been read."""
    problem: str = ""
    """Why nothing can be shown at all (the configuration or the sandbox failed); "" otherwise."""
    read_only: bool = False
    """Nothing may be written from here, by the command line or the configuration."""

    def cell(self, service: str, cluster: str) -> Cell | None:
        """The cell of that service in that cluster, or None."""
        found = self.fleet.cluster(cluster)
        if found is None:
            return None
        return self.cells.get(CellKey(ServiceName(service), found.stage, found.name))

    def journeys(self) -> Counter[Journey]:
        """How many cells are in each journey."""
        return Counter(cell.journey for cell in self.cells.values())

    @property
    def open_pull_requests(self) -> tuple[PullRequest, ...]:
        """Those still open."""
        return tuple(request for request in self.pull_requests if request.state == "open")

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Alerts that fire, pending ones left out."""
        return tuple(alert for alert in self.alerts if alert.state == "firing")
