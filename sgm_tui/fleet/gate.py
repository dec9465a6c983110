"""The result of a gate for one cell: pass, warn, block or unknown, why, and when time alone will clear it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sgm_tui.fleet.model import CellKey

GateResult = Literal["pass", "warn", "block", "unknown"]
GateLevel = Literal["warn", "block", "never"]
"""What a gate that does not pass does: warn; block unless overridden with a reason; block whatever the reason."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The result of one gate for one cell of a change."""

    cell: CellKey
    gate: str
    """Its name, as `policy:` calls it: soak, image, project, window, in-flight, alerts, sli, pull-request, …"""
    result: GateResult
    reason: str
    """One line, in words a person at 3 a.m. understands."""
    eta: datetime | None = None
    """When it will pass if nothing else changes; None when a person has to act, or that is unknown."""
    level: GateLevel = "block"

    @property
    def stops(self) -> bool:
        """Whether it stops the change unless overridden; an unknown gate never counts as passed."""
        return self.result in {"block", "unknown"} and self.level != "warn"


SIGNS: Mapping[GateResult, str] = {"pass": "✓", "warn": "▲", "block": "✖", "unknown": "?"}
_ORDER: Mapping[GateResult, int] = {"block": 0, "unknown": 1, "warn": 2, "pass": 3}


def worst_first(gates: Iterable[Gate]) -> list[Gate]:
    """Sort gates: blocking, unknown, warning, passing; then by cell and name."""
    return sorted(gates, key=lambda gate: (_ORDER[gate.result], gate.cell, gate.gate))


def passing_gates(gates: Iterable[Gate]) -> str:
    """Return the names of the gates that pass in every cell, each once, as text."""
    results: dict[str, bool] = {}
    for gate in gates:
        results[gate.gate] = results.get(gate.gate, True) and gate.result == "pass"
    return ", ".join(name for name, passed in results.items() if passed)
