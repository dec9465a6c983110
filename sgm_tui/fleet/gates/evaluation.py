"""Evaluate the gates of a change: run each check for each of its cells and apply the level the gate has there.

Pure: change, snapshot, policy, evidence and time in, gates out. `docs/gates.md` explains each gate. An unknown gate
never counts as passed. It does not block a revert, which must not wait for a registry that is down: it is shown, and
recorded in the pull request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gate import Gate, GateResult
from sgm_tui.fleet.gates.checks import check_required
from sgm_tui.fleet.gates.context import Finding, GateContext
from sgm_tui.fleet.gates.evidence import Evidence, image_of
from sgm_tui.fleet.gates.table import GATE_NAMES, GATES, GateRecord, gate_level
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Superseded
from sgm_tui.fleet.policy import Level, Policy, Rules
from sgm_tui.fleet.snapshot import FleetSnapshot

__all__ = ["Evidence", "evaluate_gates", "evaluate_required_checks", "image_of"]

_BADNESS = {"block": 0, "unknown": 1, "warn": 2, "pass": 3}


def evaluate_gates(
    change: Change,
    snapshot: FleetSnapshot,
    policy: Policy,
    evidence: Evidence,
    now: datetime,
    *,
    together: Iterable[CellKey] = (),
    supersedes: tuple[Superseded, ...] = (),
) -> tuple[Gate, ...]:
    """Evaluate every gate for every cell of a change; return all of them, the worst first, then by cell.

    Args:
        change: the change to evaluate.
        snapshot: the fleet.
        policy: the team's policy.
        evidence: what was looked up; a gate whose evidence is missing is unknown.
        now: the time.
        together: every cell that the same pull request changes; those of the change alone when not given.
        supersedes: the pull requests that the change supersedes.
    """
    moved = frozenset(together)
    contexts = (_context(change, key, snapshot, policy, evidence, now) for key in change.cells)
    gates = [gate for one in contexts for gate in _evaluate(replace(one, together=moved, supersedes=supersedes))]
    return tuple(sorted(gates, key=_sort_key))


def evaluate_required_checks(request: PullRequest, policy: Policy, cells: tuple[CellKey, ...] = ()) -> tuple[Gate, ...]:
    """Evaluate the gate `checks` of an open pull request for each of its cells; () where no check is required.

    Args:
        request: the pull request.
        policy: the team's policy.
        cells: the cells to evaluate it for; those it proposes to change when not given.
    """
    if not policy.required_checks:
        return ()
    finding = check_required(request, policy.required_checks)
    keys = cells or tuple(key for key, _ in request.proposes)
    levels = [(key, gate_level(policy.rules(key.stage, key.service), "checks")) for key in keys]
    gates = (_gate(key, "checks", finding, level) for key, level in levels)
    return tuple(sorted((gate for gate in gates if gate is not None), key=_sort_key))


def _context(
    change: Change, key: CellKey, snapshot: FleetSnapshot, policy: Policy, evidence: Evidence, now: datetime
) -> GateContext:
    previous = snapshot.fleet.stage_before(key.stage)
    keys = (
        (CellKey(key.service, previous.name, one.name) for one in snapshot.fleet.clusters_of(previous.name))
        if previous
        else ()
    )
    return GateContext(
        change=change,
        key=key,
        cell=snapshot.cells.get(key),
        previous_stage=previous,
        previous_cells=tuple(snapshot.cells[one] for one in keys if one in snapshot.cells),
        snapshot=snapshot,
        rules=_rules(key, snapshot, policy),
        evidence=evidence,
        now=now,
    )


def _rules(key: CellKey, snapshot: FleetSnapshot, policy: Policy) -> Rules:
    rules = policy.rules(key.stage, key.service)
    stage = snapshot.fleet.stage(key.stage)
    return replace(rules, protected=True) if stage is not None and stage.protected else rules


def _evaluate(context: GateContext) -> Iterator[Gate]:
    """Yield every gate that applies to one cell of a change."""
    for record in GATES:
        level = gate_level(context.rules, record.name)
        if record.check is None or level == "off" or (context.is_revert and record.on_revert == "skip"):
            continue
        finding = record.check(context)
        gate = _gate(context.key, record.name, finding, _applied_level(context, record, level, finding))
        if gate is not None:
            yield gate


def _applied_level(context: GateContext, record: GateRecord, level: Level, finding: Finding | None) -> Level:
    """Return the level; in a revert a gate that is unknown, or only warns on reverts, does not block."""
    if level != "block" or not context.is_revert or finding is None:
        return level
    return "warn" if finding.kind == "unknown" or record.on_revert == "warn" else level


def _gate(key: CellKey, name: str, finding: Finding | None, level: Level) -> Gate | None:
    """Return a finding as a gate of its level; None where the gate does not apply or is off."""
    if finding is None or level == "off":
        return None
    result: GateResult
    match finding.kind:
        case "fail":
            result = "warn" if level == "warn" else "block"
        case "pass" | "warn" | "unknown":
            result = finding.kind
    return Gate(key, name, result, finding.reason, finding.eta, level)


def _sort_key(gate: Gate) -> tuple[bool, int, CellKey, int]:
    return (not gate.stops, _BADNESS[gate.result], gate.cell, GATE_NAMES.index(gate.gate))
