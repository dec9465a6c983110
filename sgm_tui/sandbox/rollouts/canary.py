"""The canary strategy: a reconciliation advances at most one step, and scales the ReplicaSets for the current step."""

from __future__ import annotations

from typing import Any

from sgm_tui.durations import pause_seconds
from sgm_tui.sandbox.rollouts.analysis import reconcile_runs
from sgm_tui.sandbox.rollouts.objects import ReplicaSet, step_text, total_available
from sgm_tui.sandbox.rollouts.old_replica_sets import limit_history
from sgm_tui.sandbox.rollouts.pauses import CANARY_PAUSE
from sgm_tui.sandbox.rollouts.reconciliation import Round
from sgm_tui.sandbox.rollouts.restart import restart_pods
from sgm_tui.sandbox.rollouts.scale import at_wanted_counts, counts
from sgm_tui.sandbox.rollouts.services import is_referenced, point_canary_services
from sgm_tui.sandbox.rollouts.status import base_status, persist, promote, reset
from sgm_tui.sandbox.rollouts.traffic import route


def reconcile_canary(look: Round) -> None:
    """Reconcile a canary Rollout once."""
    look.sync_revision()
    if look.update_changed:
        _write(look)
        return
    if restart_pods(look) > 0:
        return  # how many pods are available is known only when the evicted ones are gone
    limit_history(look)
    point_canary_services(look)
    route(look)
    reconcile_runs(look)
    if not look.pauses.added and not scale_canary(look):
        _pause_at_step(look)
    _write(look)


def scale_canary(look: Round) -> bool:
    """Scale one ReplicaSet: the stable first, then the new, then older ones; return whether one was scaled."""
    if look.halted:
        return False
    look.drop_deadlines()
    if _two(look) and look.stable is not None:
        # The stable ReplicaSet follows the weights of the round before: traffic moves first, then pods.
        before = (look.rollout.status.get("canary") or {}).get("weights")
        _, stable_count = counts(look.rollout, look.new, look.stable, look.other_sets, before)
        if look.scale(look.stable, stable_count):
            return True
    return scale_new(look) or _scale_down_others(look)


def scale_new(look: Round) -> bool:
    """Scale the new ReplicaSet of a canary."""
    if look.new is None:
        return False
    new_count, _ = counts(look.rollout, look.new, look.stable, look.other_sets, look.weights)
    return scale_or_delay(look, look.new, new_count)


def scale_or_delay(look: Round, new: ReplicaSet, count: int) -> bool:
    """Scale the new ReplicaSet, unless it is to stay up for a while after an abort."""
    if look.delays_abort:
        delay = look.rollout.abort_scale_down_delay() or 0.0
        if new.deadline:
            seconds_left = look.remaining(new)
            if seconds_left > 0.0:
                look.look_again(seconds_left)
                look.scale(new, new.replicas)
                return False
            count = 0
        else:
            look.scale(new, new.replicas)
            if look.stable is not None and look.stable.available >= look.rollout.replicas:
                look.set_deadline(new, delay)
            return False
    return look.scale(new, count)


def scale_old(look: Round, old: ReplicaSet, noted: int, keep: int) -> tuple[int, int]:
    """Return how many ReplicaSets have a deadline so far, and the size of an old one until its own passes."""
    limit = _delayed_at_most(look)
    if not old.deadline:
        delay = look.rollout.scale_down_delay()
        if old.replicas > 0 and noted < limit and delay > 0.0:
            look.set_deadline(old, delay)
            look.look_again(delay)
            return noted + 1, old.replicas
        return noted, 0
    seconds_left = look.remaining(old)
    if noted < limit and seconds_left > 0.0:
        look.look_again(seconds_left)
        return noted + 1, keep
    return noted + 1, 0


def _delayed_at_most(look: Round) -> float:
    strategy = look.rollout.blue_green if look.rollout.blue_green is not None else look.rollout.canary
    limit = (strategy or {}).get("scaleDownDelayRevisionLimit")
    return float("inf") if limit is None else float(limit)


def _two(look: Round) -> bool:
    return look.stable is not None and (look.new is None or look.new.name != look.stable.name)


def _scale_down_others(look: Round) -> bool:
    running = [replica_set for replica_set in look.other_sets if replica_set.replicas > 0]
    scaled = False
    for number, replica_set in enumerate(running):
        if replica_set.replicas > replica_set.available:
            # Pods that are not available hold the update up and serve nobody.
            scaled = look.scale(replica_set, replica_set.available) or scaled
            running[number] = look.as_written(replica_set)
    _, missing = look.rollout.fences
    spare = total_available(look.all) - (look.rollout.replicas - missing)
    if spare <= 0:
        return False
    noted = 0
    for replica_set in sorted(running, key=lambda other: -other.revision):
        if spare <= 0 or replica_set.replicas == 0 or (look.rollout.routed and is_referenced(look, replica_set)):
            continue
        noted, keep = _target_of_other(look, replica_set, noted, spare)
        if replica_set.replicas != keep:
            scaled = look.scale(replica_set, keep) or scaled
            spare -= replica_set.replicas - keep
    return scaled


def _target_of_other(look: Round, replica_set: ReplicaSet, noted: int, spare: int) -> tuple[int, int]:
    """Return how many ReplicaSets have a deadline so far, and how many pods of this old one stay."""
    if not look.rollout.routed:
        return noted, max(0, replica_set.replicas - spare)  # pods that are there get traffic
    waits = look.rollout.promoted or bool(replica_set.deadline)
    return (
        scale_old(look, replica_set, noted, replica_set.replicas)
        if waits and not look.rollout.dynamic_stable
        else (noted, 0)
    )


def _pause_at_step(look: Round) -> None:
    rollout = look.rollout
    step = rollout.step
    if rollout.paused or rollout.promote_full or step is None or step.get("pause") is None:
        return
    pause = rollout.pause(CANARY_PAUSE)
    if pause is None:
        if not rollout.controller_pause:
            look.pauses.added.append(CANARY_PAUSE)
        return
    duration = step["pause"].get("duration")
    seconds_left = look.pauses.remaining(pause, pause_seconds(str(duration))) if duration is not None else 0.0
    if seconds_left > 0.0:
        look.look_again(seconds_left)


def _write(look: Round) -> None:
    status = base_status(look)
    steps = len(look.rollout.steps)
    if look.update_changed:
        reset(look, status)
        if look.new is not None and steps:
            if look.rollout.stable_hash == look.new.hash:
                look.event("SkipSteps", "Rollback to stable ReplicaSets")
                status["currentStepIndex"] = steps
            elif look.within_window and look.new.replicas > 0:
                look.event("SkipSteps", "Rollback to active ReplicaSets within RollbackWindow")
                status["currentStepIndex"] = steps
        persist(look, status)
        return
    index = look.rollout.step_index
    if look.rollout.promote_full or look.within_window:
        look.pauses.resume()
        index = steps or None
    reason = _promotion_reason(look)
    if reason:
        promote(look, status, reason)
    elif look.pauses.aborted:
        status["currentStepIndex"] = (steps if status["stableRS"] == status["currentPodHash"] else 0) if steps else None
    else:
        status["currentStepIndex"] = _walked_on(look, status, index)
    persist(look, status)


def _walked_on(look: Round, status: dict[str, Any], index: int | None) -> int | None:
    """Return the index after this reconciliation: one more if the current step is complete."""
    step = look.rollout.step
    if step is None or index is None or look.rollout.paused or not _is_complete(look, step):
        return index
    index = min(index + 1, len(look.rollout.steps))
    status["canary"].pop("currentStepAnalysisRunStatus", None)
    look.event("RolloutStepCompleted", f"Rollout step {index}/{len(look.rollout.steps)} completed ({step_text(step)})")
    look.pauses.removed.add(CANARY_PAUSE)
    return index


def _is_complete(look: Round, step: dict[str, Any]) -> bool:
    if step.get("pause") is not None:
        return look.pauses.step_is_over(step["pause"])
    if step.get("setCanaryScale") is not None or step.get("setWeight") is not None:
        return at_wanted_counts(look.rollout, look.new, look.stable, look.other_sets, look.weights)
    if step.get("analysis") is not None:
        run = look.runs.step
        return run is not None and (run.get("status") or {}).get("phase") == "Successful"
    # Experiments and step plugins are no part of this fleet: they would wait for ever for somebody to run them.
    return True


def _promotion_reason(look: Round) -> str:
    """Return why the new ReplicaSet becomes stable now; "" if it does not."""
    if look.stable is None:
        return "Initial deploy"
    if look.pauses.aborted or look.new is None or look.new.available < look.rollout.replicas:
        return ""
    if look.rollout.promote_full:
        return "Full promotion requested"
    if look.is_fast_rollback:
        return "Rollback within window" if look.within_window else "Fast rollback"
    steps = len(look.rollout.steps)
    return f"Completed all {steps} canary steps" if look.rollout.step_index in {None, steps} else ""
