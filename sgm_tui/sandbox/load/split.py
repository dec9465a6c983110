"""The share of a service's traffic that each version gets, derived from its Rollout and ReplicaSets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sgm_tui.fleet.images import parse_image
from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.load.traffic import Behaviour

HASH = "rollouts-pod-template-hash"
_PREVIEW = 0.02
"""The preview's traffic (smoke tests, colleagues), relative to the real traffic."""

Behaves = Callable[[str, float], tuple[float, float]]
"""Return the error ratio and the median latency (seconds) of a version under a share of the traffic per pod."""


def split(rollout: KubeObject, replica_sets: Sequence[KubeObject], behaves: Behaves) -> dict[str, Behaviour]:
    """Return the behaviour of each pod template hash that has available pods."""
    available = {_hash(one): _available(one) for one in replica_sets if _available(one)}
    versions = {_hash(one): version_of(one) for one in replica_sets}
    shares = _shares(rollout, available)
    out: dict[str, Behaviour] = {}
    for pod_hash, share in shares.items():
        error_ratio, latency = behaves(versions.get(pod_hash, ""), share / max(1, available.get(pod_hash, 1)))
        out[pod_hash] = Behaviour(round(share, 6), error_ratio, round(latency, 6))
    return out


def version_of(owner: KubeObject) -> str:
    """Return the tag of the first container's image."""
    containers: Sequence[Mapping[str, Any]] = owner["spec"]["template"]["spec"].get("containers") or ()
    return parse_image(str(containers[0].get("image", ""))).tag if containers else ""


def _shares(rollout: KubeObject, available: Mapping[str, int]) -> dict[str, float]:
    status = rollout.get("status") or {}
    if not available:
        return {}
    if "blueGreen" in rollout["spec"]["strategy"]:
        active = (status.get("blueGreen") or {}).get("activeSelector")
        preview = (status.get("blueGreen") or {}).get("previewSelector")
        return {one: 1.0 if one == active else _PREVIEW if one == preview else 0.0 for one in available}
    weights = (status.get("canary") or {}).get("weights")
    canary = str(status.get("currentPodHash", ""))
    if weights and canary in available and len(available) > 1:
        weight = float((weights.get("canary") or {}).get("weight", 0)) / _full_weight(rollout)
        rest = {one: count for one, count in available.items() if one != canary}
        total = sum(rest.values())
        return {canary: weight, **{one: (1.0 - weight) * count / total for one, count in rest.items()}}
    # Without a traffic router a Service spreads requests evenly over the pods behind it.
    total = sum(available.values())
    return {one: count / total for one, count in available.items()}


def _full_weight(rollout: KubeObject) -> float:
    """Return the weight that means all traffic: `trafficRouting.maxTrafficWeight`, 100 by default."""
    routing = rollout["spec"]["strategy"]["canary"].get("trafficRouting") or {}
    return float(routing.get("maxTrafficWeight") or 100)


def _hash(replica_set: KubeObject) -> str:
    return str((replica_set["metadata"].get("labels") or {}).get(HASH, ""))


def _available(replica_set: KubeObject) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas") or 0)
