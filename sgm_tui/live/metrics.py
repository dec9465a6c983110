"""What Prometheus measures of one cluster: one query a metric, one for the trend, and the alerts.

Everything is asked in a thread, with deadlines. What is not a finite number, or none such a thing can have, is no
data, never zero; a series that cannot be read costs its cell alone. Each is logged once, with the reason.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sgm_tui.config.schema import MetricsConfig
from sgm_tui.errors import SgmError
from sgm_tui.fleet.facts import Alert, Metrics
from sgm_tui.fleet.model import CellKey, ClusterName
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import AlertsListed, Lost, MetricsListed, Observation
from sgm_tui.live.naming import Naming
from sgm_tui.live.polling import Moves, always, rest
from sgm_tui.live.prometheus import Asking, asking, number, told
from sgm_tui.live.single_call_thread import Aside
from sgm_tui.live.wire import moment
from sgm_tui.untrusted_text import clean

_PATIENCE = 30.0
"""Seconds for all requests of one look; a slow trickle is not silence."""
_TREND = timedelta(minutes=30)
_POINTS = 16
_ALWAYS_FIRING = frozenset({"Watchdog", "InfoInhibitor"})
_RETRY_MOST = 60.0
_QUIET = 30.0
"""Seconds between two looks at a cluster in which nothing moves: as often as Prometheus itself looks, usually."""

QUERIES: Mapping[str, str] = {
    "requests_per_second": "sum by ({label}) (sgm:requests:rate5m)",
    "error_ratio": "max by ({label}) (sgm:errors:ratio5m)",
    "latency_p99_seconds": "max by ({label}) (sgm:latency:p99_5m)",
}
"""The chart's recording rules; `prometheus.queries` replaces them one by one."""
_BUDGET = "error_budget_remaining"
"""Asked only where `prometheus.queries` has it: 0–1, the share of the error budget that is left."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "requests_per_second": (0.0, math.inf),
    "error_ratio": (0.0, 1.0),
    "latency_p99_seconds": (0.0, math.inf),
    _BUDGET: (-math.inf, 1.0),
}
"""Least and most of each metric; more is spent of an error budget than there is when it is below zero."""
_ROUNDING = 1e-9
"""How far a quotient of sums may be beyond its range."""
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What a series of another shape than Prometheus' makes of us."""

Row = Mapping[str, Any]
Value = TypeVar("Value")

_log = logging.getLogger("sgm.metrics")

Publish = Callable[[Observation], None]


class MetricsSource:
    """Polls one cluster's Prometheus."""

    def __init__(self, url: str, cluster: str, config: MetricsConfig, naming: Naming, moves: Moves = always) -> None:
        """`moves` tells whether anything in the cluster is under way, so that its numbers are worth a look now."""
        self.source = SourceId("metrics", cluster)
        self.alerts = SourceId("alerts", cluster)
        self._url = url.rstrip("/")
        self._cluster = cluster
        self._config = config
        self._naming = naming
        self._moves = moves
        self._wake = asyncio.Event()
        self._asides = (Aside(self._url, _PATIENCE), Aside(self._url, _PATIENCE))
        self._trends: tuple[datetime, dict[CellKey, tuple[float | None, ...]]] | None = None
        """When the trends were asked for last, and what came."""
        self._told: set[str] = set()
        """What has been logged about, so that it is not with every look."""

    def refresh(self) -> None:
        """Look now."""
        self._wake.set()

    async def run(self, publish: Publish) -> None:
        """Publish metrics and alerts, for ever; troubles are published, never raised."""
        failures = 0
        try:
            while True:
                pause = min(self._config.interval_seconds * 2 ** min(failures, 8), _RETRY_MOST)
                worked, _ = await asyncio.gather(self._tell_metrics(publish, pause), self._tell_alerts(publish, pause))
                failures = 0 if worked else failures + 1
                if worked:
                    await rest(self._wake, self._config.interval_seconds, quiet=_QUIET, moves=self._moves)
                else:
                    await rest(self._wake, pause)
        finally:
            for aside in self._asides:
                aside.end()

    async def _tell_metrics(self, publish: Publish, pause: float) -> bool:
        try:
            publish(MetricsListed(self.source, *await self._asides[0].result_of(self._metrics)))
        except SgmError as error:
            publish(Lost(self.source, error.message, pause))
            return False
        return True

    async def _tell_alerts(self, publish: Publish, pause: float) -> None:
        try:
            publish(AlertsListed(self.alerts, *await self._asides[1].result_of(self._alerts)))
        except SgmError as error:
            publish(Lost(self.alerts, error.message, pause))

    def _metrics(self) -> tuple[dict[CellKey, Metrics], str]:
        queries = {
            name: self._config.queries.get(name) or default.replace("{label}", self._config.label)
            for name, default in QUERIES.items()
        }
        if self._config.queries.get(_BUDGET):
            queries[_BUDGET] = self._config.queries[_BUDGET]
        values: dict[str, dict[CellKey, float | None]] = {}
        with asking(self._url, self._config) as prometheus:
            for name, query in queries.items():
                rows = prometheus.now(name, query)
                with told(f"{self._url}: {name}"):
                    values[name] = self._by_cell(name, rows)
            trends = self._trend(prometheus, queries["requests_per_second"])
            note = prometheus.note
        metrics = {
            key: Metrics(
                requests_per_second=values["requests_per_second"].get(key),
                error_ratio=values["error_ratio"].get(key),
                latency_p99_seconds=values["latency_p99_seconds"].get(key),
                trend=trends.get(key, ()),
                error_budget_remaining=values.get(_BUDGET, {}).get(key),
            )
            for key in {key for found in values.values() for key in found} | trends.keys()
        }
        return metrics, note

    def _trend(self, prometheus: Asking, query: str) -> dict[CellKey, tuple[float | None, ...]]:
        """The trend of every cell, asked again when half a step of it has passed: sooner it would read the same."""
        now, step = datetime.now(UTC), _TREND / _POINTS
        if self._trends is None or now - self._trends[0] >= step / 2 or not self._trends[1]:
            what = "the trend of requests_per_second"
            rows = prometheus.over(what, query, now - _TREND, now, round(step.total_seconds()))
            with told(f"{self._url}: {what}"):
                self._trends = now, self._points_by_cell(rows, now)
        return self._trends[1]

    def _alerts(self) -> tuple[tuple[Alert, ...], str]:
        with asking(self._url, self._config) as prometheus:
            listed, note = prometheus.alerts(), prometheus.note
        with told(self._url):
            read = self._each("alerts", listed, lambda one: (one["labels"].get("alertname"), self._alert(one)))
            return tuple(alert for name, alert in read if name not in _ALWAYS_FIRING), note

    def _by_cell(self, name: str, result: Sequence[Mapping[str, Any]]) -> dict[CellKey, float | None]:
        """One value a cell; several series for one cell are ambiguous, which is no data."""
        found: dict[CellKey, float | None] = {}
        for key, text in self._each(name, result, lambda one: (self._key(one["metric"]), one["value"][1])):
            if key is not None:
                found[key] = None if key in found else self._possible(name, key, text)
        return found

    def _points_by_cell(
        self, result: Sequence[Mapping[str, Any]], now: datetime
    ) -> dict[CellKey, tuple[float | None, ...]]:
        begin = (now - _TREND).timestamp()
        read = self._each("the trend", result, lambda one: (self._key(one["metric"]), _points(one, begin)))
        return {key: points for key, points in read if key is not None}

    def _each(self, name: str, result: Sequence[Row], read: Callable[[Row], Value]) -> Iterator[Value]:
        """What can be read of an answer; one where nothing can is not Prometheus' and raises what reading it raised."""
        readable = 0
        failed: Exception | None = None
        for one in result:
            try:
                value = read(one)
            except _MALFORMED as error:
                failed = error
                self._tell(name, f"one of the series of {name} cannot be read: {clean(repr(error))}")
                continue
            readable += 1
            yield value
        if failed is not None and not readable:
            raise failed

    def _possible(self, name: str, key: CellKey, text: object) -> float | None:
        """A value such a metric can have; None for every other, which is logged."""
        value = number(text)
        least, most = _RANGES[name]
        if value is None or not least - _ROUNDING <= value <= most + _ROUNDING:
            self._tell(f"{name} {key}", f"{name} of {key} is not known: Prometheus says {clean(text, 40)}")
            return None
        return min(max(value, least), most)

    def _tell(self, about: str, what: str) -> None:
        if about not in self._told:
            self._told.add(about)
            _log.warning("%s (%s)", what, self._url)

    def _key(self, labels: Mapping[str, str]) -> CellKey | None:
        return self._naming.of_namespace(self._cluster, str(labels.get(self._config.label, "")))

    def _alert(self, one: Mapping[str, Any]) -> Alert:
        labels: Mapping[str, str] = one.get("labels", {})
        namespace = str(labels.get("namespace", ""))
        key = self._naming.of_namespace(self._cluster, namespace)
        return Alert(
            name=clean(labels.get("alertname")),
            severity=clean(labels.get("severity")),
            state=clean(one.get("state")),
            cluster=ClusterName(self._cluster),
            service=key.service if key else "",
            summary=clean(one.get("annotations", {}).get("summary")),
            since=moment(one.get("activeAt")),
        )


def _points(one: Row, begin: float) -> tuple[float | None, ...]:
    """The values of one series by their step since `begin` (seconds since 1970)."""
    step = _TREND.total_seconds() / _POINTS
    points: list[float | None] = [None] * (_POINTS + 1)
    for at, value in one.get("values", ()):
        index = round((float(at) - begin) / step)
        if 0 <= index <= _POINTS:
            points[index] = number(value)
    return tuple(points)
