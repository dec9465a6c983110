"""ReplicaSets and Pods of a simulated Rollout: names, labels, owners and numbers as the controllers write them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sgm_tui.sandbox.objects import KubeObject, ObjectStore

HASH = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"
DESIRED = "rollout.argoproj.io/desired-replicas"
SCALE_DOWN_DEADLINE = "scale-down-deadline"
RESTARTED_AFTER = "argo-rollouts.argoproj.io/restarted-after"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: Mapping[str, Any]) -> str:
    """A short stable name of a pod template; equal templates have equal ones."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


def steps_hash(steps: object) -> str:
    """The same for the canary steps."""
    return template_hash({"steps": steps})


def owner(obj: KubeObject) -> dict[str, Any]:
    """A controlling ownerReference to an object."""
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def hash_of(obj: KubeObject | None) -> str:
    """The pod template hash an object carries."""
    return "" if obj is None else str((obj["metadata"].get("labels") or {}).get(HASH, ""))


def annotations_of(obj: KubeObject) -> dict[str, str]:
    """A copy of an object's annotations."""
    return dict(obj["metadata"].get("annotations") or {})


def revision_of(obj: KubeObject) -> int:
    """The revision a ReplicaSet or Rollout carries; 0 before there is one."""
    return int(annotations_of(obj).get(REVISION, "0"))


def with_annotations(obj: KubeObject, **changes: str | None) -> KubeObject:
    """The object with annotations set, or removed where None; underscores in the names given stand for themselves."""
    kept = annotations_of(obj) | {name: value for name, value in changes.items() if value is not None}
    for name, value in changes.items():
        if value is None:
            kept.pop(name, None)
    return {**obj, "metadata": {**obj["metadata"], "annotations": kept}}


def asked(replica_set: KubeObject | None) -> int:
    """Pods a ReplicaSet is asked for."""
    return 0 if replica_set is None else int(replica_set["spec"].get("replicas", 0))


def there(replica_set: KubeObject | None, field: str = "replicas") -> int:
    """A number of a ReplicaSet's status: replicas, readyReplicas or availableReplicas."""
    return 0 if replica_set is None else int((replica_set.get("status") or {}).get(field, 0))


def images_of(replica_set: KubeObject) -> list[str]:
    """Images of a ReplicaSet's pods."""
    return [container["image"] for container in replica_set["spec"]["template"]["spec"]["containers"]]


def new_replica_set(rollout: KubeObject, template: Mapping[str, Any], revision: int, replicas: int) -> KubeObject:
    """A ReplicaSet for a pod template, not stored yet."""
    name, namespace = rollout["metadata"]["name"], rollout["metadata"]["namespace"]
    pod_hash = template_hash(template)
    labels = {**(template.get("metadata", {}).get("labels") or {}), HASH: pod_hash}
    selector = {**rollout["spec"]["selector"]["matchLabels"], HASH: pod_hash}
    desired = str(rollout["spec"].get("replicas", 1))
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name}-{pod_hash}",
            "namespace": namespace,
            "labels": labels,
            "annotations": {DESIRED: desired, REVISION: str(revision)},
            "ownerReferences": [owner(rollout)],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector},
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
        "status": {"replicas": 0},
    }


def scaled(store: ObjectStore, replica_set: KubeObject, replicas: int) -> KubeObject:
    """Ask a ReplicaSet for so many pods."""
    if asked(replica_set) == replicas:
        return replica_set
    return store.write("ReplicaSet", {**replica_set, "spec": {**replica_set["spec"], "replicas": replicas}})


def new_pod(replica_set: KubeObject, suffix: str, stamp: str) -> KubeObject:
    """A Pod of a ReplicaSet, scheduled and not ready yet."""
    template = replica_set["spec"]["template"]
    containers = [
        {"imagePullPolicy": "IfNotPresent", **container, "terminationMessagePath": "/dev/termination-log"}
        for container in template["spec"]["containers"]
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{replica_set['metadata']['name']}-{suffix}",
            "namespace": replica_set["metadata"]["namespace"],
            "labels": dict(template["metadata"]["labels"]),
            "ownerReferences": [owner(replica_set)],
        },
        "spec": {"containers": containers, "restartPolicy": "Always", "nodeName": f"node-{suffix[0]}"},
        "status": pod_status(containers, stamp, ready=False),
    }


def pod_status(containers: list[Any], stamp: str, *, ready: bool, waiting: str = "") -> dict[str, Any]:
    """The status of a Pod: starting, ready, or waiting for a reason such as ErrImagePull."""
    truth = "True" if ready else "False"
    reason = waiting or "ContainerCreating"
    state: dict[str, Any] = {"running": {"startedAt": stamp}} if ready else {"waiting": {"reason": reason}}
    statuses = [
        {
            "name": one["name"],
            "image": one["image"],
            "imageID": f"docker-pullable://{one['image']}" if ready else "",
            "ready": ready,
            "started": ready,
            "restartCount": 0,
            "state": state,
        }
        for one in containers
    ]
    conditions = [
        {"type": kind, "status": value, "lastTransitionTime": stamp}
        for kind, value in (
            ("PodScheduled", "True"),
            ("Initialized", "True"),
            ("ContainersReady", truth),
            ("Ready", truth),
        )
    ]
    return {
        "phase": "Running" if ready else "Pending",
        "startTime": stamp,
        "conditions": conditions,
        "containerStatuses": statuses,
        "qosClass": "Burstable",
    }


def is_ready(pod: KubeObject) -> bool:
    """Whether a Pod is ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
