"""The weights for a traffic router, as the status has them; no router runs in this fleet."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.rollouts.objects import ReplicaSet
from sgm_tui.sandbox.rollouts.reconciliation import Round
from sgm_tui.sandbox.rollouts.scale import at_wanted_counts, set_weight, wanted_weight
from sgm_tui.sandbox.rollouts.services import is_shrinking_back, point

Weights = dict[str, Any]


def route(look: Round) -> None:
    """Decide the canary's weight of this reconciliation."""
    if not look.rollout.routed:
        look.weights = None
        return
    weight = _weight(look)
    full = look.rollout.full_weight
    stable_share = (full - weight) * look.rollout.replicas // full
    if look.stable is None or look.stable.available < stable_share:
        return
    before: Weights = (look.rollout.status.get("canary") or {}).get("weights") or {}
    canary_hash = look.new.hash if look.new else ""
    if is_shrinking_back(look):
        canary_hash = before["canary"]["podTemplateHash"]
    canary = look.rollout.canary or {}
    weights: Weights = {
        "canary": _destination(canary_hash, canary.get("canaryService"), weight),
        "stable": _destination(look.stable.hash, canary.get("stableService"), full - weight),
    }
    if weights == before:
        return
    look.weights = weights
    was = before["canary"]["weight"] if before else None
    text = f"to {weight}" if was is None else "" if was == weight else f"from {was} to {weight}"
    look.event("TrafficWeightUpdated", f"Traffic weight updated {text}")


def _destination(pod_hash: str, service: str | None, weight: int) -> Weights:
    return {"podTemplateHash": pod_hash, "serviceName": service or "", "weight": weight}


def _weight(look: Round) -> int:
    rollout = look.rollout
    if is_shrinking_back(look):
        return _weight_going_back(look)
    if rollout.promoted:
        return 0
    if look.pauses.aborted:
        weight = _weight_going_back(look)
        if not rollout.dynamic_stable or weight == 0:
            point(look, (rollout.canary or {}).get("canaryService"), look.stable, only_if_available=False)
        return weight
    if look.new is None or look.new.available == 0:
        return 0
    if rollout.promote_full:
        return _weight_of_promotion(look, look.new)
    index = rollout.step_index
    if index is None:
        return 0
    if not at_wanted_counts(rollout, look.new, look.stable, look.other_sets, None):
        earlier = [step["setWeight"] for step in rollout.steps[:index] if step.get("setWeight") is not None]
        return int(earlier[-1]) if earlier else 0
    return set_weight(rollout) if index < len(rollout.steps) else rollout.full_weight


def _weight_of_promotion(look: Round, new: ReplicaSet) -> int:
    if look.rollout.dynamic_stable:
        return look.rollout.full_weight * new.available // look.rollout.replicas
    before = (look.rollout.status.get("canary") or {}).get("weights")
    return int(before["canary"]["weight"]) if before else 0


def _weight_going_back(look: Round) -> int:
    """Return the weight after an abort: traffic returns only as fast as the stable ReplicaSet grows."""
    rollout, stable = look.rollout, look.stable
    if not rollout.dynamic_stable or stable is None or look.new is None or rollout.replicas == 0:
        return 0
    full = rollout.full_weight
    desired = wanted_weight(rollout, look.new, stable)
    available_weight = full * stable.available // rollout.replicas
    missing = max(0, full - available_weight)
    before = (rollout.status.get("canary") or {}).get("weights")
    if before is None:
        return max(missing, desired)
    now = int(before["canary"]["weight"])
    if desired <= 0:
        return min(missing, now)
    return now if available_weight < full - desired else min(desired, now)
