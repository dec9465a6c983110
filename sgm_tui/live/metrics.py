"""What Prometheus measures of one cluster: one query a metric, one for the trend, and the alerts.

The client library asks; it runs in a thread with deadlines and without retries of its own, never follows a proxy or
a netrc, and everything it raises becomes one line. What is not a finite number is no data, never zero.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from urllib3.util.retry import Retry

from sgm_tui.config import MetricsConfig
from sgm_tui.errors import SgmError, UnreachableError
from sgm_tui.fleet.model import CellKey, ClusterName
from sgm_tui.fleet.observation import AlertsListed, Lost, MetricsListed, Observation, SourceId
from sgm_tui.fleet.observed import Alert, Metrics
from sgm_tui.fleet.text import clean
from sgm_tui.live.naming import Naming
from sgm_tui.live.wire import moment

_DEADLINE = 8.0
_TREND = timedelta(minutes=30)
_POINTS = 16
_ALWAYS_FIRING = frozenset({"Watchdog", "InfoInhibitor"})
_RETRY_MOST = 60.0
_BODY = re.compile(r"b'(.*)'\)?$", re.DOTALL)

QUERIES: Mapping[str, str] = {
    "requests_per_second": "sum by ({label}) (sgm:requests:rate5m)",
    "error_ratio": "max by ({label}) (sgm:errors:ratio5m)",
    "latency_p99_seconds": "max by ({label}) (sgm:latency:p99_5m)",
}
"""The chart's recording rules; `prometheus.queries` replaces them one by one."""

Publish = Callable[[Observation], None]


@dataclass(frozen=True, slots=True)
class _Answer:
    metrics: dict[CellKey, Metrics]
    alerts: tuple[Alert, ...]


class MetricsSource:
    """Polls one cluster's Prometheus."""

    def __init__(self, url: str, cluster: str, config: MetricsConfig, naming: Naming) -> None:
        self.source = SourceId("metrics", cluster)
        self.alerts = SourceId("alerts", cluster)
        self._url = url.rstrip("/")
        self._cluster = cluster
        self._config = config
        self._naming = naming
        self._wake = asyncio.Event()
        self._chance = random.Random()

    def refresh(self) -> None:
        """Look now."""
        self._wake.set()

    async def run(self, publish: Publish) -> None:
        """Publish metrics and alerts, for ever; troubles are published, never raised."""
        failures = 0
        while True:
            try:
                answer = await asyncio.to_thread(self._ask)
                failures = 0
                publish(MetricsListed(self.source, answer.metrics))
                publish(AlertsListed(self.alerts, answer.alerts))
                pause = self._config.interval_seconds
            except SgmError as error:
                failures += 1
                pause = min(self._config.interval_seconds * 2 ** (failures - 1), _RETRY_MOST)
                publish(Lost(self.source, error.message, pause))
                publish(Lost(self.alerts, error.message, pause))
            await self._pause(pause * self._chance.uniform(0.9, 1.1))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _ask(self) -> _Answer:
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update(self._credentials())
            client = PrometheusConnect(
                self._url, session=session, retry=Retry(total=0, raise_on_status=False), timeout=_DEADLINE
            )
            with _told(self._url):
                return self._answered(client, session)

    def _credentials(self) -> dict[str, str]:
        file = self._config.token_file
        if file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {file.read_text(encoding='utf-8').strip()}"}
        except OSError as error:
            raise UnreachableError(f"prometheus.token_file {file}: {error.strerror}") from error

    def _answered(self, client: PrometheusConnect, session: requests.Session) -> _Answer:
        queries = {
            name: self._config.queries.get(name) or default.replace("{label}", self._config.label)
            for name, default in QUERIES.items()
        }
        values = {name: self._by_cell(client.custom_query(query)) for name, query in queries.items()}
        now = datetime.now(UTC)
        series = client.custom_query_range(
            queries["requests_per_second"], now - _TREND, now, step=f"{_TREND.total_seconds() / _POINTS:.0f}"
        )
        trends = self._trends(series, now)
        keys = {key for found in values.values() for key in found} | trends.keys()
        metrics = {
            key: Metrics(
                requests_per_second=values["requests_per_second"].get(key),
                error_ratio=values["error_ratio"].get(key),
                latency_p99_seconds=values["latency_p99_seconds"].get(key),
                trend=trends.get(key, ()),
            )
            for key in keys
        }
        answer = session.get(f"{self._url}/api/v1/alerts", timeout=_DEADLINE, allow_redirects=False)
        return _Answer(metrics, self._alerts(answer))

    def _by_cell(self, result: Sequence[Mapping[str, Any]]) -> dict[CellKey, float | None]:
        """One value a cell; several series for one cell are ambiguous, which is no data."""
        found: dict[CellKey, float | None] = {}
        for one in result:
            key = self._key(one.get("metric", {}))
            if key is not None:
                found[key] = None if key in found else number(one.get("value", (0, ""))[1])
        return found

    def _trends(self, result: Sequence[Mapping[str, Any]], now: datetime) -> dict[CellKey, tuple[float | None, ...]]:
        step = _TREND.total_seconds() / _POINTS
        begin = (now - _TREND).timestamp()
        found: dict[CellKey, tuple[float | None, ...]] = {}
        for one in result:
            key = self._key(one.get("metric", {}))
            if key is None:
                continue
            points: list[float | None] = [None] * (_POINTS + 1)
            for at, value in one.get("values", ()):
                index = round((float(at) - begin) / step)
                if 0 <= index <= _POINTS:
                    points[index] = number(value)
            found[key] = tuple(points)
        return found

    def _key(self, labels: Mapping[str, str]) -> CellKey | None:
        return self._naming.of_namespace(self._cluster, str(labels.get(self._config.label, "")))

    def _alerts(self, answer: requests.Response) -> tuple[Alert, ...]:
        if answer.status_code != requests.codes.ok:
            raise UnreachableError(f"{self._url} answered {answer.status_code} about its alerts")
        listed = answer.json().get("data", {}).get("alerts", [])
        return tuple(self._alert(one) for one in listed if one.get("labels", {}).get("alertname") not in _ALWAYS_FIRING)

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


def number(text: object) -> float | None:
    """A finite number as Prometheus writes it; None for NaN, infinities and what is none."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Everything the library may raise becomes one error of ours."""
    try:
        yield
    except PrometheusApiClientException as error:
        raise UnreachableError(f"{url}: {_cause(str(error))}") from error
    except requests.Timeout as error:
        raise UnreachableError(f"{url} did not answer within {_DEADLINE:.0f} s") from error
    except requests.JSONDecodeError as error:
        raise UnreachableError(f"{url} did not answer as Prometheus does") from error
    except requests.RequestException as error:
        raise UnreachableError(f"{url}: {_reason(error)}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        # An answer of another shape than Prometheus': a proxy's, or a version's from the future.
        raise UnreachableError(f"{url} gave an answer that cannot be read: {clean(error)}") from error


def _cause(text: str) -> str:
    """Prometheus' own words, dug out of the library's message."""
    match = _BODY.search(text)
    if match:
        with contextlib.suppress(ValueError):
            return clean(json.loads(match[1].replace("\\'", "'")).get("error", text))
    return clean(text)


def _reason(error: requests.RequestException) -> str:
    text = str(error)
    if "Connection refused" in text:
        return "connection refused"
    return clean(text, 160)
