"""Events as controllers record them: complete, counted when they repeat, and bounded for each namespace.

A real API server deletes events after an hour; a demo keeps the newest ones, however old they are.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.kubernetes.timestamps import Timestamps

ROLLOUTS = "rollouts-controller"
REPLICA_SETS = "replicaset-controller"
KUBELET = "kubelet"
AUTOSCALER = "horizontal-pod-autoscaler"

_KEPT = 40
"""The most events kept in one namespace."""

_EventKey = tuple[str, str, str]


class Recorder:
    """Writes the events of one cluster."""

    def __init__(self, store: ObjectStore, marks: Timestamps) -> None:
        self._store = store
        self._marks = marks
        self._names: dict[str, OrderedDict[str, _EventKey]] = {}
        self._event_names: dict[_EventKey, str] = {}
        self._number = 0

    def record(
        self, about: KubeObject, reason: str, message: str, *, warning: bool = False, by: str = ROLLOUTS
    ) -> None:
        """Record an event of an object; repeating it increases its count."""
        metadata = about["metadata"]
        event_key = (metadata["uid"], reason, message)
        recorded = self._event_names.get(event_key)
        event = self._store.get("Event", metadata["namespace"], recorded) if recorded else None
        if event is not None:
            repeated = {"count": event["count"] + 1, "lastTimestamp": self._marks.stamp()}
            self._store.write("Event", {**event, **repeated})
            self._names[metadata["namespace"]].move_to_end(event["metadata"]["name"])
            return
        name = self._create(about, reason, message, warning=warning, by=by)
        self._event_names[event_key] = name
        self._keep(metadata["namespace"], name, event_key)

    def _create(self, about: KubeObject, reason: str, message: str, *, warning: bool, by: str) -> str:
        metadata = about["metadata"]
        self._number += 1
        stamp = self._marks.stamp()
        name = f"{metadata['name']}.{0x18EAA4E231D60000 + self._number:x}"
        involved: dict[str, Any] = {
            "kind": about["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": about["apiVersion"],
            "resourceVersion": metadata["resourceVersion"],
        }
        self._store.create(
            "Event",
            {
                "metadata": {"name": name, "namespace": metadata["namespace"], "creationTimestamp": stamp},
                "involvedObject": involved,
                "reason": reason,
                "message": message,
                "source": {"component": by},
                "firstTimestamp": stamp,
                "lastTimestamp": stamp,
                "count": 1,
                "type": "Warning" if warning else "Normal",
                "eventTime": None,
                "reportingComponent": by,
                "reportingInstance": "",
            },
        )
        return name

    def _keep(self, namespace: str, name: str, event_key: _EventKey) -> None:
        names = self._names.setdefault(namespace, OrderedDict())
        names[name] = event_key
        while len(names) > _KEPT:
            oldest, forgotten = names.popitem(last=False)
            del self._event_names[forgotten]
            if self._store.get("Event", namespace, oldest) is not None:
                self._store.delete("Event", namespace, oldest)
