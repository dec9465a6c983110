"""One embedded cluster with its Rollouts controller, and what people do to it with `kubectl argo rollouts`."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from sgm_tui.fleet.facts import AnalysisRun, Rollout
from sgm_tui.fleet.model import ClusterName
from sgm_tui.fleet.rollouts.derivation import derive
from sgm_tui.fleet.rollouts.objects import ReplicaSetObject
from sgm_tui.live.rollout_wire import (
    AnalysisRunWire,
    Owned,
    ReplicaSetWire,
    RolloutWire,
    to_analysis_run,
    to_replica_set,
    to_rollout,
)
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.rollouts.controller import RolloutsController

STARTED = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
STEP = 0.1


class Lab:
    """A cluster whose clock the test moves, and the Rollout `app` as the dashboards see it at every change."""

    def __init__(self, namespace: str = "ns", *, speed: float = 1.0, seed: str = "lab") -> None:
        self.namespace = namespace
        self.clock = Clock(STARTED, speed)
        self.store = ObjectStore(self.clock, seed=seed)
        self.answers: dict[str, list[list[float]]] = {}
        """What each query will give, one answer a measurement; the last one stays."""
        self.asked: list[str] = []
        self.controller = RolloutsController(self.store, self.clock, measure=self.measure, seed=seed)
        self.controller.pod_defect = defect
        self.seen: list[Rollout] = []
        """The Rollout at each of its changes, derived as our own live side does."""
        self.store.listeners.append(self._see)

    def measure(self, query: str) -> list[float]:
        self.asked.append(query)
        answers = self.answers.get(query) or [[]]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def run_until(self, moment: float) -> None:
        """Step through virtual time, as the world does."""
        with watched() as trouble:
            while self.clock.now < moment - 1e-9:
                self.clock.advance(min(STEP, moment - self.clock.now))
                self.controller.step()
        assert trouble == []

    def run(self, seconds: float) -> None:
        self.run_until(self.clock.now + seconds)

    @property
    def rollout(self) -> KubeObject:
        found = self.store.get("Rollout", self.namespace, "app")
        assert found is not None
        return found

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.rollout["status"]
        return status

    @property
    def states(self) -> list[tuple[str, str, str, str, str]]:
        """The distinct states in order."""
        states: list[tuple[str, str, str, str, str]] = []
        for one in self.seen:
            state = state_of(one)
            if not states or states[-1] != state:
                states.append(state)
        return states

    def replica_sets(self) -> dict[str, int]:
        """Image tag → pods asked for."""
        return {
            one["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]: one["spec"]["replicas"]
            for one in self.store.list("ReplicaSet", self.namespace)
        }

    def events(self, reason: str = "") -> list[str]:
        found = self.store.list("Event", self.namespace)
        return [one["message"] for one in found if not reason or one["reason"] == reason]

    def create(self, *objects: Mapping[str, Any]) -> None:
        for obj in objects:
            self.store.create(obj["kind"], copy.deepcopy(dict(obj)))

    def patch(self, change: Mapping[str, Any], *, subresource: str = "") -> None:
        """A merge patch of the Rollout."""
        found = self.rollout
        if subresource:
            change = {"status": change["status"]}
        self.store.write("Rollout", merged(found, change), subresource=subresource)

    def set_image(self, tag: str) -> None:
        template = with_tag(self.rollout["spec"]["template"], tag)
        self.store.write("Rollout", {**self.rollout, "spec": {**self.rollout["spec"], "template": template}})

    def plugin(self, command: str) -> None:
        """What `kubectl argo rollouts` sends for a command (protocols §B5)."""
        status, spec = self.status, self.rollout["spec"]
        if command == "pause":
            self.patch({"spec": {"paused": True}})
        elif command == "restart":
            self.patch({"spec": {"restartAt": self.clock.stamp()}})
        elif command in {"abort", "retry rollout"}:
            self.patch({"status": {"abort": command == "abort"}}, subresource="status")
        elif command == "promote --full":
            if status["currentPodHash"] != status["stableRS"]:
                self.patch({"status": {"promoteFull": True}}, subresource="status")
        elif command == "promote --skip-current-step":
            self.patch({"status": {"currentStepIndex": status.get("currentStepIndex", 0) + 1}}, subresource="status")
        elif command == "promote --skip-all-steps":
            steps = spec["strategy"]["canary"]["steps"]
            self.patch({"status": {"currentStepIndex": len(steps)}}, subresource="status")
        else:
            assert command == "promote", command
            self._promote(status, spec)

    def _promote(self, status: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        change = promotion(status, spec)
        if change is not None:
            self.patch({"status": change}, subresource="status")
        if spec.get("paused"):
            self.patch({"spec": {"paused": False}})

    def _see(self, change: str, kind: str, obj: KubeObject) -> None:
        if kind != "Rollout" or change == "DELETED" or obj["metadata"]["name"] != "app":
            return
        wire = msgspec.json.decode(json.dumps(obj), type=RolloutWire)
        self.seen.append(derive(to_rollout(wire, ClusterName("c")), self._replica_sets(), self._runs()))

    def _replica_sets(self) -> Sequence[ReplicaSetObject]:
        found = self.store.list("ReplicaSet", self.namespace)
        wires = [msgspec.json.decode(json.dumps(one), type=ReplicaSetWire) for one in found]
        owned: list[Owned[ReplicaSetObject]] = [to_replica_set(one) for one in wires]
        return [one.value for one in owned]

    def _runs(self) -> Sequence[AnalysisRun]:
        found = self.store.list("AnalysisRun", self.namespace)
        wires = [msgspec.json.decode(json.dumps(one), type=AnalysisRunWire) for one in found]
        return [to_analysis_run(one).value for one in wires]


@contextmanager
def watched() -> Iterator[list[str]]:
    """What the controllers complain of: they survive odd objects, but ours are fine."""
    complaints: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complaints.append(logging.Formatter().format(record))

    handler = Handler()
    logger = logging.getLogger("sgm.sandbox")
    logger.addHandler(handler)
    try:
        yield complaints
    finally:
        logger.removeHandler(handler)


def defect(image: str) -> str:
    """The recordings' way of asking for trouble: by the tag."""
    if image.endswith("-nopull"):
        return "ErrImagePull"
    return "CrashLoopBackOff" if image.endswith("-crash") else ""


def promotion(status: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any] | None:
    """The status patch of a plain `promote`."""
    steps = (spec["strategy"].get("canary") or {}).get("steps") or []
    further = {"currentStepIndex": min(status.get("currentStepIndex", 0) + 1, len(steps))}
    run = (status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    if run.get("status") == "Inconclusive" and status.get("pauseConditions") and status.get("controllerPause"):
        return {"pauseConditions": None, "controllerPause": False, **further}
    if status.get("pauseConditions"):
        return {"pauseConditions": None}
    return {"pauseConditions": None, **further} if steps else None


def state_of(one: Rollout) -> tuple[str, str, str, str, str]:
    step = f"{one.step}/{one.steps}" if one.steps is not None else ""
    weight = "" if one.set_weight is None else str(one.set_weight)
    return one.phase, one.message, step, weight, one.health


def with_tag(template: Mapping[str, Any], tag: str) -> dict[str, Any]:
    found = template["spec"]["containers"]
    containers = [{**one, "image": f"{one['image'].rpartition(':')[0]}:{tag}"} for one in found]
    return {**template, "spec": {**template["spec"], "containers": containers}}


def merged(target: Any, change: Any) -> Any:
    """RFC 7386."""
    if not isinstance(change, Mapping):
        return change
    out = dict(target) if isinstance(target, Mapping) else {}
    for key, value in change.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


def rollout(strategy: Mapping[str, Any], *, replicas: int = 5, tag: str = "v1.0.0", **spec: Any) -> dict[str, Any]:
    """A Rollout `app` as the recordings have it."""
    resources = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    container = {"image": f"ghcr.io/acme/checkout:{tag}", "name": "app", "resources": resources}
    return {
        "kind": "Rollout",
        "metadata": {"name": "app", "namespace": "ns"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "app"}},
            "strategy": dict(strategy),
            "template": {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [container]}},
            **spec,
        },
    }


def service(name: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    spec = {"ports": ports, "selector": {"app": "app"}}
    return {"kind": "Service", "metadata": {"name": name, "namespace": "ns"}, "spec": spec}
