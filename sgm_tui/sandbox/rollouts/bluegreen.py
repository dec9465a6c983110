"""The blue-green strategy: the new ReplicaSet starts beside the old one, then the active Service switches."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.rollouts.analysis import reconcile_runs
from sgm_tui.sandbox.rollouts.canary import scale_old, scale_or_delay
from sgm_tui.sandbox.rollouts.objects import ReplicaSet, selector_text
from sgm_tui.sandbox.rollouts.old_replica_sets import limit_history
from sgm_tui.sandbox.rollouts.pauses import BLUE_GREEN_PAUSE, INCONCLUSIVE
from sgm_tui.sandbox.rollouts.reconciliation import Round
from sgm_tui.sandbox.rollouts.restart import restart_pods
from sgm_tui.sandbox.rollouts.services import is_referenced, selected_hash, service, switch
from sgm_tui.sandbox.rollouts.status import base_status, by_hash, persist, promote, reset


def reconcile_blue_green(look: Round) -> None:
    """Reconcile a blue-green Rollout once."""
    strategy = look.rollout.blue_green or {}
    look.sync_revision()
    new = look.new
    if new is None:
        return
    if strategy.get("previewService") and not look.halted:
        switch(look, strategy["previewService"], new.hash)
    if not look.template_changed:
        restart_pods(look)
        scale_blue_green(look)
        active = service(look, strategy["activeService"])
        _reconcile_pause(look, new, active)
        _switch_active(look, new, active)
        reconcile_runs(look)
    _write(look)


def scale_blue_green(look: Round) -> None:
    """Scale the stable and the new ReplicaSet, then the older ones."""
    look.drop_deadlines()
    if look.stable is not None:
        look.scale(look.stable, look.rollout.replicas)
    if look.new is not None and (look.stable is None or look.new.uid != look.stable.uid):
        scale_or_delay(look, look.new, _new_size(look, look.new))
    _scale_down_old(look)
    limit_history(look)


def count_active(look: Round, status: dict[str, Any]) -> None:
    """Count as available what the active Service serves."""
    active = by_hash(look, status["blueGreen"].get("activeSelector", ""))
    if active is not None:
        status["HPAReplicas"] = active.actual
        status["availableReplicas"] = active.available


def _new_size(look: Round, new: ReplicaSet) -> int:
    rollout = look.rollout
    preview = (rollout.blue_green or {}).get("previewReplicaCount")
    active = by_hash(look, rollout.active_hash)
    if preview is None or active is None or active.uid == new.uid or rollout.promote_full:
        return rollout.replicas
    resumed = not rollout.paused and not rollout.pauses and rollout.preview_passed
    return rollout.replicas if new.hash == rollout.current_hash and resumed else int(preview)


def _scale_down_old(look: Round) -> None:
    strategy = look.rollout.blue_green or {}
    if look.rollout.pause(INCONCLUSIVE) is not None:
        return
    if strategy.get("postPromotionAnalysis") and "scaleDownDelaySeconds" not in strategy and not look.rollout.promoted:
        return  # without a delay the old colour stays until the analysis has had its say
    noted = 0
    for replica_set in sorted(look.other_sets, key=lambda other: -other.revision):
        if replica_set.replicas == 0 or is_referenced(look, replica_set):
            continue
        noted, keep = scale_old(look, replica_set, noted, look.rollout.replicas)
        look.scale(replica_set, keep)


def _is_fast(look: Round, new: ReplicaSet, active: KubeObject | None) -> bool:
    """Return whether the switch needs no pause: it is a rollback, is forced, is the first, or has happened."""
    selected = selected_hash(active)
    return look.is_fast_rollback or look.rollout.promote_full or not selected or selected == new.hash


def _may_pause(look: Round, new: ReplicaSet) -> bool:
    """Return whether the new ReplicaSet is up, as large as it should be for now."""
    size = _new_size(look, new)
    return new.replicas == size and new.available == size


def _reconcile_pause(look: Round, new: ReplicaSet, active: KubeObject | None) -> None:
    strategy = look.rollout.blue_green or {}
    if look.rollout.aborted or not _may_pause(look, new) or look.halted:
        return
    wait = float(strategy.get("autoPromotionSeconds", 0))
    managed = not strategy.get("autoPromotionEnabled", True) or wait > 0.0
    if _is_fast(look, new, active) or look.rollout.preview_passed or not managed:
        look.pauses.removed.add(BLUE_GREEN_PAUSE)
        return
    if not _passed_analysis(look):
        return
    pause = look.rollout.pause(BLUE_GREEN_PAUSE)
    if pause is None:
        if not look.rollout.controller_pause:
            look.pauses.added.append(BLUE_GREEN_PAUSE)
    elif look.pauses.switch_is_free():
        look.pauses.removed.add(BLUE_GREEN_PAUSE)
    elif wait > 0.0:
        look.look_again(look.pauses.remaining(pause, wait))


def _passed_analysis(look: Round) -> bool:
    if not (look.rollout.blue_green or {}).get("prePromotionAnalysis"):
        return True
    run = look.runs.pre
    return run is not None and (run.get("status") or {}).get("phase") == "Successful"


def _switch_active(look: Round, new: ReplicaSet, active: KubeObject | None) -> None:
    if active is None or look.halted or not _may_pause(look, new) or not look.is_saturated(new):
        return
    target_hash = selected_hash(active)
    if _is_fast(look, new, active) or (look.pauses.switch_is_free() and _passed_analysis(look)):
        target_hash = new.hash
    if look.rollout.aborted:
        target_hash = look.rollout.stable_hash
    switch(look, active["metadata"]["name"], target_hash)


def _write(look: Round) -> None:
    strategy = look.rollout.blue_green or {}
    status = base_status(look)
    if look.template_changed:
        reset(look, status)
    if look.rollout.promote_full or look.within_window:
        look.pauses.resume()
    for field, name in (("previewSelector", "previewService"), ("activeSelector", "activeService")):
        selected = selected_hash(service(look, strategy.get(name)))
        if selected:
            status["blueGreen"][field] = selected
    reason = _promotion_reason(look, status)
    if reason:
        promote(look, status, reason)
    elif _passes_preview(look):
        status["blueGreen"]["scaleUpPreviewCheckPoint"] = True
    active = by_hash(look, status["blueGreen"].get("activeSelector", ""))
    if active is not None:
        count_active(look, status)
        status["readyReplicas"] = active.ready
        status["selector"] = selector_text(active.obj["spec"]["selector"]["matchLabels"])
    persist(look, status)


def _promotion_reason(look: Round, status: dict[str, Any]) -> str:
    """Return why the new ReplicaSet becomes stable now; "" if it does not."""
    active = status["blueGreen"].get("activeSelector", "")
    if look.stable is None or not active:
        return "Initial deploy"
    if active != status["currentPodHash"]:
        return ""
    if look.rollout.promote_full:
        return "Full promotion requested"
    if look.is_fast_rollback:
        return "Rollback within window" if look.within_window else "Fast rollback"
    if look.pauses.aborted:
        return ""
    if (look.rollout.blue_green or {}).get("postPromotionAnalysis"):
        run = look.runs.post
        if run is None or (run.get("status") or {}).get("phase") != "Successful":
            return ""
    return "Completed blue-green update"


def _passes_preview(look: Round) -> bool:
    """Return whether the small preview has been approved, so that the new ReplicaSet may grow to full size."""
    preview = (look.rollout.blue_green or {}).get("previewReplicaCount")
    if preview is None or look.new is None:
        return False
    if look.rollout.preview_passed:
        return not look.template_changed
    return _passed_analysis(look) and look.pauses.switch_is_free() and look.new.available == preview
