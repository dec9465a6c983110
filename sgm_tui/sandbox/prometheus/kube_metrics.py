"""The metrics that kube-state-metrics, the kubelet and the Rollouts controller export of a cluster's objects.

They are derived from the current objects, whose past is assumed to have been the same since their creation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.prometheus.series import Family, Gauge
from sgm_tui.sandbox.promql.values import NAME, Labels, labels_of

Row = tuple[Mapping[str, str], float]
Rows = Callable[[KubeObject], Iterable[Row]]

_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
_STATE = {"job": "kube-state-metrics"}


def families(store: ObjectStore, clock: Clock) -> dict[str, Family]:
    """Return every metric by its name."""
    return {name: _family(store, clock, name, kind, rows) for name, (kind, rows) in _METRICS.items()}


def _family(store: ObjectStore, clock: Clock, name: str, kind: str, rows: Rows) -> Family:
    def family(namespace: str | None) -> Iterator[Gauge]:
        for obj in store.list(kind, namespace):
            since = clock.virtual(datetime.fromisoformat(obj["metadata"]["creationTimestamp"]))
            common = {NAME: name, "namespace": obj["metadata"]["namespace"]}
            for labels, value in rows(obj):
                yield _gauge_since(labels_of({**common, **labels}), value, since)

    return family


def _gauge_since(labels: Labels, value: float, since: float) -> Gauge:
    return Gauge(labels, lambda at: value if at >= since else None)


def _status(obj: KubeObject) -> Mapping[str, Any]:
    return obj.get("status") or {}


def _pod_labels(pod: KubeObject) -> dict[str, str]:
    return {**_STATE, "pod": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}


def _is_ready(pod: KubeObject) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in _status(pod).get("conditions") or ())


def _scrape_state(pod: KubeObject) -> Iterator[Row]:
    address = _status(pod).get("podIP") or pod["metadata"]["name"]
    labels = pod["metadata"].get("labels") or {}
    service = labels.get("app.kubernetes.io/name", "")
    if service:
        yield {"job": service, "service": service, "pod": pod["metadata"]["name"], "instance": f"{address}:8080",
               "endpoint": "http"}, float(_is_ready(pod))  # fmt: skip


def _pod_info(pod: KubeObject) -> Iterator[Row]:
    owners = pod["metadata"].get("ownerReferences") or [{}]
    owner: Mapping[str, str] = owners[0]
    yield {**_pod_labels(pod), "created_by_kind": owner.get("kind", ""), "created_by_name": owner.get("name", ""),
           "node": pod["spec"].get("nodeName", ""), "pod_ip": _status(pod).get("podIP", "")}, 1.0  # fmt: skip


def _pod_owner(pod: KubeObject) -> Iterator[Row]:
    for owner in pod["metadata"].get("ownerReferences") or ():
        yield {**_pod_labels(pod), "owner_kind": owner["kind"], "owner_name": owner["name"],
               "owner_is_controller": "true"}, 1.0  # fmt: skip


def _pod_phase(pod: KubeObject) -> Iterator[Row]:
    for phase in _PHASES:
        yield {**_pod_labels(pod), "phase": phase}, float(_status(pod).get("phase") == phase)


def _pod_ready(pod: KubeObject) -> Iterator[Row]:
    ready = _is_ready(pod)
    for condition, holds in (("true", ready), ("false", not ready), ("unknown", False)):
        yield {**_pod_labels(pod), "condition": condition}, float(holds)


def _restarts(pod: KubeObject) -> Iterator[Row]:
    for container in _status(pod).get("containerStatuses") or ():
        yield {**_pod_labels(pod), "container": container["name"]}, float(container.get("restartCount", 0))


def _waiting(pod: KubeObject) -> Iterator[Row]:
    for container in _status(pod).get("containerStatuses") or ():
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason")
        if reason:
            yield {**_pod_labels(pod), "container": container["name"], "reason": reason}, 1.0


def _replica_set_owner(replica_set: KubeObject) -> Iterator[Row]:
    for owner in replica_set["metadata"].get("ownerReferences") or ():
        yield {**_STATE, "replicaset": replica_set["metadata"]["name"], "owner_kind": owner["kind"],
               "owner_name": owner["name"], "owner_is_controller": "true"}, 1.0  # fmt: skip


def _scaler(part: str, field: str) -> Rows:
    def rows(scaler: KubeObject) -> Iterator[Row]:
        value = (scaler.get(part) or {}).get(field)
        if value is not None:
            yield {**_STATE, "horizontalpodautoscaler": scaler["metadata"]["name"]}, float(value)

    return rows


def _rollout(rollout: KubeObject) -> dict[str, str]:
    return {"job": "argo-rollouts-metrics", "name": rollout["metadata"]["name"]}


def _rollout_replicas(count: Callable[[KubeObject], float]) -> Rows:
    return lambda rollout: [(_rollout(rollout), count(rollout))]


def _count_of(field: str) -> Callable[[KubeObject], float]:
    return lambda rollout: float(_status(rollout).get(field) or 0)


def _desired(rollout: KubeObject) -> float:
    return float(rollout["spec"].get("replicas", 1))


_METRICS: Mapping[str, tuple[str, Rows]] = {
    "up": ("Pod", _scrape_state),
    "kube_pod_info": ("Pod", _pod_info),
    "kube_pod_owner": ("Pod", _pod_owner),
    "kube_pod_status_phase": ("Pod", _pod_phase),
    "kube_pod_status_ready": ("Pod", _pod_ready),
    "kube_pod_container_status_restarts_total": ("Pod", _restarts),
    "kube_pod_container_status_waiting_reason": ("Pod", _waiting),
    "kube_replicaset_owner": ("ReplicaSet", _replica_set_owner),
    "kube_horizontalpodautoscaler_spec_min_replicas": ("HorizontalPodAutoscaler", _scaler("spec", "minReplicas")),
    "kube_horizontalpodautoscaler_spec_max_replicas": ("HorizontalPodAutoscaler", _scaler("spec", "maxReplicas")),
    "kube_horizontalpodautoscaler_status_current_replicas": (
        "HorizontalPodAutoscaler",
        _scaler("status", "currentReplicas"),
    ),
    "kube_horizontalpodautoscaler_status_desired_replicas": (
        "HorizontalPodAutoscaler",
        _scaler("status", "desiredReplicas"),
    ),
    "rollout_info_replicas_available": ("Rollout", _rollout_replicas(_count_of("availableReplicas"))),
    "rollout_info_replicas_updated": ("Rollout", _rollout_replicas(_count_of("updatedReplicas"))),
    "rollout_info_replicas_desired": ("Rollout", _rollout_replicas(_desired)),
    "rollout_info_replicas_unavailable": (
        "Rollout",
        _rollout_replicas(lambda one: max(0.0, _desired(one) - _count_of("availableReplicas")(one))),
    ),
}
