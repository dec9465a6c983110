"""Where a version is on its way into a cell, in words, and which cells cannot be followed from here."""

from __future__ import annotations

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.observed import Rollout
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.versions import is_same_image
from sgm_tui.fleet.weights import percent_text

_WAITS = {
    "CanaryPauseStep": "the pause has no duration",
    "BlueGreenPause": "the new pods are up and get no traffic yet",
    "InconclusiveAnalysisRun": "an analysis came to no result",
    "InconclusiveExperiment": "an experiment came to no result",
    "spec.paused": "somebody paused it by hand",
}
"""Why a controller waits for a person."""
_OF_WHAT_IS_THERE = frozenset({Journey.SETTLED, Journey.SOAKING, Journey.PAUSED, Journey.FAILED, Journey.DRIFTED})
"""Where git does not want the followed version yet, these say how the one before fares: its failure is not ours, and
nobody is told to let go on what is about to be left."""
_DECISIVE = frozenset({"argocd", "rollouts"})
"""Sources without which nobody can tell how a version fares."""


def move_of(cell: Cell, version: Version) -> str:
    """How far a version is on its way into a cell."""
    rollout = cell.facts.rollout
    if cell.desired_version != version:
        if rollout is not None and rollout.spec_version and is_same_image(rollout.spec_version, version):
            return "merged: the cluster has it already"  # git is polled, and Argo CD was faster
        if cell.journey in _OF_WHAT_IS_THERE or (cell.journey is Journey.ROLLING and _moves(rollout)):
            return "not merged yet"
    if cell.journey is Journey.PAUSED and rollout is not None:
        return f"paused: {_gate(cell.key, rollout)}"
    if cell.journey is Journey.SYNCING and cell.suspect_since is not None:
        return "syncing: the cluster has not taken it up yet"
    return cell.journey.value + (f": {cell.reason}" if cell.reason not in {"", cell.journey.value} else "")


def _moves(rollout: Rollout | None) -> bool:
    """Whether it is the rollout that moves, and not Argo CD that has just brought the next version."""
    return rollout is not None and rollout.phase != "Healthy"


def _gate(key: CellKey, rollout: Rollout) -> str:
    """What a rollout waits for, whom, and how it goes on."""
    step = f"at step {rollout.step}/{rollout.steps} " if rollout.steps and rollout.step is not None else ""
    share = rollout.actual_weight if step else None
    weight = "" if share is None else f"({percent_text(share)} of the traffic) "
    reason = rollout.pause_reason or rollout.message
    why = f" ({_WAITS.get(reason, reason)})" if reason else ""
    command = f"sgm rollout promote {key.service} --cluster {key.cluster}"
    return f"it waits {step}{weight}for a person to let it go on{why}: {command}"


def unseen(snapshot: FleetSnapshot, cell: Cell) -> str:
    """Why a cell cannot be followed from here: what tells of it has never answered; "" where it can."""
    if cell.journey is not Journey.UNKNOWN:
        return ""
    silent = (one for one in snapshot.sources if one.name in cell.facts.stale and one.source.kind in _DECISIVE)
    return next((f"{one.name}: {one.told}" for one in silent if one.state == "stale" and one.seen_at is None), "")
