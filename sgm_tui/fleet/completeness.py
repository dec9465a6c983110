"""Tell whether a snapshot has everything that was selected, and which sources have not responded where it does not.

No response is not absence: a name, a cell or a detail that no source has reported yet is missing, not "none".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sgm_tui.fleet.model import CellKey, Fleet
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceHealth, SourceKind

UNCONFIGURED = "the configuration has not been read"


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of a fleet a command is about; an empty field selects everything."""

    services: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    kinds: frozenset[SourceKind] = frozenset()
    """The kinds of sources it needs."""

    def holds(self, key: CellKey) -> bool:
        """Return whether a cell is selected."""
        chosen = ((self.services, key.service), (self.stages, key.stage), (self.clusters, key.cluster))
        return all(not names or name in names for names, name in chosen)

    def clusters_of(self, fleet: Fleet) -> frozenset[str]:
        """Return the names of the selected clusters."""
        return frozenset(
            cluster.name
            for cluster in fleet.clusters
            if (not self.stages or cluster.stage in self.stages)
            and (not self.clusters or cluster.name in self.clusters)
        )


EVERYTHING = Selection()


def sources_of(snapshot: FleetSnapshot, selection: Selection = EVERYTHING) -> tuple[SourceHealth, ...]:
    """Return the sources the selected cells depend on: their clusters' own, their hubs, git and GitHub.

    A hub that has not answered counts only while a selected cell has no Application: it may be there.
    """
    clusters, hub_needed = selection.clusters_of(snapshot.fleet), _lacks_application(snapshot, selection)
    return tuple(
        health
        for health in snapshot.sources
        if (not selection.kinds or health.source.kind in selection.kinds)
        and (
            (health.state != "waiting" or hub_needed)
            if health.source.kind == "argocd"
            else health.source.scope in {"", *clusters}
        )
    )


def find_gaps(snapshot: FleetSnapshot, selection: Selection = EVERYTHING) -> tuple[str, ...]:
    """Return one line for everything that is still to come; none when the snapshot is complete.

    A source that is unreachable or not configured counts as answered: its state shows what is missing.
    """
    if not snapshot.sources:
        return (UNCONFIGURED,)
    related = sources_of(snapshot, selection)
    silent = [f"{health.name} has not answered" for health in related if health.state == "waiting"]
    return (*silent, *_find_undetailed(snapshot, selection, related))


def git_unavailable_reason(snapshot: FleetSnapshot) -> str:
    """Return why names git knows cannot be checked; "" where git has answered."""
    if not snapshot.sources:
        return UNCONFIGURED
    silent = [one for one in snapshot.sources if one.source.kind == "git" and one.state != "fresh"]
    return next((f"git has not answered{f': {one.reason}' if one.reason else ''}" for one in silent), "")


def _lacks_application(snapshot: FleetSnapshot, selection: Selection) -> bool:
    cells = [cell for key, cell in snapshot.cells.items() if selection.holds(key)]
    return not cells or any(cell.facts.application is None for cell in cells)


def _find_undetailed(snapshot: FleetSnapshot, selection: Selection, related: Iterable[SourceHealth]) -> tuple[str, ...]:
    """Report Applications known only by their Table row while every hub may still send the details."""
    hubs = [one for one in related if one.source.kind == "argocd"]
    if not hubs or any(one.state == "stale" for one in hubs):
        return ()
    applications = (cell.facts.application for key, cell in snapshot.cells.items() if selection.holds(key))
    count = sum(one is not None and not one.detailed for one in applications)
    return (f"argocd: the details of {count} Application{'' if count == 1 else 's'} have not arrived",) if count else ()
