"""The Services of a Rollout: without a router, the ReplicaSet they select decides where traffic goes."""

from __future__ import annotations

from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.rollouts.objects import HASH_LABEL, MANAGED_BY, ReplicaSet
from sgm_tui.sandbox.rollouts.reconciliation import Round


def service(look: Round, name: str | None) -> KubeObject | None:
    """Return the Service of that name in the Rollout's namespace, if any."""
    return look.shop.store.get("Service", look.rollout.namespace, name) if name else None


def selected_hash(service: KubeObject | None) -> str:
    """Return the pod template hash a Service selects; "" if none."""
    return str((service["spec"].get("selector") or {}).get(HASH_LABEL, "")) if service else ""


def switch(look: Round, name: str, pod_hash: str) -> None:
    """Make a Service select the pods of one ReplicaSet."""
    current = service(look, name)
    if current is None:
        return
    selected = selected_hash(current)
    metadata = current["metadata"]
    notes = metadata.get("annotations") or {}
    if selected == pod_hash and MANAGED_BY in notes:
        return
    managed = {**metadata, "annotations": {MANAGED_BY: look.rollout.name, **notes}}
    selector = {**(current["spec"].get("selector") or {}), HASH_LABEL: pod_hash}
    look.shop.store.write(
        "Service", {**current, "metadata": managed, "spec": {**current["spec"], "selector": selector}}
    )
    look.event("SwitchService", f"Switched selector for service '{name}' from '{selected}' to '{pod_hash}'")


def point(look: Round, name: str | None, target: ReplicaSet | None, *, only_if_available: bool = True) -> None:
    """Make a canary's Service follow a ReplicaSet as soon as that can answer."""
    current = service(look, name)
    if name is None or current is None or target is None or selected_hash(current) == target.hash:
        return
    if only_if_available:
        adopted = MANAGED_BY in (current["metadata"].get("annotations") or {})
        enough = target.available > 0 and (adopted or 0 < target.replicas <= target.available)
        if not enough:
            return
    switch(look, name, target.hash)


def point_canary_services(look: Round) -> None:
    """Update the stable and the canary Service of a canary."""
    canary = look.rollout.canary or {}
    point(look, canary.get("stableService"), look.stable)
    if look.pauses.aborted and not look.rollout.routed:
        point(look, canary.get("canaryService"), look.stable)
    elif not is_shrinking_back(look):
        point(look, canary.get("canaryService"), look.new)


def is_shrinking_back(look: Round) -> bool:
    """Return whether a canary is going back to a stable ReplicaSet that was shrunk and is not complete yet."""
    rollout = look.rollout
    weights = (rollout.status.get("canary") or {}).get("weights")
    if not (rollout.promoted and rollout.routed and rollout.dynamic_stable) or weights is None or look.new is None:
        return False
    return weights["canary"].get("podTemplateHash", "") != look.new.hash and look.new.available < rollout.replicas


def is_referenced(look: Round, replica_set: ReplicaSet) -> bool:
    """Return whether a ReplicaSet still gets traffic, so that it must not be scaled down."""
    rollout = look.rollout
    weights = (rollout.status.get("canary") or {}).get("weights") or {}
    hashes = {rollout.stable_hash, rollout.current_hash, rollout.active_hash, rollout.preview_hash}
    hashes |= {weights.get(name, {}).get("podTemplateHash", "") for name in ("canary", "stable")}
    strategy = rollout.canary if rollout.canary is not None else rollout.blue_green or {}
    names = ("canaryService", "stableService", "activeService", "previewService")
    hashes |= {selected_hash(service(look, strategy.get(name))) for name in names}
    return replica_set.hash in hashes
