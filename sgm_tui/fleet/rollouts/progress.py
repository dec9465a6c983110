"""Tell from the timestamps of a Rollout whether a controller still works on it.

A stopped controller does not report itself; what it was bound to do by now, and has not done, proves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sgm_tui.fleet.facts import AnalysisRun, ReplicaSet
from sgm_tui.fleet.rollouts.objects import RolloutCondition, RolloutObject
from sgm_tui.fleet.rollouts.pauses import Pause

_WITHOUT_DEADLINE = frozenset({"pause", "analysis", "experiment", "plugin"})
"""Steps that the progress deadline does not apply to (isIndefiniteStep), and plugins, which may wait."""
_NO_PROGRESS_EXPECTED = frozenset({"RolloutAborted", "RolloutPaused", "ProgressDeadlineExceeded"})
_RUNNING = frozenset({"", "Pending", "Running"})


def worked_at(rollout: RolloutObject) -> datetime | None:
    """Return the newest timestamp the controller wrote into the status; None where there is none."""
    times = [one for pair in rollout.conditions for one in (pair.transitioned_at, pair.updated_at)]
    return max((one for one in (*times, *rollout.pause_starts) if one is not None), default=None)


def unavailable_since(rollout: RolloutObject) -> datetime | None:
    """Return since when the condition `Available` is False; None when it is not."""
    condition = _condition(rollout, "Available")
    return condition.transitioned_at if condition is not None and condition.status == "False" else None


def due_at(
    rollout: RolloutObject, pause: Pause, replica_sets: Sequence[ReplicaSet], runs: Sequence[AnalysisRun]
) -> datetime | None:
    """Return by when a running controller acts at the latest: when a timed pause ends, or the progress deadline passes.

    None when nothing is due by time alone, the rollout waits for a person, or timestamps are missing. Mirrors
    CompletedCanaryPauseStep, CompletedBlueGreenPause and RolloutTimedOut.
    """
    if pause.seconds is not None and pause.since is not None:
        return _later(pause.since, pause.seconds)
    if pause.reason or rollout.aborted or rollout.phase != "Progressing" or rollout.controller_pause:
        return None
    condition = _condition(rollout, "Progressing")
    if condition is None or condition.updated_at is None or condition.reason in _NO_PROGRESS_EXPECTED:
        return None
    index = rollout.step_index or 0
    step = rollout.steps[index].kind if index < len(rollout.steps) else ""
    analysing = any(run.phase in _RUNNING and run.hash == rollout.current_hash for run in runs)
    delayed = any(one.current and one.hash not in {rollout.current_hash, rollout.stable_hash} for one in replica_sets)
    if step in _WITHOUT_DEADLINE or analysing or delayed:
        return None
    return _later(condition.updated_at, rollout.progress_deadline_seconds)


def _condition(rollout: RolloutObject, kind: str) -> RolloutCondition | None:
    return next((one for one in rollout.conditions if one.type == kind), None)


def _later(moment: datetime, seconds: float) -> datetime | None:
    """Return a moment that many seconds later; None where no calendar reaches so far."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None
