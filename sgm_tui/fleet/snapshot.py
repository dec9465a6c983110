"""The whole fleet at one moment: a frozen value, compared by identity, which only the store creates."""

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
    from sgm_tui.fleet.last_seen import LastSeen
    from sgm_tui.fleet.source import SourceHealth, SourceKind


@dataclass(frozen=True, slots=True, eq=False)
class FleetSnapshot:
    """The state of the fleet, as far as the sources report it."""

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
    """Its name for people: "acme/gitops"."""
    branch: str = ""
    revision: str = ""
    """Head of the branch; "" until git has been read."""
    releases: Mapping[ServiceName, frozenset[Version]] = field(default_factory=dict)
    """Every version that git has ever had of each service, as far as history has been read."""
    problem: str = ""
    """Why nothing can be shown at all (the configuration or the sandbox failed); "" otherwise."""
    last_seen: LastSeen | None = None
    """What an earlier run saw, while some source has never answered in this one; None once all have."""
    read_only: bool = False
    """Whether the command line or the configuration forbids every write."""

    def cell(self, service: str, cluster: str) -> Cell | None:
        """Return the cell of a service in a cluster; None where there is none."""
        match = self.fleet.cluster(cluster)
        if match is None:
            return None
        return self.cells.get(CellKey(ServiceName(service), match.stage, match.name))

    def last_seen_version(self, key: CellKey) -> Version | None:
        """Return the version that a cell without any fact was last seen with; None where there was no such cell."""
        if self.last_seen is None or key in self.cells:
            return None
        return self.last_seen.version(key)

    def silence_reason(self, kind: SourceKind, scope: str = "") -> str:
        """Return why what a source has not reported may be there all the same; "" where it responds or is off.

        Args:
            kind: the kind of the source.
            scope: its cluster or hub; "" means any.
        """
        for health in self.sources:
            is_asked = health.source.kind == kind and scope in {"", health.source.scope}
            if is_asked and health.state in {"waiting", "stale"}:
                return f"{health.name}: {health.short_reason or 'no answer yet'}"
        return ""

    def journeys(self) -> Counter[Journey]:
        """Count the cells in each journey."""
        return Counter(cell.journey for cell in self.cells.values())

    @property
    def open_pull_requests(self) -> tuple[PullRequest, ...]:
        """The open pull requests."""
        return tuple(request for request in self.pull_requests if request.state == "open")

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The firing alerts, without pending ones."""
        return tuple(alert for alert in self.alerts if alert.state == "firing")


def make_unconfirmed_snapshot(last_seen: LastSeen, now: datetime) -> FleetSnapshot:
    """Return what is shown before any source is asked: the rows of an earlier run, without a single cell."""
    return FleetSnapshot(now, fleet=last_seen.fleet, services=tuple(last_seen.versions), last_seen=last_seen)
