"""The end of a reconciliation: the new status with its conditions, phase and duration, written if it differs."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.rollouts.conditions import (
    ABORTED,
    AVAILABLE,
    COMPLETED,
    HEALTHY,
    INVALID_SPEC,
    PAUSED,
    PROGRESSING,
    TIMED_OUT,
    Conditions,
    Status,
    has_progressed,
    is_completed,
    is_healthy,
    phase_of,
)
from sgm_tui.sandbox.rollouts.duration import duration_of
from sgm_tui.sandbox.rollouts.objects import WORKLOAD_GENERATION, ReplicaSet, total_actual, total_available, total_ready
from sgm_tui.sandbox.rollouts.reconciliation import Round

_ALWAYS = frozenset({"blueGreen", "canary"})
_MARGIN = 0.1
"""Virtual seconds after a deadline at which it is checked."""


def base_status(look: Round) -> Status:
    """Return the fields every strategy has, counted anew."""
    before = look.rollout.status
    status: Status = {
        "blueGreen": {},
        "canary": {},
        "conditions": [one for one in look.rollout.conditions if one["type"] != INVALID_SPEC],
        "currentPodHash": look.new.hash if look.new else look.hash,
        "replicas": total_actual(look.all),
        "updatedReplicas": look.new.actual if look.new else 0,
        "readyReplicas": total_ready(look.all),
        "availableReplicas": total_available(look.all),
        "HPAReplicas": total_actual(look.all),
        "selector": look.rollout.selector_text,
        "restartedAt": look.restarted_at,
        "duration": before.get("duration"),
        "stableRS": look.rollout.stable_hash,
        "promoteFull": look.rollout.promote_full,
        "collisionCount": before.get("collisionCount"),
    }
    if look.rollout.canary is not None:
        if look.weights is not None:
            status["canary"]["weights"] = look.weights
        status["currentStepHash"] = look.steps_hash
        status["canary"] |= look.run_statuses
    else:
        status["blueGreen"] |= look.run_statuses
    return status


def reset(look: Round, status: Status) -> None:
    """Reset the status for a new update."""
    look.pauses.resume()
    status["restartedAt"] = look.rollout.spec.get("restartAt")
    status["promoteFull"] = False
    for name in ("prePromotionAnalysisRunStatus", "postPromotionAnalysisRunStatus"):
        status["blueGreen"].pop(name, None)
    for name in ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus"):
        status["canary"].pop(name, None)
    status["currentStepIndex"] = 0 if look.rollout.steps else None


def promote(look: Round, status: Status, reason: str) -> None:
    """Make the desired ReplicaSet the stable one."""
    look.pauses.resume()
    status["promoteFull"] = False
    if look.rollout.canary is not None:
        status["currentStepIndex"] = len(look.rollout.steps) or None
    if status["stableRS"] == status["currentPodHash"]:
        return
    duration = status.get("duration")
    if duration is not None and "completionStatus" not in duration:
        how = "FastPromoted" if look.rollout.promote_full else "Promoted"
        status["duration"] = {**duration, "completionStatus": how}
    status["stableRS"] = status["currentPodHash"]
    revision = look.rollout.revision
    look.event("RolloutCompleted", f"Rollout completed update to revision {revision} ({status['stableRS']}): {reason}")


def persist(look: Round, status: Status) -> None:
    """Complete a status and write it; if nothing changed, schedule the check for lack of progress."""
    rollout = look.rollout
    status["observedGeneration"] = rollout.generation
    if "workloadRef" in rollout.spec:
        status["workloadObservedGeneration"] = rollout.annotations.get(WORKLOAD_GENERATION)
    _abort_when_overdue(look, status)
    look.pauses.apply(status)
    _set_conditions(look, status)
    status["phase"], status["message"] = phase_of(rollout, status)
    status["duration"] = duration_of(look, status)
    tidy = _without_empty(status)
    if tidy == rollout.status:
        _watch_progress(look, tidy)
        return
    before = rollout.pauses
    look.write_status(tidy)
    _tell_of_pauses(look, before, tidy)


def note_pauses(look: Round) -> bool:
    """Update the conditions for a pause, resume or retry by a person; return whether that was written.

    A changed spec is observed as a whole instead, later in the round.
    """
    rollout = look.rollout
    if not rollout.observed:
        return False
    conditions = Conditions(rollout.conditions, look.shop.marks, rollout.uid)
    progressing, paused = conditions.get(PROGRESSING), conditions.get(PAUSED)
    reason = progressing["reason"] if progressing else ""
    is_paused = bool(rollout.pauses) or rollout.paused
    if is_paused != (reason == "RolloutPaused") and reason != ABORTED and not is_completed(rollout.status):
        name, text = ("RolloutPaused", "Rollout is paused") if is_paused else ("RolloutResumed", "Rollout is resumed")
        conditions.set(PROGRESSING, "Unknown", name, text)
    if not rollout.aborted and reason == ABORTED:
        conditions.set(PROGRESSING, "Unknown", "RolloutRetry", "Retrying Rollout after abort")
    if is_paused != bool(paused and paused["status"] == "True") and reason != ABORTED:
        conditions.set(PAUSED, "True" if is_paused else "False", "RolloutPaused", "Rollout is paused")
    if conditions.all == rollout.conditions:
        return False
    _write_conditions(look, conditions)
    return True


def write_invalid(look: Round, cause: str) -> None:
    """Write to the status why the spec is refused; the rest of it is kept."""
    rollout = look.rollout
    message = f'The Rollout "{rollout.name}" is invalid: {cause}'
    conditions = Conditions(rollout.conditions, look.shop.marks, rollout.uid)
    present = conditions.get(INVALID_SPEC)
    if present is not None and present["message"] == message and rollout.observed:
        return
    if present is not None and present["message"] != message:
        conditions.remove(INVALID_SPEC)
    conditions.set(INVALID_SPEC, "True", INVALID_SPEC, message)
    _write_conditions(look, conditions)


def _write_conditions(look: Round, conditions: Conditions) -> None:
    rollout = look.rollout
    status = {"blueGreen": {}, "canary": {}, **rollout.status, "conditions": conditions.all}
    status["observedGeneration"] = rollout.generation
    phase, message = phase_of(rollout, status)
    status |= {"phase": phase, "message": message, "duration": duration_of(look, status)}
    look.write_status(_without_empty(status))


def _without_empty(status: Status) -> Status:
    """Drop zeros and empty values as Go does, except the step index, where zero is the first step."""
    index = status.get("currentStepIndex")
    return {
        key: value
        for key, value in status.items()
        if value or key in _ALWAYS or (key == "currentStepIndex" and index is not None)
    }


def _set_conditions(look: Round, status: Status) -> None:
    rollout = look.rollout
    conditions = Conditions(status["conditions"], look.shop.marks, rollout.uid)
    healthy = is_healthy(rollout, status)
    became_unhealthy = _set_healthy(look, status, conditions, healthy=healthy)
    if look.pauses.aborted:
        message = f"Rollout aborted update to revision {rollout.revision}"
        if look.pauses.abort_message:
            message += f": {look.pauses.abort_message}"
        if conditions.set(PROGRESSING, "False", ABORTED, message):
            look.event(ABORTED, message, warning=True)
    else:
        _set_progressing(look, status, conditions, healthy=healthy, became_unhealthy=became_unhealthy)
    available = _is_available(look, status)
    text = "Rollout has minimum availability" if available else "Rollout does not have minimum availability"
    conditions.set(AVAILABLE, str(available), "AvailableReason", text)
    completed = is_completed(status)
    if conditions.set(COMPLETED, str(completed), "RolloutCompleted", "RolloutCompleted") and not completed:
        message = f"Rollout not completed, started update to revision {rollout.revision} ({status['currentPodHash']})"
        look.event("RolloutNotCompleted", message)
    status["conditions"] = conditions.all


def _set_healthy(look: Round, status: Status, conditions: Conditions, *, healthy: bool) -> bool:
    """Return whether it was healthy and no longer is."""
    paused = bool(status.get("pauseConditions")) or look.rollout.paused
    if healthy and not paused:
        conditions.set(HEALTHY, "True", "RolloutHealthy", "Rollout is healthy")
        return False
    if look.rollout.condition(HEALTHY) is None:
        return False
    return conditions.set(HEALTHY, "False", "RolloutHealthy", "Rollout is not healthy")


def _set_progressing(
    look: Round, status: Status, conditions: Conditions, *, healthy: bool, became_unhealthy: bool
) -> None:
    name = f'ReplicaSet "{look.new.name}"' if look.new else f'Rollout "{look.rollout.name}"'
    if healthy:
        conditions.set(PROGRESSING, "True", "NewReplicaSetAvailable", f"{name} has successfully progressed.")
    elif has_progressed(look.rollout, status) or became_unhealthy:
        reason, message = "ReplicaSetUpdated", f"{name} is progressing."
        if became_unhealthy and status["stableRS"] == status["currentPodHash"]:
            reason, message = "ReplicaSetNotAvailable", "Rollout does not have minimum availability"
        current = look.rollout.condition(PROGRESSING)
        since = current["lastTransitionTime"] if current and current["status"] == "True" else ""
        conditions.remove(PROGRESSING)
        conditions.set(PROGRESSING, "True", reason, message, since=since)
    elif _is_overdue(look, conditions):
        conditions.set(PROGRESSING, "False", TIMED_OUT, f"{name} has timed out progressing.")


def _is_overdue(look: Round, conditions: Conditions) -> bool:
    if _is_indefinite(look) or any(one.deadline for one in look.other_sets):
        return False
    return conditions.timed_out(look.rollout.deadline_seconds)


def _is_available(look: Round, status: Status) -> bool:
    if look.rollout.blue_green is None:
        return total_available(look.all) >= look.rollout.replicas
    active = by_hash(look, status["blueGreen"].get("activeSelector", ""))
    return active is not None and look.is_saturated(active)


def by_hash(look: Round, pod_hash: str) -> ReplicaSet | None:
    """Return the ReplicaSet with a pod template hash."""
    return next((one for one in look.all if pod_hash and one.hash == pod_hash), None)


def _is_indefinite(look: Round) -> bool:
    """Return whether the current step may take any time."""
    step = look.rollout.step or {}
    if any(step.get(kind) is not None for kind in ("experiment", "analysis", "pause")):
        return True
    paused = look.rollout.condition(PAUSED)
    return paused is not None and paused["status"] == "True"


def _abort_when_overdue(look: Round, status: Status) -> None:
    rollout = look.rollout
    if not rollout.spec.get("progressDeadlineAbort") or look.pauses.aborted or is_completed(status):
        return
    if has_progressed(rollout, status):
        return
    if _is_overdue(look, Conditions(rollout.conditions, look.shop.marks, rollout.uid)):
        name = f'ReplicaSet "{look.new.name}"' if look.new else f'Rollout "{rollout.name}"'
        look.pauses.abort_message = f"{name} has timed out progressing."
        look.event(ABORTED, look.pauses.abort_message, warning=True)


def _watch_progress(look: Round, status: Status) -> None:
    rollout = look.rollout
    condition = rollout.condition(PROGRESSING)
    if condition is None or condition["reason"] == TIMED_OUT or rollout.pauses or rollout.paused or rollout.aborted:
        return
    if is_healthy(rollout, status) or _is_indefinite(look):
        return
    last = look.shop.marks.moment(rollout.uid, PROGRESSING, condition["lastUpdateTime"])
    seconds_left = last + rollout.deadline_seconds - look.shop.marks.now
    if seconds_left > -_MARGIN:
        look.look_again(seconds_left + _MARGIN)


def _tell_of_pauses(look: Round, before: list[dict[str, str]], status: dict[str, Any]) -> None:
    now = status.get("pauseConditions") or []
    if bool(before) == bool(now):
        return
    if now:
        look.event("RolloutPaused", f"Rollout is paused ({now[0]['reason']})")
    elif not status.get("abortedAt"):
        look.event("RolloutResumed", "Rollout is resumed")
