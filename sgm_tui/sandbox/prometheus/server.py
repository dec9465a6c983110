"""The load on the embedded fleet and the Prometheus of every cluster that measures it.

Every service has a daily curve of requests. The ReplicaSets decide which version answers them; its defects and the
number of pods decide how well. The same seed gives the same numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.load.split import Behaves, split
from sgm_tui.sandbox.load.traffic import ALWAYS, Traffic
from sgm_tui.sandbox.prometheus import kube_metrics as load_kube
from sgm_tui.sandbox.prometheus.alerts import Alerts
from sgm_tui.sandbox.prometheus.rollout_phases import Phases
from sgm_tui.sandbox.prometheus.series import ClusterSeries
from sgm_tui.sandbox.promql.engine import compile_vector
from sgm_tui.sandbox.promql.values import PromqlError, VectorNode

_STAGE_LOAD = {"dev": 0.04, "staging": 0.15}
"""The traffic of the other stages, relative to a prod cluster."""
_REMEMBERED = timedelta(hours=2)
"""Seconds of wall time for which the metrics of a removed version are kept."""
_FORGET_EVERY = 300.0
_LIVELY = 900.0
"""Virtual seconds after a change in which a service's rules are evaluated at every step."""
_UNHEALTHY = 0.004
_QUERIES = 256
_HOURS_AHEAD = {"eu": 1, "us": -6, "ap": 9, "sa": -3, "me": 3, "in": 5, "jp": 9, "ca": -5}
"""Hours of a cluster's local time ahead of UTC."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong with a version."""

    stages: frozenset[str]
    """The stages in which the defect shows."""
    error_ratio: float
    latency_factor: float = 1.0


class ClusterLoad:
    """The load on one cluster and its Prometheus."""

    def __init__(
        self, name: str, stage: str, store: ObjectStore, clock: Clock, *, seed: str, defects: Mapping[Key, Defect]
    ) -> None:
        self.name = name
        self._stage = stage
        self._store = store
        self._clock = clock
        self._seed = seed
        self._defects = defects
        self._traffics: dict[Key, Traffic] = {}
        self._dirty: set[Key] = set()
        self._changed: dict[str, float] = {}
        self._unhealthy: set[str] = set()
        self._forget_at = 0.0
        self._began = False
        self.series = ClusterSeries(clock, lambda: store.revision)
        self.alerts = Alerts(self.series, store, self._is_lively)
        self.series.add(load_kube.families(store, clock))
        self.series.add(self.alerts.families())
        self._phases = Phases(store, clock)
        self.series.add({"rollout_info": self._phases.family})
        self._queries: dict[str, VectorNode] = {}
        store.listeners.append(self._note)
        for rollout in store.list("Rollout"):
            self._note("ADDED", "Rollout", rollout)

    def step(self) -> None:
        """Apply the changes in the cluster, then evaluate the rules that are due."""
        now = self._clock.now
        if self._dirty:
            at = now if self._began else ALWAYS
            for key in sorted(self._dirty):
                self._update(key, at)
            self._dirty.clear()
        self._began = True
        self.alerts.step(now)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY
            self._forget(now - _REMEMBERED.total_seconds() * max(1.0, self._clock.speed))

    def measure(self, query: str) -> list[float]:
        """Return the current values of a query's vector, as an analysis sees them.

        Raises:
            PromqlError: Prometheus refuses the query; the text is what its client library says.
        """
        try:
            return [value for _, value in self._compile(query)(self._clock.now)]
        except PromqlError as error:
            named = 'invalid parameter "query": ' if error.kind == "bad_data" else ""
            raise PromqlError(error.kind, f"{error.kind}: {named}{error.message}") from None

    def _compile(self, query: str) -> VectorNode:
        ready = self._queries.get(query)
        if ready is None:
            if len(self._queries) >= _QUERIES:
                self._queries.clear()
            ready = self._queries[query] = compile_vector(self.series, query)
        return ready

    def requests_per_second(self, namespace: str, service: str) -> float:
        """Return the mean of the last minute; 0 without requests."""
        traffic = self._traffics.get((namespace, service))
        now = self._clock.now
        return traffic.counts_between(now - 60.0, now).requests / 60.0 if traffic else 0.0

    def _note(self, event: str, kind: str, obj: KubeObject) -> None:
        metadata = obj["metadata"]
        if kind == "Rollout":
            self._dirty.add((metadata["namespace"], metadata["name"]))
            self._phases.note(obj, is_deleted=event == "DELETED")
        elif kind == "ReplicaSet":
            self._dirty.update(
                (metadata["namespace"], owner["name"])
                for owner in metadata.get("ownerReferences") or ()
                if owner["kind"] == "Rollout"
            )

    def _update(self, key: Key, at: float) -> None:
        rollout = self._store.get("Rollout", *key)
        traffic = self._traffics.get(key)
        if rollout is None:
            if traffic is not None:
                self._changed[key[0]] = at
                self._unhealthy.discard(key[0])
                traffic.turn({}, at)
            return
        if traffic is None:
            traffic = self._traffics[key] = self._traffic(*key)
        replica_sets = self._store.owned("ReplicaSet", rollout["metadata"]["uid"])
        behaviours = split(rollout, replica_sets, self._behaviour(traffic))
        failing = any(one.error_ratio > _UNHEALTHY for one in behaviours.values())
        (self._unhealthy.add if failing else self._unhealthy.discard)(key[0])
        if traffic.turn(behaviours, at):
            self._changed[key[0]] = at
            self.series.show(traffic)

    def _traffic(self, namespace: str, service: str) -> Traffic:
        everywhere = random.Random(f"{self._seed}:{service}")
        here = random.Random(f"{self._seed}:{self.name}:{service}")
        mean = 10 ** everywhere.uniform(1.3, 2.6) * here.uniform(0.7, 1.3) * _STAGE_LOAD.get(self._stage, 1.0)
        started = self._clock.started_at
        location = self.name.rpartition("-")[2][:2]
        of_day = (started.hour + _HOURS_AHEAD.get(location, 0)) * 3600.0 + started.minute * 60.0
        return Traffic(namespace, service, mean, here, -of_day)

    def _behaviour(self, traffic: Traffic) -> Behaves:
        """Return how a version of this service behaves; one pod more or less than usual shows in its latency."""
        chance = random.Random(f"{self._seed}:{traffic.service}:quality")
        median, errors = chance.uniform(0.018, 0.055), chance.uniform(0.0002, 0.0012)
        scaler = self._store.get("HorizontalPodAutoscaler", traffic.namespace, traffic.service)
        usual = 1.0 / max(1, int(scaler["spec"].get("minReplicas") or 1)) if scaler else 1.0

        def behaves(version: str, share_per_pod: float) -> tuple[float, float]:
            defect = self._defects.get((traffic.service, version))
            latency = median * (0.8 + 0.2 * min(4.0, share_per_pod / usual))
            if defect is None or self._stage not in defect.stages:
                return errors, latency
            return min(0.6, errors + defect.error_ratio), latency * defect.latency_factor

        return behaves

    def _is_lively(self, namespace: str) -> bool:
        """Return whether the rules of a service are evaluated at every step."""
        return namespace in self._unhealthy or self._clock.now - self._changed.get(namespace, ALWAYS) < _LIVELY

    def _forget(self, before: float) -> None:
        for key, traffic in list(self._traffics.items()):
            dropped = traffic.forget(before)
            if not traffic.streams:
                del self._traffics[key]
                self.series.hide(traffic)
            elif dropped:
                self.series.show(traffic)


class Load:
    """The load on every cluster."""

    def __init__(
        self,
        stores: Mapping[str, ObjectStore],
        stages: Mapping[str, str],
        clock: Clock,
        *,
        seed: str,
        defects: Mapping[Key, Defect],
    ) -> None:
        """Start with `stages` by cluster; `defects` by service and version may grow later."""
        self.clusters = {
            name: ClusterLoad(name, stages.get(name, ""), store, clock, seed=seed, defects=defects)
            for name, store in stores.items()
        }
        self.clock = clock

    def step(self) -> None:
        """Apply the changes in every cluster."""
        for cluster in self.clusters.values():
            cluster.step()

    def measure(self, cluster: str) -> Callable[[str], list[float]]:
        """Return the function that runs the queries of a cluster's analyses."""
        return self.clusters[cluster].measure


__all__ = ["ClusterLoad", "Defect", "Load", "PromqlError"]
