"""Gates about a promotion itself: is the version proven, and does anything else change the cell?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sgm_tui.fleet.ages import format_span
from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gates.context import NOT_YET, Finding, GateContext, failed, passed, unknown
from sgm_tui.fleet.model import CellKey, ClusterName, Version
from sgm_tui.fleet.plans.superseding import proposed_version, why_not_replaceable
from sgm_tui.fleet.plans.waves import wave_of
from sgm_tui.fleet.soak import healthy_since
from sgm_tui.fleet.versions import compare

_SETTLED = frozenset({Journey.SETTLED, Journey.SOAKING, Journey.STAGED, Journey.PROPOSED})
"""Staged and proposed cells have settled; their journey says what comes next."""
_AT_REST = frozenset({Journey.SETTLED, Journey.SOAKING})
_UNDER_WAY = {
    Journey.MERGED: "a change is merged but not applied yet",
    Journey.SYNCING: "a sync is in progress",
    Journey.ROLLING: "a rollout is in progress",
    Journey.PAUSED: "a rollout is paused at a manual gate",
}


def healthy_before(context: GateContext) -> Finding | None:
    """Check that the version is settled, healthy and synced in every cell of the previous stage."""
    if context.previous_stage is None:
        return None
    stage, version = context.previous_stage.name, context.change.to_version
    if not context.previous_cells:
        return failed(f"{context.key.service} is not deployed in {stage}, so {version} has never run there")
    return _worst_problem(context.previous_cells, version) or passed(f"{version} is healthy in {stage}")


def soak(context: GateContext) -> Finding | None:
    """Check that it has been so for `soak`; a re-deploy or a moment of bad health restarts the clock."""
    if context.previous_stage is None:
        return None
    required, stage, version = context.rules.soak_seconds, context.previous_stage.name, context.change.to_version
    if not required:
        return passed("no soak is required")
    problems = [_find_problem(cell, version) for cell in context.previous_cells]
    if not context.previous_cells or any(problem is not None and problem.kind != "unknown" for problem in problems):
        return failed(f"not healthy in {stage} yet; {format_span(required)} required")
    if any(problems):
        return unknown(f"cannot tell whether it has been healthy in {stage} for {format_span(required)}")
    starts = [(healthy_since(cell), cell) for cell in context.previous_cells]
    unclear = next((cell for start, cell in starts if start is None), None)
    if unclear is not None:
        return unknown(f"cannot tell how long {version} has been healthy in {unclear.key.cluster}")
    start = max(start for start, _ in starts if start is not None)
    so_far, eta = (context.now - start).total_seconds(), start + timedelta(seconds=required)
    if context.now >= eta:
        return passed(f"healthy in {stage} for {format_span(so_far)}; {format_span(required)} required")
    return failed(f"healthy in {stage} for {format_span(so_far)} of {format_span(required)}", eta)


def wave(context: GateContext) -> Finding | None:
    """Check that clusters of earlier waves with this version are settled with it, and have been for `wave_soak`.

    It applies however the wave is opened: by its wave plan, or by a separate promotion meanwhile.
    """
    required, version = context.rules.wave_soak_seconds, context.change.to_version
    cells = [cell for cell in _cells_of_earlier_waves(context) if cell.desired_version == version]
    worst = _worst_problem(cells, version)
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
    eta = start + timedelta(seconds=required)
    if context.now >= eta:
        return passed(f"{version} is healthy in earlier waves")
    so_far = (context.now - start).total_seconds()
    return failed(f"an earlier wave has been healthy for {format_span(so_far)} of {format_span(required)}", eta)


def _cells_of_earlier_waves(context: GateContext) -> list[Cell]:
    earlier = context.rules.waves[: wave_of(context.change, context.rules.waves)]
    keys = [CellKey(context.key.service, context.key.stage, ClusterName(name)) for names in earlier for name in names]
    return [context.snapshot.cells[key] for key in keys if key in context.snapshot.cells]


def _worst_problem(cells: Iterable[Cell], version: Version) -> Finding | None:
    """Return the first failure, else the first unknown, of cells that have to run a version; None when all do."""
    problems = [problem for cell in cells if (problem := _find_problem(cell, version)) is not None]
    return next((problem for problem in problems if problem.kind == "fail"), next(iter(problems), None))


def _find_problem(cell: Cell, version: Version) -> Finding | None:
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
    """Return since when, at least, a cell runs a version settled and healthy; None when it does not, or unknown."""
    return None if _find_problem(cell, version) is not None else healthy_since(cell)


def in_flight(context: GateContext) -> Finding:
    """Check that no other change is in progress in the cell; a revert supersedes one."""
    if context.cell is None or context.cell.journey is Journey.UNKNOWN:
        why = context.cell.reason if context.cell else "the cell is not known"
        return unknown(f"cannot tell whether a change is in progress: {why}")
    progress = _UNDER_WAY.get(context.cell.journey) or _hidden_progress(context.cell)
    if progress is None and context.cell.facts.unavailable_kinds:
        return unknown(
            f"cannot tell whether a change is in progress: {context.cell.facts.stale_reason or 'no answer yet'}"
        )
    if progress is None:
        return passed("no change in progress")
    detail = f"{progress} ({context.cell.reason})" if context.cell.reason else progress
    return passed(f"{detail}; the revert supersedes it") if context.is_revert else failed(detail)


def _hidden_progress(cell: Cell) -> str | None:
    """Return the change in progress that a failed sync or a broken manifest hides; None when there is none."""
    application, rollout = cell.facts.application, cell.facts.rollout
    if application is not None and application.is_operating:
        return "a sync is in progress"
    if rollout is not None and rollout.phase in {"Progressing", "Paused"}:
        return "a rollout is in progress"
    return None


def pull_request(context: GateContext) -> Finding:
    """Check that no open pull request wants another version in the cell."""
    requests = [one for one in context.snapshot.open_pull_requests if proposed_version(one, context.key) is not None]
    conflicting = [one for one in requests if proposed_version(one, context.key) != context.change.to_version]
    superseded = {(one.number, one.head) for one in context.supersedes}
    blocking = [one for one in conflicting if (one.number, one.head) not in superseded]
    if blocking:
        more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
        return failed(_describe_conflict(blocking[0], context, more))
    if conflicting:
        numbers = ", ".join(f"#{one.number}" for one in conflicting)
        return Finding("warn", f"superseded: {numbers} will be closed in favour of {context.change.to_version}")
    if requests:
        first = requests[0]
        reason = f"#{first.number} by {first.author} already proposes {context.change.to_version}; sgm adopts it"
        return Finding("warn", reason)
    return context.check_source("pull-request", "forge") or passed("no other pull request changes this cell")


def _describe_conflict(request: PullRequest, context: GateContext, more: str) -> str:
    """Describe the conflicting pull request: may this change supersede it, or does somebody have to decide?"""
    conflict = f"#{request.number} by {request.author} proposes {proposed_version(request, context.key)} here{more}"
    why_not = why_not_replaceable(request, context.together or frozenset(context.change.cells))
    if not why_not:
        return f"{conflict} and was opened by sgm: supersede it (S in the plan, --supersede), merge it or close it"
    return f"{conflict}, and {why_not}: merge or close it: {request.url}"


def quarantined(context: GateContext) -> Finding:
    """Check that the version was neither reverted from this cell nor marked as known bad."""
    if context.evidence.quarantined is None:
        return unknown(NOT_YET)
    why = context.evidence.quarantined.get(context.key, {}).get(context.change.to_version)
    return (
        failed(f"{context.change.to_version} is quarantined: {why}")
        if why is not None
        else passed("not reverted or marked bad")
    )


def downgrade(context: GateContext) -> Finding | None:
    """Check that the version is not older than the current one; None where the two have no order."""
    if context.is_revert:
        return passed("a revert may downgrade")
    order = compare(context.change.to_version, context.change.from_version)
    if order is None:
        return None
    if order < 0:
        return failed(f"{context.change.to_version} is older than {context.change.from_version}")
    return passed(f"{context.change.to_version} is not older than {context.change.from_version}")
