"""The simulated ReplicaSet controller: makes and removes pods until there are as many as asked for, and counts them."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.kubernetes.events import REPLICA_SETS
from sgm_tui.sandbox.kubernetes.kubelet import is_ready, new_pod, ready_since
from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.kubernetes.work_queue import Workshop

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


class ReplicaSetController:
    """Keeps the ReplicaSets of one cluster."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    def reconcile(self, namespace: str, name: str) -> None:
        """One round: pods first, then the counts as they were found, so each change shows in the next round."""
        found = self._shop.store.get("ReplicaSet", namespace, name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        pods = self._shop.store.owned("Pod", found["metadata"]["uid"])
        staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        missing = int(found["spec"].get("replicas", 1)) - len(staying)
        for _ in range(missing):
            self._create(found)
        for pod in _least_wanted(staying)[: max(-missing, 0)]:
            self._delete(found, pod)
        self._count(found, staying)

    def status_of(self, found: KubeObject, pods: list[KubeObject]) -> dict[str, Any]:
        """The counts of a ReplicaSet with these pods."""
        ready = [pod for pod in pods if is_ready(pod)]
        least = float(found["spec"].get("minReadySeconds") or 0.0)
        marks = self._shop.marks
        available = [pod for pod in ready if not least or ready_since(pod, marks) + least <= marks.now]
        if len(available) < len(ready):
            self._shop.queue.add(("replicaset", found["metadata"]["namespace"], found["metadata"]["name"]), least)
        counts = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
        }
        return {
            "replicas": len(pods),
            **{key: value for key, value in counts.items() if value},
            "terminatingReplicas": 0,
            "observedGeneration": found["metadata"]["generation"],
        }

    def pod_name(self, found: KubeObject) -> str:
        """A free name for one more pod."""
        while True:
            suffix = "".join(self._shop.random.choices(_SUFFIX, k=5))
            name = f"{found['metadata']['name']}-{suffix}"
            if self._shop.store.get("Pod", found["metadata"]["namespace"], name) is None:
                return name

    def _create(self, found: KubeObject) -> None:
        name = self.pod_name(found)
        self._shop.store.create("Pod", new_pod(found, name, self._shop.marks.stamp()))
        self._shop.events.record(found, "SuccessfulCreate", f"Created pod: {name}", by=REPLICA_SETS)

    def _delete(self, found: KubeObject, pod: KubeObject) -> None:
        name = pod["metadata"]["name"]
        self._shop.store.delete("Pod", pod["metadata"]["namespace"], name)
        self._shop.events.record(found, "SuccessfulDelete", f"Deleted pod: {name}", by=REPLICA_SETS)

    def _count(self, found: KubeObject, pods: list[KubeObject]) -> None:
        status = {**self.status_of(found, pods)}
        if status != found.get("status"):
            self._shop.store.write("ReplicaSet", {**found, "status": status}, subresource="status")


def _least_wanted(pods: list[KubeObject]) -> list[KubeObject]:
    """Not yet scheduled, not ready and young pods go first."""

    def rank(pod: KubeObject) -> tuple[bool, bool]:
        return "nodeName" in pod["spec"], is_ready(pod)

    newest_first = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    return sorted(newest_first, key=rank)
