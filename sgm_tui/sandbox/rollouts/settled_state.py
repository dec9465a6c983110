"""Create a service as it is months after its last change: promoted, pods ready, Services selecting them.

What is written here is exactly what the controllers would leave as it is: their first reconciliation changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sgm_tui.sandbox.kubernetes.autoscaler import Autoscaler
from sgm_tui.sandbox.kubernetes.kubelet import Kubelet, new_pod
from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.kubernetes.replica_sets import ReplicaSetController
from sgm_tui.sandbox.kubernetes.template_hash import steps_hash, template_hash
from sgm_tui.sandbox.kubernetes.workshop import Workshop
from sgm_tui.sandbox.rollouts.objects import DESIRED_REPLICAS, HASH_LABEL, MANAGED_BY, REVISION, Rollout, selector_text
from sgm_tui.sandbox.rollouts.replica_set_template import owner_of, pod_template

_SERVICES = ("activeService", "previewService", "stableService", "canaryService")


class Settler:
    """Creates the objects of one service."""

    def __init__(
        self, shop: Workshop, kubelet: Kubelet, replica_sets: ReplicaSetController, autoscaler: Autoscaler
    ) -> None:
        self._shop = shop
        self._kubelet = kubelet
        self._replica_sets = replica_sets
        self._autoscaler = autoscaler

    def settle(self, manifests: Sequence[KubeObject], since: float) -> None:
        """Create everything, with that virtual time as creation time."""
        stamp = self._shop.marks.stamp(since - self._shop.marks.now)
        scalers = {
            manifest["spec"]["scaleTargetRef"]["name"]: manifest
            for manifest in manifests
            if manifest["kind"] == "HorizontalPodAutoscaler"
        }
        selected: dict[str, tuple[str, str]] = {}
        rollouts: dict[str, KubeObject] = {}
        for manifest in manifests:
            if manifest["kind"] == "Rollout":
                name = manifest["metadata"]["name"]
                rollouts[name] = self._rollout(manifest, scalers.get(name), stamp)
                selected |= _selected(Rollout(rollouts[name]))
        for manifest in manifests:
            if manifest["kind"] == "Service":
                self._create(_pointed(manifest, selected.get(manifest["metadata"]["name"])), stamp)
            elif manifest["kind"] == "HorizontalPodAutoscaler":
                self._scaler(manifest, rollouts.get(manifest["spec"]["scaleTargetRef"]["name"]), stamp)
            elif manifest["kind"] != "Rollout":
                self._create(manifest, stamp)

    def _create(self, obj: KubeObject, stamp: str) -> KubeObject:
        return self._shop.store.create(
            obj["kind"], {**obj, "metadata": {**obj["metadata"], "creationTimestamp": stamp}}
        )

    def _rollout(self, manifest: KubeObject, scaler: KubeObject | None, stamp: str) -> KubeObject:
        """Create the Rollout, then what it owns."""
        replicas = self._size(manifest, scaler)
        revision = str(self._shop.random.randint(3, 40))
        notes = {**(manifest["metadata"].get("annotations") or {}), REVISION: revision}
        spec = {**manifest["spec"], "replicas": replicas}
        draft = {**manifest, "metadata": {**manifest["metadata"], "annotations": notes}, "spec": spec}
        rollout = self._create({**draft, "status": _healthy(Rollout(draft), "1", stamp)}, stamp)
        self._replica_set(rollout, stamp)
        return rollout

    def _size(self, manifest: KubeObject, scaler: KubeObject | None) -> int:
        replicas = int(manifest["spec"].get("replicas", 1))
        if scaler is None:
            return replicas
        least, most = int(scaler["spec"].get("minReplicas", 1)), int(scaler["spec"]["maxReplicas"])
        if self._autoscaler.demand is not None:
            return self._autoscaler.desired_replicas(scaler, least)
        return self._shop.random.randint(least, max(least, (least + most) // 2))

    def _replica_set(self, rollout: KubeObject, stamp: str) -> None:
        view = Rollout(rollout)
        pod_hash = view.stable_hash
        labels = {**((view.template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: pod_hash}
        notes = {**view.annotations, DESIRED_REPLICAS: str(view.replicas)}
        replica_set = self._shop.store.create(
            "ReplicaSet",
            {
                "metadata": {
                    "name": f"{view.name}-{pod_hash}",
                    "namespace": view.namespace,
                    "creationTimestamp": stamp,
                    "labels": labels,
                    "annotations": notes,
                    "ownerReferences": [owner_of(rollout)],
                },
                "spec": {
                    "replicas": view.replicas,
                    "selector": {"matchLabels": {**view.match_labels, HASH_LABEL: pod_hash}},
                    "template": pod_template(view.template, labels),
                },
            },
        )
        pods = [
            self._shop.store.create(
                "Pod",
                self._kubelet.settled(new_pod(replica_set, self._replica_sets.pod_name(replica_set), stamp), stamp),
            )
            for _ in range(view.replicas)
        ]
        status = self._replica_sets.status_of(replica_set, pods)
        self._shop.store.write("ReplicaSet", {**replica_set, "status": status}, subresource="status")

    def _scaler(self, manifest: KubeObject, rollout: KubeObject | None, stamp: str) -> None:
        if rollout is None:
            self._create(manifest, stamp)
            return
        size = int(rollout["spec"]["replicas"])
        status = self._autoscaler.status(manifest, rollout, size, size)
        since = [{**one, "lastTransitionTime": stamp} for one in status["conditions"]]
        self._create({**manifest, "status": {**status, "conditions": since, "lastScaleTime": stamp}}, stamp)
        self._autoscaler.follow(manifest)


def _selected(rollout: Rollout) -> dict[str, tuple[str, str]]:
    """Return the Services of a Rollout by name, each with its owner and the only ReplicaSet selected."""
    strategy = rollout.canary if rollout.canary is not None else rollout.blue_green or {}
    return {strategy[field]: (rollout.name, rollout.stable_hash) for field in _SERVICES if strategy.get(field)}


def _pointed(service: KubeObject, selected: tuple[str, str] | None) -> KubeObject:
    if selected is None:
        return service
    manager, pod_hash = selected
    metadata = service["metadata"]
    notes = {MANAGED_BY: manager, **(metadata.get("annotations") or {})}
    selector = {**(service["spec"].get("selector") or {}), HASH_LABEL: pod_hash}
    return {
        **service,
        "metadata": {**metadata, "annotations": notes},
        "spec": {**service["spec"], "selector": selector},
    }


def _healthy(rollout: Rollout, generation: str, stamp: str) -> dict[str, Any]:
    """Return the status of a Rollout that was completed long ago."""
    pod_hash = template_hash(rollout.template)
    counted = ("HPAReplicas", "availableReplicas", "readyReplicas", "replicas", "updatedReplicas")
    status: dict[str, Any] = {
        **dict.fromkeys(counted, rollout.replicas),
        "blueGreen": {},
        "canary": {},
        "conditions": _conditions(f'ReplicaSet "{rollout.name}-{pod_hash}"', stamp),
        "currentPodHash": pod_hash,
        "duration": {"completionStatus": "Promoted", "finishedAt": stamp, "rolloutStartedAt": stamp},
        "observedGeneration": generation,
        "phase": "Healthy",
        "selector": rollout.selector_text,
        "stableRS": pod_hash,
    }
    if rollout.canary is not None:
        status["currentStepHash"] = steps_hash(rollout.steps)
        if rollout.steps:
            status["currentStepIndex"] = len(rollout.steps)
        if rollout.routed:
            status["canary"] = {"weights": _all_stable(rollout, rollout.canary, pod_hash)}
    else:
        status["blueGreen"]["activeSelector"] = pod_hash
        if (rollout.blue_green or {}).get("previewService"):
            status["blueGreen"]["previewSelector"] = pod_hash
        status["selector"] = selector_text({**rollout.match_labels, HASH_LABEL: pod_hash})
    return {key: value for key, value in sorted(status.items()) if value or key in {"blueGreen", "canary"}}


def _conditions(name: str, stamp: str) -> list[dict[str, str]]:
    conditions = (
        ("Completed", "RolloutCompleted", "RolloutCompleted"),
        ("Healthy", "RolloutHealthy", "Rollout is healthy"),
        ("Progressing", "NewReplicaSetAvailable", f"{name} has successfully progressed."),
        ("Available", "AvailableReason", "Rollout has minimum availability"),
    )
    since = {"lastTransitionTime": stamp, "lastUpdateTime": stamp}
    return [
        {**since, "message": message, "reason": reason, "status": "True", "type": kind}
        for kind, reason, message in conditions
    ]


def _all_stable(rollout: Rollout, canary: dict[str, Any], pod_hash: str) -> dict[str, Any]:
    def destination(service: str, weight: int) -> dict[str, Any]:
        return {"podTemplateHash": pod_hash, "serviceName": canary.get(service, ""), "weight": weight}

    return {
        "canary": destination("canaryService", 0),
        "stable": destination("stableService", rollout.full_weight),
    }
