"""Build the ReplicaSet of a Rollout's pod template."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.rollouts.objects import DESIRED_REPLICAS, HASH_LABEL, REVISION, REVISION_HISTORY, Rollout

NOT_COPIED = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", REVISION, REVISION_HISTORY, DESIRED_REPLICAS}
)
"""Annotations of a Rollout that its ReplicaSets do not get."""


def new_replica_set(rollout: Rollout, pod_hash: str, revision: str, created_at: str) -> KubeObject:
    """Return the ReplicaSet of the Rollout's present template, with 0 replicas; `created_at` is RFC 3339."""
    template = rollout.template
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: pod_hash}
    annotations = {key: value for key, value in rollout.annotations.items() if key not in NOT_COPIED}
    metadata = {
        "name": f"{rollout.name}-{pod_hash}",
        "namespace": rollout.namespace,
        "creationTimestamp": created_at,
        "labels": labels,
        "annotations": {**annotations, DESIRED_REPLICAS: str(rollout.replicas), REVISION: revision},
        "ownerReferences": [owner_of(rollout.obj)],
    }
    spec: dict[str, Any] = {
        "replicas": 0,
        "selector": {"matchLabels": {**rollout.match_labels, HASH_LABEL: pod_hash}},
        "template": pod_template(template, labels),
    }
    if rollout.spec.get("minReadySeconds"):
        spec["minReadySeconds"] = rollout.spec["minReadySeconds"]
    return {"metadata": metadata, "spec": spec, "status": {"replicas": 0}}


def owner_of(obj: KubeObject) -> dict[str, Any]:
    """Return the ownerReference to a controlling object."""
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_template(template: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    """Return a pod template with these labels and the defaults the API server fills in."""
    spec = template.get("spec") or {}
    defaults = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent"}  # fmt: skip
    filled = {
        **spec,
        "containers": [
            {**defaults, **container, "resources": container.get("resources") or {}} for container in spec["containers"]
        ],
    }
    for key, value in (
        ("restartPolicy", "Always"),
        ("terminationGracePeriodSeconds", 30),
        ("dnsPolicy", "ClusterFirst"),
        ("securityContext", {}),
        ("schedulerName", "default-scheduler"),
    ):
        filled.setdefault(key, value)
    return {"metadata": {**(template.get("metadata") or {}), "labels": labels}, "spec": filled}
