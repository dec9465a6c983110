"""The simulated Argo Rollouts controller of one cluster, with the kubelet, analysis and autoscaling beside it.

It looks at a Rollout soon after anything of it changed, and when a pause or a delay ends. What a look does is the
strategies' business; here is when to look, and what is the same for all: ReplicaSets, revisions, restarts, history.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sgm_tui.sandbox import rollout_blue_green, rollout_canary
from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.analysis import AnalysisController, Measure
from sgm_tui.sandbox.autoscaler import Autoscaler
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubelet import Kubelet
from sgm_tui.sandbox.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.rollout_objects import (
    DESIRED,
    REVISION,
    annotations_of,
    asked,
    hash_of,
    new_replica_set,
    revision_of,
    template_hash,
    there,
    with_annotations,
)
from sgm_tui.sandbox.rollout_pass import Memory, Pass
from sgm_tui.sandbox.rollout_settled import Settling
from sgm_tui.sandbox.rollout_spec import invalid, template_of
from sgm_tui.sandbox.rollout_status import (
    PAUSED_REASON,
    PROGRESSING,
    RESUMED_REASON,
    condition,
    with_condition,
    with_phase,
    without_condition,
)

_SOON = 0.05
_HISTORY = 10


class RolloutsController:
    """Argo Rollouts, kubelet and autoscaler of one cluster."""

    def __init__(self, store: ObjectStore, clock: Clock, *, measure: Measure, seed: str) -> None:
        self._store = store
        self._clock = clock
        self.agenda = Agenda(clock)
        self.pod_defect: Callable[[str], str] = lambda _image: ""
        chance = random.Random(f"{seed}:pods")
        self._kubelet = Kubelet(store, clock, self.agenda, chance, self._defect)
        self._analysis = AnalysisController(store, clock, self.agenda, measure)
        self._autoscaler = Autoscaler(store, clock, self.agenda)
        self._settling = Settling(store, clock, chance)
        self._memories: dict[str, Memory] = {}
        self._queued: set[tuple[str, str]] = set()
        store.listeners.append(self._note)

    def _defect(self, image: str) -> str:
        return self.pod_defect(image)

    def step(self) -> None:
        """Do all that is due by now."""
        self.agenda.run()

    def settle(self, manifests: Sequence[Mapping[str, Any]], *, since: float) -> None:
        """Create a service's objects as they stand after months: rolled out, healthy, quiet."""
        self.store_listening(False)
        try:
            self._settling.create(manifests, since)
        finally:
            self.store_listening(True)

    def store_listening(self, on: bool) -> None:
        """Heed changes of the store, or not while things are laid out as they have long been."""
        if on and self._note not in self._store.listeners:
            self._store.listeners.append(self._note)
        elif not on and self._note in self._store.listeners:
            self._store.listeners.remove(self._note)

    def _note(self, event: str, kind: str, obj: KubeObject) -> None:
        metadata = obj["metadata"]
        if kind == "Rollout":
            if event == "DELETED":
                self._memories.pop(metadata["uid"], None)
            else:
                self._queue(metadata["namespace"], metadata["name"])
        elif kind in {"ReplicaSet", "AnalysisRun"}:
            for one in metadata.get("ownerReferences") or ():
                self._queue(metadata["namespace"], one["name"])
        if kind in {"ReplicaSet", "Pod"}:
            self._kubelet.note(kind, obj)
        if kind in {"HorizontalPodAutoscaler", "Rollout"}:
            self._autoscaler.note(kind, obj)
        if kind in {"Deployment", "AnalysisTemplate"}:
            for rollout in self._store.list("Rollout", metadata["namespace"]):
                self._queue(metadata["namespace"], rollout["metadata"]["name"])

    def _queue(self, namespace: str, name: str, seconds: float = _SOON) -> None:
        if (namespace, name) not in self._queued:
            self._queued.add((namespace, name))
            self.agenda.after(seconds, lambda: self._look(namespace, name))

    def _look(self, namespace: str, name: str) -> None:
        self._queued.discard((namespace, name))
        rollout = self._store.get("Rollout", namespace, name)
        if rollout is None or "deletionTimestamp" in rollout["metadata"]:
            return
        wrong = invalid(self._store, rollout)
        if wrong:
            self._refuse(rollout, wrong)
            return
        if self._turned(rollout):
            self._queue(namespace, name, 0.02)
            return
        look = self._pass(rollout)
        if "blueGreen" in rollout["spec"]["strategy"]:
            rollout_blue_green.reconcile(look)
        else:
            rollout_canary.reconcile(look)
        self._restart(look)
        self._forget_history(look)
        for seconds in look.wake_in:
            self.agenda.after(max(0.01, seconds), lambda: self._queue(namespace, name, 0.0))

    def _refuse(self, rollout: KubeObject, wrong: str) -> None:
        """An invalid spec changes nothing but what the status says."""
        status = dict(rollout.get("status") or {})
        status = with_condition(status, "InvalidSpec", "True", "InvalidSpec", wrong, self._clock.stamp())
        status["observedGeneration"] = str(rollout["metadata"]["generation"])
        self._store.write("Rollout", {**rollout, "status": with_phase(rollout["spec"], status)}, subresource="status")

    def _turned(self, rollout: KubeObject) -> bool:
        """Resumed by a person: the conditions say so first, and only the next look goes on (checkPausedConditions)."""
        status = dict(rollout.get("status") or {})
        if status.get("observedGeneration") not in {None, str(rollout["metadata"]["generation"])}:
            return False
        paused = bool(status.get("pauseConditions")) or bool(rollout["spec"].get("paused"))
        if paused or condition(status, PROGRESSING).get("reason") != PAUSED_REASON or status.get("abort"):
            return False
        resumed = with_condition(
            status, PROGRESSING, "Unknown", RESUMED_REASON, "Rollout is resumed", self._clock.stamp()
        )
        resumed = without_condition(resumed, "InvalidSpec")
        self._store.write("Rollout", {**rollout, "status": with_phase(rollout["spec"], resumed)}, subresource="status")
        return True

    def _pass(self, rollout: KubeObject) -> Pass:
        """Find or make the ReplicaSet of the spec, and tell it from the stable one and the rest."""
        rollout, new, sets = self._revise(rollout)
        stable_hash = (rollout.get("status") or {}).get("stableRS")
        stable = next((one for one in sets if stable_hash and hash_of(one) == stable_hash), None)
        others = [one for one in sets if hash_of(one) not in {hash_of(new), stable_hash}]
        memory = self._memories.setdefault(rollout["metadata"]["uid"], Memory(progressed_at=self._clock.now))
        status = rollout.get("status") or {}
        rollout = {**rollout, "status": without_condition(dict(status), "InvalidSpec")} if status else rollout
        return Pass(self._store, self._clock, self._analysis, memory, rollout, new, stable, others)

    def _revise(self, rollout: KubeObject) -> tuple[KubeObject, KubeObject, list[KubeObject]]:
        template = template_of(self._store, rollout)
        sets = self._store.owned("ReplicaSet", rollout["metadata"]["uid"])
        pod_hash = template_hash(template)
        newest = max((revision_of(one) for one in sets), default=0)
        new = next((one for one in sets if hash_of(one) == pod_hash), None)
        if new is None:
            new = self._store.create("ReplicaSet", new_replica_set(rollout, template, newest + 1, 0))
            sets = [*sets, new]
        elif revision_of(new) < newest:
            new = self._store.write("ReplicaSet", with_annotations(new, **{REVISION: str(newest + 1)}))
        desired = str(rollout["spec"].get("replicas", 1))
        if annotations_of(new).get(DESIRED) != desired:
            new = self._store.write("ReplicaSet", with_annotations(new, **{DESIRED: desired}))
        revision = str(revision_of(new))
        if annotations_of(rollout).get(REVISION) != revision:
            rollout = self._store.write("Rollout", with_annotations(rollout, **{REVISION: revision}))
        sets = [new if hash_of(one) == pod_hash else one for one in sets]
        return rollout, new, sets

    def _restart(self, look: Pass) -> None:
        """Delete pods older than restartAt, one after the other, as the pod restarter does."""
        wanted = look.spec.get("restartAt")
        if not wanted or look.before.get("restartedAt") == wanted:
            return
        old = [
            pod
            for one in look.all_sets
            for pod in self._store.owned("Pod", one["metadata"]["uid"])
            if pod["metadata"]["creationTimestamp"] <= wanted and pod["metadata"]["uid"] not in look.memory.restarted
        ]
        missing = any(there(one, "availableReplicas") < asked(one) for one in look.all_sets)
        if old and not missing:
            pod = old[0]["metadata"]
            look.memory.restarted.add(pod["uid"])
            self._store.delete("Pod", pod["namespace"], pod["name"])
        elif not old:
            status = {**look.status, "restartedAt": wanted}
            look.write(with_phase(look.spec, status))

    def _forget_history(self, look: Pass) -> None:
        """Old ReplicaSets without pods go, beyond the history limit."""
        limit = int(look.spec.get("revisionHistoryLimit", _HISTORY))
        empty = [one for one in look.others if not asked(one) and not there(one)]
        for one in sorted(empty, key=revision_of)[: max(0, len(empty) - limit)]:
            self._store.delete("ReplicaSet", one["metadata"]["namespace"], one["metadata"]["name"])
