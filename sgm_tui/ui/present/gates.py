"""Gates in words: what stands in the way, the worst first, and when time will clear it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sgm_tui.fleet.ages import age
from sgm_tui.fleet.gate import SIGNS, passing, worst_first
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.gate import Gate, GateResult

_TONES = {"pass": Tone.GOOD, "warn": Tone.ATTENTION, "block": Tone.BAD, "unknown": Tone.UNKNOWN}


def gate_lines(gates: Iterable[Gate], now: datetime, *, in_full: bool = False) -> list[Line]:
    """A line for each gate that does not simply pass, and one for all that do; every gate where `in_full`."""
    ordered = worst_first(gates)
    loud = [gate for gate in ordered if in_full or gate.result != "pass"]
    lines = [_line(gate, now) for gate in loud]
    passed = passing(ordered)
    if passed and not in_full:
        lines.append((("  ", Tone.QUIET), _sign("pass", Tone.GOOD), (f" {passed}", Tone.QUIET)))
    return lines


def summary(gates: Sequence[Gate]) -> Line:
    """How they stand, in one line: what stops, what is worth a look."""
    stopping = sum(gate.stops for gate in gates)
    warning = sum(gate.result != "pass" and not gate.stops for gate in gates)
    if stopping:
        return ((f"✖ {stopping} gate{'s' if stopping > 1 else ''} in the way", Tone.BAD),)
    if warning:
        return ((f"▲ nothing in the way, {warning} to look at", Tone.ATTENTION),)
    return (("✓ nothing in the way", Tone.GOOD),)


def _line(gate: Gate, now: datetime) -> Line:
    clears = f"  clears by itself in {age(gate.eta - now)}" if gate.eta is not None and gate.eta > now else ""
    firm = "  no override" if gate.level == "never" and gate.stops else ""
    return (
        ("  ", Tone.TEXT),
        _sign(gate.result, _TONES[gate.result] if gate.stops or gate.result != "block" else Tone.ATTENTION),
        (f" {gate.gate:<14} ", Tone.STRONG if gate.stops else Tone.TEXT),
        (f"{gate.cell.cluster:<13} ", Tone.QUIET),
        (gate.reason, Tone.TEXT),
        (clears, Tone.BUSY),
        (firm, Tone.BAD),
    )


def _sign(result: GateResult, tone: Tone) -> Part:
    return f"{SIGNS[result]} {result:<7}", tone
