"""The Application objects on the hub: every state Argo CD writes, one write an event, in the recorded shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgm_tui.sandbox.argocd.health import Health
from sgm_tui.sandbox.argocd.project import sources_of
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore

REFRESH = "argocd.argoproj.io/refresh"
KIND = "Application"
_HISTORY_LIMIT = 10
_UNCOMPARED = {
    "health": {},
    "sourceHydrator": {},
    "summary": {},
    "sync": {"comparedTo": {"destination": {}, "source": {"repoURL": ""}}, "status": ""},
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome of holding an Application against its cluster."""

    sync: str
    revision: str
    resources: Sequence[KubeObject] | None = None
    """`status.resources`; None leaves the old list."""
    health: Health | None = None
    """None keeps the health that was, as a broken manifest does."""
    images: Sequence[str] | None = None
    source_type: str = ""
    condition: tuple[str, str] | None = None
    """Type and message of the one condition; None means there is none."""


def is_automated(spec: Mapping[str, Any]) -> bool:
    """Whether auto-sync is on; `enabled: false` switches it off although the block is there."""
    automated = (spec.get("syncPolicy") or {}).get("automated")
    return automated is not None and automated.get("enabled") is not False


def source_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The source as status repeats it: `sources` where there are several, else `source`."""
    sources = sources_of(spec)
    return {"sources": sources} if spec.get("sources") else {"source": sources[0] if sources else {"repoURL": ""}}


def revision_fields(spec: Mapping[str, Any], revision: str) -> dict[str, Any]:
    """The revision as status repeats it: one a source where there are several."""
    if not spec.get("sources"):
        return {"revision": revision}
    return {"revisions": [one.get("targetRevision", "") if one.get("chart") else revision for one in spec["sources"]]}


class GoneError(Exception):
    """The Application was deleted while something was being done for it."""


class Applications:
    """Reads and writes Applications; every method that writes makes at most one event."""

    def __init__(self, hub: ObjectStore, clock: Clock, namespace: str = "argocd") -> None:
        self.hub = hub
        self._clock = clock
        self.namespace = namespace

    def get(self, name: str) -> KubeObject | None:
        """The Application of that name."""
        return self.hub.get(KIND, self.namespace, name)

    def must(self, name: str) -> KubeObject:
        """The Application of that name.

        Raises:
            GoneError: it is not there any more.
        """
        application = self.get(name)
        if application is None:
            raise GoneError(name)
        return application

    def create(self, application: KubeObject, *, status: Mapping[str, Any] | None = None, created: str = "") -> None:
        """A new Application, not compared yet unless its status is given."""
        metadata = dict(application["metadata"])
        if created:
            metadata["creationTimestamp"] = created
        self.hub.create(KIND, {**application, "metadata": metadata, "status": dict(status or _UNCOMPARED)})

    def request(self, name: str, operation: Mapping[str, Any]) -> None:
        """Ask for an operation as the server does: the last one's state goes away in the same write."""
        application = self.must(name)
        status = {key: value for key, value in application.get("status", {}).items() if key != "operationState"}
        self.hub.write(KIND, {**application, "operation": dict(operation), "status": status})

    def begin(self, name: str) -> None:
        """The operation is taken up: Running."""
        application = self.must(name)
        operation = {"retry": {}, **application["operation"]}
        state = {"operation": operation, "phase": "Running", "startedAt": self._clock.stamp()}
        self._write(application, {"operationState": state})

    def progress(self, name: str, *, without: Sequence[str] = (), **fields: Any) -> None:
        """News of the running operation: fields of its state, None-free."""
        application = self.must(name)
        state = application["status"].get("operationState") or {}
        state = {key: value for key, value in state.items() if key not in without}
        self._write(application, {"operationState": {**state, **fields}})

    def record(self, name: str, revision: str) -> None:
        """One more entry of the history: what a finished, complete sync has deployed."""
        application = self.must(name)
        status = application["status"]
        state = status["operationState"]
        history = list(status.get("history") or ())
        entry = {
            "deployStartedAt": state["startedAt"],
            "deployedAt": self._clock.stamp(),
            "id": history[-1]["id"] + 1 if history else 0,
            "initiatedBy": state["operation"].get("initiatedBy") or {},
            **revision_fields(application["spec"], revision),
            **source_fields(application["spec"]),
        }
        limit = application["spec"].get("revisionHistoryLimit", _HISTORY_LIMIT)
        self._write(application, {"history": [*history, entry][-limit:]})

    def finish(self, name: str, phase: str, message: str, **fields: Any) -> None:
        """The operation is over; the wish for it goes away in the same write."""
        application = self.must(name)
        state = application["status"].get("operationState") or {}
        state = {**state, "finishedAt": self._clock.stamp(), "message": message, "phase": phase, **fields}
        rest = {key: value for key, value in application.items() if key != "operation"}
        self._write(rest, {"operationState": state})

    def publish(self, name: str, comparison: Comparison, *, latest: bool) -> None:
        """Write what a comparison found; `latest` says that git was asked too, which moves `reconciledAt`."""
        application = self.must(name)
        old = application.get("status") or {}
        spec = application["spec"]
        status: dict[str, Any] = {
            "controllerNamespace": self.namespace,
            "resourceHealthSource": "appTree",
            "sourceHydrator": {},
            "summary": {},
            **old,
            "sync": _sync(spec, comparison),
        }
        if latest:
            status["reconciledAt"] = self._clock.stamp()
        if comparison.resources is not None:
            status["resources"] = list(comparison.resources)
        if comparison.images is not None:
            status["summary"] = {"images": list(comparison.images)} if comparison.images else {}
        if comparison.health is not None:
            status["health"] = self._health(old.get("health") or {}, comparison.health)
        if comparison.source_type:
            status["sourceType"] = comparison.source_type
        else:
            status.pop("sourceType", None)
        self._conditions(status, comparison.condition)
        self.hub.write(KIND, {**application, "status": status})

    def refuse(self, name: str, message: str) -> None:
        """The Application may not be what it says: InvalidSpecError, nothing known about it."""
        application = self.must(name)
        old = application.get("status") or {}
        preserved = {
            key: old[key] for key in ("history", "operationState", "summary", "sourceHydrator") if old.get(key)
        }
        status: dict[str, Any] = {
            **preserved,
            "conditions": old.get("conditions") or [],
            "health": self._health(old.get("health") or {}, Health("Unknown")),
            "sync": {"status": "Unknown"},
        }
        self._conditions(status, ("InvalidSpecError", message))
        self.hub.write(KIND, {**application, "status": status})

    def move(self, name: str, revision: str) -> None:
        """A commit that did not touch this Application: only the revision it is compared to moves on."""
        application = self.must(name)
        sync = {**application["status"]["sync"], **revision_fields(application["spec"], revision)}
        self._write(application, {"reconciledAt": self._clock.stamp(), "sync": sync})

    def refreshed(self, name: str) -> None:
        """The refresh that was asked for is done."""
        application = self.must(name)
        annotations = dict(application["metadata"].get("annotations") or {})
        if annotations.pop(REFRESH, None) is not None:
            metadata = {key: value for key, value in application["metadata"].items() if key != "annotations"}
            if annotations:
                metadata["annotations"] = annotations
            self.hub.write(KIND, {**application, "metadata": metadata})

    def _write(self, application: KubeObject, status: Mapping[str, Any]) -> None:
        self.hub.write(KIND, {**application, "status": {**application.get("status", {}), **status}})

    def _health(self, old: Mapping[str, Any], new: Health) -> dict[str, Any]:
        changed = old.get("status") != new.status
        since = self._clock.stamp() if changed else old.get("lastTransitionTime", self._clock.stamp())
        message = {"message": new.message} if new.message else {}
        return {"lastTransitionTime": since, **message, "status": new.status}

    def _conditions(self, status: dict[str, Any], failure: tuple[str, str] | None) -> None:
        if failure is None:
            status.pop("conditions", None)
            return
        kind, message = failure
        for condition in status.get("conditions") or ():
            if (condition["type"], condition["message"]) == failure:
                return
        status["conditions"] = [{"lastTransitionTime": self._clock.stamp(), "message": message, "type": kind}]


def _sync(spec: Mapping[str, Any], comparison: Comparison) -> dict[str, Any]:
    compared = {"destination": spec["destination"], **source_fields(spec)}
    return {
        "comparedTo": compared,
        **revision_fields(spec, comparison.revision),
        "status": comparison.sync,
    }
