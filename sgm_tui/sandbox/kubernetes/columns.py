"""Printer columns: what `kubectl get` shows of a kind, as the real server and the real CRDs define them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sgm_tui.sandbox.kubernetes.revisions import KubeObject

Cell = str | int | None
Reader = Callable[[KubeObject, datetime], Cell]

_NAME_MEANING = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow "
    "a client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column, and how its cell is read from an object."""

    name: str
    type: str
    read: Reader
    description: str = ""
    format: str = ""
    priority: int = 0
    """Above 0 only with `-o wide`."""

    def definition(self) -> dict[str, Any]:
        """Return the column as a Table declares it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def at(obj: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path; None if any part is missing."""
    value: Any = obj
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def human_duration(seconds: float) -> str:
    """Format an age as kubectl does: 14s, 5m3s, 108m, 7h4m, 47h, 6d2h, 200d, 3y10d."""
    if seconds < 0:
        return "0s" if seconds >= -2 else "<invalid>"
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = divmod(days, 365)
    return f"{years}y{rest}d" if years < 8 and rest else f"{years}y"


def since(stamp: Any, now: datetime) -> str:
    """Return the age of an RFC 3339 timestamp; `<unknown>` if there is none."""
    if not isinstance(stamp, str) or not stamp:
        return "<unknown>"
    try:
        return human_duration((now - datetime.fromisoformat(stamp)).total_seconds())
    except ValueError:
        return "<unknown>"


def _path(name: str, path: str, type_: str = "string", description: str | None = None, priority: int = 0) -> Column:
    parts = path.split(".")

    def read(obj: KubeObject, _now: datetime) -> Cell:
        value: Any = obj
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        return value if value is None or isinstance(value, str | int) else str(value)

    text = f"Custom resource definition column (in JSONPath format): .{path}" if description is None else description
    return Column(name, type_, read, text, "", priority)


def _age(path: str = "metadata.creationTimestamp", name: str = "Age", type_: str = "date") -> Column:
    return Column(name, type_, lambda obj, now: since(at(obj, path), now), "Time since resource was created")


def _text(name: str, read: Callable[[KubeObject], Cell], type_: str = "string", priority: int = 0) -> Column:
    return Column(name, type_, lambda obj, _now: read(obj), "", "", priority)


NAME = Column("Name", "string", lambda obj, _now: str(obj["metadata"]["name"]), _NAME_MEANING, "name")


def _containers(obj: KubeObject, part: str, path: str) -> str:
    spec = at(obj, path) or {}
    return ",".join(str(container.get(part, "")) for container in spec.get("containers") or ())


def _labels(labels: Mapping[str, Any] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def _pod_status(obj: KubeObject) -> str:
    """Return what is wrong with a pod's containers, otherwise its phase."""
    if at(obj, "metadata.deletionTimestamp"):
        return "Terminating"
    for status in at(obj, "status.containerStatuses") or ():
        for state in ("waiting", "terminated"):
            reason = at(status, f"state.{state}.reason")
            if reason:
                return str(reason)
    return str(at(obj, "status.reason") or at(obj, "status.phase") or "Unknown")


def _pod_ready(obj: KubeObject) -> str:
    statuses = at(obj, "status.containerStatuses") or ()
    return f"{sum(1 for s in statuses if s.get('ready'))}/{len(at(obj, 'spec.containers') or ())}"


def _pod_restarts(obj: KubeObject) -> str:
    return str(sum(int(s.get("restartCount", 0)) for s in at(obj, "status.containerStatuses") or ()))


def _ports(obj: KubeObject) -> str:
    return ",".join(f"{p.get('port')}/{p.get('protocol', 'TCP')}" for p in at(obj, "spec.ports") or ()) or "<none>"


def _hpa_targets(obj: KubeObject) -> str:
    current = {at(m, "resource.name"): m for m in at(obj, "status.currentMetrics") or ()}
    shown = []
    for metric in at(obj, "spec.metrics") or ():
        name = at(metric, "resource.name")
        target = at(metric, "resource.target.averageUtilization")
        if name is None or target is None:
            shown.append("<unknown>")
            continue
        now = at(current.get(name, {}), "resource.current.averageUtilization")
        shown.append(f"{name}: {'<unknown>' if now is None else f'{now}%'}/{target}%")
    return ", ".join(shown) or "<none>"


def _object_of(obj: KubeObject) -> str:
    return f"{str(at(obj, 'involvedObject.kind')).lower()}/{at(obj, 'involvedObject.name')}"


def _last_seen(obj: KubeObject, now: datetime) -> Cell:
    return since(at(obj, "lastTimestamp") or at(obj, "eventTime") or at(obj, "firstTimestamp"), now)


def _node_status(obj: KubeObject) -> str:
    conditions = {c.get("type"): c.get("status") for c in at(obj, "status.conditions") or ()}
    return "Ready" if conditions.get("Ready") == "True" else "NotReady"


def _count(path: str) -> Callable[[KubeObject], Cell]:
    return lambda obj: len(at(obj, path) or ())


def _number(path: str) -> Callable[[KubeObject], Cell]:
    return lambda obj: int(at(obj, path) or 0)


def _word(path: str, default: str = "<none>") -> Callable[[KubeObject], Cell]:
    return lambda obj: str(at(obj, path) or default)


_TEMPLATE_COLUMNS = (
    _text("Containers", lambda o: _containers(o, "name", "spec.template.spec"), priority=1),
    _text("Images", lambda o: _containers(o, "image", "spec.template.spec"), priority=1),
    _text("Selector", lambda o: _labels(at(o, "spec.selector.matchLabels")), priority=1),
)

_ROLLOUT = (
    NAME,
    _path("Desired", "spec.replicas", "integer", "Number of desired pods"),
    _path("Current", "status.replicas", "integer", "Total number of non-terminated pods targeted by this rollout"),
    _path(
        "Up-to-date", "status.updatedReplicas", "integer",
        "Total number of non-terminated pods targeted by this rollout that have the desired template spec",
    ),
    _path(
        "Available", "status.availableReplicas", "integer",
        "Total number of available pods (ready for at least minReadySeconds) targeted by this rollout",
    ),
    _age(),
)  # fmt: skip

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "Rollout": _ROLLOUT,
    "Application": (
        NAME,
        _path("Sync Status", "status.sync.status"),
        _path("Health Status", "status.health.status"),
        _path("Revision", "status.sync.revision", priority=10),
        _path("Project", "spec.project", priority=10),
    ),
    "AnalysisRun": (NAME, _path("Status", "status.phase", description="AnalysisRun status"), _age()),
    "Experiment": (NAME, _path("Status", "status.phase", description="Experiment status"), _age()),
    "ConfigMap": (NAME, _text("Data", _count("data"), "integer"), _age(type_="string")),
    "Secret": (
        NAME,
        _text("Type", _word("type", "Opaque")),
        _text("Data", _count("data"), "integer"),
        _age(type_="string"),
    ),
    "Namespace": (NAME, _text("Status", _word("status.phase", "Active")), _age(type_="string")),
    "Node": (
        NAME,
        _text("Status", _node_status),
        _text("Roles", lambda _: "<none>"),
        _age(type_="string"),
        _text("Version", _word("status.nodeInfo.kubeletVersion", "")),
    ),
    "Pod": (
        NAME,
        _text("Ready", _pod_ready),
        _text("Status", _pod_status),
        _text("Restarts", _pod_restarts),
        _age(type_="string"),
        _text("IP", _word("status.podIP"), priority=1),
        _text("Node", _word("spec.nodeName"), priority=1),
        _text("Nominated Node", lambda _: "<none>", priority=1),
        _text("Readiness Gates", lambda _: "<none>", priority=1),
    ),
    "Service": (
        NAME,
        _text("Type", _word("spec.type", "ClusterIP")),
        _text("Cluster-IP", _word("spec.clusterIP")),
        _text("External-IP", lambda _: "<none>"),
        _text("Port(s)", _ports),
        _age(type_="string"),
        _text("Selector", lambda o: _labels(at(o, "spec.selector")), priority=1),
    ),
    "ReplicaSet": (
        NAME,
        _text("Desired", _number("spec.replicas"), "integer"),
        _text("Current", _number("status.replicas"), "integer"),
        _text("Ready", _number("status.readyReplicas"), "integer"),
        _age(type_="string"),
        *_TEMPLATE_COLUMNS,
    ),
    "Deployment": (
        NAME,
        _text("Ready", lambda o: f"{at(o, 'status.readyReplicas') or 0}/{at(o, 'spec.replicas') or 0}"),
        _text("Up-to-date", _number("status.updatedReplicas"), "integer"),
        _text("Available", _number("status.availableReplicas"), "integer"),
        _age(type_="string"),
        *_TEMPLATE_COLUMNS,
    ),
    "HorizontalPodAutoscaler": (
        NAME,
        _text("Reference", lambda o: f"{at(o, 'spec.scaleTargetRef.kind')}/{at(o, 'spec.scaleTargetRef.name')}"),
        _text("Targets", _hpa_targets),
        _text("MinPods", lambda o: str(at(o, "spec.minReplicas") or 1)),
        _text("MaxPods", _number("spec.maxReplicas"), "integer"),
        _text("Replicas", _number("status.currentReplicas"), "integer"),
        _age(type_="string"),
    ),
    "PodDisruptionBudget": (
        NAME,
        _text("Min Available", lambda o: str(at(o, "spec.minAvailable") or "N/A")),
        _text("Max Unavailable", lambda o: str(at(o, "spec.maxUnavailable") or "N/A")),
        _text("Allowed Disruptions", _number("status.disruptionsAllowed"), "integer"),
        _age(type_="string"),
    ),
    "Event": (
        Column("Last Seen", "string", _last_seen),
        _text("Type", _word("type", "")),
        _text("Reason", _word("reason", "")),
        _text("Object", _object_of),
        _text("Subobject", _word("involvedObject.fieldPath", ""), priority=1),
        _text("Source", _word("source.component", ""), priority=1),
        _text("Message", lambda o: str(at(o, "message") or "").strip()),
        Column("First Seen", "string", lambda o, now: since(at(o, "firstTimestamp"), now), priority=1),
        _text("Count", _number("count"), "integer", priority=1),
        Column("Name", "string", NAME.read, _NAME_MEANING, "name", 1),
    ),
}

_PLAIN = (NAME, _age())


def columns_of(kind: str) -> Sequence[Column]:
    """Return the columns of a kind; name and age if it defines none."""
    return _COLUMNS.get(kind, _PLAIN)
