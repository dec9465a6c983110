"""The simulated horizontal pod autoscaler.

Without a demand it only keeps a Rollout between its limits. With one it evaluates once a virtual minute, because a
fleet of two thousand services must be able to stand still.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sgm_tui.sandbox.kubernetes.events import AUTOSCALER
from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.kubernetes.template_hash import safe_hash
from sgm_tui.sandbox.kubernetes.workshop import Workshop

Demand = Callable[[str, str], float]
"""Map a service (namespace, name) to the replicas it needs for its target, before limits."""

_PERIOD = 60.0
_TOLERANCE = 0.1
_USUAL_LOAD = 0.8
"""The share of the target that a service uses when its load is not given."""
_REQUEST_MILLICORES = 100


class Autoscaler:
    """The autoscalers of one cluster."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self.demand: Demand | None = None

    def reconcile(self, namespace: str, name: str) -> None:
        """Compare load and size, resize the Rollout, and write the status."""
        scaler = self._shop.store.get("HorizontalPodAutoscaler", namespace, name)
        if scaler is None:
            return
        rollout = self._target(scaler)
        if rollout is None:
            self._shop.queue.add(("autoscaler", namespace, name), _PERIOD)
            return
        current = int(rollout["spec"].get("replicas", 1))
        replicas = self.desired_replicas(scaler, current)
        if replicas != current:
            self._shop.store.write("Rollout", {**rollout, "spec": {**rollout["spec"], "replicas": replicas}})
            why = "cpu resource utilization above target" if replicas > current else "All metrics below target"
            message = f"New size: {replicas}; reason: {why}"
            self._shop.events.record(scaler, "SuccessfulRescale", message, by=AUTOSCALER)
        status = self.status(scaler, rollout, current, replicas)
        if status != scaler.get("status"):
            self._shop.store.write("HorizontalPodAutoscaler", {**scaler, "status": status}, subresource="status")
        self.follow(scaler)

    def follow(self, scaler: KubeObject) -> None:
        """Evaluate again in about a minute, if there is a load to follow."""
        if self.demand is not None:
            namespace, name = scaler["metadata"]["namespace"], scaler["metadata"]["name"]
            # Each at its own second: a large fleet's autoscalers must not all wake at once.
            offset = sum(map(ord, safe_hash(f"{namespace}/{name}".encode()))) % 10
            self._shop.queue.add(("autoscaler", namespace, name), _PERIOD + offset)

    def desired_replicas(self, scaler: KubeObject, current: int) -> int:
        """Return the size a Rollout should have."""
        spec = scaler["spec"]
        size = current
        if self.demand is not None and current > 0:
            needed = self.demand(scaler["metadata"]["namespace"], spec["scaleTargetRef"]["name"])
            if abs(needed / current - 1.0) > _TOLERANCE:
                size = min(math.ceil(needed), current * 2)
        return max(int(spec.get("minReplicas", 1)), min(size, int(spec["maxReplicas"])))

    def status(self, scaler: KubeObject, rollout: KubeObject, current: int, desired: int) -> dict[str, Any]:
        """Return the status of an autoscaler with this current and desired size."""
        stamp = self._shop.marks.stamp()
        before = scaler.get("status") or {}
        previous = {one["type"]: one for one in before.get("conditions") or ()}
        spec = scaler["spec"]
        limited = {int(spec["maxReplicas"]): "TooManyReplicas", int(spec.get("minReplicas", 1)): "TooFewReplicas"}
        reason = limited.get(desired, "DesiredWithinRange")
        conditions = [
            ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),
            ("ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count"),
            ("ScalingLimited", str(reason in limited.values()), reason, _LIMIT_MESSAGES[reason]),
        ]
        status: dict[str, Any] = {
            "currentReplicas": int((rollout.get("status") or {}).get("HPAReplicas", current)),
            "desiredReplicas": desired,
            "currentMetrics": [self._metric(scaler, metric, current) for metric in spec.get("metrics") or ()],
            "conditions": [_condition(previous.get(one[0]), one, stamp) for one in conditions],
        }
        if desired != current:
            status["lastScaleTime"] = stamp
        elif "lastScaleTime" in before:
            status["lastScaleTime"] = before["lastScaleTime"]
        return status

    def _metric(self, scaler: KubeObject, metric: dict[str, Any], current: int) -> dict[str, Any]:
        kind = metric["type"]
        if kind == "Resource":
            target = int(metric["resource"]["target"].get("averageUtilization", 100))
            used = round(target * self._load(scaler, current))
            value = {"averageUtilization": used, "averageValue": f"{used * _REQUEST_MILLICORES // 100}m"}
            return {"type": kind, "resource": {"name": metric["resource"]["name"], "current": value}}
        if kind == "Pods":
            each = float(metric["pods"]["target"]["averageValue"])
            value = {"averageValue": f"{round(1000 * each * self._load(scaler, current))}m"}
            return {"type": kind, "pods": {"metric": metric["pods"]["metric"], "current": value}}
        return {"type": kind}

    def _load(self, scaler: KubeObject, current: int) -> float:
        if self.demand is None or current == 0:
            return _USUAL_LOAD
        return self.demand(scaler["metadata"]["namespace"], scaler["spec"]["scaleTargetRef"]["name"]) / current

    def _target(self, scaler: KubeObject) -> KubeObject | None:
        reference = scaler["spec"]["scaleTargetRef"]
        if reference["kind"] != "Rollout":
            return None
        return self._shop.store.get("Rollout", scaler["metadata"]["namespace"], reference["name"])


_LIMIT_MESSAGES = {
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
    "DesiredWithinRange": "the desired count is within the acceptable range",
}


def _condition(previous: dict[str, Any] | None, current: tuple[str, str, str, str], stamp: str) -> dict[str, Any]:
    kind, status, reason, message = current
    since = previous["lastTransitionTime"] if previous is not None and previous["status"] == status else stamp
    return {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
