"""Assess health as Argo CD does: of a live object, and of an Application from its objects.

The rules are those of Argo CD's health checks (protocols §A4 and §J). An object of a kind without a rule has no health
and does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

KubeObject = dict[str, Any]

_ORDER = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")
"""From best to worst; an Application is as healthy as its worst object."""
_BROKEN_ROLLOUT = {"RolloutAborted", "ProgressDeadlineExceeded"}
_CAUSES_NAMED = 3


class Health(NamedTuple):
    """A health status and its reason."""

    status: str
    message: str = ""


class Named(NamedTuple):
    """The identity of an object in messages and lists."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        kind = f"{self.group}/{self.kind}" if self.group else self.kind
        return f"{kind}:{self.namespace}/{self.name}"


def named(obj: KubeObject) -> Named:
    """Return the identity of an object inside its cluster."""
    group, slash, _ = str(obj.get("apiVersion", "v1")).partition("/")
    metadata = obj["metadata"]
    return Named(group if slash else "", obj["kind"], metadata.get("namespace", ""), metadata["name"])


def health_of(obj: KubeObject) -> Health | None:
    """Return the health of a live object; None for a kind without health."""
    rule = _RULES.get(obj["kind"])
    if obj["metadata"].get("deletionTimestamp"):
        return Health("Progressing", "Pending deletion")
    if (
        rule is None
        or (obj.get("metadata", {}).get("annotations") or {}).get("argocd.argoproj.io/ignore-healthcheck") == "true"
    ):
        return None
    return rule(obj)


def overall(parts: Iterable[tuple[Named, Health | None]]) -> Health:
    """Return the worst health of the objects; missing ones count only if all are missing (protocols §A2)."""
    judged = [(name, health) for name, health in parts if health is not None]
    present = [(name, health) for name, health in judged if health.status != "Missing"]
    if judged and not present:
        return Health("Missing")
    worst = max((health.status for _, health in present), key=_ORDER.index, default="Healthy")
    if worst == "Healthy":
        return Health(worst)
    causes = [str(name) for name, health in present if health.status == worst]
    return Health(worst, f"Caused by {', '.join(causes[:_CAUSES_NAMED])}")


def _rollout(obj: KubeObject) -> Health:
    status: Mapping[str, Any] = obj.get("status") or {}
    if not status or _behind(obj, status):
        return Health("Progressing", "Waiting for rollout spec update to be observed")
    phase = status.get("phase")
    if phase:
        return Health("Suspended" if phase == "Paused" else phase, status.get("message", ""))
    return _rollout_without_phase(obj, status)


def _behind(obj: KubeObject, status: Mapping[str, Any]) -> bool:
    metadata = obj["metadata"]
    observed = str(status.get("observedGeneration", ""))
    if observed.isdigit() and int(observed) < metadata.get("generation", 0):
        return True
    annotations = metadata.get("annotations") or {}
    if not (obj.get("spec", {}).get("workloadRef") and annotations):
        return False
    return annotations.get("rollout.argoproj.io/workload-generation") != status.get("workloadObservedGeneration")


def _rollout_without_phase(obj: KubeObject, status: Mapping[str, Any]) -> Health:
    """Assess a Rollout of a controller before 1.0, which has only conditions and counts."""
    for condition in status.get("conditions") or ():
        broken = condition.get("type") == "Progressing" and condition.get("reason") in _BROKEN_ROLLOUT
        if broken or condition.get("type") == "InvalidSpec":
            return Health("Degraded", condition.get("message", ""))
    spec = obj.get("spec", {})
    if status.get("pauseConditions") or spec.get("paused"):
        return Health("Suspended", "Rollout is paused")
    replicas = spec.get("replicas", 1)
    enough = min(status.get("updatedReplicas", 0), status.get("availableReplicas", 0)) >= replicas
    if not status.get("currentPodHash") or not enough:
        return Health("Progressing", "Waiting for rollout to finish")
    return Health("Healthy")


def _scaler(obj: KubeObject) -> Health:
    """Assess an HPA: one that cannot read its metrics is Degraded."""
    conditions: Sequence[Mapping[str, Any]] = (obj.get("status") or {}).get("conditions") or ()
    for condition in conditions:
        failed = str(condition.get("reason", "")).startswith("Failed") or condition.get("reason") == "InvalidSelector"
        if condition.get("status") == "False" and failed:
            return Health("Degraded", condition.get("message", ""))
    if any(one.get("type") == "AbleToScale" and one.get("status") == "True" for one in conditions):
        return Health("Healthy")
    return Health("Progressing", "Waiting to Autoscale")


def _service(obj: KubeObject) -> Health:
    waiting = obj.get("spec", {}).get("type") == "LoadBalancer" and not (obj.get("status") or {}).get("loadBalancer")
    return Health("Progressing") if waiting else Health("Healthy")


def _workload(obj: KubeObject) -> Health:
    status = obj.get("status") or {}
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return Health("Progressing", "Waiting for rollout to finish: observed generation less than desired generation")
    desired_replicas = obj.get("spec", {}).get("replicas", status.get("desiredNumberScheduled", 1))
    ready = status.get("availableReplicas", status.get("numberAvailable", 0))
    if ready < desired_replicas:
        return Health(
            "Progressing",
            f"Waiting for rollout to finish: {ready} of {desired_replicas} updated replicas are available",
        )
    return Health("Healthy")


def _analysis_run(obj: KubeObject) -> Health:
    phase = (obj.get("status") or {}).get("phase", "Pending")
    words = {"Successful": "Healthy", "Failed": "Degraded", "Error": "Degraded", "Inconclusive": "Unknown"}
    return Health(words.get(phase, "Progressing"))


def _application(obj: KubeObject) -> Health:
    health = (obj.get("status") or {}).get("health") or {}
    return Health(health.get("status") or "Unknown", health.get("message", ""))


def _application_set(obj: KubeObject) -> Health:
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ErrorOccurred" and condition.get("status") == "True":
            return Health("Degraded", condition.get("message", ""))
    return Health("Healthy")


_RULES: Mapping[str, Callable[[KubeObject], Health]] = {
    "Rollout": _rollout,
    "HorizontalPodAutoscaler": _scaler,
    "Service": _service,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "AnalysisRun": _analysis_run,
    "Application": _application,
    "ApplicationSet": _application_set,
}
