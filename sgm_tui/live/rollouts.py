"""The Rollouts of one cluster with the ReplicaSets and AnalysisRuns they own, joined and derived.

Three collections are followed side by side; nothing is published before the ones that decide have been listed, so a
Rollout is never shown with half of what it owns. AnalysisRuns only explain: a cluster that forbids them still shows.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from sgm_tui.fleet.model import CellKey, ClusterName
from sgm_tui.fleet.observation import (
    Alive,
    Lost,
    Observation,
    Off,
    RolloutChanged,
    RolloutGone,
    RolloutsListed,
    SourceId,
)
from sgm_tui.fleet.observed import AnalysisRun, Rollout
from sgm_tui.fleet.rollout import ReplicaSetObject, RolloutObject, derive
from sgm_tui.live.naming import Naming
from sgm_tui.live.rollout_wire import (
    AnalysisRunWire,
    Owned,
    ReplicaSetWire,
    RolloutWire,
    analysis_run,
    replica_set_object,
    rollout_object,
)
from sgm_tui.live.watch import AbsentError, Beat, Changed, ClusterConnection, Listed, Trouble, beat, follow

_log = logging.getLogger("sgm.rollouts")

Publish = Callable[[Observation], None]
Kind = Literal["rollouts", "replicasets", "analysisruns"]

_PATHS: dict[Kind, str] = {
    "rollouts": "/apis/argoproj.io/v1alpha1/rollouts",
    "replicasets": "/apis/apps/v1/replicasets",
    "analysisruns": "/apis/argoproj.io/v1alpha1/analysisruns",
}
_WIRES: dict[Kind, type[Any]] = {
    "rollouts": RolloutWire,
    "replicasets": ReplicaSetWire,
    "analysisruns": AnalysisRunWire,
}


class RolloutSource:
    """Follows the Rollouts of one cluster."""

    def __init__(self, connection: ClusterConnection, cluster: str, naming: Naming) -> None:
        self.source = SourceId("rollouts", cluster)
        self._connection = connection
        self._cluster = ClusterName(cluster)
        self._naming = naming
        self._rollouts: dict[str, tuple[CellKey, RolloutObject]] = {}
        self._replica_sets: dict[str, Owned[ReplicaSetObject]] = {}
        self._runs: dict[str, Owned[AnalysisRun]] = {}
        self._sets_of: defaultdict[str, set[str]] = defaultdict(set)
        self._runs_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._listed: set[Kind] = set()
        self._troubled: dict[Kind, str] = {}
        self._wakes: dict[Kind, asyncio.Event] = {kind: asyncio.Event() for kind in _PATHS}

    def refresh(self) -> None:
        """Try again now, wherever it is waiting to."""
        for wake in self._wakes.values():
            wake.set()

    async def run(self, publish: Publish) -> None:
        """Publish what the cluster says, for ever; troubles are published, never raised."""
        async with asyncio.TaskGroup() as group:
            for kind in _PATHS:
                group.create_task(self._follow(kind, publish))
            group.create_task(self._beat(publish))

    async def _follow(self, kind: Kind, publish: Publish) -> None:
        async for event in follow(self._connection, _PATHS[kind], wake=self._wakes[kind]):
            match event:
                case Listed(items):
                    self._list(kind, items, publish)
                case Changed(what, raw):
                    self._change(kind, what, raw, publish)
                case Beat():
                    self._alive(publish)
                case Trouble():
                    self._trouble(kind, event, publish)

    async def _beat(self, publish: Publish) -> None:
        """A cluster that falls silent is noticed sooner than its watches' idle deadline would."""
        while True:
            await asyncio.sleep(self._connection.pace.beat)
            error = await beat(self._connection)
            if error is not None:
                publish(Lost(self.source, error.message, self._connection.pace.beat))
            else:
                self._alive(publish)

    def _alive(self, publish: Publish) -> None:
        """Alive only while every collection that decides is followed."""
        if {"rollouts", "replicasets"} <= self._listed and not self._troubled.keys() & {"rollouts", "replicasets"}:
            publish(Alive(self.source))

    def _trouble(self, kind: Kind, event: Trouble, publish: Publish) -> None:
        if kind == "rollouts" and isinstance(event.error, AbsentError):
            publish(Off(self.source, f"Argo Rollouts is not installed on {self._cluster}"))
            return
        if kind == "analysisruns":
            _log.info("no AnalysisRuns from %s: %s", self._cluster, event.error.message)
            if kind not in self._listed:
                self._list(kind, [], publish)
            return
        self._troubled[kind] = event.error.message
        publish(Lost(self.source, event.error.message, event.retry_in))

    def _list(self, kind: Kind, items: list[msgspec.Raw], publish: Publish) -> None:
        self._troubled.pop(kind, None)
        self._listed.add(kind)
        known: dict[str, Any] = {}
        for raw in items:
            wire = self._decoded(kind, raw)
            if wire is not None:
                known[wire.metadata.uid] = self._value(kind, wire)
        match kind:
            case "rollouts":
                self._rollouts = {uid: value for uid, value in known.items() if value is not None}
            case "replicasets":
                self._replica_sets = known
                self._sets_of.clear()
                for uid, owned in self._replica_sets.items():
                    self._sets_of[owned.owner].add(uid)
            case "analysisruns":
                self._runs = dict(sorted(known.items(), key=lambda one: _started(one[1].value)))
                self._runs_of.clear()
                for uid, run in self._runs.items():
                    self._runs_of[run.owner][uid] = None
        if len(self._listed) == len(_PATHS) and not self._troubled:
            publish(RolloutsListed(self.source, self._everything()))

    def _everything(self) -> dict[CellKey, Rollout]:
        return {key: self._derived(uid) for uid, (key, _) in self._rollouts.items()}

    def _change(self, kind: Kind, what: str, raw: msgspec.Raw, publish: Publish) -> None:
        wire = self._decoded(kind, raw)
        if wire is None:
            return
        uid = wire.metadata.uid
        owner = uid if kind == "rollouts" else wire.metadata.owner
        gone = self._rollouts.get(uid) if kind == "rollouts" else None
        self._put(kind, uid, None if what == "DELETED" else self._value(kind, wire), owner)
        if len(self._listed) < len(_PATHS):
            return
        if gone is not None and uid not in self._rollouts:
            publish(RolloutGone(self.source, gone[0]))
        elif owner in self._rollouts:
            publish(RolloutChanged(self.source, self._rollouts[owner][0], self._derived(owner)))

    def _put(self, kind: Kind, uid: str, value: Any, owner: str) -> None:
        """Keep or forget one object, and who owns it."""
        match kind:
            case "rollouts":
                _keep(self._rollouts, uid, value)
            case "replicasets":
                _keep(self._replica_sets, uid, value)
                self._sets_of[owner].discard(uid)
                if value is not None:
                    self._sets_of[owner].add(uid)
            case "analysisruns":
                _keep(self._runs, uid, value)
                if value is None:
                    self._runs_of[owner].pop(uid, None)
                else:
                    self._runs_of[owner][uid] = None

    def _derived(self, uid: str) -> Rollout:
        sets = [self._replica_sets[one].value for one in self._sets_of.get(uid, ())]
        runs = [self._runs[one].value for one in self._runs_of.get(uid, ())]
        return derive(self._rollouts[uid][1], sets, runs)

    def _value(self, kind: Kind, wire: Any) -> Any:
        match kind:
            case "rollouts":
                rollout = rollout_object(wire, self._cluster)
                key = self._naming.of_rollout(self._cluster, rollout.namespace, rollout.name, rollout.application)
                return None if key is None else (key, rollout)
            case "replicasets":
                return replica_set_object(wire)
            case "analysisruns":
                return analysis_run(wire)

    def _decoded(self, kind: Kind, raw: msgspec.Raw) -> Any:
        try:
            return msgspec.json.decode(raw, type=_WIRES[kind], strict=False)
        except (msgspec.MsgspecError, RecursionError) as error:
            _log.warning("one of the %s of %s cannot be read: %s", kind, self._cluster, error)
            return None


def _keep(known: dict[str, Any], uid: str, value: Any) -> None:
    if value is None:
        known.pop(uid, None)
    else:
        known[uid] = value


def _started(run: AnalysisRun) -> float:
    return run.started_at.timestamp() if run.started_at else 0.0
