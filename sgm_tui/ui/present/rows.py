"""Which rows the matrix shows, and in which order: pure functions over a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.model import ClusterName, ServiceName, Version
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.cells import urgency, wants_attention

_CALM = 1_000


@dataclass(frozen=True, slots=True)
class View:
    """What a person asked to see."""

    query: str = ""
    """Words that must all be true of one cell: service, stage, cluster, location, version or journey."""
    attention: bool = False
    """Only what is not quiet."""
    worst_first: bool = False

    @property
    def narrowed(self) -> bool:
        """Whether rows may be hidden."""
        return bool(self.query.split()) or self.attention


def visible_services(snapshot: FleetSnapshot, view: View) -> tuple[ServiceName, ...]:
    """The rows in order; by name, or the most urgent first and then by name."""
    if not view.narrowed and not view.worst_first:
        return snapshot.services
    words = view.query.lower().split()
    best: dict[ServiceName, int] = {}
    for cell in snapshot.cells.values():
        if (not view.attention or wants_attention(cell)) and all(matches(cell, word) for word in words):
            service = cell.key.service
            best[service] = min(best.get(service, _CALM), urgency(cell))
    if snapshot.last_seen is not None:
        for service, versions in snapshot.last_seen.versions.items():
            # What is not confirmed yet may need attention.
            if service not in best and all(_was_seen_with(word, service, versions) for word in words):
                best[service] = _CALM
    shown = [service for service in snapshot.services if service in best]
    return tuple(sorted(shown, key=lambda service: best[service]) if view.worst_first else shown)


def matches(cell: Cell, word: str) -> bool:
    """Whether one lower-case word is true of a cell; letters of a service may be left out ("chk" finds checkout)."""
    if any(word in text.lower() for text in _words(cell)):
        return True
    return len(word) > 1 and _scattered(word, cell.key.service.lower())


def _was_seen_with(word: str, service: ServiceName, versions: Mapping[ClusterName, Version]) -> bool:
    texts = (service, *versions, *versions.values())
    return any(word in text.lower() for text in texts) or (len(word) > 1 and _scattered(word, service.lower()))


def _words(cell: Cell) -> Iterable[str]:
    key = cell.key
    yield from (key.service, key.stage, key.cluster, cell.facts.location, cell.journey.value)
    yield from (version for version in (cell.live_version, cell.desired_version, cell.new_version) if version)
    yield from (f"#{pending.number}" for pending in cell.facts.pending)


def _scattered(word: str, text: str) -> bool:
    letters = iter(text)
    return all(letter in letters for letter in word)
