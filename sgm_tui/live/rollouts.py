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

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.facts import UNREADABLE, AnalysisRun, Rollout
from sgm_tui.fleet.model import CellKey, ClusterName
from sgm_tui.fleet.rollouts.rollout import ReplicaSetObject, RolloutObject, derive
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import Alive, Arriving, Lost, Observation, Off, RolloutChanged, RolloutGone, RolloutsListed
from sgm_tui.live.connection import AbsentError, ClusterConnection, beat
from sgm_tui.live.naming import Naming
from sgm_tui.live.rollout_wire import (
    HASH_LABEL,
    AnalysisRunWire,
    Owned,
    ReplicaSetWire,
    RolloutWire,
    analysis_run,
    replica_set_object,
    rollout_object,
    tracked_by,
)
from sgm_tui.live.watch import Beat, Changed, Collection, Listed, Trouble, follow, unhurried, unreadable
from sgm_tui.live.wire import Metadata
from sgm_tui.supervision import run_together
from sgm_tui.untrusted_text import clean

_log = logging.getLogger("sgm.rollouts")

Publish = Callable[[Observation], None]
Kind = Literal["rollouts", "replicasets", "analysisruns"]

_PATHS: dict[Kind, str] = {
    "rollouts": "/apis/argoproj.io/v1alpha1/rollouts",
    "replicasets": "/apis/apps/v1/replicasets",
    "analysisruns": "/apis/argoproj.io/v1alpha1/analysisruns",
}
_DECISIVE: frozenset[Kind] = frozenset({"rollouts", "replicasets"})
_SELECTORS: dict[Kind, dict[str, str]] = {"replicasets": {"labelSelector": HASH_LABEL}}
"""The ReplicaSets of Deployments are none of ours, and most of what there is."""
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
        self._claims: defaultdict[CellKey, set[str]] = defaultdict(set)
        """The Rollouts of each cell: an Application may hold a worker beside its service."""
        self._sets_of: defaultdict[str, set[str]] = defaultdict(set)
        self._runs_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._listed: set[Kind] = set()
        self._troubled: dict[Kind, str] = {}
        self._missed = False
        """The last beat was not answered: a bookmark alone, which a server makes from memory, is no sign of life."""
        self._missing = ""
        """Why there are no AnalysisRuns: they only explain, so the rest is as fresh as ever."""
        self._wakes: dict[Kind, asyncio.Event] = {kind: asyncio.Event() for kind in _PATHS}

    def refresh(self) -> None:
        """Try again now, wherever it is waiting to."""
        for wake in self._wakes.values():
            wake.set()

    async def run(self, publish: Publish) -> None:
        """Publish what the cluster says, for ever; troubles are published, never raised."""
        await run_together(*(self._follow(kind, publish) for kind in _PATHS), self._beat(publish))

    async def _follow(self, kind: Kind, publish: Publish) -> None:
        collection = Collection(
            self._connection, _PATHS[kind], _SELECTORS.get(kind, {}), arrived=lambda: publish(Arriving(self.source))
        )
        async for event in follow(collection, wake=self._wakes[kind]):
            match event:
                case Listed():
                    if kind == "analysisruns":
                        self._missing = ""
                    await self._list(kind, event.items, publish)
                case Changed(what, raw):
                    self._change(kind, what, raw, publish)
                case Beat():
                    self._alive(publish)
                case Trouble():
                    await self._trouble(kind, event, publish)

    async def _beat(self, publish: Publish) -> None:
        """A silent cluster is noticed sooner than its watches' idle deadline would, its return sooner than a retry."""
        while True:
            error = await beat(self._connection, _PATHS["rollouts"])
            missed, self._missed = self._missed, error is not None
            if error is not None:
                publish(Lost(self.source, error.message, self._connection.pace.beat))
            elif missed and self._troubled:
                self.refresh()
            else:
                self._alive(publish)
            await asyncio.sleep(self._connection.pace.beat)

    def _alive(self, publish: Publish) -> None:
        """Alive only while every collection that decides is followed, and the server can read."""
        if self._listed >= _DECISIVE and not self._troubled and not self._missed:
            publish(Alive(self.source, self._missing))

    async def _trouble(self, kind: Kind, event: Trouble, publish: Publish) -> None:
        if kind in _DECISIVE:
            self._troubled[kind] = event.error.message
        if kind == "rollouts" and isinstance(event.error, AbsentError):
            publish(Off(self.source, f"Argo Rollouts is not installed on {self._cluster}"))
            return
        if kind == "analysisruns":
            _log.info("no AnalysisRuns from %s: %s", self._cluster, event.error.message)
            if isinstance(event.error, RefusedError):
                self._missing = event.error.message
            if kind not in self._listed:
                await self._list(kind, [], publish)
            self._alive(publish)
            return
        publish(Lost(self.source, event.error.message, event.retry_in))

    async def _list(self, kind: Kind, items: list[msgspec.Raw], publish: Publish) -> None:
        known: dict[str, Any] = {}
        async for raw in unhurried(items):
            metadata, value = self._read(kind, raw)
            if metadata is not None and value is not None:
                known[metadata.uid] = value
        self._troubled.pop(kind, None)
        self._listed.add(kind)
        match kind:
            case "rollouts":
                self._rollouts = known
                self._claims.clear()
                for uid, (key, _) in self._rollouts.items():
                    self._claims[key].add(uid)
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
            self._alive(publish)
            publish(RolloutsListed(self.source, self._everything()))

    def _everything(self) -> dict[CellKey, Rollout]:
        return {key: self._derived(self._holder(key)) for key, claims in self._claims.items() if claims}

    def _holder(self, key: CellKey) -> str:
        """The one that stands for a cell: called as the configuration says, else the first by name."""
        usual = self._naming.rollout_of(key.service)

        def place(uid: str) -> tuple[bool, str, str]:
            rollout = self._rollouts[uid][1]
            return rollout.name != usual, rollout.name, rollout.namespace

        return min(self._claims[key], key=place)

    def _change(self, kind: Kind, what: str, raw: msgspec.Raw, publish: Publish) -> None:
        metadata, value = self._read(kind, raw)
        if metadata is None:
            return
        uid = metadata.uid
        owner = uid if kind == "rollouts" else metadata.owner
        before = self._rollouts.get(owner)
        self._put(kind, uid, None if what == "DELETED" else value, owner)
        if len(self._listed) < len(_PATHS):
            return
        after = self._rollouts.get(owner)
        for key in dict.fromkeys(one[0] for one in (before, after) if one is not None):
            if not self._claims[key]:
                publish(RolloutGone(self.source, key))
            elif (holder := self._holder(key)) == owner or kind == "rollouts":
                publish(RolloutChanged(self.source, key, self._derived(holder)))

    def _put(self, kind: Kind, uid: str, value: Any, owner: str) -> None:
        """Keep or forget one object, and who owns it."""
        match kind:
            case "rollouts":
                if uid in self._rollouts:
                    self._claims[self._rollouts[uid][0]].discard(uid)
                _keep(self._rollouts, uid, value)
                if value is not None:
                    self._claims[value[0]].add(uid)
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

    def _read(self, kind: Kind, raw: msgspec.Raw) -> tuple[Metadata | None, Any]:
        """An object's metadata and value; a Rollout that cannot be read is one that says so, not the one before."""
        try:
            wire = msgspec.json.decode(raw, type=_WIRES[kind], strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            _log.warning("one of the %s of %s cannot be read: %s", kind, self._cluster, error)
            found = unreadable(raw)
            return found, self._unread(found, clean(error)) if found is not None and kind == "rollouts" else None
        match kind:
            case "rollouts":
                return wire.metadata, self._placed(rollout_object(wire, self._cluster))
            case "replicasets":
                return wire.metadata, replica_set_object(wire)
            case "analysisruns":
                return wire.metadata, analysis_run(wire)

    def _placed(self, rollout: RolloutObject) -> tuple[CellKey, RolloutObject] | None:
        key = self._naming.of_rollout(self._cluster, rollout.namespace, rollout.name, rollout.application)
        return None if key is None else (key, rollout)

    def _unread(self, found: Metadata, why: str) -> tuple[CellKey, RolloutObject] | None:
        return self._placed(
            RolloutObject(
                name=clean(found.name),
                namespace=clean(found.namespace),
                cluster=self._cluster,
                uid=clean(found.uid),
                application=clean(tracked_by(found)),
                phase=UNREADABLE,
                message=why,
            )
        )


def _keep(known: dict[str, Any], uid: str, value: Any) -> None:
    if value is None:
        known.pop(uid, None)
    else:
        known[uid] = value


def _started(run: AnalysisRun) -> float:
    return run.started_at.timestamp() if run.started_at else 0.0
