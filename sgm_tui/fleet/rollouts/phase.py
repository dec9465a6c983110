"""Phase and health of a Rollout, by the rules of `kubectl argo rollouts` and of Argo CD's health check (§B4, §A4)."""

from __future__ import annotations

from sgm_tui.fleet.rollouts.objects import RolloutObject


def phase_of(rollout: RolloutObject) -> tuple[str, str]:
    """Return phase and message as the kubectl plugin shows them (GetRolloutPhase): the first rule that applies."""
    if not is_observed(rollout.observed_generation, rollout.generation):
        return "Progressing", "waiting for rollout spec update to be observed"
    if rollout.controller_pause and not rollout.pause_reasons:
        return "Progressing", "waiting for rollout to unpause"
    if rollout.phase:
        return rollout.phase, rollout.message
    return _computed_phase(rollout)


def is_observed(observed: str, generation: int) -> bool:
    """Return whether the controller has observed the newest spec.

    A generation that is no number, or ahead of the object's, was written by an older controller and counts as observed.
    """
    if not observed.isdecimal() or int(observed) > generation:
        return True
    return int(observed) == generation


def _is_workload_observed(rollout: RolloutObject) -> bool:
    """Return whether the workload of a workloadRef is observed: equal numbers, or neither is a number.

    Argo CD checks this, the kubectl plugin does not.
    """
    generation, observed = rollout.workload_generation, rollout.workload_observed_generation
    return (int(generation) if generation.isdecimal() else None) == (int(observed) if observed.isdecimal() else None)


def _computed_phase(rollout: RolloutObject) -> tuple[str, str]:
    """Mirror CalculateRolloutPhase, for controllers that write no phase and before the first reconcile."""
    for condition in rollout.conditions:
        if condition.type == "InvalidSpec":
            return "Degraded", f"InvalidSpec: {condition.message}"
        if condition.reason in {"RolloutAborted", "ProgressDeadlineExceeded"}:
            return "Degraded", f"{condition.reason}: {condition.message}"
    if rollout.paused:
        return "Paused", "manually paused"
    if rollout.pause_reasons:
        return "Paused", rollout.pause_reasons[0]
    waiting = _waiting_for(rollout)
    return ("Progressing", waiting) if waiting else ("Healthy", "")


def _waiting_for(rollout: RolloutObject) -> str:
    if rollout.restart_at and rollout.restart_at != rollout.restarted_at:
        return "rollout is restarting"
    if rollout.updated < rollout.replicas:
        return "more replicas need to be updated"
    if rollout.available < rollout.updated:
        return "updated replicas are still becoming available"
    promoted = bool(rollout.stable_hash) and rollout.stable_hash == rollout.current_hash
    if rollout.strategy == "BlueGreen":
        if not rollout.active_hash or rollout.active_hash != rollout.current_hash:
            return "active service cutover pending"
        if promoted:
            return ""
        what = "analysis" if rollout.post_promotion_analysis else "post-promotion verification"
        return f"waiting for {what} to complete"
    if rollout.strategy == "Canary" and not rollout.traffic_routed and rollout.current > rollout.updated:
        return "old replicas are pending termination"
    return "" if promoted or rollout.strategy != "Canary" else "waiting for all steps to complete"


def health_of(rollout: RolloutObject) -> tuple[str, str]:
    """Return health and message by Argo CD's health check (resource_customizations, argoproj.io/Rollout)."""
    if not rollout.has_status or not is_observed(rollout.observed_generation, rollout.generation):
        return "Progressing", "Waiting for rollout spec update to be observed"
    if rollout.workload_ref and rollout.annotated and not _is_workload_observed(rollout):
        return "Progressing", "Waiting for rollout spec update to be observed"
    if rollout.phase:
        return ("Suspended" if rollout.phase == "Paused" else rollout.phase), rollout.message
    return _legacy_health(rollout)


def _legacy_health(rollout: RolloutObject) -> tuple[str, str]:
    for condition in rollout.conditions:
        if condition.type == "InvalidSpec":
            return "Degraded", condition.message
        if condition.type == "Progressing" and condition.reason in {"RolloutAborted", "ProgressDeadlineExceeded"}:
            return "Degraded", condition.message
    if rollout.pause_reasons or rollout.paused:
        return "Suspended", "Rollout is paused"
    if not rollout.current_hash:
        return "Progressing", "Waiting for rollout to finish: status has not been reconciled."
    waiting = _legacy_waiting(rollout)
    return ("Progressing", waiting) if waiting else ("Healthy", "")


def _legacy_waiting(rollout: RolloutObject) -> str:
    """Return what the rollout waits for by Argo CD; "" when nothing.

    Order and words differ from the plugin's: a restart does not count, old replicas count with traffic routing too.
    """
    if rollout.updated < rollout.replicas:
        return "Waiting for roll out to finish: More replicas need to be updated"
    if rollout.available < rollout.updated:
        return "Waiting for roll out to finish: updated replicas are still becoming available"
    promoted = rollout.stable_hash == rollout.current_hash
    if rollout.strategy == "BlueGreen":
        if rollout.active_hash != rollout.current_hash:
            return "active service cutover pending"
        return "waiting for analysis to complete" if rollout.stable_hash and not promoted else ""
    if rollout.strategy == "Canary" and rollout.current > rollout.updated:
        return "Waiting for roll out to finish: old replicas are pending termination"
    return "" if promoted or rollout.strategy != "Canary" else "Waiting for rollout to finish steps"
