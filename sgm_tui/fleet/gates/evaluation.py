"""The judging of a change: every check that applies to each of its cells, with what it means there.

Pure: the change, the snapshot, the policy, what was looked up, and the time in; gates out. `docs/gates.md` explains
each gate. Unknown never counts as passed; in a revert it does not stop either, for the way back must not wait for a
registry that is down: it is shown, and goes with the pull request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gate import Gate, GateLevel
from sgm_tui.fleet.gates import surroundings, travel
from sgm_tui.fleet.gates.case import Case, Check, Finding
from sgm_tui.fleet.gates.checks import required
from sgm_tui.fleet.gates.evidence import Evidence, image_of
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Superseded
from sgm_tui.fleet.policy import GATES, Level, Policy, Rules
from sgm_tui.fleet.snapshot import FleetSnapshot

__all__ = ["Evidence", "evaluate_gates", "evaluate_required_checks", "image_of"]

_CHECKS: Mapping[str, Check] = {
    "held": travel.held,
    "image": surroundings.image,
    "project": surroundings.project,
    "window": surroundings.window,
    "pull-request": travel.pull_request,
    "wave": travel.wave,
    "healthy-before": travel.healthy_before,
    "soak": travel.soak,
    "in-flight": travel.in_flight,
    "alerts": surroundings.alerts,
    "sli": surroundings.sli,
    "error-budget": surroundings.error_budget,
    "downgrade": travel.downgrade,
    "owners": surroundings.owners,
}
_SAID_OF_A_REVERT = frozenset({"window", "owners"})
"""Gates that only say something when a change goes back."""
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
    """Every gate of every cell of a change, those that pass included; the worst first, then by cell.

    Args:
        change: what somebody wants to do.
        snapshot: the fleet.
        policy: the team's rules.
        evidence: what was looked up; of what is not in it the gates say that it is not known yet.
        now: the time.
        together: every cell that moves in the same pull request; those of the change alone when not given.
        supersedes: the pull requests it takes the place of.
    """
    moved = frozenset(together)
    cases = (_case(change, key, snapshot, policy, evidence, now) for key in change.cells)
    gates = [gate for case in cases for gate in _judged(replace(case, together=moved, supersedes=supersedes))]
    return tuple(sorted(gates, key=_badness))


def evaluate_required_checks(request: PullRequest, policy: Policy, cells: tuple[CellKey, ...] = ()) -> tuple[Gate, ...]:
    """The gate of an open pull request itself: was each required check successful? Empty where none is required.

    Args:
        request: the pull request.
        policy: the team's rules.
        cells: the cells it stands for; those it proposes to change when not given.
    """
    if not policy.required_checks:
        return ()
    finding = required(request, policy.required_checks)
    keys = cells or tuple(key for key, _ in request.proposes)
    found = (_gate(key, "checks", finding, policy.rules(key.stage, key.service).level("checks")) for key in keys)
    return tuple(sorted((gate for gate in found if gate is not None), key=_badness))


def _case(
    change: Change, key: CellKey, snapshot: FleetSnapshot, policy: Policy, evidence: Evidence, now: datetime
) -> Case:
    before = snapshot.fleet.stage_before(key.stage)
    keys = (
        (CellKey(key.service, before.name, one.name) for one in snapshot.fleet.clusters_of(before.name))
        if before
        else ()
    )
    return Case(
        change=change,
        key=key,
        cell=snapshot.cells.get(key),
        stage_before=before,
        before=tuple(snapshot.cells[one] for one in keys if one in snapshot.cells),
        snapshot=snapshot,
        rules=_rules(key, snapshot, policy),
        evidence=evidence,
        now=now,
    )


def _rules(key: CellKey, snapshot: FleetSnapshot, policy: Policy) -> Rules:
    rules = policy.rules(key.stage, key.service)
    stage = snapshot.fleet.stage(key.stage)
    return replace(rules, protected=True) if stage is not None and stage.protected else rules


def _judged(case: Case) -> Iterator[Gate]:
    for name, check in _CHECKS.items():
        level = case.rules.level(name)
        finding = check(case) if level != "off" else None
        gate = _gate(case.key, name, finding, _eased(case, name, level, finding))
        if gate is not None:
            yield gate


def _eased(case: Case, name: str, level: Level, finding: Finding | None) -> Level:
    """The level in a revert: what is not known, or only delays it, is said and does not stop."""
    if level != "block" or not case.reverts or finding is None:
        return level
    return "warn" if finding.kind == "unknown" or name in _SAID_OF_A_REVERT else level


def _gate(key: CellKey, name: str, finding: Finding | None, level: Level) -> Gate | None:
    if finding is None or level == "off":
        return None
    meant: GateLevel = level
    match finding.kind:
        case "fail":
            return Gate(key, name, "warn" if meant == "warn" else "block", finding.reason, finding.eta, meant)
        case "pass" | "warn" | "unknown":
            return Gate(key, name, finding.kind, finding.reason, finding.eta, meant)


def _badness(gate: Gate) -> tuple[bool, int, CellKey, int]:
    return (not gate.stops, _BADNESS[gate.result], gate.cell, GATES.index(gate.gate))
