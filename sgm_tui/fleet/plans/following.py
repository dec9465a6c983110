"""Follow a change after it was written: how far it is in each cell, how it ended, and what cannot be observed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.facts import Rollout
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Progress
from sgm_tui.fleet.rollouts.weights import percent_text
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.versions import is_same_image

_WAITS = {
    "CanaryPauseStep": "the pause has no duration",
    "BlueGreenPause": "the new pods are ready and get no traffic yet",
    "InconclusiveAnalysisRun": "the analysis was inconclusive",
    "InconclusiveExperiment": "the experiment was inconclusive",
    "spec.paused": "paused manually",
}
"""Why a controller waits for manual approval."""
_OF_PREVIOUS_VERSION = frozenset({Journey.SETTLED, Journey.SOAKING, Journey.PAUSED, Journey.FAILED, Journey.DRIFTED})
"""Journeys that concern the previous version while git does not have the followed one yet: its failure is not ours, and
its pause needs no approval."""
_ARRIVED = frozenset({Journey.SETTLED, Journey.SOAKING, Journey.STAGED, Journey.PROPOSED})
"""Staged and proposed say what is desired next of a cell that has settled."""
_WORST_FIRST = ("failed", "replaced", "unknown", "merged", "arrived")
_DECISIVE = frozenset({"argocd", "rollouts"})
"""The kinds of sources without which the state of a version is unknown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a proposed or pushed change ended."""

    word: Literal["merged", "arrived", "failed", "closed", "replaced", "unknown"]
    reason: str = ""
    """Where it is, or why it stopped."""


def has_arrived(cell: Cell) -> bool:
    """Return whether the desired version of a cell runs there, settled."""
    return cell.journey in _ARRIVED and cell.live_version in {None, cell.desired_version}


def outcome_of(progress: Progress, snapshot: FleetSnapshot) -> Outcome | None:
    """Return how a pull request or a push ended; None while it is open or not read yet.

    Args:
        progress: the last step of writing it.
        snapshot: the fleet now.
    """
    request = next((one for one in snapshot.pull_requests if progress.number and one.number == progress.number), None)
    if progress.step != "pushed" and (request is None or request.state == "open"):
        return None
    if request is not None and request.state == "closed":
        return Outcome("closed", "closed without being merged")
    merged_at = request.merged_at if request is not None else None
    outcomes = [
        _outcome_in(snapshot.cells.get(key), key, edit.change, merged_at)
        for edit in progress.proposal.edits
        for key in edit.change.cells
    ]
    return min(outcomes, key=lambda outcome: _WORST_FIRST.index(outcome.word), default=Outcome("merged"))


def _outcome_in(cell: Cell | None, key: CellKey, change: Change, merged_at: datetime | None) -> Outcome:
    """Return how a merged change ended in one of its cells."""
    version = change.to_version
    if cell is None or cell.facts.desired is None:
        return Outcome("unknown", f"{key.cluster}: git does not have it")
    if cell.desired_version != version:
        committed_at = cell.facts.desired.committed_at
        newer = merged_at is not None and committed_at is not None and committed_at > merged_at
        if newer or cell.desired_version not in {None, change.from_version}:
            return Outcome("replaced", f"{key.cluster}: git has {cell.desired_version} now")
        return Outcome("merged", f"{key.cluster}: git has not been read since the merge")
    if cell.journey is Journey.FAILED:
        return Outcome("failed", f"{key.cluster}: {cell.reason or 'failed'}")
    if cell.journey is Journey.UNKNOWN:
        return Outcome("unknown", f"{key.cluster}: {cell.reason or 'unknown'}")
    return (
        Outcome("arrived")
        if has_arrived(cell)
        else Outcome("merged", f"{key.cluster}: {describe_progress(cell, version)}")
    )


def describe_progress(cell: Cell, version: Version) -> str:
    """Describe how far the rollout of a version is in a cell."""
    rollout = cell.facts.rollout
    if cell.desired_version != version:
        if rollout is not None and rollout.spec_version and is_same_image(rollout.spec_version, version):
            return "merged: the cluster has it already"  # git is polled; Argo CD was faster
        if cell.journey in _OF_PREVIOUS_VERSION or (cell.journey is Journey.ROLLING and _is_rolling(rollout)):
            return "not merged yet"
    if cell.journey is Journey.PAUSED and rollout is not None:
        return f"paused: {_describe_manual_gate(cell.key, rollout)}"
    if cell.journey is Journey.SYNCING and cell.suspect_since is not None:
        return "syncing: not applied to the cluster yet"
    return cell.journey.value + (f": {cell.reason}" if cell.reason not in {"", cell.journey.value} else "")


def _is_rolling(rollout: Rollout | None) -> bool:
    """Return whether the rollout itself progresses, not Argo CD that has just applied the next version."""
    return rollout is not None and rollout.phase != "Healthy"


def _describe_manual_gate(key: CellKey, rollout: Rollout) -> str:
    """Describe the manual gate of a rollout, and the command that resumes it."""
    step = f"at step {rollout.step}/{rollout.steps} " if rollout.steps and rollout.step is not None else ""
    share = rollout.actual_weight if step else None
    weight = "" if share is None else f"({percent_text(share)} of the traffic) "
    reason = rollout.pause_reason or rollout.message
    why = f" ({_WAITS.get(reason, reason)})" if reason else ""
    command = f"sgm rollout promote {key.service} --cluster {key.cluster}"
    return f"waiting {step}{weight}for manual approval{why}: {command}"


def unobservable_reason(snapshot: FleetSnapshot, cell: Cell) -> str:
    """Return why a cell cannot be observed: a decisive source has never responded; "" where it can."""
    if cell.journey is not Journey.UNKNOWN:
        return ""
    silent = (one for one in snapshot.sources if one.name in cell.facts.stale and one.source.kind in _DECISIVE)
    return next(
        (f"{one.name}: {one.short_reason}" for one in silent if one.state == "stale" and one.seen_at is None), ""
    )
