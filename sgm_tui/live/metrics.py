"""Metrics and alerts of one cluster from its Prometheus: one query per metric, one for the trend, and the alerts.

Queries run in a thread, with deadlines. A value that is not finite, or outside the range of its metric, is no data and
never zero; an unreadable series costs only its own cell. Each such value is logged once, with the reason.
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
from sgm_tui.fleet.updates import AlertsListed, MetricsListed, SourceUnreachable
from sgm_tui.live.naming import Naming
from sgm_tui.live.prometheus import MALFORMED, PrometheusClient, connect, finite_number, translate_errors
from sgm_tui.live.single_call_thread import SingleCallThread
from sgm_tui.live.wire import parse_time
from sgm_tui.sources import Backoff, IsActive, PollLoop, Publish
from sgm_tui.untrusted_text import clean

_DEADLINE = 30.0
"""Seconds for all requests of one poll: a server that trickles never exceeds the time between two bytes."""
_TREND = timedelta(minutes=30)
_POINTS = 16
_ALWAYS_FIRING = frozenset({"Watchdog", "InfoInhibitor"})
_LONGEST_RETRY = 60.0
_IDLE_INTERVAL = 30.0
"""Seconds between two polls of a cluster in which nothing is changing: the usual scrape interval."""

QUERIES: Mapping[str, str] = {
    "requests_per_second": "sum by ({label}) (sgm:requests:rate5m)",
    "error_ratio": "max by ({label}) (sgm:errors:ratio5m)",
    "latency_p99_seconds": "max by ({label}) (sgm:latency:p99_5m)",
}
"""The chart's recording rules; `prometheus.queries` replaces them one by one."""
_BUDGET = "error_budget_remaining"
"""Queried only where `prometheus.queries` has it: 0–1, the remaining share of the error budget."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "requests_per_second": (0.0, math.inf),
    "error_ratio": (0.0, 1.0),
    "latency_p99_seconds": (0.0, math.inf),
    _BUDGET: (-math.inf, 1.0),
}
"""Least and greatest value of each metric; an error budget below zero is overspent."""
_ROUNDING = 1e-9
"""How far a quotient of sums may be outside its range."""

Row = Mapping[str, Any]
Value = TypeVar("Value")

_log = logging.getLogger("sgm.metrics")


class MetricsSource:
    """Polls the metrics and alerts of one cluster's Prometheus."""

    def __init__(
        self, url: str, cluster: str, config: MetricsConfig, naming: Naming, is_active: IsActive = lambda: True
    ) -> None:
        """Poll nothing yet; `is_active` returns whether anything in the cluster is changing."""
        self.source = SourceId("metrics", cluster)
        self.alerts = SourceId("alerts", cluster)
        self._url = url.rstrip("/")
        self._cluster = cluster
        self._config = config
        self._naming = naming
        self._backoff = Backoff(config.interval_seconds, _LONGEST_RETRY)
        self._polling = PollLoop(
            config.interval_seconds, self._backoff, idle_interval=_IDLE_INTERVAL, is_active=is_active
        )
        self._metrics_thread = SingleCallThread(self._url, _DEADLINE)
        self._alerts_thread = SingleCallThread(self._url, _DEADLINE)
        self._trends: tuple[datetime, dict[CellKey, tuple[float | None, ...]]] | None = None
        """The time of the last query for the trends, and its result."""
        self._logged: set[str] = set()
        """Subjects of warnings that have been logged, so that no poll repeats them."""

    def refresh(self) -> None:
        """Poll now."""
        self._polling.wake()

    async def run(self, publish: Publish) -> None:
        """Publish metrics and alerts until cancelled; failures are published, never raised."""

        async def poll() -> None:
            error, _ = await asyncio.gather(self._publish_metrics(publish), self._publish_alerts(publish))
            if error is not None:
                raise error

        try:
            await self._polling.run(poll)
        finally:
            self._metrics_thread.end()
            self._alerts_thread.end()

    async def _publish_metrics(self, publish: Publish) -> SgmError | None:
        """Publish the metrics, or that they cannot be fetched, and return that error."""
        try:
            publish(MetricsListed(self.source, *await self._metrics_thread.run(self._fetch_metrics)))
        except SgmError as error:
            publish(SourceUnreachable(self.source, error.message, self._backoff.upcoming))
            return error
        return None

    async def _publish_alerts(self, publish: Publish) -> None:
        try:
            publish(AlertsListed(self.alerts, *await self._alerts_thread.run(self._fetch_alerts)))
        except SgmError as error:
            publish(SourceUnreachable(self.alerts, error.message, self._backoff.upcoming))

    def _fetch_metrics(self) -> tuple[dict[CellKey, Metrics], str]:
        """Query every metric; return the values of each cell, and the remarks of Prometheus ("" for none)."""
        queries = {
            name: self._config.queries.get(name) or default.replace("{label}", self._config.label)
            for name, default in QUERIES.items()
        }
        if self._config.queries.get(_BUDGET):
            queries[_BUDGET] = self._config.queries[_BUDGET]
        values: dict[str, dict[CellKey, float | None]] = {}
        with connect(self._url, self._config) as prometheus:
            for name, query in queries.items():
                rows = prometheus.query(name, query)
                with translate_errors(f"{self._url}: {name}"):
                    values[name] = self._values_by_cell(name, rows)
            trends = self._fetch_trends(prometheus, queries["requests_per_second"])
            note = prometheus.note
        metrics = {
            key: Metrics(
                requests_per_second=values["requests_per_second"].get(key),
                error_ratio=values["error_ratio"].get(key),
                latency_p99_seconds=values["latency_p99_seconds"].get(key),
                trend=trends.get(key, ()),
                error_budget_remaining=values.get(_BUDGET, {}).get(key),
            )
            for key in {key for by_cell in values.values() for key in by_cell} | trends.keys()
        }
        return metrics, note

    def _fetch_trends(self, prometheus: PrometheusClient, query: str) -> dict[CellKey, tuple[float | None, ...]]:
        """Return the trend of every cell; queried again once half a step has passed, as it would not differ sooner."""
        now, step = datetime.now(UTC), _TREND / _POINTS
        if self._trends is None or now - self._trends[0] >= step / 2 or not self._trends[1]:
            subject = "the trend of requests_per_second"
            rows = prometheus.query_range(subject, query, now - _TREND, now, round(step.total_seconds()))
            with translate_errors(f"{self._url}: {subject}"):
                self._trends = now, self._points_by_cell(rows, now)
        return self._trends[1]

    def _fetch_alerts(self) -> tuple[tuple[Alert, ...], str]:
        """Return the pending and firing alerts, and the remarks of Prometheus ("" for none)."""
        with connect(self._url, self._config) as prometheus:
            rows, note = prometheus.alerts(), prometheus.note
        with translate_errors(self._url):
            alerts = self._readable("alerts", rows, lambda row: (row["labels"].get("alertname"), self._alert(row)))
            return tuple(alert for name, alert in alerts if name not in _ALWAYS_FIRING), note

    def _values_by_cell(self, name: str, rows: Sequence[Row]) -> dict[CellKey, float | None]:
        """Return the value of each cell; several series for one cell are ambiguous, which is no data."""
        values: dict[CellKey, float | None] = {}
        for key, text in self._readable(name, rows, lambda row: (self._key(row["metric"]), row["value"][1])):
            if key is not None:
                values[key] = None if key in values else self._value_in_range(name, key, text)
        return values

    def _points_by_cell(self, rows: Sequence[Row], now: datetime) -> dict[CellKey, tuple[float | None, ...]]:
        start = (now - _TREND).timestamp()
        trends = self._readable("the trend", rows, lambda row: (self._key(row["metric"]), _points(row, start)))
        return {key: points for key, points in trends if key is not None}

    def _readable(self, name: str, rows: Sequence[Row], read: Callable[[Row], Value]) -> Iterator[Value]:
        """Yield what `read` returns for every readable row.

        Where none of several is readable the answer is not Prometheus', and the last error of `read` is raised.
        """
        count = 0
        failure: Exception | None = None
        for row in rows:
            try:
                value = read(row)
            except MALFORMED as error:
                failure = error
                self._warn_once(name, f"one of the series of {name} cannot be read: {clean(repr(error))}")
                continue
            count += 1
            yield value
        if failure is not None and not count:
            raise failure

    def _value_in_range(self, name: str, key: CellKey, text: object) -> float | None:
        """Return a value within the range of its metric; log any other and return None."""
        value = finite_number(text)
        least, greatest = _RANGES[name]
        if value is None or not least - _ROUNDING <= value <= greatest + _ROUNDING:
            self._warn_once(f"{name} {key}", f"{name} of {key} is not known: Prometheus says {clean(text, 40)}")
            return None
        return min(max(value, least), greatest)

    def _warn_once(self, subject: str, warning: str) -> None:
        if subject not in self._logged:
            self._logged.add(subject)
            _log.warning("%s (%s)", warning, self._url)

    def _key(self, labels: Mapping[str, str]) -> CellKey | None:
        return self._naming.of_namespace(self._cluster, str(labels.get(self._config.label, "")))

    def _alert(self, row: Row) -> Alert:
        labels: Mapping[str, str] = row.get("labels", {})
        namespace = str(labels.get("namespace", ""))
        key = self._naming.of_namespace(self._cluster, namespace)
        return Alert(
            name=clean(labels.get("alertname")),
            severity=clean(labels.get("severity")),
            state=clean(row.get("state")),
            cluster=ClusterName(self._cluster),
            service=key.service if key else "",
            summary=clean(row.get("annotations", {}).get("summary")),
            since=parse_time(row.get("activeAt")),
        )


def _points(row: Row, start: float) -> tuple[float | None, ...]:
    """Return the values of one series by their step since `start` (seconds since 1970)."""
    step = _TREND.total_seconds() / _POINTS
    points: list[float | None] = [None] * (_POINTS + 1)
    for at, value in row.get("values", ()):
        index = round((float(at) - start) / step)
        if 0 <= index <= _POINTS:
            points[index] = finite_number(value)
    return tuple(points)
