"""The simulated ReplicaSet controller: creates and deletes pods until their number is right, and counts them."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.kubernetes.events import REPLICA_SETS
from sgm_tui.sandbox.kubernetes.kubelet import is_ready, new_pod, ready_since
from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.kubernetes.workshop import Workshop

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


class ReplicaSetController:
    """Reconciles the ReplicaSets of one cluster."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    def reconcile(self, namespace: str, name: str) -> None:
        """Reconcile the pods, then the counts as they were read, so that a change shows in the next round."""
        replica_set = self._shop.store.get("ReplicaSet", namespace, name)
        if replica_set is None or "deletionTimestamp" in replica_set["metadata"]:
            return
        pods = self._shop.store.owned("Pod", replica_set["metadata"]["uid"])
        staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        missing = int(replica_set["spec"].get("replicas", 1)) - len(staying)
        for _ in range(missing):
            self._create(replica_set)
        for pod in _least_wanted(staying)[: max(-missing, 0)]:
            self._delete(replica_set, pod)
        self._count(replica_set, staying)

    def status_of(self, replica_set: KubeObject, pods: list[KubeObject]) -> dict[str, Any]:
        """Return the counts of a ReplicaSet with these pods."""
        ready = [pod for pod in pods if is_ready(pod)]
        least = float(replica_set["spec"].get("minReadySeconds") or 0.0)
        marks = self._shop.marks
        available = [pod for pod in ready if not least or ready_since(pod, marks) + least <= marks.now]
        if len(available) < len(ready):
            self._shop.queue.add(
                ("replicaset", replica_set["metadata"]["namespace"], replica_set["metadata"]["name"]), least
            )
        counts = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
        }
        return {
            "replicas": len(pods),
            **{key: value for key, value in counts.items() if value},
            "terminatingReplicas": 0,
            "observedGeneration": replica_set["metadata"]["generation"],
        }

    def pod_name(self, replica_set: KubeObject) -> str:
        """Return a free name for a new pod."""
        while True:
            suffix = "".join(self._shop.random.choices(_SUFFIX, k=5))
            name = f"{replica_set['metadata']['name']}-{suffix}"
            if self._shop.store.get("Pod", replica_set["metadata"]["namespace"], name) is None:
                return name

    def _create(self, replica_set: KubeObject) -> None:
        name = self.pod_name(replica_set)
        self._shop.store.create("Pod", new_pod(replica_set, name, self._shop.marks.stamp()))
        self._shop.events.record(replica_set, "SuccessfulCreate", f"Created pod: {name}", by=REPLICA_SETS)

    def _delete(self, replica_set: KubeObject, pod: KubeObject) -> None:
        name = pod["metadata"]["name"]
        self._shop.store.delete("Pod", pod["metadata"]["namespace"], name)
        self._shop.events.record(replica_set, "SuccessfulDelete", f"Deleted pod: {name}", by=REPLICA_SETS)

    def _count(self, replica_set: KubeObject, pods: list[KubeObject]) -> None:
        status = {**self.status_of(replica_set, pods)}
        if status != replica_set.get("status"):
            self._shop.store.write("ReplicaSet", {**replica_set, "status": status}, subresource="status")


def _least_wanted(pods: list[KubeObject]) -> list[KubeObject]:
    """Sort pods for deletion: not scheduled, not ready and young ones first."""

    def rank(pod: KubeObject) -> tuple[bool, bool]:
        return "nodeName" in pod["spec"], is_ready(pod)

    newest_first = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    return sorted(newest_first, key=rank)
