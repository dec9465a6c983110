"""The simulated scheduler and kubelets of one cluster: pods get a node and start, or show why they cannot.

A pod is always a complete Kubernetes object, so that every client can decode it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from sgm_tui.sandbox.kubernetes.events import KUBELET
from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.kubernetes.timestamps import Timestamps
from sgm_tui.sandbox.kubernetes.workshop import Workshop

START_SECONDS = 1.5
"""Virtual seconds until a container is ready."""
_JITTER = 0.1
_PULL_BACK_OFF = 3.0
_CRASH_AFTER = 2.0
_PULL, _CRASH = "ErrImagePull", "CrashLoopBackOff"
_NEXT = "next"
_NODES = ("node-a", "node-b", "node-c")

Defects = Callable[[str], str]
"""Map an image to why its containers do not run (ErrImagePull, CrashLoopBackOff); "" if they do."""


class Kubelet:
    """Moves the pods of one cluster through their phases."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self.defect: Defects = lambda _: ""
        self._addresses = 0

    def reconcile(self, namespace: str, name: str) -> None:
        """Take the next step that is due for a pod."""
        pod = self._shop.store.get("Pod", namespace, name)
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            return
        seconds_left = self._shop.marks.until(pod["metadata"]["uid"], _NEXT)
        if seconds_left > 0.0:
            self._shop.queue.add(_key(pod), seconds_left)
        elif "nodeName" not in pod["spec"]:
            self._schedule(pod)
        elif not is_ready(pod):
            self._start(pod)

    def settled(self, pod: KubeObject, stamp: str) -> KubeObject:
        """Return a pod as it is long after it became ready."""
        placed = {**pod, "spec": {**pod["spec"], "nodeName": self._node()}}
        return {**placed, "status": self._running(placed, stamp, stamp)}

    def _node(self) -> str:
        return _NODES[self._addresses % len(_NODES)]

    def _schedule(self, pod: KubeObject) -> None:
        condition = _condition("PodScheduled", True, self._shop.marks.stamp())
        status = {**(pod.get("status") or {}), "phase": "Pending", "conditions": [condition]}
        self._wait(pod, START_SECONDS + self._jitter(pod))
        self._shop.store.write("Pod", {**pod, "spec": {**pod["spec"], "nodeName": self._node()}, "status": status})

    def _jitter(self, pod: KubeObject) -> float:
        """Return a delay that pods created together share: a batch gets ready at once, or its Rollout would flicker."""
        owner = pod["metadata"]["ownerReferences"][0]["uid"] if pod["metadata"].get("ownerReferences") else ""
        return random.Random(f"{owner}:{self._shop.marks.now:.3f}").uniform(0.0, _JITTER)

    def _wait(self, pod: KubeObject, seconds: float) -> None:
        """Leave a pod as it is for so many virtual seconds, however often it is reconciled."""
        self._shop.marks.note(pod["metadata"]["uid"], _NEXT, seconds)
        self._shop.queue.add(_key(pod), seconds)

    def _start(self, pod: KubeObject) -> None:
        defects = [self.defect(one["image"]) for one in pod["spec"]["containers"]]
        if _PULL in defects:
            self._fail_to_pull(pod)
        elif _CRASH in defects:
            self._crash(pod)
        else:
            scheduled = pod["status"]["conditions"][0]["lastTransitionTime"]
            ready = self._shop.marks.note(pod["metadata"]["uid"], "ready")
            self._write(pod, self._running(pod, scheduled, ready))

    def _fail_to_pull(self, pod: KubeObject) -> None:
        image = pod["spec"]["containers"][0]["image"]
        first = not pod["status"].get("containerStatuses")
        if not first and _waiting(pod) == "ImagePullBackOff":
            return
        reason = _PULL if first else "ImagePullBackOff"
        message = (
            f'failed to pull and unpack image "{image}": not found' if first else f'Back-off pulling image "{image}"'
        )
        self._shop.events.record(pod, "Failed" if first else "BackOff", message, warning=True, by=KUBELET)
        self._wait(pod, _PULL_BACK_OFF)
        self._write(pod, self._unready(pod, "Pending", {"waiting": {"reason": reason, "message": message}}, 0))

    def _crash(self, pod: KubeObject) -> None:
        statuses = pod["status"].get("containerStatuses")
        restarts = statuses[0]["restartCount"] + 1 if statuses else 0
        stamp = self._shop.marks.stamp()
        died = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": stamp, "finishedAt": stamp}}
        name = pod["spec"]["containers"][0]["name"]
        pause = min(10.0 * 2.0 ** min(restarts, 5), 300.0)
        message = f"back-off {pause:.0f}s restarting failed container={name} pod={pod['metadata']['name']}"
        self._shop.events.record(pod, "BackOff", message, warning=True, by=KUBELET)
        waiting = {"waiting": {"reason": _CRASH, "message": message}}
        self._wait(pod, pause + _CRASH_AFTER)
        self._write(pod, self._unready(pod, "Running", waiting, restarts, last=died))

    def _write(self, pod: KubeObject, status: dict[str, Any]) -> None:
        self._shop.store.write("Pod", {**pod, "status": status})

    def _running(self, pod: KubeObject, started: str, ready: str) -> dict[str, Any]:
        state = {"running": {"startedAt": ready}}
        conditions = [
            _condition("PodScheduled", True, started),
            _condition("Initialized", True, started),
            _condition("ContainersReady", True, ready),
            _condition("Ready", True, ready),
        ]
        return {
            "phase": "Running",
            "conditions": conditions,
            **self._place(pod),
            "startTime": started,
            "containerStatuses": _containers(pod, state, ready=True, restarts=0),
            "qosClass": "Burstable",
        }

    def _unready(
        self, pod: KubeObject, phase: str, state: dict[str, Any], restarts: int, last: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        started = pod["status"]["conditions"][0]["lastTransitionTime"]
        stamp = self._shop.marks.stamp()
        why = {"reason": "ContainersNotReady", "message": "containers with unready status"}
        conditions = [
            _condition("PodScheduled", True, started),
            _condition("Initialized", True, started),
            {**_condition("ContainersReady", False, stamp), **why},
            {**_condition("Ready", False, stamp), **why},
        ]
        return {
            "phase": phase,
            "conditions": conditions,
            **self._place(pod),
            "startTime": started,
            "containerStatuses": _containers(pod, state, ready=False, restarts=restarts, last=last),
            "qosClass": "Burstable",
        }

    def _place(self, pod: KubeObject) -> dict[str, Any]:
        status = pod.get("status") or {}
        if "podIP" in status:
            return {name: status[name] for name in ("hostIP", "podIP", "podIPs")}
        self._addresses += 1
        address = f"10.{self._addresses >> 16 & 255}.{self._addresses >> 8 & 255}.{self._addresses & 255}"
        return {"hostIP": "10.255.0.1", "podIP": address, "podIPs": [{"ip": address}]}


def new_pod(owner: KubeObject, name: str, stamp: str) -> KubeObject:
    """Return a pod as its ReplicaSet creates it."""
    template = owner["spec"]["template"]
    metadata = {
        "name": name,
        "generateName": f"{owner['metadata']['name']}-",
        "namespace": owner["metadata"]["namespace"],
        "creationTimestamp": stamp,
        **{key: value for key, value in (template.get("metadata") or {}).items() if value},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    return {"metadata": metadata, "spec": template["spec"], "status": {"phase": "Pending", "qosClass": "Burstable"}}


def is_ready(pod: KubeObject) -> bool:
    """Return whether a pod is ready and not being deleted."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def ready_since(pod: KubeObject, marks: Timestamps) -> float:
    """Return the virtual time at which a ready pod became ready."""
    ready = next(one for one in pod["status"]["conditions"] if one["type"] == "Ready")
    return marks.moment(pod["metadata"]["uid"], "ready", ready["lastTransitionTime"])


def _key(pod: KubeObject) -> tuple[str, str, str]:
    return "pod", pod["metadata"]["namespace"], pod["metadata"]["name"]


def _condition(kind: str, is_true: bool, stamp: str) -> dict[str, Any]:
    return {"type": kind, "status": str(is_true), "lastProbeTime": None, "lastTransitionTime": stamp}


def _waiting(pod: KubeObject) -> str:
    return str(pod["status"]["containerStatuses"][0]["state"].get("waiting", {}).get("reason", ""))


def _containers(
    pod: KubeObject, state: dict[str, Any], *, ready: bool, restarts: int, last: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    return [
        {
            "name": container["name"],
            "state": state,
            "lastState": last or {},
            "ready": ready,
            "restartCount": restarts,
            "image": container["image"],
            "imageID": "",
            "started": ready,
        }
        for container in pod["spec"]["containers"]
    ]
