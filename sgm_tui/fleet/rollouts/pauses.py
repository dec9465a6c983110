"""Find the pause that holds a Rollout, its start and its length, by the controller's rules (rollout/pause.go)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sgm_tui.durations import DurationError, pause_seconds
from sgm_tui.fleet.rollouts.objects import RolloutObject

SPEC_PAUSED = "spec.paused"


@dataclass(frozen=True, slots=True)
class Pause:
    """The pause that decides when a Rollout resumes."""

    reason: str = ""
    """A reason of `status.pauseConditions`, or "spec.paused"; "" when it is not paused."""
    since: datetime | None = None
    seconds: float | None = None
    """Length of a timed pause; None when only a person resumes it."""
    error: str = ""
    """Why the controller refuses the length of the step's pause."""


def pause_of(rollout: RolloutObject) -> Pause:
    """Return the pause that decides: `spec.paused`, else the first that a person has to resume, else the first.

    Mirrors requiresManualAction: the controller resumes only when no pause condition is left.
    """
    if rollout.paused:
        return Pause(SPEC_PAUSED)
    pauses = [_pause(rollout, position, reason) for position, reason in enumerate(rollout.pause_reasons)]
    first = next(iter(pauses), Pause())
    return next((one for one in pauses if one.seconds is None and not one.error), first)


def _pause(rollout: RolloutObject, position: int, reason: str) -> Pause:
    since = rollout.pause_starts[position] if position < len(rollout.pause_starts) else None
    if reason == "BlueGreenPause" and rollout.auto_promotion_enabled and rollout.auto_promotion_seconds:
        return Pause(reason, since, float(rollout.auto_promotion_seconds))
    length = _length_of_step(rollout) if reason == "CanaryPauseStep" else None
    if length is None:
        return Pause(reason, since)
    try:
        return Pause(reason, since, pause_seconds(length))
    except DurationError as error:
        return Pause(reason, since, error=str(error))


def _length_of_step(rollout: RolloutObject) -> str | None:
    """Return the duration of the current pause step as written; None when it has none, or is another step."""
    index = rollout.step_index or 0
    step = rollout.steps[index] if index < len(rollout.steps) else None
    return step.duration if step is not None and step.kind == "pause" else None
