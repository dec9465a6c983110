"""A handful of series with known samples, for the query engine and for a real Prometheus alike."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from sgm_tui.sandbox.promql.values import NAME, Labels, Matcher, RecordedSeries, Series, labels_of

BEGIN = 1_795_440_000.0
"""Unix time of the first sample; the last is an hour later."""
STEP = 15.0
TICKS = 241
END = BEGIN + (TICKS - 1) * STEP


def _counter(per_second: float, *, reset_at: int | None = None, born_at: int = 0) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    for tick in range(born_at, TICKS):
        since = tick - (reset_at if reset_at is not None and tick >= reset_at else born_at)
        found.append((tick, since * per_second * STEP))
    return found


def _gauge(*, middle: float, swing: float, gap: range = range(0)) -> list[tuple[int, float]]:
    return [(tick, round(middle + swing * math.sin(tick / 7), 6)) for tick in range(TICKS) if tick not in gap]


def _requests() -> list[tuple[dict[str, str], list[tuple[int, float]]]]:
    rows: list[tuple[dict[str, str], list[tuple[int, float]]]] = []
    rates = {"cart": 12.0, "catalog": 40.0, "search": 3.5}
    for number, (service, rate) in enumerate(rates.items()):
        labels = {NAME: "http_requests_total", "namespace": f"app-{service}", "service": service}
        stable, canary = {**labels, "hash": "aaa"}, {**labels, "hash": "bbb"}
        rows += [
            ({**stable, "code": "200"}, _counter(rate)),
            ({**stable, "code": "500"}, _counter(rate * 0.01, reset_at=120 + number)),
            ({**canary, "code": "200"}, _counter(rate * 0.1, born_at=200)),
            ({**canary, "code": "500"}, _counter(rate * 0.05, born_at=202)),
        ]
    return rows


def _buckets() -> list[tuple[dict[str, str], list[tuple[int, float]]]]:
    bounds = {"0.1": 0.7, "0.25": 0.9, "0.5": 0.97, "1": 0.995, "+Inf": 1.0}
    labels = {NAME: "http_request_duration_seconds_bucket"}
    return [
        ({**labels, "service": service, "le": le}, _counter(rate * part))
        for service, rate in (("cart", 12.0), ("catalog", 40.0))
        for le, part in bounds.items()
    ] + [({**labels, "service": "idle", "le": le}, _counter(0.0)) for le in bounds]


ROWS = [
    *_requests(),
    *_buckets(),
    ({NAME: "up", "job": "cart", "instance": "10.0.0.1:8080"}, [(tick, 1.0) for tick in range(TICKS)]),
    ({NAME: "up", "job": "cart", "instance": "10.0.0.2:8080"}, [(tick, float(tick % 10 > 2)) for tick in range(TICKS)]),
    ({NAME: "up", "job": "search", "instance": "10.0.1.1:8080"}, [(tick, 1.0) for tick in range(TICKS - 60)]),
    ({NAME: "temperature", "room": "a"}, _gauge(middle=20, swing=4)),
    ({NAME: "temperature", "room": "b"}, _gauge(middle=-3, swing=8.5, gap=range(100, 140))),
    ({NAME: "temperature", "room": "c"}, [(tick, math.nan) for tick in range(TICKS)]),
    ({NAME: "team", "service": "cart", "team": "shop"}, [(tick, 1.0) for tick in range(TICKS)]),
    ({NAME: "team", "service": "catalog", "team": "shop"}, [(tick, 1.0) for tick in range(TICKS)]),
    ({NAME: "team", "service": "search", "team": "discovery"}, [(tick, 1.0) for tick in range(TICKS)]),
]


class Samples:
    """Those series as a source of the query engine, in wall time."""

    revision = 0
    newest = math.inf

    def __init__(self) -> None:
        self._series = [
            RecordedSeries(labels_of(labels), [BEGIN + tick * STEP for tick, _ in samples], [one for _, one in samples])
            for labels, samples in ROWS
        ]

    def select(self, matchers: Sequence[Matcher]) -> list[Series]:
        return [one for one in self._series if all(_fits(one.labels, matcher) for matcher in matchers)]

    def wall(self, moment: float) -> float:
        return moment

    def virtual(self, wall: float) -> float:
        return wall


def _fits(labels: Labels, matcher: Matcher) -> bool:
    value = dict(labels).get(matcher.name, "")
    if matcher.op in {"=", "!="}:
        return (value == matcher.value) == (matcher.op == "=")
    return (re.fullmatch(matcher.value, value) is not None) == (matcher.op == "=~")


def openmetrics() -> str:
    """The same as text that `promtool tsdb create-blocks-from openmetrics` reads."""
    lines: list[str] = []
    for labels, samples in ROWS:
        written = ",".join(f'{name}="{value}"' for name, value in labels.items() if name != NAME)
        lines += [f"{labels[NAME]}{{{written}}} {value!r} {BEGIN + tick * STEP:.0f}" for tick, value in samples]
    return "\n".join(sorted(lines, key=lambda line: line.split("{")[0])) + "\n# EOF\n"
