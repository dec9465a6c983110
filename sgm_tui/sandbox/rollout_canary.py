"""The canary strategy: steps one after the other, weights by pods, analysis on the way, abort and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sgm_tui.sandbox.analysis import DONE
from sgm_tui.sandbox.objects import KubeObject
from sgm_tui.sandbox.rollout_counts import FULL_WEIGHT, max_surge, next_counts, weighted
from sgm_tui.sandbox.rollout_objects import HASH, asked, hash_of, scaled, there
from sgm_tui.sandbox.rollout_pass import Pass, pause_seconds
from sgm_tui.sandbox.rollout_status import Status

STEP_PAUSE = "CanaryPauseStep"
INCONCLUSIVE = "InconclusiveAnalysisRun"


def reconcile(look: Pass) -> None:
    """One look at a canary."""
    if look.changed:
        look.finish(_reset(look))
        return
    _select(look)
    if not look.spec.get("paused") and not look.aborted:
        _analyse(look)
    settled = _scale(look) if not look.spec.get("paused") else False
    if settled and not look.added_pause:
        _pause(look)
    look.finish(_advance(look))


def _reset(look: Pass) -> Status:
    """A new template or new steps: from the beginning, unless it is the stable template again."""
    status = look.base_status()
    for key in ("abort", "abortedAt", "promoteFull", "canary"):
        status.pop(key, None)
    status["_cleared"] = True
    _end_runs(look)
    if look.steps:
        status["currentStepIndex"] = 0
        if look.before.get("stableRS") == look.hash:
            look.event("SkipSteps", "Rollback to stable ReplicaSets")
            status["currentStepIndex"] = len(look.steps)
    look.rollout = {**look.rollout, "status": {**look.before, "abort": False}}
    return status


def _index(look: Pass) -> int:
    return int(look.before.get("currentStepIndex") or 0)


def _step(look: Pass) -> Mapping[str, Any] | None:
    index = _index(look)
    return look.steps[index] if index < len(look.steps) else None


def _weight(look: Pass) -> int:
    """The weight to aim at."""
    if look.before.get("promoteFull") or not look.before.get("stableRS") or look.before["stableRS"] == look.hash:
        return FULL_WEIGHT
    if look.aborted:
        return 0
    if _step(look) is None:
        return FULL_WEIGHT
    weights = [one["setWeight"] for one in look.steps[: _index(look) + 1] if "setWeight" in one]
    return int(weights[-1]) if weights else 0


def _scale(look: Pass) -> bool:
    """Move ReplicaSets towards the weight; True when nothing had to be moved."""
    canary = look.spec["strategy"]["canary"]
    stable = look.stable if look.stable is not None and hash_of(look.stable) != look.hash else None
    wanted = weighted(look.replicas, _weight(look), max_surge(canary, look.replicas))
    new_count, stable_count = next_counts(
        canary,
        look.replicas,
        wanted,
        (asked(look.new), there(look.new, "availableReplicas")),
        (asked(stable), there(stable, "availableReplicas")) if stable else None,
        [(asked(one), there(one, "availableReplicas")) for one in look.others],
    )
    moved = False
    if stable is not None and stable_count != asked(stable):
        look.stable = scaled(look.store, stable, stable_count)
        moved = True
    if new_count != asked(look.new):
        look.event("ScalingReplicaSet", f"Scaled ReplicaSet {look.new['metadata']['name']} to {new_count}")
        look.new = scaled(look.store, look.new, new_count)
        moved = True
    return not (moved or _scale_others(look))


def _scale_others(look: Pass) -> bool:
    available = sum(there(one, "availableReplicas") for one in look.all_sets)
    spare = available - look.replicas
    moved = False
    for position, one in enumerate(look.others):
        idle = asked(one) - there(one, "availableReplicas")
        lowered = max(0, asked(one) - max(0, idle) - max(0, spare))
        if lowered != asked(one):
            spare -= there(one, "availableReplicas") - lowered
            look.others[position] = scaled(look.store, one, lowered)
            moved = True
    return moved


def _at_weight(look: Pass) -> bool:
    """Every pod the weight asks for is there and available, and none too many."""
    canary = look.spec["strategy"]["canary"]
    want_new, want_stable = weighted(look.replicas, _weight(look), max_surge(canary, look.replicas))
    stable = look.stable if look.stable is not None and hash_of(look.stable) != look.hash else None
    if asked(look.new) != want_new or there(look.new, "availableReplicas") != want_new:
        return False
    if stable is not None and (asked(stable) != want_stable or there(stable, "availableReplicas") != want_stable):
        return False
    return all(asked(one) == 0 for one in look.others)


def _pause(look: Pass) -> None:
    step = _step(look)
    if step is None or "pause" not in step or look.aborted or look.before.get("promoteFull"):
        return
    if not look.has_pause(STEP_PAUSE):
        if not look.resumed():
            look.added_pause = STEP_PAUSE
            look.event("RolloutPaused", "Rollout is paused (CanaryPauseStep)")
            length = pause_seconds(step)
            if length is not None:
                look.wake_in.append(length)
        return
    length = pause_seconds(step)
    if length is not None:
        look.wake_in.append(max(0.05, length - look.paused_for(STEP_PAUSE)))


def _completed(look: Pass) -> bool:
    """Whether the step under way is done."""
    step = _step(look)
    if step is None or look.spec.get("paused") or look.added_pause:
        return False
    if "pause" in step:
        if look.resumed():
            return True
        length = pause_seconds(step)
        return length is not None and look.has_pause(STEP_PAUSE) and look.paused_for(STEP_PAUSE) >= length
    if "setWeight" in step:
        return _at_weight(look)
    if "analysis" in step:
        run = _run(look, "Step", _index(look))
        return run is not None and run["status"].get("phase") == "Successful"
    return True


def _advance(look: Pass) -> Status:
    """The next status: promoted, aborted, one step on, or as it is."""
    status = look.base_status()
    count = len(look.steps)
    if look.before.get("promoteFull"):
        status["_cleared"] = True
        status.pop("abort", None)
        if count:
            status["currentStepIndex"] = count
    if _promotable(look):
        return _promoted(look, status)
    if look.aborted and not look.before.get("promoteFull"):
        if count:
            status["currentStepIndex"] = count if look.before.get("stableRS") == look.hash else 0
        status.pop("canary", None)
        _end_runs(look)
        return status
    if _completed(look):
        index = min(_index(look) + 1, count)
        look.event("RolloutStepCompleted", f"Rollout step {index}/{count} completed")
        status |= {"currentStepIndex": index, "_cleared": True}
        status.pop("canary", None)
        look.memory.pauses.pop(STEP_PAUSE, None)
        look.wake_in.append(0.02)
    elif look.resumed():
        status["_still_resuming"] = True
    return status


def _promotable(look: Pass) -> bool:
    if look.stable is None or not look.before.get("stableRS"):
        return True
    if look.aborted and not look.before.get("promoteFull"):
        return False
    if look.before["stableRS"] == look.hash or there(look.new, "availableReplicas") != look.replicas:
        return False
    if look.before.get("promoteFull"):
        return True
    return _index(look) >= len(look.steps) and asked(look.new) == look.replicas and not _others_left(look)


def _others_left(look: Pass) -> bool:
    return look.stable is not None and hash_of(look.stable) != look.hash and asked(look.stable) > 0


def _promoted(look: Pass, status: Status) -> Status:
    for key in ("promoteFull", "abort", "abortedAt", "canary"):
        status.pop(key, None)
    status |= {"stableRS": look.hash, "_cleared": True}
    if look.steps:
        status["currentStepIndex"] = len(look.steps)
    if look.before.get("stableRS"):
        look.event("RolloutCompleted", "Rollout completed update: Completed all canary steps")
    _end_runs(look)
    look.wake_in.append(0.02)
    return status


def _analyse(look: Pass) -> None:
    """Start the analysis of the step under way and the one in the background; heed what they say."""
    rolling = bool(look.before.get("stableRS")) and look.before["stableRS"] != look.hash
    if not rolling or look.before.get("promoteFull"):
        return
    step = _step(look)
    background = look.spec["strategy"]["canary"].get("analysis")
    if background and _index(look) >= int(background.get("startingStep", 0)) and step is not None:
        run = _run(look, "Background", None) or look.analysis.create(
            look.rollout, look.new, background, "Background", ""
        )
        _heed(look, run, "Background analysis phase error/failed")
    if step is not None and "analysis" in step and not look.has_pause(INCONCLUSIVE):
        index = _index(look)
        run = _run(look, "Step", index) or look.analysis.create(
            look.rollout, look.new, step["analysis"], "Step", f"-{index}"
        )
        _heed(look, run, "Step-based analysis phase error/failed")


def _heed(look: Pass, run: KubeObject, words: str) -> None:
    phase = run["status"].get("phase")
    if phase in {"Failed", "Error"}:
        look.abort_message = f"{words}: {run['status'].get('message', '')}"
        look.event(f"AnalysisRun{phase}", f"Analysis Run {run['metadata']['name']} {phase}", "Warning")
    elif phase == "Inconclusive" and not look.has_pause(INCONCLUSIVE) and not look.resumed():
        look.added_pause = INCONCLUSIVE


def _runs(look: Pass) -> list[KubeObject]:
    """Runs of this update, the newest last; those of before a retry are of the past."""
    runs = look.store.owned("AnalysisRun", look.rollout["metadata"]["uid"])
    return [one for one in runs if (one["metadata"].get("labels") or {}).get(HASH) == look.hash]


def _run(look: Pass, kind: str, index: int | None) -> KubeObject | None:
    """The run of the step under way or in the background; one that ended before a retry does not count."""
    for one in reversed(_runs(look)):
        labels = one["metadata"]["labels"]
        if labels.get("rollout-type") != kind or (index is not None and labels.get("step-index") != str(index)):
            continue
        over = one["metadata"]["uid"] in look.memory.past_runs
        return None if over else one
    return None


def _end_runs(look: Pass) -> None:
    """The update is over or starts anew: what still runs ends, and nothing of it counts again."""
    for one in look.store.owned("AnalysisRun", look.rollout["metadata"]["uid"]):
        look.memory.past_runs.add(one["metadata"]["uid"])
        if one["status"].get("phase") not in DONE:
            look.analysis.terminate(one)


def _select(look: Pass) -> None:
    """Point the stable and the canary Service at their pods."""
    canary = look.spec["strategy"]["canary"]
    stable_hash = str(look.before.get("stableRS") or look.hash)
    for name, pod_hash in ((canary.get("stableService"), stable_hash), (canary.get("canaryService"), look.hash)):
        if name:
            point(look, name, pod_hash)


def point(look: Pass, service: str, pod_hash: str) -> bool:
    """Let a Service select a ReplicaSet's pods; True when it had to be changed."""
    found = look.store.get("Service", look.rollout["metadata"]["namespace"], service)
    if found is None or (found["spec"].get("selector") or {}).get(HASH) == pod_hash:
        return False
    selector = {**(found["spec"].get("selector") or {}), HASH: pod_hash}
    look.store.write("Service", {**found, "spec": {**found["spec"], "selector": selector}})
    return True
