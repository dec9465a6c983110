"""The values of PromQL: labels, series, windows of them, and refusals of queries.

Times in here are virtual seconds (see `clock`): a range of five minutes is five minutes of the embedded fleet, so that
a fleet that runs faster shows its problems in faster rates. Only what leaves the evaluator has wall time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, Protocol

NAME = "__name__"
LOOKBACK = 300.0
"""Seconds for which a sample counts as current."""

Labels = tuple[tuple[str, str], ...]
"""Sorted by name, without empty values, as in every answer of Prometheus."""

Sample = tuple[Labels, float]
Vector = list[Sample]


class PromqlError(ValueError):
    """The refusal of a query, in Prometheus' words."""

    def __init__(self, kind: Literal["bad_data", "execution", "timeout"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Matcher(NamedTuple):
    """A condition on one label."""

    name: str
    op: Literal["=", "!=", "=~", "!~"]
    value: str


@dataclass(frozen=True, slots=True)
class Edges:
    """The first and the last sample of a window: all that the rate of a counter without resets needs."""

    count: int
    first_at: float
    first: float
    last_at: float
    last: float


class Series(Protocol):
    """A time series."""

    @property
    def labels(self) -> Labels:
        """Return the labels, the metric name included."""
        ...

    def at(self, moment: float) -> float | None:
        """Return the value of the newest sample; None while the series is stale."""
        ...

    def sampled_at(self, moment: float) -> float:
        """Return when the newest sample was taken."""
        ...

    def samples(self, start: float, end: float) -> tuple[list[float], list[float]]:
        """Return the times and values of the samples in [start, end]."""
        ...

    def edges(self, start: float, end: float) -> Edges | None:
        """Return the edges of these samples, with counter resets added back; None without samples."""
        ...


class Source(Protocol):
    """A source of series."""

    @property
    def revision(self) -> int:
        """Return a number that changes when series appear or disappear."""
        ...

    def select(self, matchers: Sequence[Matcher]) -> Sequence[Series]:
        """Return all series whose labels match, the metric name included."""
        ...

    @property
    def newest(self) -> float:
        """Return the virtual time after which nothing has been sampled."""
        ...

    def wall(self, moment: float) -> float:
        """Return the Unix time of a virtual time."""
        ...

    def virtual(self, wall: float) -> float:
        """Return the virtual time of a Unix time."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """A series over a range of time."""

    series: Series
    start: float
    end: float
    newest: float
    """The virtual time after which nothing has been sampled, even if the range ends later."""

    def samples(self) -> tuple[list[float], list[float]]:
        """Return the times and values of its samples."""
        return self.series.samples(self.start, min(self.end, self.newest))

    def edges(self) -> Edges | None:
        """Return the first and the last sample of a counter."""
        return self.series.edges(self.start, min(self.end, self.newest))


ScalarNode = Callable[[float], float]
"""A compiled expression that yields a number at each virtual time."""
VectorNode = Callable[[float], Vector]
"""A compiled expression that yields an instant vector at each virtual time."""
MatrixNode = Callable[[float], list[Window]]
"""A compiled expression that yields a range vector at each virtual time."""


class RecordedSeries:
    """A series of recorded samples, as a subquery or the past of an alert yields it."""

    def __init__(self, labels: Labels, moments: Sequence[float], values: Sequence[float]) -> None:
        self.labels = labels
        self._moments = list(moments)
        self._values = list(values)

    def at(self, moment: float) -> float | None:
        """Return the newest sample of the last five minutes."""
        moments, values = self.samples(moment - LOOKBACK, moment)
        return values[-1] if moments else None

    def sampled_at(self, moment: float) -> float:
        """Return when that sample was taken."""
        moments, _ = self.samples(moment - LOOKBACK, moment)
        return moments[-1] if moments else moment

    def samples(self, start: float, end: float) -> tuple[list[float], list[float]]:
        """Return the samples in [start, end]."""
        inside = [number for number, at in enumerate(self._moments) if start <= at <= end]
        return [self._moments[number] for number in inside], [self._values[number] for number in inside]

    def edges(self, start: float, end: float) -> Edges | None:
        """Return the first and the last sample, with every decrease counted as a reset."""
        moments, values = self.samples(start, end)
        if not moments:
            return None
        lost = sum(before for before, after in pairwise(values) if after < before)
        return Edges(len(moments), moments[0], values[0], moments[-1], values[-1] + lost)


def labels_of(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> Labels:
    """Return labels in canonical order, without empty values."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return tuple(sorted((name, value) for name, value in items if value))


def without_name(labels: Labels) -> Labels:
    """Return labels without the metric name, as most functions yield them."""
    if labels and labels[0][0] == NAME:
        return labels[1:]
    return tuple(pair for pair in labels if pair[0] != NAME)


def format_labels(labels: Labels) -> str:
    """Format labels as Prometheus does in its messages."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"


def require_distinct(vector: Vector) -> Vector:
    """Return the vector, or refuse it if two of its elements have the same labels."""
    if len({labels for labels, _ in vector}) != len(vector):
        raise PromqlError("execution", "vector cannot contain metrics with the same labelset")
    return vector


def number_text(value: float) -> str:
    """Format a value as Prometheus writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e21 else repr(value)
