"""The conditions and phase of a Rollout's status: healthy, progressing, timed out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sgm_tui.sandbox.kubernetes.timestamps import Timestamps
from sgm_tui.sandbox.rollouts.objects import Rollout

Condition = dict[str, Any]
Status = dict[str, Any]

PROGRESSING, PAUSED, HEALTHY = "Progressing", "Paused", "Healthy"
AVAILABLE, COMPLETED, INVALID_SPEC = "Available", "Completed", "InvalidSpec"
ABORTED = "RolloutAborted"
TIMED_OUT = "ProgressDeadlineExceeded"
MANUALLY_PAUSED = "manually paused"
"""The message of a Rollout that a person paused by its spec."""


class Conditions:
    """The conditions of a new status; one that changes moves to the end, as the controller does it."""

    def __init__(self, conditions: Sequence[Condition], marks: Timestamps, uid: str) -> None:
        self.all: list[Condition] = list(conditions)
        self._marks = marks
        self._uid = uid

    def get(self, kind: str) -> Condition | None:
        """Return the condition of a type, if any."""
        return next((one for one in self.all if one["type"] == kind), None)

    def set(self, kind: str, status: str, reason: str, message: str, *, since: str = "") -> bool:
        """Set a condition; return whether it changed. The same status and reason is no change."""
        current = self.get(kind)
        if current is not None and current["status"] == status and current["reason"] == reason:
            return False
        stamp = self._marks.note(self._uid, kind)
        if current is not None and current["status"] == status:
            since = current["lastTransitionTime"]
        self.remove(kind)
        self.all.append(
            {
                "lastTransitionTime": since or stamp,
                "lastUpdateTime": stamp,
                "message": message,
                "reason": reason,
                "status": status,
                "type": kind,
            }
        )
        return True

    def remove(self, kind: str) -> None:
        """Remove a condition."""
        self.all = [one for one in self.all if one["type"] != kind]

    def timed_out(self, deadline: float) -> bool:
        """Return whether progress is overdue: its last sign is older than so many virtual seconds."""
        condition = self.get(PROGRESSING)
        if condition is None or condition["reason"] in {ABORTED, "RolloutPaused"}:
            return False
        if condition["reason"] == TIMED_OUT:
            return True
        last = self._marks.moment(self._uid, PROGRESSING, condition["lastUpdateTime"])
        return last + deadline <= self._marks.now


def is_completed(status: Status) -> bool:
    """Return whether the desired ReplicaSet is the stable one."""
    return bool(status.get("stableRS")) and status["stableRS"] == status.get("currentPodHash")


def is_healthy(rollout: Rollout, status: Status) -> bool:
    """Return whether all desired pods are updated, available and get the traffic, and nothing old runs."""
    if not rollout.observed:
        return False
    replicas = rollout.replicas
    if status.get("updatedReplicas", 0) != replicas or status.get("availableReplicas", 0) != replicas:
        return False
    current = status.get("currentPodHash", "")
    if rollout.blue_green is not None:
        active = status["blueGreen"].get("activeSelector", "")
        preview = (
            status["blueGreen"].get("previewSelector", "") if rollout.blue_green.get("previewService") else current
        )
        return bool(active == current and preview == current)
    index = status.get("currentStepIndex")
    done = not rollout.steps or index is None or index == len(rollout.steps)
    return done and is_completed(status) and status.get("replicas", 0) == replicas


def has_progressed(rollout: Rollout, status: Status) -> bool:
    """Return whether anything progressed since the previous status."""
    before = rollout.status

    def count(of: Status, name: str) -> int:
        return int(of.get(name, 0))

    if rollout.blue_green is not None:
        then, now = before.get("blueGreen") or {}, status["blueGreen"]
        moved = any(then.get(name, "") != now.get(name, "") for name in ("activeSelector", "previewSelector"))
    else:
        indexes = before.get("currentStepIndex"), status.get("currentStepIndex")
        moved = before.get("stableRS", "") != status.get("stableRS", "") or (
            None not in indexes and indexes[0] != indexes[1]
        )
        moved = moved or before.get("currentStepHash", "") != status.get("currentStepHash", "")
    old_then = count(before, "replicas") - count(before, "updatedReplicas")
    old_now = count(status, "replicas") - count(status, "updatedReplicas")
    return (
        moved
        or count(status, "updatedReplicas") != count(before, "updatedReplicas")
        or old_now < old_then
        or count(status, "readyReplicas") > count(before, "readyReplicas")
        or count(status, "availableReplicas") > count(before, "availableReplicas")
    )


def phase_of(rollout: Rollout, status: Status) -> tuple[str, str]:
    """Return `status.phase` and `status.message`; the first that applies."""
    for condition in status.get("conditions", ()):
        if condition["type"] == INVALID_SPEC:
            return "Degraded", f"{INVALID_SPEC}: {condition['message']}"
        if condition["reason"] in {ABORTED, TIMED_OUT}:
            return "Degraded", f"{condition['reason']}: {condition['message']}"
    if rollout.paused:
        return "Paused", MANUALLY_PAUSED
    if status.get("pauseConditions"):
        return "Paused", status["pauseConditions"][0]["reason"]
    waiting = _waiting_for(rollout, status)
    return ("Progressing", waiting) if waiting else ("Healthy", "")


def _waiting_for(rollout: Rollout, status: Status) -> str:
    restart = rollout.spec.get("restartAt")
    if restart and restart != status.get("restartedAt"):
        return "rollout is restarting"
    updated = status.get("updatedReplicas", 0)
    if updated < rollout.replicas:
        return "more replicas need to be updated"
    if status.get("availableReplicas", 0) < updated:
        return "updated replicas are still becoming available"
    if rollout.blue_green is not None:
        return _waiting_for_switch(rollout.blue_green, status)
    if not rollout.routed and status.get("replicas", 0) > updated:
        return "old replicas are pending termination"
    return "" if is_completed(status) else "waiting for all steps to complete"


def _waiting_for_switch(blue_green: dict[str, Any], status: Status) -> str:
    active = status["blueGreen"].get("activeSelector", "")
    if not active or active != status.get("currentPodHash"):
        return "active service cutover pending"
    if is_completed(status):
        return ""
    run = status["blueGreen"].get("postPromotionAnalysisRunStatus")
    if blue_green.get("postPromotionAnalysis") and (run is None or run["status"] not in COMPLETED_PHASES):
        return "waiting for analysis to complete"
    return "waiting for post-promotion verification to complete"


COMPLETED_PHASES = frozenset({"Successful", "Failed", "Error", "Inconclusive"})
"""The phases of an analysis that are final."""
