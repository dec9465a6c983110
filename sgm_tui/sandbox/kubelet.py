"""The ReplicaSet controller and the kubelet of a simulated cluster: pods come, get ready, and go."""

from __future__ import annotations

import random
from collections.abc import Callable

from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.rollout_objects import asked, is_ready, new_pod, pod_status

_DELAY = 0.02
_START = 1.5
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Kubelet:
    """Keeps as many pods as ReplicaSets ask for."""

    def __init__(
        self, store: ObjectStore, clock: Clock, agenda: Agenda, chance: random.Random, defect: Callable[[str], str]
    ) -> None:
        """`defect` says why an image does not start ("ErrImagePull", "CrashLoopBackOff"), "" when it does."""
        self._store = store
        self._clock = clock
        self._agenda = agenda
        self._random = chance
        self._defect = defect
        self._queued: set[tuple[str, str]] = set()

    def note(self, kind: str, obj: KubeObject) -> None:
        """A ReplicaSet or Pod changed: look at the ReplicaSet soon."""
        metadata = obj["metadata"]
        if kind == "ReplicaSet":
            self._queue(metadata["namespace"], metadata["name"])
        elif kind == "Pod":
            owners = metadata.get("ownerReferences") or ()
            for one in owners:
                self._queue(metadata["namespace"], one["name"])

    def _queue(self, namespace: str, name: str) -> None:
        if (namespace, name) not in self._queued:
            self._queued.add((namespace, name))
            self._agenda.after(_DELAY, lambda: self._sync(namespace, name))

    def _sync(self, namespace: str, name: str) -> None:
        self._queued.discard((namespace, name))
        replica_set = self._store.get("ReplicaSet", namespace, name)
        if replica_set is None:
            return
        pods = self._store.owned("Pod", replica_set["metadata"]["uid"])
        wanted = asked(replica_set)
        for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]:
            self._store.delete("Pod", namespace, pod["metadata"]["name"])
        for _ in range(wanted - len(pods)):
            self._start(replica_set)
        self.report(replica_set)

    def _start(self, replica_set: KubeObject) -> None:
        suffix = "".join(self._random.choices(_ALPHABET, k=5))
        pod = self._store.create("Pod", new_pod(replica_set, suffix, self._clock.stamp()))
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self._agenda.after(_START * self._random.uniform(0.95, 1.05), lambda: self._ready(namespace, name))

    def _ready(self, namespace: str, name: str) -> None:
        pod = self._store.get("Pod", namespace, name)
        if pod is None:
            return
        containers = pod["spec"]["containers"]
        trouble = next((why for one in containers if (why := self._defect(one["image"]))), "")
        status = pod_status(containers, self._clock.stamp(), ready=not trouble, waiting=trouble)
        self._store.write("Pod", {**pod, "status": status}, subresource="status")

    def report(self, replica_set: KubeObject) -> None:
        """Write what a ReplicaSet has."""
        metadata = replica_set["metadata"]
        pods = self._store.owned("Pod", metadata["uid"])
        ready = sum(is_ready(pod) for pod in pods)
        status: dict[str, object] = {"replicas": len(pods), "observedGeneration": metadata["generation"]}
        if pods:
            status["fullyLabeledReplicas"] = len(pods)
        if ready:
            status |= {"readyReplicas": ready, "availableReplicas": ready}
        self._store.write("ReplicaSet", {**replica_set, "status": status}, subresource="status")
