"""The blue-green strategy: a preview beside the active colour, a pause, analysis before and after, the cut-over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sgm_tui.sandbox.analysis import DONE
from sgm_tui.sandbox.objects import KubeObject
from sgm_tui.sandbox.replica_sets import HASH, asked, hash_of, scaled, there
from sgm_tui.sandbox.rollout_canary import point
from sgm_tui.sandbox.rollout_pass import Pass
from sgm_tui.sandbox.rollout_status import Status

PAUSE = "BlueGreenPause"
_DEFAULT_DELAY = 30.0


def reconcile(look: Pass) -> None:
    """One look at a blue-green Rollout."""
    _preview(look)
    if look.changed:
        look.finish(_reset(look))
        return
    if not look.spec.get("paused"):
        _scale(look)
        _pause(look)
        _cut_over(look)
    look.finish(_advance(look))


def _strategy(look: Pass) -> Mapping[str, Any]:
    strategy: Mapping[str, Any] = look.spec["strategy"]["blueGreen"]
    return strategy


def _colours(look: Pass) -> dict[str, Any]:
    return dict(look.before.get("blueGreen") or {})


def _active(look: Pass) -> str:
    return str(_colours(look).get("activeSelector", ""))


def _preview(look: Pass) -> None:
    preview = _strategy(look).get("previewService")
    if preview:
        point(look, preview, look.hash)


def _reset(look: Pass) -> Status:
    status = look.base_status()
    for key in ("abort", "abortedAt", "promoteFull"):
        status.pop(key, None)
    colours = _colours(look) | {"previewSelector": look.hash}
    for key in ("prePromotionAnalysisRunStatus", "postPromotionAnalysisRunStatus", "scaleUpPreviewCheckPoint"):
        colours.pop(key, None)
    status |= {"_cleared": True, "blueGreen": colours}
    look.memory.pauses.pop(PAUSE, None)
    _end_runs(look)
    look.rollout = {**look.rollout, "status": {**look.before, "abort": False}}
    return status


def _fast_tracked(look: Pass) -> bool:
    """Back to a colour that is still up, inside its scale-down delay: nobody has to wait for anything (§J)."""
    return look.hash in look.memory.scale_down_at and _saturated(look)


def _saturated(look: Pass) -> bool:
    return asked(look.new) == look.replicas and there(look.new, "availableReplicas") == look.replicas


def _wanted(look: Pass) -> int:
    """Pods of the new colour: only as many as the preview needs, until it is let in."""
    preview = _strategy(look).get("previewReplicaCount")
    first = not look.before.get("stableRS") or not _active(look)
    if preview is None or first or _active(look) == look.hash or _colours(look).get("scaleUpPreviewCheckPoint"):
        return look.replicas
    return max(int(preview), asked(look.new) if look.hash in look.memory.scale_down_at else 0)


def _scale(look: Pass) -> None:
    wanted = _wanted(look)
    if asked(look.new) != wanted and not look.aborted:
        look.event("ScalingReplicaSet", f"Scaled ReplicaSet {look.new['metadata']['name']} to {wanted}")
        look.new = scaled(look.store, look.new, wanted)
    active = _active(look)
    for one in look.all_sets:
        pod_hash = hash_of(one)
        if pod_hash in {look.hash, active} or pod_hash == look.before.get("stableRS"):
            if pod_hash == active and asked(one) != look.replicas:
                scaled(look.store, one, look.replicas)
            continue
        due = look.memory.scale_down_at.get(pod_hash, 0.0)
        if asked(one) and look.clock.now >= due:
            scaled(look.store, one, 0)
            look.memory.scale_down_at.pop(pod_hash, None)
        elif asked(one):
            look.wake_in.append(due - look.clock.now)


def _ready_for_pause(look: Pass) -> bool:
    wanted = _wanted(look)
    return asked(look.new) == wanted and there(look.new, "availableReplicas") == wanted


def _needs_pause(look: Pass) -> bool:
    strategy = _strategy(look)
    return strategy.get("autoPromotionEnabled") is False or bool(strategy.get("autoPromotionSeconds"))


def _pause(look: Pass) -> None:
    active = _active(look)
    if look.aborted or not active or active == look.hash or not _ready_for_pause(look) or _fast_tracked(look):
        return
    if look.before.get("promoteFull") or not _needs_pause(look):
        return
    before = _strategy(look).get("prePromotionAnalysis")
    if before and not _passed(look, before, "PrePromotion", "-pre"):
        return
    if look.has_pause(PAUSE):
        length = _strategy(look).get("autoPromotionSeconds")
        if length:
            look.wake_in.append(max(0.05, float(length) - look.paused_for(PAUSE)))
    elif not look.resumed() and not _colours(look).get("scaleUpPreviewCheckPoint"):
        look.added_pause = PAUSE
        look.event("RolloutPaused", "Rollout is paused (BlueGreenPause)")
        if _strategy(look).get("autoPromotionSeconds"):
            look.wake_in.append(float(_strategy(look)["autoPromotionSeconds"]))


def _let_in(look: Pass) -> bool:
    """Whether the pause is over: not needed, waited out, or ended by a person."""
    if look.added_pause:
        return False
    if not _needs_pause(look) or look.before.get("promoteFull") or _colours(look).get("scaleUpPreviewCheckPoint"):
        return True
    if look.resumed():
        return True
    length = _strategy(look).get("autoPromotionSeconds")
    return bool(length) and look.has_pause(PAUSE) and look.paused_for(PAUSE) >= float(length)


def _cut_over(look: Pass) -> None:
    """Point the active Service at the new colour once everything says so."""
    active = _active(look)
    if look.aborted or active == look.hash or not active:
        return
    if not _fast_tracked(look):
        before = _strategy(look).get("prePromotionAnalysis")
        if before and _ready_for_pause(look) and not _passed(look, before, "PrePromotion", "-pre"):
            return
        if not _ready_for_pause(look) or not _let_in(look):
            return
        if not _saturated(look):
            look.rollout = _with_colours(look, scaleUpPreviewCheckPoint=True)
            look.wake_in.append(0.02)
            return
    _activate(look)


def _activate(look: Pass) -> None:
    strategy = _strategy(look)
    point(look, strategy["activeService"], look.hash)
    look.event("SwitchService", f"Switched selector for service '{strategy['activeService']}' to '{look.hash}'")
    delay = float(strategy.get("scaleDownDelaySeconds", _DEFAULT_DELAY))
    old = _active(look)
    if old and old != look.hash:
        look.memory.scale_down_at[old] = look.clock.now + delay
        look.wake_in.append(delay)
    look.memory.scale_down_at.pop(look.hash, None)
    look.rollout = _with_colours(look, activeSelector=look.hash)


def _with_colours(look: Pass, **changes: Any) -> KubeObject:
    colours = _colours(look) | changes
    return {**look.rollout, "status": {**look.before, "blueGreen": colours}}


def _advance(look: Pass) -> Status:
    status = look.base_status()
    colours = _colours(look)
    status["HPAReplicas"] = there(next((one for one in look.all_sets if hash_of(one) == _active(look)), look.new))
    if not look.before.get("stableRS"):
        if there(look.new, "availableReplicas") >= look.replicas or not _active(look):
            status = _first(look, status, colours)
        return status
    if look.aborted and not look.before.get("promoteFull"):
        _end_runs(look)
        _forget_preview_later(look)
        return status
    if colours.get("scaleUpPreviewCheckPoint") and _needs_pause(look):
        status["_cleared"] = True
    if _active(look) == look.hash and look.before["stableRS"] != look.hash:
        after = _strategy(look).get("postPromotionAnalysis")
        if after and not look.before.get("promoteFull") and not _passed(look, after, "PostPromotion", "-post"):
            return status | {"_cleared": True}
        return _promoted(look, status, colours)
    return status


def _first(look: Pass, status: Status, colours: dict[str, Any]) -> Status:
    """The first deployment is active and stable at once."""
    point(look, _strategy(look)["activeService"], look.hash)
    colours |= {"activeSelector": look.hash, "previewSelector": look.hash}
    status["blueGreen"] = colours
    if there(look.new, "availableReplicas") >= look.replicas:
        status["stableRS"] = look.hash
    return status


def _promoted(look: Pass, status: Status, colours: dict[str, Any]) -> Status:
    for key in ("promoteFull", "abort", "abortedAt"):
        status.pop(key, None)
    colours.pop("scaleUpPreviewCheckPoint", None)
    look.memory.pauses.pop(PAUSE, None)
    look.event("RolloutCompleted", "Rollout completed update: Completed blue-green update")
    _end_runs(look)
    return status | {"stableRS": look.hash, "blueGreen": colours, "_cleared": True}


def _forget_preview_later(look: Pass) -> None:
    """An aborted preview stays up for a while, so that people can look at it."""
    delay = float(_strategy(look).get("abortScaleDownDelaySeconds", _DEFAULT_DELAY))
    due = look.memory.scale_down_at.setdefault(look.hash, look.clock.now + delay)
    if look.clock.now >= due and asked(look.new):
        look.new = scaled(look.store, look.new, 0)
    elif asked(look.new):
        look.wake_in.append(due - look.clock.now)


def _passed(look: Pass, analysis: Mapping[str, Any], kind: str, suffix: str) -> bool:
    """Whether an analysis before or after the cut-over succeeded; starts it, and aborts when it failed."""
    run = _run(look, kind) or look.analysis.create(look.rollout, look.new, analysis, kind, suffix)
    phase = run["status"].get("phase")
    if phase in {"Failed", "Error"}:
        when = "pre" if kind == "PrePromotion" else "post"
        message = run["status"].get("message", "")
        look.abort_message = f"Blue/green {when}-promotion analysis phase error/failed: {message}"
        if kind == "PostPromotion" and look.before.get("stableRS"):
            point(look, _strategy(look)["activeService"], str(look.before["stableRS"]))
            look.rollout = _with_colours(look, activeSelector=look.before["stableRS"])
    return bool(phase == "Successful")


def _run(look: Pass, kind: str) -> KubeObject | None:
    for one in reversed(look.store.owned("AnalysisRun", look.rollout["metadata"]["uid"])):
        labels = one["metadata"].get("labels") or {}
        if labels.get("rollout-type") == kind and labels.get(HASH) == look.hash:
            return None if one["metadata"]["uid"] in look.memory.past_runs else one
    return None


def _end_runs(look: Pass) -> None:
    for one in look.store.owned("AnalysisRun", look.rollout["metadata"]["uid"]):
        look.memory.past_runs.add(one["metadata"]["uid"])
        if one["status"].get("phase") not in DONE:
            look.analysis.terminate(one)
