"""Write the Applications on the hub: every state of Argo CD, one event per write, in the recorded form."""

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
    """The result of comparing an Application with its cluster."""

    sync: str
    revision: str
    resources: Sequence[KubeObject] | None = None
    """`status.resources`; None keeps the old list."""
    health: Health | None = None
    """None keeps the old health, as with a manifest that does not render."""
    images: Sequence[str] | None = None
    source_type: str = ""
    condition: tuple[str, str] | None = None
    """Type and message of the only condition; None if there is none."""


def is_automated(spec: Mapping[str, Any]) -> bool:
    """Return whether auto-sync is on; `enabled: false` turns it off."""
    automated = (spec.get("syncPolicy") or {}).get("automated")
    return automated is not None and automated.get("enabled") is not False


def source_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sources as the status repeats them: `sources` if the spec has several, else `source`."""
    sources = sources_of(spec)
    return {"sources": sources} if spec.get("sources") else {"source": sources[0] if sources else {"repoURL": ""}}


def revision_fields(spec: Mapping[str, Any], revision: str) -> dict[str, Any]:
    """Return the revision as the status repeats it: one for each source if the spec has several."""
    if not spec.get("sources"):
        return {"revision": revision}
    return {"revisions": [one.get("targetRevision", "") if one.get("chart") else revision for one in spec["sources"]]}


class GoneError(Exception):
    """An Application that was deleted while a script about it ran."""


class Applications:
    """Reads and writes Applications; every writing method causes at most one event."""

    def __init__(self, hub: ObjectStore, clock: Clock, namespace: str = "argocd") -> None:
        self.hub = hub
        self._clock = clock
        self.namespace = namespace

    def get(self, name: str) -> KubeObject | None:
        """Return an Application; None if there is none of that name."""
        return self.hub.get(KIND, self.namespace, name)

    def must(self, name: str) -> KubeObject:
        """Return an Application.

        Raises:
            GoneError: it was deleted.
        """
        application = self.get(name)
        if application is None:
            raise GoneError(name)
        return application

    def create(self, application: KubeObject, *, status: Mapping[str, Any] | None = None, created: str = "") -> None:
        """Create an Application, without a comparison unless its status is passed."""
        metadata = dict(application["metadata"])
        if created:
            metadata["creationTimestamp"] = created
        self.hub.create(KIND, {**application, "metadata": metadata, "status": dict(status or _UNCOMPARED)})

    def request(self, name: str, operation: Mapping[str, Any]) -> None:
        """Request an operation as the API server does: the same write removes the state of the last one."""
        application = self.must(name)
        status = {key: value for key, value in application.get("status", {}).items() if key != "operationState"}
        self.hub.write(KIND, {**application, "operation": dict(operation), "status": status})

    def begin(self, name: str) -> None:
        """Start the requested operation: Running."""
        application = self.must(name)
        operation = {"retry": {}, **application["operation"]}
        state = {"operation": operation, "phase": "Running", "startedAt": self._clock.stamp()}
        self._write(application, {"operationState": state})

    def progress(self, name: str, *, without: Sequence[str] = (), **fields: Any) -> None:
        """Update fields of the state of the running operation; `without` names fields to remove."""
        application = self.must(name)
        state = application["status"].get("operationState") or {}
        state = {key: value for key, value in state.items() if key not in without}
        self._write(application, {"operationState": {**state, **fields}})

    def record(self, name: str, revision: str) -> None:
        """Append a finished, complete sync to the history."""
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
        """Finish the operation; the same write removes its request."""
        application = self.must(name)
        state = application["status"].get("operationState") or {}
        state = {**state, "finishedAt": self._clock.stamp(), "message": message, "phase": phase, **fields}
        rest = {key: value for key, value in application.items() if key != "operation"}
        self._write(rest, {"operationState": state})

    def publish(self, name: str, comparison: Comparison, *, latest: bool) -> None:
        """Write a comparison; `latest` if it fetched from git, which updates `reconciledAt`."""
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
        """Write InvalidSpecError, with sync and health Unknown."""
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
        """Write another revision after a commit that does not affect the Application."""
        application = self.must(name)
        sync = {**application["status"]["sync"], **revision_fields(application["spec"], revision)}
        self._write(application, {"reconciledAt": self._clock.stamp(), "sync": sync})

    def refreshed(self, name: str) -> None:
        """Remove the annotation that requested a refresh."""
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
