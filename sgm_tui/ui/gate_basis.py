"""When the gates of a plan have to be judged again though nobody asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sgm_tui.fleet.plans.proposal import Preview
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceId


@dataclass(frozen=True, slots=True)
class GateBasis:
    """What could not be known when a plan was compared, and what time was to clear."""

    at: datetime
    silent: frozenset[SourceId] = frozenset()
    """Sources that had nothing to say then."""

    @classmethod
    def by(cls, snapshot: FleetSnapshot) -> GateBasis:
        """Judged by these facts."""
        return cls(snapshot.generated_at, _silent(snapshot))

    def is_outdated(self, snapshot: FleetSnapshot, preview: Preview | None) -> bool:
        """A source that was silent speaks again, or a gate was to clear by now."""
        if self.silent - _silent(snapshot):
            return True
        gates = (gate for one in preview.proposals for gate in one.gates) if preview is not None else ()
        return any(gate.eta is not None and self.at < gate.eta <= snapshot.generated_at for gate in gates)


def _silent(snapshot: FleetSnapshot) -> frozenset[SourceId]:
    return frozenset(one.source for one in snapshot.sources if one.state in {"waiting", "stale"})
