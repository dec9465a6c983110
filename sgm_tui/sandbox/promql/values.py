"""What PromQL computes with: labels, series and windows of them, and the two ways a query can be refused.

Moments in here are virtual seconds (see `clock`): a range of five minutes is five minutes of the embedded fleet, so a
sped-up fleet shows its troubles in sped-up rates. Only what leaves the evaluator carries wall time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, Protocol

NAME = "__name__"
_LOOKBACK = 300.0

Labels = tuple[tuple[str, str], ...]
"""Sorted by name, as every answer of Prometheus has them; empty values are left out."""

Sample = tuple[Labels, float]
Vector = list[Sample]


class PromqlError(ValueError):
    """A query that is refused, in Prometheus' words."""

    def __init__(self, kind: Literal["bad_data", "execution", "timeout"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Matcher(NamedTuple):
    """One condition on a label."""

    name: str
    op: Literal["=", "!=", "=~", "!~"]
    value: str


@dataclass(frozen=True, slots=True)
class Edges:
    """The first and the last sample of a window, all that a rate of a counter without resets needs."""

    count: int
    first_at: float
    first: float
    last_at: float
    last: float


class Series(Protocol):
    """One time series."""

    @property
    def labels(self) -> Labels:
        """With the metric's name."""
        ...

    def at(self, moment: float) -> float | None:
        """The newest sample's value, None while the series is stale."""
        ...

    def sampled_at(self, moment: float) -> float:
        """When the newest sample was taken."""
        ...

    def samples(self, start: float, end: float) -> tuple[list[float], list[float]]:
        """Moments and values of the samples in [start, end]."""
        ...

    def edges(self, start: float, end: float) -> Edges | None:
        """The same in short, with counter resets made up for; None without samples."""
        ...


class Source(Protocol):
    """Where series come from."""

    @property
    def revision(self) -> int:
        """Changes whenever series appear or disappear."""
        ...

    def select(self, matchers: Sequence[Matcher]) -> Sequence[Series]:
        """All series whose labels fit, the metric's name among them."""
        ...

    @property
    def newest(self) -> float:
        """The present: the virtual moment after which nothing has been sampled."""
        ...

    def wall(self, moment: float) -> float:
        """Unix time of a virtual moment."""
        ...

    def virtual(self, wall: float) -> float:
        """The virtual moment of a Unix time."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """A series looked at over a range."""

    series: Series
    start: float
    end: float
    newest: float
    """Nothing has been sampled after this, however far into the future somebody looks."""

    def samples(self) -> tuple[list[float], list[float]]:
        """Moments and values of the samples in it."""
        return self.series.samples(self.start, min(self.end, self.newest))

    def edges(self) -> Edges | None:
        """First and last sample of a counter."""
        return self.series.edges(self.start, min(self.end, self.newest))


class RecordedSeries:
    """A series of samples already taken, which a subquery or an alert's past leaves."""

    def __init__(self, labels: Labels, moments: Sequence[float], values: Sequence[float]) -> None:
        self.labels = labels
        self._moments = list(moments)
        self._values = list(values)

    def at(self, moment: float) -> float | None:
        """The newest sample of the last five minutes."""
        moments, values = self.samples(moment - _LOOKBACK, moment)
        return values[-1] if moments else None

    def sampled_at(self, moment: float) -> float:
        """When that sample was taken."""
        moments, _ = self.samples(moment - _LOOKBACK, moment)
        return moments[-1] if moments else moment

    def samples(self, start: float, end: float) -> tuple[list[float], list[float]]:
        """Those in [start, end]."""
        inside = [number for number, at in enumerate(self._moments) if start <= at <= end]
        return [self._moments[number] for number in inside], [self._values[number] for number in inside]

    def edges(self, start: float, end: float) -> Edges | None:
        """First and last, where every fall is taken for a reset."""
        moments, values = self.samples(start, end)
        if not moments:
            return None
        lost = sum(before for before, after in pairwise(values) if after < before)
        return Edges(len(moments), moments[0], values[0], moments[-1], values[-1] + lost)


def labels_of(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> Labels:
    """Labels in canonical order, without the empty ones."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return tuple(sorted((name, value) for name, value in items if value))


def without_name(labels: Labels) -> Labels:
    """What most functions leave: the value is no longer that metric's."""
    if labels and labels[0][0] == NAME:
        return labels[1:]
    return tuple(pair for pair in labels if pair[0] != NAME)


def written(labels: Labels) -> str:
    """Labels as Prometheus writes them in its messages."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"


def distinct(vector: Vector) -> Vector:
    """The same vector, refused if two of its elements cannot be told apart."""
    if len({labels for labels, _ in vector}) != len(vector):
        raise PromqlError("execution", "vector cannot contain metrics with the same labelset")
    return vector
