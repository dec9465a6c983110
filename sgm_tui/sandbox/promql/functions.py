"""PromQL functions of instant vectors: arithmetic, labels, histograms and calendars."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from sgm_tui.sandbox.promql.values import Labels, PromqlError, Vector, labels_of, require_distinct, without_name

Number = Callable[[float], float]


def _guard(function: Number, impossible: float = math.nan) -> Number:
    """Wrap a function so that it returns what floating point returns where mathematics has no answer."""

    def guarded(value: float) -> float:
        try:
            return function(value)
        except (ValueError, OverflowError):
            return impossible

    return guarded


def _logarithm(function: Number) -> Number:
    return lambda value: -math.inf if value == 0 else math.nan if value < 0 or math.isnan(value) else function(value)


def _sign(value: float) -> float:
    return value if value == 0 or math.isnan(value) else math.copysign(1.0, value)


def _whole(function: Callable[[float], int]) -> Number:
    return lambda value: value if not math.isfinite(value) else float(function(value))


NUMBERS: Mapping[str, Number] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "exp": _guard(math.exp, math.inf),
    "ln": _logarithm(math.log),
    "log2": _logarithm(math.log2),
    "log10": _logarithm(math.log10),
    "sqrt": _guard(math.sqrt),
    "sgn": _sign,
}
"""Functions of a single value, by name."""


def map_values(vector: Vector, function: Number) -> Vector:
    """Apply a function to every value, and drop the metric names."""
    return require_distinct([(without_name(labels), function(value)) for labels, value in vector])


def rounder(to: float) -> Number:
    """Return the function that rounds to the nearest multiple, halves up."""
    inverse = 1.0 / to if to else math.nan
    return lambda value: value if not math.isfinite(value) else math.floor(value * inverse + 0.5) / inverse


def clamper(low: float, high: float) -> Number:
    """Return the function that limits a value to an interval; NaN stays NaN."""

    def clamp(value: float) -> float:
        is_number = not (math.isnan(value) or math.isnan(low) or math.isnan(high))
        return max(low, min(high, value)) if is_number else math.nan

    return clamp


def label_replace(vector: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    """Set a label from the match of a regular expression in another label."""
    try:
        expression = re.compile(f"^(?:{pattern})$")
    except re.error as error:
        raise PromqlError("execution", f'invalid regular expression in label_replace(): "{pattern}": {error}') from None
    template = re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", replacement.replace("\\", r"\\"))
    out: Vector = []
    for labels, value in vector:
        values = dict(labels)
        match = expression.match(values.get(source, ""))
        if match is not None:
            values[target] = match.expand(template)
        out.append((labels_of(values), value))
    return require_distinct(out)


def label_join(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """Set a label to other labels joined together."""
    out: Vector = []
    for labels, value in vector:
        values = dict(labels)
        values[target] = separator.join(values.get(name, "") for name in sources)
        out.append((labels_of(values), value))
    return require_distinct(out)


def histogram_quantile(fraction: float, vector: Vector) -> Vector:
    """Return the quantile of classic histograms, interpolated within a bucket."""
    histograms: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in vector:
        bound = next((value for name, value in labels if name == "le"), None)
        if bound is None:
            continue
        try:
            upper = float(bound)
        except ValueError:
            continue
        rest = tuple(pair for pair in without_name(labels) if pair[0] != "le")
        histograms.setdefault(rest, []).append((upper, count))
    return [(labels, bucket_quantile(fraction, sorted(buckets))) for labels, buckets in histograms.items()]


def bucket_quantile(fraction: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Return the quantile of one histogram, given its rising upper bounds and cumulative counts."""
    if math.isnan(fraction):
        return math.nan
    if not 0 <= fraction <= 1:
        return math.copysign(math.inf, fraction - 0.5)
    if buckets[-1][0] != math.inf or len(buckets) < 2:
        return math.nan
    counts = _rising([count for _, count in buckets])
    if counts[-1] == 0 or math.isnan(counts[-1]):
        return math.nan
    rank = fraction * counts[-1]
    number = next(index for index, count in enumerate(counts) if count >= rank)
    if number == len(buckets) - 1:
        return buckets[-2][0]
    upper = buckets[number][0]
    if number == 0:
        return upper if upper <= 0 else upper * rank / counts[0]
    lower, below = buckets[number - 1][0], counts[number - 1]
    return lower + (upper - lower) * (rank - below) / (counts[number] - below)


def _rising(counts: Sequence[float]) -> list[float]:
    """Make counts monotonic: buckets are scraped one after the other, and a later one can lag."""
    highest = -math.inf
    out: list[float] = []
    for count in counts:
        highest = max(highest, count)
        out.append(highest)
    return out


def _moment(value: float) -> datetime:
    return datetime.fromtimestamp(value, UTC)


CALENDAR: Mapping[str, Number] = {
    "minute": lambda value: _moment(value).minute,
    "hour": lambda value: _moment(value).hour,
    "day_of_week": lambda value: (_moment(value).weekday() + 1) % 7,
    "day_of_month": lambda value: _moment(value).day,
    "day_of_year": lambda value: _moment(value).timetuple().tm_yday,
    "days_in_month": lambda value: calendar.monthrange(_moment(value).year, _moment(value).month)[1],
    "month": lambda value: _moment(value).month,
    "year": lambda value: _moment(value).year,
}
"""Functions of a Unix time, by name."""
