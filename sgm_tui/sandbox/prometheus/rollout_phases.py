"""The phases of every Rollout over time, as the controller exports them: `rollout_info`.

Before the start all Rollouts were healthy for as long as Prometheus keeps data. From then on every phase is recorded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.prometheus.series import Gauge
from sgm_tui.sandbox.promql.values import NAME, labels_of

RETENTION = 15 * 86400.0
"""Seconds for which Prometheus keeps samples, by default."""
_WORDS = {"Healthy": "Completed", "Degraded": "Error", "Progressing": "Progressing", "Paused": "Paused"}
"""The words `rollout_info` uses for phases."""
_MOST = 500
"""The most phases kept of one Rollout."""


class Phases:
    """The phase of each Rollout over time, as a family of series."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._past: dict[str, list[tuple[float, str]]] = {}
        """uid → (start, phase), oldest first."""

    def note(self, rollout: KubeObject, *, is_deleted: bool = False) -> None:
        """Record that a Rollout was written or deleted."""
        uid = rollout["metadata"]["uid"]
        if is_deleted:
            self._past.pop(uid, None)
            return
        now, phase = self._clock.now, _phase(rollout)
        past = self._past.setdefault(uid, [])
        while len(past) > 1 and past[-1][0] >= now:
            past.pop()
        if past and past[-1][1] != phase:
            past.append((now, phase))
            del past[:-_MOST]
        elif not past and phase:
            # What is there at the start has been so for longer than Prometheus remembers.
            past.append((now if now > 0 else -RETENTION, phase))

    def family(self, namespace: str | None) -> Iterator[Gauge]:
        """Return one series for each phase each Rollout has been in."""
        for rollout in self._store.list("Rollout", namespace):
            past = self._past.get(rollout["metadata"]["uid"], [])
            strategy = next(iter(rollout["spec"].get("strategy") or {"none": None}))
            for phase in dict.fromkeys(phase for _, phase in past):
                labels = labels_of(
                    {NAME: "rollout_info", "job": "argo-rollouts-metrics", "name": rollout["metadata"]["name"],
                     "namespace": rollout["metadata"]["namespace"], "strategy": strategy, "phase": phase}
                )  # fmt: skip
                yield Gauge(labels, _reader(past, phase))


def _reader(past: list[tuple[float, str]], phase: str) -> Callable[[float], float | None]:
    return lambda at: 1.0 if _at(past, at) == phase else None


def _phase(rollout: KubeObject) -> str:
    status = rollout.get("status") or {}
    return "Abort" if status.get("abort") else _WORDS.get(status.get("phase", ""), "")


def _at(past: list[tuple[float, str]], moment: float) -> str | None:
    """Return the phase at a moment; None before the first."""
    at = bisect_right(past, moment, key=lambda one: one[0])
    return past[at - 1][1] if at else None
