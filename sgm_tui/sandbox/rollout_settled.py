"""A service as it stands after months: every object in its finished state, without playing how it came to be."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.replica_sets import HASH, REVISION, new_pod, new_replica_set, pod_status, steps_hash
from sgm_tui.sandbox.rollout_status import AVAILABLE_REASON, PROGRESSING, Status, with_condition, with_phase

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Settling:
    """Lays services out."""

    def __init__(self, store: ObjectStore, clock: Clock, chance: random.Random) -> None:
        self._store = store
        self._clock = clock
        self._random = chance

    def create(self, manifests: Sequence[Mapping[str, Any]], since: float) -> None:
        """Create these objects, Rollouts with all that belongs to them."""
        stamp = self._clock.stamp(since)
        autoscaler = next((one for one in manifests if one["kind"] == "HorizontalPodAutoscaler"), None)
        for manifest in manifests:
            obj = {**manifest, "metadata": {**manifest["metadata"], "creationTimestamp": stamp}}
            if manifest["kind"] == "Rollout":
                self._rollout(obj, autoscaler, stamp)
            elif manifest["kind"] == "HorizontalPodAutoscaler":
                self._store.create("HorizontalPodAutoscaler", {**obj, "status": _scaled(obj, stamp)})
            elif (
                self._store.get(manifest["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) is None
            ):
                self._store.create(manifest["kind"], obj)

    def _rollout(self, obj: KubeObject, autoscaler: Mapping[str, Any] | None, stamp: str) -> None:
        spec = dict(obj["spec"])
        if "replicas" not in spec and autoscaler is not None:
            spec["replicas"] = autoscaler["spec"]["minReplicas"]
        annotated = {**(obj["metadata"].get("annotations") or {}), REVISION: "1"}
        obj = {**obj, "spec": spec, "metadata": {**obj["metadata"], "annotations": annotated}}
        rollout = self._store.create("Rollout", obj)
        replicas = int(spec.get("replicas", 1))
        wanted = new_replica_set(rollout, spec["template"], 1, replicas)
        wanted["metadata"]["creationTimestamp"] = stamp
        wanted["status"] = {
            "replicas": replicas,
            "fullyLabeledReplicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
            "observedGeneration": 1,
        }
        replica_set = self._store.create("ReplicaSet", wanted)
        self._pods(replica_set, replicas, stamp)
        pod_hash = replica_set["metadata"]["labels"][HASH]
        self._select(rollout, pod_hash)
        self._store.write(
            "Rollout", {**rollout, "status": _healthy(rollout, pod_hash, replicas, stamp)}, subresource="status"
        )

    def _pods(self, replica_set: KubeObject, replicas: int, stamp: str) -> None:
        for _ in range(replicas):
            pod = new_pod(replica_set, "".join(self._random.choices(_ALPHABET, k=5)), stamp)
            pod["metadata"]["creationTimestamp"] = stamp
            pod["status"] = pod_status(pod["spec"]["containers"], stamp, ready=True)
            self._store.create("Pod", pod)

    def _select(self, rollout: KubeObject, pod_hash: str) -> None:
        strategy = rollout["spec"]["strategy"]
        part = strategy.get("canary") or strategy.get("blueGreen") or {}
        names = [part.get(key) for key in ("stableService", "canaryService", "activeService", "previewService")]
        for name in names:
            service = self._store.get("Service", rollout["metadata"]["namespace"], name) if name else None
            if service is not None:
                selector = {**(service["spec"].get("selector") or {}), HASH: pod_hash}
                self._store.write("Service", {**service, "spec": {**service["spec"], "selector": selector}})


def _healthy(rollout: KubeObject, pod_hash: str, replicas: int, stamp: str) -> Status:
    spec = rollout["spec"]
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "HPAReplicas")
    status: Status = dict.fromkeys(counts, replicas)
    selector = ",".join(f"{key}={value}" for key, value in spec["selector"]["matchLabels"].items())
    status |= {"currentPodHash": pod_hash, "stableRS": pod_hash, "observedGeneration": "1", "selector": selector}
    steps = (spec["strategy"].get("canary") or {}).get("steps") or ()
    if steps:
        status |= {"currentStepIndex": len(steps), "currentStepHash": steps_hash(steps)}
    if "blueGreen" in spec["strategy"]:
        status["blueGreen"] = {"activeSelector": pod_hash, "previewSelector": pod_hash}
    name = f'ReplicaSet "{rollout["metadata"]["name"]}-{pod_hash}"'
    text = f"{name} has successfully progressed."
    status = with_condition(status, PROGRESSING, "True", AVAILABLE_REASON, text, stamp)
    for kind, reason, message in (
        ("Available", "AvailableReason", "Rollout has minimum availability"),
        ("Completed", "RolloutCompleted", "Rollout completed update"),
        ("Healthy", "RolloutHealthy", "Rollout is healthy"),
    ):
        status = with_condition(status, kind, "True", reason, message, stamp)
    return with_phase(spec, status)


def _scaled(autoscaler: Mapping[str, Any], stamp: str) -> Status:
    """An autoscaler that is content with its least."""
    replicas = autoscaler["spec"]["minReplicas"]
    return autoscaler_status(replicas, replicas, stamp, at_most=False)


def autoscaler_status(current: int, desired: int, stamp: str, *, at_most: bool) -> Status:
    """The status of an autoscaler with all its conditions."""
    limited = ("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
    fine = ("False", "DesiredWithinRange", "the desired count is within the acceptable range")
    rows = (
        ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),
        ("ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count"),
        ("ScalingLimited", *(limited if at_most else fine)),
    )
    conditions = [
        {"type": kind, "status": truth, "reason": reason, "message": message, "lastTransitionTime": stamp}
        for kind, truth, reason, message in rows
    ]
    usage = {"name": "cpu", "current": {"averageUtilization": 48, "averageValue": "48m"}}
    return {
        "currentReplicas": current,
        "desiredReplicas": desired,
        "conditions": conditions,
        "currentMetrics": [{"type": "Resource", "resource": usage}],
    }
