"""What a gate check is given (a GateContext) and what it returns (a Finding)."""

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
    """The result of a gate check, before the gate's level is applied."""

    kind: Literal["pass", "warn", "fail", "unknown"]
    """fail becomes a warning or a block, depending on the level; a warn stays a warning at every level."""
    reason: str
    eta: datetime | None = None
    """When time alone clears it; None when something has to be done, or that is unknown."""


@dataclass(frozen=True, slots=True)
class GateContext:
    """One cell of a change, with everything a gate check may consult."""

    change: Change
    key: CellKey
    cell: Cell | None
    """The cell as it is now; None where the snapshot does not have it."""
    previous_stage: Stage | None
    previous_cells: tuple[Cell, ...]
    """The service's cells in the previous stage."""
    snapshot: FleetSnapshot
    rules: Rules
    evidence: Evidence
    now: datetime
    together: frozenset[CellKey] = frozenset()
    """Every cell that the same pull request changes."""
    supersedes: tuple[Superseded, ...] = ()
    """Pull requests that this change supersedes on request."""

    @property
    def is_revert(self) -> bool:
        """Whether the change reverts to an earlier version."""
        return self.change.kind == "revert"

    def find_source(self, kind: SourceKind, scope: str = "") -> SourceHealth | None:
        """Return the health of one source; None when the snapshot does not have it."""
        identity = SourceId(kind, scope)
        return next((health for health in self.snapshot.sources if health.source == identity), None)

    def check_source(self, gate: str, kind: SourceKind, scope: str = "") -> Finding | None:
        """Return what a gate that needs a source finds when the source does not respond; None when it responds.

        A source that is not configured only warns, unless the policy names this gate.
        """
        health = self.find_source(kind, scope)
        if health is None or health.state == "waiting":
            return Finding("unknown", f"{SourceId(kind, scope)} has not responded yet")
        if health.state == "stale":
            return Finding("unknown", f"{health.name} is not responding: {health.reason}")
        if health.is_incomplete:
            return Finding("unknown", f"{health.name} {health.note}")
        return self.not_configured(gate, health.reason or f"{health.name} is off") if health.state == "off" else None

    def not_configured(self, gate: str, reason: str) -> Finding:
        """Return a warning, or unknown where the policy names the gate: the source it needs is not configured."""
        return Finding("unknown" if gate in self.rules.levels else "warn", reason)

    def missing_evidence(self, gate: str) -> Finding:
        """Return what a gate finds when its evidence was not collected."""
        return self.not_configured(gate, self.evidence.off[gate]) if gate in self.evidence.off else unknown(NOT_YET)


Check = Callable[[GateContext], Finding | None]
"""Answers the question of one gate; None where the gate does not apply."""


def passed(reason: str) -> Finding:
    """Return a finding that passes."""
    return Finding("pass", reason)


def failed(reason: str, eta: datetime | None = None) -> Finding:
    """Return a finding that fails, until `eta` if time alone clears it."""
    return Finding("fail", reason, eta)


def unknown(reason: str) -> Finding:
    """Return a finding that is unknown, which never counts as a pass."""
    return Finding("unknown", reason)
