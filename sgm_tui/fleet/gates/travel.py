"""Gates about the way of a version: is it proven in the stage before, and is nobody else changing this cell?"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gates.case import NOT_YET, Case, Finding, failed, passed, span, unknown
from sgm_tui.fleet.model import CellKey, ClusterName, Version
from sgm_tui.fleet.plans.superseding import wanted_by, why_not_replaceable
from sgm_tui.fleet.plans.waves import wave_of
from sgm_tui.fleet.soak import healthy_since
from sgm_tui.fleet.versions import compare

_SETTLED = frozenset({Journey.SETTLED, Journey.SOAKING, Journey.STAGED, Journey.PROPOSED})
"""Staged and proposed say what is wanted next of a cell that has settled."""
_AT_REST = frozenset({Journey.SETTLED, Journey.SOAKING})
_UNDER_WAY = {
    Journey.MERGED: "a change is merged but not applied yet",
    Journey.SYNCING: "a sync is in progress",
    Journey.ROLLING: "a rollout is in progress",
    Journey.PAUSED: "a rollout is paused at a manual gate",
}


def healthy_before(case: Case) -> Finding | None:
    """The version is what settled, healthy and synced, in every cell of the stage before."""
    if case.reverts or case.stage_before is None:
        return None
    stage, version = case.stage_before.name, case.change.to_version
    if not case.before:
        return failed(f"{case.key.service} is not deployed in {stage}, so {version} has never run there")
    troubles = [trouble for cell in case.before if (trouble := _trouble(cell, version)) is not None]
    worst = next((one for one in troubles if one.kind == "fail"), next(iter(troubles), None))
    return worst or passed(f"{version} is healthy in {stage}")


def soak(case: Case) -> Finding | None:
    """It has been so for long enough; a re-deploy, or a moment of trouble, starts the clock again."""
    if case.reverts or case.stage_before is None:
        return None
    wanted, stage, version = case.rules.soak_seconds, case.stage_before.name, case.change.to_version
    if not wanted:
        return passed("no soak is required")
    troubles = [_trouble(cell, version) for cell in case.before]
    if not case.before or any(one is not None and one.kind != "unknown" for one in troubles):
        return failed(f"not healthy in {stage} yet; {span(wanted)} required")
    if any(troubles):
        return unknown(f"cannot tell whether it has been healthy in {stage} for {span(wanted)}")
    starts = [(healthy_since(cell), cell) for cell in case.before]
    unclear = next((cell for start, cell in starts if start is None), None)
    if unclear is not None:
        return unknown(f"cannot tell how long {version} has been healthy in {unclear.key.cluster}")
    start = max(start for start, _ in starts if start is not None)
    so_far, eta = (case.now - start).total_seconds(), start + timedelta(seconds=wanted)
    if case.now >= eta:
        return passed(f"healthy in {stage} for {span(so_far)}; {span(wanted)} required")
    return failed(f"healthy in {stage} for {span(so_far)} of {span(wanted)}", eta)


def wave(case: Case) -> Finding | None:
    """The clusters of earlier waves that have got this version are well with it, and have soaked.

    However a wave comes to be opened: by the plan it belongs to, or by somebody who promotes once more meanwhile.
    """
    if case.reverts:
        return None
    wanted, version = case.rules.wave_soak_seconds, case.change.to_version
    cells = [one for one in _of_earlier_waves(case) if one.desired_version == version]
    troubles = [trouble for cell in cells if (trouble := _trouble(cell, version)) is not None]
    worst = next((one for one in troubles if one.kind == "fail"), next(iter(troubles), None))
    if worst is not None:
        return replace(worst, reason=f"an earlier wave: {worst.reason}")
    starts = [
        cell.since if cell.journey in {Journey.SETTLED, Journey.SOAKING} else healthy_since(cell) for cell in cells
    ]
    if not starts:
        return None
    if None in starts:
        return unknown(f"cannot tell how long {version} has been healthy in earlier waves")
    start = max(start for start in starts if start is not None)
    eta = start + timedelta(seconds=wanted)
    if case.now >= eta:
        return passed(f"{version} is healthy in earlier waves")
    so_far = (case.now - start).total_seconds()
    return failed(f"an earlier wave has been healthy for {span(so_far)} of {span(wanted)}", eta)


def _of_earlier_waves(case: Case) -> list[Cell]:
    before = case.rules.waves[: wave_of(case.change, case.rules.waves)]
    keys = [CellKey(case.key.service, case.key.stage, ClusterName(name)) for names in before for name in names]
    return [case.snapshot.cells[key] for key in keys if key in case.snapshot.cells]


def _trouble(cell: Cell, version: Version) -> Finding | None:
    """Return why a cell does not run a version settled and healthy; None when it does."""
    where = cell.key.cluster
    if cell.journey is Journey.UNKNOWN:
        return unknown(f"{where} is unknown: {cell.reason}")
    if cell.desired_version != version:
        return failed(f"git has {cell.desired_version} in {where}, not {version}")
    if cell.journey not in _SETTLED:
        return failed(f"{where} is {cell.journey}: {cell.reason}" if cell.reason else f"{where} is {cell.journey}")
    if cell.live_version is not None and cell.live_version != version:
        return failed(f"{where} runs {cell.live_version}, not {version}")
    return None


def running_since(cell: Cell, version: Version) -> datetime | None:
    """Since when at least a cell runs a version settled and healthy; None when it does not, or nobody knows."""
    return None if _trouble(cell, version) is not None else healthy_since(cell)


def in_flight(case: Case) -> Finding:
    """Nothing else is on its way into the cell; a revert is what one does when something is."""
    if case.cell is None or case.cell.journey is Journey.UNKNOWN:
        why = case.cell.reason if case.cell else "the cell is not known"
        return unknown(f"cannot tell whether a change is in progress: {why}")
    what = _UNDER_WAY.get(case.cell.journey) or _moving(case.cell)
    if what is None and case.cell.facts.unavailable_kinds:
        return unknown(
            f"cannot tell whether a change is in progress: {case.cell.facts.stale_reason or 'no answer yet'}"
        )
    if what is None:
        return passed("no change in progress")
    detail = f"{what} ({case.cell.reason})" if case.cell.reason else what
    return passed(f"{detail}; the revert supersedes it") if case.reverts else failed(detail)


def _moving(cell: Cell) -> str | None:
    """What moves in a cell that something else is said of first (a failing sync, a broken manifest)."""
    application, rollout = cell.facts.application, cell.facts.rollout
    if application is not None and application.is_operating:
        return "a sync is in progress"
    if rollout is not None and rollout.phase in {"Progressing", "Paused"}:
        return "a rollout is in progress"
    return None


def pull_request(case: Case) -> Finding:
    """No open pull request changes the cell already."""
    open_ones = [one for one in case.snapshot.open_pull_requests if wanted_by(one, case.key) is not None]
    others = [one for one in open_ones if wanted_by(one, case.key) != case.change.to_version]
    asked = {(one.number, one.head) for one in case.supersedes}
    left = [one for one in others if (one.number, one.head) not in asked]
    if left:
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        return failed(_in_the_way(left[0], case, more))
    if others:
        numbers = ", ".join(f"#{one.number}" for one in others)
        return Finding("warn", f"superseded: {numbers} will be closed in favour of {case.change.to_version}")
    if open_ones:
        first = open_ones[0]
        said = f"#{first.number} by {first.author} already proposes {case.change.to_version}; sgm adopts it"
        return Finding("warn", said)
    return case.silent("pull-request", "forge") or passed("no other pull request changes this cell")


def _in_the_way(request: PullRequest, case: Case, more: str) -> str:
    """Which pull request conflicts, and whether this change may supersede it or somebody has to decide."""
    what = f"#{request.number} by {request.author} proposes {wanted_by(request, case.key)} here{more}"
    why_not = why_not_replaceable(request, case.together or frozenset(case.change.cells))
    if not why_not:
        return f"{what} and was opened by sgm: supersede it (S in the plan, --supersede), merge it or close it"
    return f"{what}, and {why_not}: merge or close it: {request.url}"


def held(case: Case) -> Finding:
    """The version was not reverted here, nor marked as known bad."""
    if case.evidence.held is None:
        return unknown(NOT_YET)
    why = case.evidence.held.get(case.key, {}).get(case.change.to_version)
    return (
        failed(f"{case.change.to_version} is quarantined: {why}")
        if why is not None
        else passed("not reverted or marked bad")
    )


def downgrade(case: Case) -> Finding | None:
    """The version is not older than the one that is there, where both can be compared."""
    if case.reverts:
        return passed("a revert may downgrade")
    order = compare(case.change.to_version, case.change.from_version)
    if order is None:
        return None
    if order < 0:
        return failed(f"{case.change.to_version} is older than {case.change.from_version}")
    return passed(f"{case.change.to_version} is not older than {case.change.from_version}")
