"""The status of a simulated Rollout: conditions in the controller's words, and the phase they come down to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Status = dict[str, Any]

PROGRESSING = "Progressing"
PAUSED_REASON = "RolloutPaused"
RESUMED_REASON = "RolloutResumed"
RETRY_REASON = "RolloutRetry"
ABORTED_REASON = "RolloutAborted"
UPDATED_REASON = "ReplicaSetUpdated"
AVAILABLE_REASON = "NewReplicaSetAvailable"
TIMED_OUT_REASON = "ProgressDeadlineExceeded"


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A condition by its type; {} when there is none."""
    return next((one for one in status.get("conditions") or () if one["type"] == kind), {})


def with_condition(status: Status, kind: str, truth: str, reason: str, message: str, stamp: str) -> Status:
    """The status with a condition set; its transition time moves only when its truth does."""
    before = condition(status, kind)
    if (before.get("status"), before.get("reason"), before.get("message")) == (truth, reason, message):
        return status
    since = before.get("lastTransitionTime", stamp) if before.get("status") == truth else stamp
    entry = {
        "type": kind,
        "status": truth,
        "reason": reason,
        "message": message,
        "lastUpdateTime": stamp,
        "lastTransitionTime": since,
    }
    others = [one for one in status.get("conditions") or () if one["type"] != kind]
    return {**status, "conditions": [*others, entry]}


def without_condition(status: Status, kind: str) -> Status:
    """The status without a condition."""
    kept = [one for one in status.get("conditions") or () if one["type"] != kind]
    return {**status, "conditions": kept}


def with_phase(spec: Mapping[str, Any], status: Status) -> Status:
    """The status with its phase and message, by the controller's ladder (CalculateRolloutPhase)."""
    phase, message = _phase(spec, status)
    result = {**status, "phase": phase}
    if message:
        return result | {"message": message}
    result.pop("message", None)
    return result


def _phase(spec: Mapping[str, Any], status: Status) -> tuple[str, str]:
    for one in status.get("conditions") or ():
        if one["type"] == "InvalidSpec":
            return "Degraded", f"InvalidSpec: {one['message']}"
        if one["reason"] in {ABORTED_REASON, TIMED_OUT_REASON}:
            return "Degraded", f"{one['reason']}: {one['message']}"
    if spec.get("paused"):
        return "Paused", "manually paused"
    pauses = status.get("pauseConditions") or ()
    if pauses:
        return "Paused", str(pauses[0]["reason"])
    waiting = _waiting(spec, status)
    return ("Progressing", waiting) if waiting else ("Healthy", "")


def _waiting(spec: Mapping[str, Any], status: Status) -> str:
    if spec.get("restartAt") and spec["restartAt"] != status.get("restartedAt"):
        return "rollout is restarting"
    updated = status.get("updatedReplicas", 0)
    if updated < spec.get("replicas", 1):
        return "more replicas need to be updated"
    if status.get("availableReplicas", 0) < updated:
        return "updated replicas are still becoming available"
    current, stable = status.get("currentPodHash"), status.get("stableRS")
    if "blueGreen" in spec["strategy"]:
        active = (status.get("blueGreen") or {}).get("activeSelector")
        if not active or active != current:
            return "active service cutover pending"
        return "" if stable and stable == current else "waiting for analysis to complete"
    if status.get("replicas", 0) > updated:
        return "old replicas are pending termination"
    return "" if stable and stable == current else "waiting for all steps to complete"
