"""Gates as text: which ones block, the worst first, and when time alone clears them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from sgm_tui.fleet.ages import age
from sgm_tui.fleet.gate import SIGNS, passing_gates, worst_first
from sgm_tui.ui.present.fit import hung
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.gate import Gate, GateResult

_USUAL = 13
"""Terminal cells of the column with the cell's name; a longer name gets more."""
_LEAST = 24
"""The least cells for a reason beside its gate; with fewer it begins on the next line."""
_BELOW: Line = ((" " * 12, Tone.TEXT),)
_TONES = {"pass": Tone.GOOD, "warn": Tone.ATTENTION, "block": Tone.BAD, "unknown": Tone.UNKNOWN}


def gate_lines(gates: Iterable[Gate], now: datetime, width: int, *, in_full: bool = False) -> list[Line]:
    """Return each gate that does not pass, and one line for all that do; every gate if `in_full`.

    What does not fit the width goes on below its reason.
    """
    ordered = worst_first(gates)
    loud = [gate for gate in ordered if in_full or gate.result != "pass"]
    several = len({gate.cell.service for gate in ordered}) > 1
    places = [str(gate.cell) if several else str(gate.cell.cluster) for gate in loud]
    longest = max((_USUAL, *(cell_len(place) for place in places)))
    where = [f"{place}{' ' * (longest - cell_len(place))} " for place in places]
    lines = [line for gate, place in zip(loud, where, strict=True) for line in _lines(gate, place, now, width)]
    passed = passing_gates(ordered)
    if passed and not in_full:
        head: Line = (("  ", Tone.QUIET), _sign("pass", Tone.GOOD), (" ", Tone.QUIET))
        lines += hung(head, passed, Tone.QUIET, width)
    return lines


def summary(gates: Sequence[Gate]) -> Line:
    """Count the gates that stop a change, those of them that are unknown, and those that only warn."""
    stopping = [gate for gate in gates if gate.stops]
    warning = sum(gate.result != "pass" and not gate.stops for gate in gates)
    unknown = sum(gate.result == "unknown" for gate in stopping)
    if stopping:
        counted = f"{len(stopping)} gate{'s' if len(stopping) > 1 else ''} not passing"
        return ((f"✖ {counted}{f' ({unknown} unknown)' if unknown else ''}", Tone.BAD),)
    if warning:
        return ((f"▲ no gate blocks, {warning} warning{'s' if warning > 1 else ''}", Tone.ATTENTION),)
    return (("✓ all gates pass", Tone.GOOD),)


def _lines(gate: Gate, where: str, now: datetime, width: int) -> list[Line]:
    tone = _TONES[gate.result] if gate.stops or gate.result != "block" else Tone.ATTENTION
    head: Line = (
        ("  ", Tone.TEXT),
        _sign(gate.result, tone),
        (f" {gate.gate:<14} ", Tone.STRONG if gate.stops else Tone.TEXT),
        (where, Tone.QUIET),
    )
    if _length(head) + _LEAST <= width:
        lines = hung(head, gate.reason, Tone.TEXT, width)
    else:
        head, lines = _BELOW, [head, *hung(_BELOW, gate.reason, Tone.TEXT, width)]
    clears = f"clears in {age(gate.eta - now)}" if gate.eta is not None and gate.eta > now else ""
    firm = "no override" if gate.level == "never" and gate.stops else ""
    for text, how in ((clears, Tone.BUSY), (firm, Tone.BAD)):
        if text and _length(lines[-1]) + len(text) + 2 <= width:
            lines[-1] = (*lines[-1], (f"  {text}", how))
        elif text:
            lines.append(((" " * _length(head), Tone.TEXT), (text, how)))
    return lines


def _length(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def _sign(result: GateResult, tone: Tone) -> Part:
    return f"{SIGNS[result]} {result:<7}", tone
