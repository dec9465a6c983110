"""What one gate looks at (a case), what it finds, and the words it says it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.gates.evidence import Evidence
from sgm_tui.fleet.model import CellKey, Stage
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Superseded
from sgm_tui.fleet.policy import Rules
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceHealth, SourceId, SourceKind

NOT_YET = "not checked yet"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a gate found, before its level is known."""

    kind: Literal["pass", "warn", "fail", "unknown"]
    """fail becomes a warning or a block by the gate's level; a warn stays one whatever the level."""
    reason: str
    eta: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of a change, with everything that can be known about it."""

    change: Change
    key: CellKey
    cell: Cell | None
    stage_before: Stage | None
    before: tuple[Cell, ...]
    """The service's cells in the stage before."""
    snapshot: FleetSnapshot
    rules: Rules
    evidence: Evidence
    now: datetime
    together: frozenset[CellKey] = frozenset()
    """Every cell that moves with it, in the same pull request."""
    supersedes: tuple[Superseded, ...] = ()
    """Pull requests this change takes the place of, because somebody asked for it."""

    @property
    def reverts(self) -> bool:
        """The change goes back to what has been here before."""
        return self.change.kind == "revert"

    def source(self, kind: SourceKind, scope: str = "") -> SourceHealth | None:
        """How fresh one source is; None when the snapshot does not know of it."""
        wanted = SourceId(kind, scope)
        return next((one for one in self.snapshot.sources if one.source == wanted), None)

    def silent(self, gate: str, kind: SourceKind, scope: str = "") -> Finding | None:
        """What a gate finds when the source it asks is not there; None when it is.

        A source the team has not configured is said, and stops only where the policy asks for this gate by name.
        """
        found = self.source(kind, scope)
        if found is None or found.state == "waiting":
            return Finding("unknown", f"{SourceId(kind, scope)} has not responded yet")
        if found.state == "stale":
            return Finding("unknown", f"{found.name} is not responding: {found.reason}")
        if found.is_incomplete:
            return Finding("unknown", f"{found.name} {found.note}")
        return self.off(gate, found.reason or f"{found.name} is off") if found.state == "off" else None

    def off(self, gate: str, reason: str) -> Finding:
        """What a gate finds when nothing is configured that it could ask."""
        return Finding("unknown" if gate in self.rules.levels else "warn", reason)

    def unasked(self, gate: str) -> Finding:
        """What a gate finds when there is no evidence for it."""
        return self.off(gate, self.evidence.off[gate]) if gate in self.evidence.off else unknown(NOT_YET)


Check = Callable[[Case], Finding | None]
"""A gate: None where it does not apply."""


def passed(reason: str) -> Finding:
    """Nothing is wrong."""
    return Finding("pass", reason)


def failed(reason: str, eta: datetime | None = None) -> Finding:
    """Something is, until `eta` if time alone heals it."""
    return Finding("fail", reason, eta)


def unknown(reason: str) -> Finding:
    """Nobody knows, which is no pass."""
    return Finding("unknown", reason)


def span(seconds: float) -> str:
    """A length of time in at most two units, rounded up so that "0s left" means now: "45s", "12m", "1h 5m", "2d 3h"."""
    whole = max(0, int(-(-seconds // 1)))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}m {rest}s" if rest and minutes < 10 else f"{minutes}m"
    hours, minutes = divmod(whole // 60, 60)
    if hours < 24:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h" if hours else f"{days}d"
