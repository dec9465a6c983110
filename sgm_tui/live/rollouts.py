"""The Rollouts of one cluster with the ReplicaSets and AnalysisRuns they own, joined and derived.

Three collections are followed side by side; nothing is published before all of them have been listed, so that no
Rollout is shown with half of what it owns. AnalysisRuns only explain: a cluster that forbids them is still shown.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Any, Literal

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.facts import UNREADABLE, AnalysisRun, Rollout
from sgm_tui.fleet.model import CellKey, ClusterName
from sgm_tui.fleet.rollouts.derivation import derive
from sgm_tui.fleet.rollouts.objects import ReplicaSetObject, RolloutObject
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import (
    AnswerArriving,
    RolloutChanged,
    RolloutDeleted,
    RolloutsListed,
    SourceAnswered,
    SourceOff,
    SourceUnreachable,
)
from sgm_tui.live.connection import AbsentError, ClusterConnection, probe
from sgm_tui.live.naming import Naming
from sgm_tui.live.rollout_wire import (
    HASH_LABEL,
    AnalysisRunWire,
    Owned,
    ReplicaSetWire,
    RolloutWire,
    to_analysis_run,
    to_replica_set,
    to_rollout,
    tracked_by,
)
from sgm_tui.live.watch import Changed, Collection, Failed, Heartbeat, Listed, follow, in_batches
from sgm_tui.live.wire import Metadata, RawObject, Unreadable, read_object
from sgm_tui.sources import Publish
from sgm_tui.supervision import run_together
from sgm_tui.untrusted_text import clean

_log = logging.getLogger("sgm.rollouts")

Kind = Literal["rollouts", "replicasets", "analysisruns"]

_PATHS: dict[Kind, str] = {
    "rollouts": "/apis/argoproj.io/v1alpha1/rollouts",
    "replicasets": "/apis/apps/v1/replicasets",
    "analysisruns": "/apis/argoproj.io/v1alpha1/analysisruns",
}
_REQUIRED: frozenset[Kind] = frozenset({"rollouts", "replicasets"})
"""The collections without which the state of a Rollout is unknown."""
_SELECTORS: dict[Kind, dict[str, str]] = {"replicasets": {"labelSelector": HASH_LABEL}}
"""The ReplicaSets of Deployments are left out: they are most of a cluster's."""
_WIRES: dict[Kind, type[Any]] = {
    "rollouts": RolloutWire,
    "replicasets": ReplicaSetWire,
    "analysisruns": AnalysisRunWire,
}


class _OwnedObjects:
    """The objects of one cluster, indexed by what they belong to."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self.rollouts: dict[str, tuple[CellKey, RolloutObject]] = {}
        """Rollouts by uid, each with its cell."""
        self._replica_sets: dict[str, Owned[ReplicaSetObject]] = {}
        self._runs: dict[str, Owned[AnalysisRun]] = {}
        self.claims: defaultdict[CellKey, set[str]] = defaultdict(set)
        """The uids of the Rollouts of each cell: an Application may contain a worker beside its service."""
        self._sets_of: defaultdict[str, set[str]] = defaultdict(set)
        self._runs_of: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def replace_all(self, kind: Kind, objects: dict[str, Any]) -> None:
        """Replace every object of a kind; `objects` are values by uid."""
        match kind:
            case "rollouts":
                self.rollouts = objects
                self.claims.clear()
                for uid, (key, _) in self.rollouts.items():
                    self.claims[key].add(uid)
            case "replicasets":
                self._replica_sets = objects
                self._sets_of.clear()
                for uid, owned in self._replica_sets.items():
                    self._sets_of[owned.owner].add(uid)
            case "analysisruns":
                self._runs = dict(sorted(objects.items(), key=lambda item: _start_time(item[1].value)))
                self._runs_of.clear()
                for uid, run in self._runs.items():
                    self._runs_of[run.owner][uid] = None

    def replace(self, kind: Kind, uid: str, value: Any, owner: str) -> None:
        """Replace one object; None removes it."""
        match kind:
            case "rollouts":
                if uid in self.rollouts:
                    self.claims[self.rollouts[uid][0]].discard(uid)
                _put(self.rollouts, uid, value)
                if value is not None:
                    self.claims[value[0]].add(uid)
            case "replicasets":
                _put(self._replica_sets, uid, value)
                self._sets_of[owner].discard(uid)
                if value is not None:
                    self._sets_of[owner].add(uid)
            case "analysisruns":
                _put(self._runs, uid, value)
                if value is None:
                    self._runs_of[owner].pop(uid, None)
                else:
                    self._runs_of[owner][uid] = None

    def representative(self, key: CellKey) -> str:
        """Return the uid of the Rollout that stands for a cell: the one with the configured name, else the first."""
        configured = self._naming.rollout_of(key.service)

        def rank(uid: str) -> tuple[bool, str, str]:
            rollout = self.rollouts[uid][1]
            return rollout.name != configured, rollout.name, rollout.namespace

        return min(self.claims[key], key=rank)

    def derive(self, uid: str) -> Rollout:
        """Return the state of a Rollout, from it and what it owns."""
        replica_sets = [self._replica_sets[owned].value for owned in self._sets_of.get(uid, ())]
        runs = [self._runs[owned].value for owned in self._runs_of.get(uid, ())]
        return derive(self.rollouts[uid][1], replica_sets, runs)

    def derive_all(self) -> dict[CellKey, Rollout]:
        """Return the state of every cell's Rollout."""
        return {key: self.derive(self.representative(key)) for key, claims in self.claims.items() if claims}


class RolloutSource:
    """Follows the Rollouts of one cluster."""

    def __init__(self, connection: ClusterConnection, cluster: str, naming: Naming) -> None:
        self.source = SourceId("rollouts", cluster)
        self._connection = connection
        self._cluster = ClusterName(cluster)
        self._naming = naming
        self._objects = _OwnedObjects(naming)
        self._listed: set[Kind] = set()
        self._failing: dict[Kind, str] = {}
        """Required collections that cannot be followed now, each with the reason."""
        self._has_missed_probe = False
        """The last probe failed: bookmarks, which a server makes from memory, then prove nothing."""
        self._missing = ""
        """Why there are no AnalysisRuns; the rest is as fresh as ever."""
        self._wakes: dict[Kind, asyncio.Event] = {kind: asyncio.Event() for kind in _PATHS}

    def refresh(self) -> None:
        """Try again now every collection that waits after a failure."""
        for wake in self._wakes.values():
            wake.set()

    async def run(self, publish: Publish) -> None:
        """Publish the Rollouts of the cluster until cancelled; failures are published, never raised."""
        await run_together(*(self._follow(kind, publish) for kind in _PATHS), self._probe_regularly(publish))

    async def _follow(self, kind: Kind, publish: Publish) -> None:
        collection = Collection(
            self._connection,
            _PATHS[kind],
            _WIRES[kind],
            _SELECTORS.get(kind, {}),
            arrived=lambda: publish(AnswerArriving(self.source)),
        )
        async for event in follow(collection, wake=self._wakes[kind]):
            match event:
                case Listed():
                    if kind == "analysisruns":
                        self._missing = ""
                    await self._read_list(kind, event.items, publish)
                case Changed(change, wire):
                    self._apply_change(kind, change, wire, publish)
                case Heartbeat():
                    self._publish_response(publish)
                case Failed():
                    await self._publish_failure(kind, event, publish)

    async def _probe_regularly(self, publish: Publish) -> None:
        """Notice that the cluster stopped responding sooner than its watches do, and its return sooner than a retry."""
        while True:
            error = await probe(self._connection, _PATHS["rollouts"])
            had_missed, self._has_missed_probe = self._has_missed_probe, error is not None
            if error is not None:
                publish(SourceUnreachable(self.source, error.message, self._connection.pace.probe))
            elif had_missed and self._failing:
                self.refresh()
            else:
                self._publish_response(publish)
            await asyncio.sleep(self._connection.pace.probe)

    def _publish_response(self, publish: Publish) -> None:
        """Publish that the cluster responds, while every required collection is followed and the last probe passed."""
        if self._listed >= _REQUIRED and not self._failing and not self._has_missed_probe:
            publish(SourceAnswered(self.source, self._missing))

    async def _publish_failure(self, kind: Kind, failure: Failed, publish: Publish) -> None:
        message = failure.error.message
        if kind in _REQUIRED:
            self._failing[kind] = message
        if kind == "rollouts" and isinstance(failure.error, AbsentError):
            publish(SourceOff(self.source, f"Argo Rollouts is not installed on {self._cluster}"))
            return
        if kind == "analysisruns":
            _log.info("no AnalysisRuns from %s: %s", self._cluster, message)
            if isinstance(failure.error, RefusedError):
                self._missing = message
            if kind not in self._listed:
                await self._read_list(kind, [], publish)
            self._publish_response(publish)
            return
        publish(SourceUnreachable(self.source, message, failure.retry_in))

    async def _read_list(self, kind: Kind, items: list[RawObject], publish: Publish) -> None:
        objects: dict[str, Any] = {}
        async for raw in in_batches(items):
            metadata, value = self._convert(kind, read_object(raw, _WIRES[kind]))
            if metadata is not None and value is not None:
                objects[metadata.uid] = value
        self._failing.pop(kind, None)
        self._listed.add(kind)
        self._objects.replace_all(kind, objects)
        if len(self._listed) == len(_PATHS) and not self._failing:
            self._publish_response(publish)
            publish(RolloutsListed(self.source, self._objects.derive_all()))

    def _apply_change(self, kind: Kind, change: str, wire: Any, publish: Publish) -> None:
        metadata, value = self._convert(kind, wire)
        if metadata is None:
            return
        objects = self._objects
        owner = metadata.uid if kind == "rollouts" else metadata.owner
        before = objects.rollouts.get(owner)
        objects.replace(kind, metadata.uid, None if change == "DELETED" else value, owner)
        if len(self._listed) < len(_PATHS):
            return
        after = objects.rollouts.get(owner)
        for key in dict.fromkeys(entry[0] for entry in (before, after) if entry is not None):
            if not objects.claims[key]:
                publish(RolloutDeleted(self.source, key))
            elif (representative := objects.representative(key)) == owner or kind == "rollouts":
                publish(RolloutChanged(self.source, key, objects.derive(representative)))

    def _convert(self, kind: Kind, wire: Any) -> tuple[Metadata | None, Any]:
        """Return the metadata and value of an object.

        A Rollout that cannot be read has a value that shows so, never its previous one; any other has None.
        """
        if isinstance(wire, Unreadable):
            _log.warning("one of the %s of %s cannot be read: %s", kind, self._cluster, wire.reason)
            is_shown = kind == "rollouts" and wire.metadata is not None
            return wire.metadata, self._unreadable_rollout(wire) if is_shown else None
        match kind:
            case "rollouts":
                return wire.metadata, self._with_cell(to_rollout(wire, self._cluster))
            case "replicasets":
                return wire.metadata, to_replica_set(wire)
            case "analysisruns":
                return wire.metadata, to_analysis_run(wire)

    def _with_cell(self, rollout: RolloutObject) -> tuple[CellKey, RolloutObject] | None:
        """Return a Rollout with its cell; None where it belongs to none."""
        key = self._naming.of_rollout(self._cluster, rollout.namespace, rollout.name, rollout.application)
        return None if key is None else (key, rollout)

    def _unreadable_rollout(self, wire: Unreadable) -> tuple[CellKey, RolloutObject] | None:
        metadata = wire.metadata or Metadata()
        return self._with_cell(
            RolloutObject(
                name=clean(metadata.name),
                namespace=clean(metadata.namespace),
                cluster=self._cluster,
                uid=clean(metadata.uid),
                application=clean(tracked_by(metadata)),
                phase=UNREADABLE,
                message=wire.reason,
            )
        )


def _put(objects: dict[str, Any], uid: str, value: Any) -> None:
    """Store a value; None removes it."""
    if value is None:
        objects.pop(uid, None)
    else:
        objects[uid] = value


def _start_time(run: AnalysisRun) -> float:
    return run.started_at.timestamp() if run.started_at else 0.0
