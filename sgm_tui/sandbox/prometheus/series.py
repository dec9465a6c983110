"""The series of one cluster as Prometheus would have scraped them: counters, histograms and recording rules.

Values are computed when they are queried, for the times Prometheus would have scraped. The chart's recording rules are
computed directly instead of from their expressions, because every dashboard queries them all the time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.load.split import HASH
from sgm_tui.sandbox.load.traffic import BOUNDS, Stream, Traffic
from sgm_tui.sandbox.promql.functions import bucket_quantile
from sgm_tui.sandbox.promql.values import NAME, Edges, Labels, Matcher, PromqlError, Series, labels_of

SCRAPE = 15.0
"""Virtual seconds between two scrapes, the chart's default."""
_WINDOW = 300.0
"""The range of the recording rules, in seconds."""
_CODES = ("200", "404", "500")
_BOUND_LABELS = ["+Inf" if math.isinf(bound) else f"{bound:g}" for bound in BOUNDS]
_HASH_LABEL = HASH.replace("-", "_")

Read = Callable[[float], float]


def tick(moment: float) -> float:
    """Return the time of the newest scrape at a moment."""
    if moment == -math.inf:
        return moment
    return math.floor(moment / SCRAPE) * SCRAPE


def ticks(start: float, end: float) -> list[float]:
    """Return the times of all scrapes in [start, end]."""
    return [number * SCRAPE for number in range(math.ceil(start / SCRAPE), math.floor(end / SCRAPE) + 1)]


class Counter:
    """A counter of one version; it never resets, because it counts the version and not its pods."""

    __slots__ = ("_read", "_stream", "labels")

    def __init__(self, labels: Labels, stream: Stream, read: Read) -> None:
        self.labels = labels
        self._stream = stream
        self._read = read

    def at(self, moment: float) -> float | None:
        """Return the newest sample; None after the version is gone."""
        scraped_at = tick(moment)
        return self._read(scraped_at) if self._stream.alive(scraped_at) else None

    def sampled_at(self, moment: float) -> float:
        """Return the time of the newest scrape."""
        return tick(moment)

    def samples(self, start: float, end: float) -> tuple[list[float], list[float]]:
        """Return one sample a scrape while the version existed."""
        moments = [one for one in ticks(start, end) if self._stream.alive(one)]
        return moments, [self._read(one) for one in moments]

    def edges(self, start: float, end: float) -> Edges | None:
        """Return the first and the last sample."""
        lifetime = self._stream.lifetime(start, end)
        if lifetime is None:
            return None
        first, last = math.ceil(lifetime[0] / SCRAPE) * SCRAPE, tick(lifetime[1])
        if not self._stream.alive(last):
            last -= SCRAPE
        if last < first:
            return None
        return Edges(round((last - first) / SCRAPE) + 1, first, self._read(first), last, self._read(last))


class Gauge:
    """A gauge that exists from a moment on and is read at every scrape."""

    __slots__ = ("_read", "labels")

    def __init__(self, labels: Labels, read: Callable[[float], float | None]) -> None:
        self.labels = labels
        self._read = read

    def at(self, moment: float) -> float | None:
        """Return the newest sample; None while there is nothing to read."""
        return self._read(tick(moment))

    def sampled_at(self, moment: float) -> float:
        """Return the time of the newest scrape."""
        return tick(moment)

    def samples(self, start: float, end: float) -> tuple[list[float], list[float]]:
        """Return one sample a scrape."""
        samples = [(one, value) for one in ticks(start, end) if (value := self._read(one)) is not None]
        return [one for one, _ in samples], [value for _, value in samples]

    def edges(self, start: float, end: float) -> Edges | None:
        """Return the first and the last sample, with every decrease counted as a reset."""
        moments, values = self.samples(start, end)
        if not moments:
            return None
        lost = sum(before for before, after in pairwise(values) if after < before)
        return Edges(len(moments), moments[0], values[0], moments[-1], values[-1] + lost)


Family = Callable[[str | None], Iterable[Series]]
"""Return the series of one metric in one namespace, or in all."""


class ClusterSeries:
    """All series of one cluster's Prometheus; a `Source` of the query engine."""

    def __init__(self, clock: Clock, stored_revision: Callable[[], int]) -> None:
        self._clock = clock
        self._stored_revision = stored_revision
        self._changes = 0
        self._epoch = clock.started_at.timestamp()
        self._by_namespace: dict[str, dict[str, _ServiceSeries]] = {}
        self._families: dict[str, Family] = {name: self._traffic_family(name) for name in _METRICS}

    @property
    def revision(self) -> int:
        """Return a number that changes when series appear or disappear."""
        return self._stored_revision() * 1_000_003 + self._changes

    @property
    def newest(self) -> float:
        """Return the current virtual time."""
        return self._clock.now

    @property
    def names(self) -> list[str]:
        """Return the name of every metric."""
        return sorted(self._families)

    def wall(self, moment: float) -> float:
        """Return the Unix time of a virtual time."""
        return self._epoch + (moment / self._clock.speed if moment > 0 else moment)

    def virtual(self, wall: float) -> float:
        """Return the virtual time of a Unix time."""
        elapsed = wall - self._epoch
        return elapsed * self._clock.speed if elapsed > 0 else elapsed

    def add(self, families: Mapping[str, Family]) -> None:
        """Add metrics from other exporters."""
        self._families.update(families)

    def show(self, traffic: Traffic) -> None:
        """Show a service whose versions changed."""
        self._changes += 1
        self._by_namespace.setdefault(traffic.namespace, {})[traffic.service] = _ServiceSeries(traffic)

    def hide(self, traffic: Traffic) -> None:
        """Remove a service."""
        self._changes += 1
        services = self._by_namespace.get(traffic.namespace, {})
        services.pop(traffic.service, None)

    def select(self, matchers: Sequence[Matcher]) -> list[Series]:
        """Return all series whose labels match."""
        tests = [_test(one) for one in matchers if one.name != NAME]
        namespace = next((one.value for one in matchers if one.name == "namespace" and one.op == "="), None)
        return [
            series
            for name in self._names_matching(matchers)
            for series in self._families[name](namespace)
            if _satisfies(series.labels, tests)
        ]

    def _names_matching(self, matchers: Sequence[Matcher]) -> list[str]:
        on_name = [matcher for matcher in matchers if matcher.name == NAME]
        for matcher in on_name:
            if matcher.op == "=":
                return [matcher.value] if matcher.value in self._families else []
        tests = [_test(matcher)[1] for matcher in on_name]
        return [name for name in self._families if all(test(name) for test in tests)]

    def _traffic_family(self, metric: str) -> Family:
        def family(namespace: str | None) -> Iterable[Series]:
            if namespace is not None:
                chosen = [self._by_namespace.get(namespace, {})]
            else:
                chosen = list(self._by_namespace.values())
            return (series for services in chosen for shown in services.values() for series in shown.of(metric))

        return family


_Test = tuple[str, Callable[[str], bool]]


def _test(matcher: Matcher) -> _Test:
    name, op, expected = matcher
    if op == "=":
        return name, lambda value: value == expected
    if op == "!=":
        return name, lambda value: value != expected
    try:
        expression = re.compile(expected)
    except re.error as error:
        raise PromqlError("bad_data", f"error parsing regexp: {error}: `{expected}`") from None
    if op == "=~":
        return name, lambda value: expression.fullmatch(value) is not None
    return name, lambda value: expression.fullmatch(value) is None


def _satisfies(labels: Labels, tests: Sequence[_Test]) -> bool:
    values = dict(labels)
    return all(test(values.get(name, "")) for name, test in tests)


class _ServiceSeries:
    """The series of one service, built per metric when they are first queried."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._series: dict[str, list[Series]] = {}

    def of(self, metric: str) -> list[Series]:
        """Return the series of one metric."""
        series = self._series.get(metric)
        if series is None:
            series = self._series[metric] = _METRICS[metric](self._traffic, metric)
        return series


def _base(traffic: Traffic, metric: str) -> dict[str, str]:
    return {NAME: metric, "namespace": traffic.namespace, "service": traffic.service}


def _versions(traffic: Traffic, metric: str) -> Iterator[tuple[Stream, dict[str, str]]]:
    for stream in traffic.streams.values():
        yield stream, {**_base(traffic, metric), "job": traffic.service, _HASH_LABEL: stream.pod_hash}


def _requests(traffic: Traffic, metric: str) -> list[Series]:
    return [
        Counter(labels_of({**labels, "code": code}), stream, _requests_with_code(stream, code))
        for stream, labels in _versions(traffic, metric)
        for code in _CODES
    ]


def _buckets(traffic: Traffic, metric: str) -> list[Series]:
    return [
        Counter(labels_of({**labels, "le": le}), stream, _bucket(stream, number))
        for stream, labels in _versions(traffic, metric)
        for number, le in enumerate(_BOUND_LABELS)
    ]


def _count(traffic: Traffic, metric: str) -> list[Series]:
    return [Counter(labels_of(labels), stream, _bucket(stream, -1)) for stream, labels in _versions(traffic, metric)]


def _sum(traffic: Traffic, metric: str) -> list[Series]:
    return [Counter(labels_of(labels), stream, _seconds(stream)) for stream, labels in _versions(traffic, metric)]


def _rule_series(traffic: Traffic, metric: str) -> list[Series]:
    return [Gauge(labels_of(_base(traffic, metric)), _read_while_alive(traffic, _RULES[metric]))]


def _requests_with_code(stream: Stream, code: str) -> Read:
    return lambda at: stream.count_with_code(code, at)


def _bucket(stream: Stream, number: int) -> Read:
    return lambda at: stream.buckets(at)[number]


def _seconds(stream: Stream) -> Read:
    """Return the total time spent on responses; the mean is a little above the median."""
    return lambda at: stream.counts(at).requests * stream.behaviour.latency * 1.3


def _read_while_alive(traffic: Traffic, value: Callable[[Traffic, float], float]) -> Callable[[float], float | None]:
    return lambda at: value(traffic, at) if traffic.alive_within(at - _WINDOW, at) else None


def _rate(traffic: Traffic, at: float) -> float:
    return traffic.counts_between(at - _WINDOW, at).requests / _WINDOW


def _ratio(traffic: Traffic, at: float) -> float:
    counts = traffic.counts_between(at - _WINDOW, at)
    return counts.errors / counts.requests if counts.requests else math.nan


def _p99(traffic: Traffic, at: float) -> float:
    counts = traffic.buckets_between(at - _WINDOW, at)
    return bucket_quantile(0.99, list(zip(BOUNDS, counts, strict=True)))


_RULES: Mapping[str, Callable[[Traffic, float], float]] = {
    "sgm:requests:rate5m": _rate,
    "sgm:errors:ratio5m": _ratio,
    "sgm:latency:p99_5m": _p99,
}
"""Series by the name of the chart's recording rule."""
_METRICS: Mapping[str, Callable[[Traffic, str], list[Series]]] = {
    "http_requests_total": _requests,
    "http_request_duration_seconds_bucket": _buckets,
    "http_request_duration_seconds_count": _count,
    "http_request_duration_seconds_sum": _sum,
    **dict.fromkeys(_RULES, _rule_series),
}
