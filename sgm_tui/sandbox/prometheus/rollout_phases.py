"""The phases every Rollout of a cluster went through, as its controller exported them: `rollout_info`.

Before the start everything was at rest; Prometheus keeps fifteen days of that. From then on every phase is noted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.prometheus.series import Gauge
from sgm_tui.sandbox.promql.values import NAME, labels_of

RETENTION = 15 * 86400.0
"""Seconds Prometheus keeps what it has scraped, its default."""
_WORDS = {"Healthy": "Completed", "Degraded": "Error", "Progressing": "Progressing", "Paused": "Paused"}
"""`rollout_info` speaks of phases in words of its own."""
_MOST = 500
"""Phases that are remembered of one Rollout."""


class Phases:
    """Which phase each Rollout was in when; a family of series."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._past: dict[str, list[tuple[float, str]]] = {}
        """uid → since when which phase, oldest first."""

    def note(self, rollout: KubeObject, *, is_deleted: bool = False) -> None:
        """A Rollout was written, or is gone."""
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
        """One series for each phase a Rollout was in."""
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
    """The phase at a moment; None before the first."""
    at = bisect_right(past, moment, key=lambda one: one[0])
    return past[at - 1][1] if at else None
