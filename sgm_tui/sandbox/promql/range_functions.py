"""PromQL functions of ranges: rates with Prometheus' extrapolation, and every `…_over_time`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from sgm_tui.sandbox.promql.values import Edges, Window

RangeFunction = Callable[[Window], float | None]

_CLOSE = 1.1
"""A sample within this many mean intervals of the range's end belongs to a series that continues."""


def increase(window: Window) -> float | None:
    """Return the extrapolated increase of a counter over the range."""
    edges = window.edges()
    return None if edges is None else _extrapolate(window, edges, counter=True)


def rate(window: Window) -> float | None:
    """Return the same per second."""
    grown = increase(window)
    return None if grown is None else grown / (window.end - window.start)


def delta(window: Window) -> float | None:
    """Return the extrapolated change of a gauge over the range."""
    moments, values = window.samples()
    if not moments:
        return None
    edges = Edges(len(moments), moments[0], values[0], moments[-1], values[-1])
    return _extrapolate(window, edges, counter=False)


def _extrapolate(window: Window, edges: Edges, *, counter: bool) -> float | None:
    if edges.count < 2:
        return None
    change = edges.last - edges.first
    sampled = edges.last_at - edges.first_at
    distance = sampled / (edges.count - 1)
    before, after = edges.first_at - window.start, window.end - edges.last_at
    if counter and change > 0 and edges.first >= 0:
        # A counter cannot have been below zero before its first sample.
        before = min(before, sampled * edges.first / change)
    covered = sampled
    covered += before if before < distance * _CLOSE else distance / 2
    covered += after if after < distance * _CLOSE else distance / 2
    return change * covered / sampled


def _last_two(window: Window) -> tuple[float, float, float] | None:
    moments, values = window.samples()
    return (values[-2], values[-1], moments[-1] - moments[-2]) if len(moments) > 1 else None


def irate(window: Window) -> float | None:
    """Return the rate per second between the last two samples."""
    two = _last_two(window)
    return None if two is None else (two[1] - two[0] if two[1] >= two[0] else two[1]) / two[2]


def idelta(window: Window) -> float | None:
    """Return the difference of the last two samples."""
    two = _last_two(window)
    return None if two is None else two[1] - two[0]


def deriv(window: Window) -> float | None:
    """Return the slope of the regression line through the samples, per second."""
    moments, values = window.samples()
    return None if len(moments) < 2 else _line(moments, values, window.end)[0]


def predictor(window: Window, ahead: float) -> float | None:
    """Return the value of that line `ahead` seconds after the range."""
    moments, values = window.samples()
    if len(moments) < 2:
        return None
    slope, at_end = _line(moments, values, window.end)
    return at_end + slope * ahead


def _line(moments: Sequence[float], values: Sequence[float], origin: float) -> tuple[float, float]:
    """Return the slope, and the value at the origin, by least squares."""
    shifted = [moment - origin for moment in moments]
    middle, height = sum(shifted) / len(shifted), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in shifted)
    slope = sum((at - middle) * (value - height) for at, value in zip(shifted, values, strict=True)) / spread
    return slope, height - slope * middle


def quantile(fraction: float, values: Sequence[float]) -> float:
    """Return the quantile of plain values, interpolated between neighbours."""
    if not values or math.isnan(fraction):
        return math.nan
    if not 0 <= fraction <= 1:
        return math.copysign(math.inf, fraction)
    ordered = sorted(values)
    rank = fraction * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def variance(values: Sequence[float]) -> float:
    """Return the population variance."""
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / len(values)


def _over_time(reduce: Callable[[Sequence[float]], float]) -> RangeFunction:
    def function(window: Window) -> float | None:
        _, values = window.samples()
        return reduce(values) if values else None

    return function


def over_time(fraction: float) -> RangeFunction:
    """Return `quantile_over_time` of that fraction."""
    return _over_time(lambda values: quantile(fraction, values))


def _pairs(values: Sequence[float], counts: Callable[[float, float], bool]) -> float:
    return float(sum(counts(before, after) for before, after in pairwise(values)))


RANGE_FUNCTIONS: Mapping[str, RangeFunction] = {
    "rate": rate,
    "increase": increase,
    "irate": irate,
    "delta": delta,
    "idelta": idelta,
    "deriv": deriv,
    "avg_over_time": _over_time(lambda values: math.fsum(values) / len(values)),
    "sum_over_time": _over_time(math.fsum),
    "min_over_time": _over_time(min),
    "max_over_time": _over_time(max),
    "count_over_time": _over_time(lambda values: float(len(values))),
    "last_over_time": _over_time(lambda values: values[-1]),
    "present_over_time": _over_time(lambda _: 1.0),
    "stddev_over_time": _over_time(lambda values: math.sqrt(variance(values))),
    "stdvar_over_time": _over_time(variance),
    "changes": _over_time(lambda values: _pairs(values, lambda before, after: before != after)),
    "resets": _over_time(lambda values: _pairs(values, lambda before, after: after < before)),
}
"""Functions by name; those with further arguments are built by `predicted` and `over_time`."""

KEEPS_NAME = frozenset({"last_over_time"})
