"""The health of every source: fresh, stale, waiting for its first answer, or off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal

from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.source import SourceHealth, SourceId, SourceKind

DEADLINES: Mapping[SourceKind, float] = {
    "git": 90.0,
    "argocd": 90.0,
    "rollouts": 60.0,
    "scaling": 120.0,
    "metrics": 60.0,
    "alerts": 60.0,
    "forge": 120.0,
}
"""Seconds without an answer after which a source is stale, even if it never reported a failure."""

_DECISIVE: frozenset[SourceKind] = frozenset({"git", "argocd", "rollouts"})
"""Without one of these, part of a cell's journey is unknown; the others only leave a gap."""


class SourceHealthBoard:
    """The health of every configured source, and of every source that has answered."""

    def __init__(self, sources: Iterable[SourceId] = (), now: datetime | None = None) -> None:
        self._health = {source: SourceHealth(source, since=now) for source in sources}

    def __iter__(self) -> Iterator[SourceHealth]:
        return iter(self._health.values())

    def get(self, source: SourceId) -> SourceHealth | None:
        """Return the health of a source; None if it is neither configured nor has reported."""
        return self._health.get(source)

    def record_answer(self, source: SourceId, note: str | None, now: datetime) -> bool:
        """Mark a source as fresh; return whether what a person sees of it changed.

        Args:
            source: who answered.
            note: what to show although it is fresh; None keeps the previous note.
            now: the time of the answer.
        """
        before = self._health.get(source, SourceHealth(source, since=now))
        since = before.since if before.state == "fresh" else now
        shown_note = before.note if note is None else note
        return self._replace(before, SourceHealth(source, "fresh", seen_at=now, since=since, note=shown_note))

    def record_failure(self, source: SourceId, reason: str, now: datetime) -> bool:
        """Mark a source as stale; return whether what a person sees of it changed.

        It counts as stale since its last answer, not since that was noticed; a source that never answered, since it
        was first asked.
        """
        before = self._health.get(source, SourceHealth(source, since=now))
        since = before.since if before.state in {"stale", "waiting"} else before.seen_at
        return self._replace(
            before, SourceHealth(source, "stale", seen_at=before.seen_at, since=since or now, reason=reason)
        )

    def record_off(self, source: SourceId, reason: str, now: datetime) -> bool:
        """Mark a source as off; return whether what a person sees of it changed."""
        before = self._health.get(source, SourceHealth(source, since=now))
        return self._replace(before, SourceHealth(source, "off", seen_at=before.seen_at, since=now, reason=reason))

    def _replace(self, before: SourceHealth, after: SourceHealth) -> bool:
        self._health[after.source] = after
        return (before.state, before.reason, before.note) != (after.state, after.reason, after.note)

    def expire(self, now: datetime) -> list[SourceId]:
        """Mark as stale every fresh source past its deadline, and return those."""
        expired = []
        for source, health in list(self._health.items()):
            if health.state == "fresh" and health.seen_at is not None:
                silence = (now - health.seen_at).total_seconds()
                if silence > DEADLINES[source.kind]:
                    self.record_failure(source, f"not responding for {silence:.0f}s", now)
                    expired.append(source)
        return expired

    def has_heard_all(self) -> bool:
        """Return whether every source that decides what a cell shows has answered once, or is off."""
        decisive = [health for health in self._health.values() if health.source.kind in _DECISIVE]
        return bool(decisive) and all(health.seen_at is not None or health.state == "off" for health in decisive)

    def troubled(self) -> tuple[SourceHealth, ...]:
        """Return the health of every source that is stale or has not answered yet."""
        return tuple(health for health in self._health.values() if health.state in {"stale", "waiting"})


def filter_relevant(troubled: Iterable[SourceHealth], hub: SourceId | None, key: CellKey) -> list[SourceHealth]:
    """Return the troubled sources a cell depends on: its cluster's, its hub's (any, if unknown), git and the forge."""
    return [
        health
        for health in troubled
        for source in (health.source,)
        if (hub in {None, source} if source.kind == "argocd" else source.scope in {"", key.cluster})
    ]


def filter_decisive(relevant: Iterable[SourceHealth], state: Literal["stale", "waiting"]) -> tuple[SourceHealth, ...]:
    """Return the sources in this state without which a cell cannot be fully judged."""
    return tuple(health for health in relevant if health.state == state and health.source.kind in _DECISIVE)
