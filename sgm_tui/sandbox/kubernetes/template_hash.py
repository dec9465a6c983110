"""The hashes of pod templates and canary steps, which name ReplicaSets.

Argo Rollouts hashes the JSON of its Go types: fields in the order of their declaration, maps by key. The same algorithm
gives the names of a real cluster, and a template that returns gets its ReplicaSet back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_OFFSET, _PRIME = 0x811C9DC5, 0x01000193

_MAPS = frozenset({"labels", "annotations", "requests", "limits", "nodeSelector", "matchLabels"})
"""Free-form maps, sorted by key as Go writes them."""

_ORDER: dict[str, int] = {
    name: position
    for position, name in enumerate(
        (
            # metadata, then a pod's spec, then its containers and what they hold: one list is enough, as no two
            # of these types declare a pair of these names in opposite orders.
            "templates", "templateName", "clusterScope",
            "metadata", "spec", "volumes", "initContainers", "containers", "restartPolicy",
            "terminationGracePeriodSeconds", "activeDeadlineSeconds", "dnsPolicy", "nodeSelector",
            "serviceAccountName", "nodeName", "name", "generateName", "namespace", "image", "command", "args",
            "workingDir", "labels", "annotations", "hostPort", "ports", "containerPort", "protocol", "envFrom", "env",
            "exec", "httpGet", "tcpSocket", "grpc", "path", "port", "host", "scheme", "httpHeaders", "value",
            "valueFrom", "resources", "limits", "requests", "claims", "volumeMounts", "livenessProbe",
            "readinessProbe", "startupProbe", "lifecycle", "initialDelaySeconds", "timeoutSeconds", "periodSeconds",
            "successThreshold", "failureThreshold", "terminationMessagePath", "terminationMessagePolicy",
            "imagePullPolicy", "securityContext", "imagePullSecrets", "hostname", "affinity", "schedulerName",
            "tolerations", "priorityClassName", "topologySpreadConstraints",
            # canary steps
            "setWeight", "pause", "duration", "experiment", "analysis",
            "podTemplateHashValue", "fieldRef", "fieldPath", "dryRun", "metricName", "measurementRetention",
            "setCanaryScale", "weight", "replicas", "matchTrafficWeight", "setHeaderRoute", "setMirrorRoute", "plugin",
        )
    )
}  # fmt: skip


def template_hash(template: Mapping[str, Any], collisions: int | None = None) -> str:
    """Return the `rollouts-pod-template-hash` of a pod template."""
    spec = dict(template.get("spec") or {})
    for kind in ("initContainers", "containers"):
        if kind in spec:
            spec[kind] = [{**one, "resources": one.get("resources") or {}} for one in spec[kind]]
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value is not None}
    data = _encoded({"metadata": metadata, "spec": spec})
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    return safe_hash(data)


def steps_hash(steps: Sequence[Any]) -> str:
    """Return the `status.currentStepHash` of a list of canary steps."""
    return safe_hash(_encoded(list(steps)) if steps else b"null")


def safe_hash(data: bytes) -> str:
    """Return FNV-1a 32 in an alphabet that forms no words."""
    value = _OFFSET
    for byte in data:
        value = (value ^ byte) * _PRIME & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(character) % len(_ALPHABET)] for character in str(value))


def _encoded(value: Any) -> bytes:
    text = json.dumps(_ordered(value, is_map=False), separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def _ordered(value: Any, *, is_map: bool) -> Any:
    if isinstance(value, Mapping):
        keys = sorted(value) if is_map else sorted(value, key=lambda key: (_ORDER.get(key, len(_ORDER)), key))
        return {key: _ordered(value[key], is_map=key in _MAPS) for key in keys}
    if isinstance(value, list):
        return [_ordered(one, is_map=False) for one in value]
    return value
