"""The simulated Argo Rollouts controller of one cluster, with its kubelets, ReplicaSets and autoscalers.

It works as the real one does: every change of an object causes dependent objects to be reconciled a moment later, and a
reconciliation makes at most one move. So states appear in the order a real cluster shows them, and an idle object costs
nothing.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from typing import Any

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.autoscaler import Autoscaler, Demand
from sgm_tui.sandbox.kubernetes.events import Recorder
from sgm_tui.sandbox.kubernetes.kubelet import Defects, Kubelet
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.kubernetes.replica_sets import ReplicaSetController
from sgm_tui.sandbox.kubernetes.timestamps import Timestamps
from sgm_tui.sandbox.kubernetes.work_queue import Key, WorkQueue
from sgm_tui.sandbox.kubernetes.workshop import Workshop
from sgm_tui.sandbox.rollouts.analysis import find_runs
from sgm_tui.sandbox.rollouts.analysis_controller import AnalysisController, Measure
from sgm_tui.sandbox.rollouts.bluegreen import count_active, reconcile_blue_green, scale_blue_green
from sgm_tui.sandbox.rollouts.canary import reconcile_canary, scale_canary
from sgm_tui.sandbox.rollouts.conditions import MANUALLY_PAUSED
from sgm_tui.sandbox.rollouts.objects import Rollout, total_actual, total_available
from sgm_tui.sandbox.rollouts.reconciliation import Round
from sgm_tui.sandbox.rollouts.settled_state import Settler
from sgm_tui.sandbox.rollouts.status import note_pauses, persist, write_invalid
from sgm_tui.sandbox.rollouts.validation import first_complaint
from sgm_tui.sandbox.rollouts.workload import WorkloadError, note_workload, resolved_spec

_REACTION = {
    "rollout": 0.012,
    "replicaset": 0.004,
    "pod": 0.006,
    "analysis": 0.006,
    "autoscaler": 0.5,
    "workload": 0.005,
    "welcome": 0.0,
}
"""Virtual seconds from a change until each controller reconciles."""
_MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)
_RETRY = 20.0
_SCALER_PERIOD = 15.0
"""Virtual seconds after which an autoscaler notices a change of its Rollout."""
_BACK_OFF = 3.0
"""Virtual seconds that a controller which keeps failing on a Rollout waits, even if the cause is fixed at once."""


class RolloutsController:
    """Everything that acts in one cluster except Argo CD."""

    def __init__(self, store: ObjectStore, clock: Clock, *, measure: Measure, seed: str) -> None:
        """Watch a store; `measure` evaluates a PromQL query to its values, or raises ValueError."""
        queue = WorkQueue(clock)
        marks = Timestamps(clock, queue)
        self._shop = Workshop(store, queue, marks, Recorder(store, marks), random.Random(f"{seed}:rollouts"))
        self._kubelet = Kubelet(self._shop)
        self._replica_sets = ReplicaSetController(self._shop)
        self._autoscaler = Autoscaler(self._shop)
        self._controllers: dict[str, Callable[[str, str], None]] = {
            "rollout": self._reconcile,
            "replicaset": self._replica_sets.reconcile,
            "pod": self._kubelet.reconcile,
            "analysis": AnalysisController(self._shop, measure).reconcile,
            "autoscaler": self._autoscaler.reconcile,
            "workload": self._note_workload,
            "welcome": self._welcome,
        }
        self._settling = False
        store.listeners.append(self._noticed)

    @property
    def pod_defect(self) -> Defects:
        """Map an image to what is wrong with it: ErrImagePull, CrashLoopBackOff or ""."""
        return self._kubelet.defect

    @pod_defect.setter
    def pod_defect(self, defect: Defects) -> None:
        self._kubelet.defect = defect

    @property
    def demand(self) -> Demand | None:
        """Map a service to the number of replicas its load needs; autoscalers follow it."""
        return self._autoscaler.demand

    @demand.setter
    def demand(self, demand: Demand | None) -> None:
        self._autoscaler.demand = demand

    def step(self) -> None:
        """Do everything that is due."""
        self._shop.queue.run(self._handle)

    def settle(self, manifests: Sequence[KubeObject], *, since: float) -> None:
        """Create a service's objects as they are if nothing has happened since a virtual time."""
        self._settling = True
        try:
            Settler(self._shop, self._kubelet, self._replica_sets, self._autoscaler).settle(manifests, since)
        finally:
            self._settling = False

    def _handle(self, key: Key) -> None:
        controller, namespace, name = key
        try:
            self._controllers[controller](namespace, name)
        except _MALFORMED:
            # People write objects no schema has checked; as the real controllers do, say so and try again later.
            logging.getLogger("sgm.sandbox").warning("cannot reconcile %s %s/%s", *key, exc_info=True)
            self._shop.queue.add(key, _RETRY)

    def _noticed(self, change: str, kind: str, obj: KubeObject) -> None:
        """Schedule the reconciliation of everything that depends on a changed object."""
        metadata = obj["metadata"]
        if change == "DELETED":
            self._shop.marks.forget(metadata["uid"])
        if self._settling:
            return
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if kind in _WATCHED and change != "DELETED":
            self._look(_WATCHED[kind], namespace, name)
        if kind == "Rollout" and change == "ADDED":
            self._look("welcome", namespace, name)
        if kind == "Rollout" and self._shop.store.get("HorizontalPodAutoscaler", namespace, name) is not None:
            self._shop.queue.add(("autoscaler", namespace, name), _SCALER_PERIOD)
        if kind in {"Service", "AnalysisTemplate"} and change == "ADDED":
            for rollout in self._shop.store.list("Rollout", namespace):
                self._look("rollout", namespace, rollout["metadata"]["name"])
        for owner in metadata.get("ownerReferences") or ():
            if owner["kind"] in {"Rollout", "ReplicaSet"}:
                self._look("rollout" if owner["kind"] == "Rollout" else "replicaset", namespace, owner["name"])

    def _look(self, controller: str, namespace: str, name: str) -> None:
        delay = _REACTION[controller]
        if controller == "rollout" and self._keeps_failing(namespace, name):
            delay = _BACK_OFF
        self._shop.queue.add((controller, namespace, name), delay)

    def _keeps_failing(self, namespace: str, name: str) -> bool:
        rollout = self._shop.store.get("Rollout", namespace, name)
        status = (rollout or {}).get("status") or {}
        return str(status.get("message", "")).startswith("InvalidSpec: ")

    def _welcome(self, namespace: str, name: str) -> None:
        rollout = self._shop.store.get("Rollout", namespace, name)
        if rollout is not None:
            message = f"Rollout resource added to informer: {namespace}/{name}"
            self._shop.events.record(rollout, "RolloutAddedToInformer", message)

    def _note_workload(self, namespace: str, name: str) -> None:
        note_workload(self._shop.store, namespace, name)

    def _reconcile(self, namespace: str, name: str) -> None:
        obj = self._shop.store.get("Rollout", namespace, name)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            return
        try:
            rollout = Rollout(obj, resolved_spec(self._shop.store, obj))
        except WorkloadError as error:
            write_invalid(Round(self._shop, Rollout(obj)), str(error))
            return
        look = Round(self._shop, rollout)
        complaint = first_complaint(rollout, self._shop.store)
        if complaint:
            write_invalid(look, complaint)
            return
        if look.new is None:
            look.create_replica_set()
            return
        if "replicas" not in obj["spec"]:
            # An autoscaler can only scale what says how large it is.
            self._shop.store.write("Rollout", {**obj, "spec": {**obj["spec"], "replicas": 1}})
            return
        _advance(look)


_WATCHED = {
    "Rollout": "rollout",
    "ReplicaSet": "replicaset",
    "Pod": "pod",
    "AnalysisRun": "analysis",
    "HorizontalPodAutoscaler": "autoscaler",
    "Deployment": "workload",
}


def _advance(look: Round) -> None:
    """Make one move of a Rollout whose spec is valid and whose ReplicaSet exists."""
    if look.rollout.promoted and look.pauses.aborted:
        look.pauses.abort_ended = True
    look.runs = find_runs(look)
    if _resumed_while_stopped(look):
        # A person cleared the pause of the step while the spec was stopped as well: stopped, it could not move on,
        # and the controller has forgotten the resumption by the time it may. So the step pauses again.
        look.write_status({key: value for key, value in look.rollout.status.items() if key != "controllerPause"})
        return
    if note_pauses(look):
        return
    look.sync_revision()
    if _is_scaling_event(look):
        _scale_only(look)
    elif look.rollout.blue_green is not None:
        reconcile_blue_green(look)
    else:
        reconcile_canary(look)


def _resumed_while_stopped(look: Round) -> bool:
    rollout = look.rollout
    resumed = rollout.controller_pause and not rollout.pauses
    return resumed and not rollout.observed and rollout.status.get("message") == MANUALLY_PAUSED


def _is_scaling_event(look: Round) -> bool:
    """Return whether only the size has changed: a ReplicaSet in use was last scaled for another one."""
    used = [one for one in (look.new, look.stable) if one is not None and one.replicas > 0]
    return any(one.desired is not None and one.desired != look.rollout.replicas for one in used)


def _scale_only(look: Round) -> None:
    status: dict[str, Any] = {"blueGreen": {}, "canary": {}, **look.rollout.status}
    status["conditions"] = look.rollout.conditions
    if look.rollout.blue_green is not None:
        scale_blue_green(look)
        status |= {"HPAReplicas": total_actual(look.all), "availableReplicas": total_available(look.all)}
        count_active(look, status)
    else:
        scale_canary(look)
        status |= {"HPAReplicas": total_actual(look.all), "availableReplicas": total_available(look.all)}
    persist(look, status)
