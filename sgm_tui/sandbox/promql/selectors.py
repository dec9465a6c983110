"""Compile PromQL selectors: the series they match, and the time at which those are read.

Selectors look up their series again only after series appeared or disappeared, so that a step matches no labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sgm_tui.sandbox.promql.expressions import matchers_of
from sgm_tui.sandbox.promql.values import (
    LOOKBACK,
    MatrixNode,
    Series,
    Source,
    Vector,
    VectorNode,
    Window,
    without_name,
)


class Selectors:
    """Compile the selectors of one query; `begin` and `end` are the times of `@ start()` and `@ end()`."""

    def __init__(self, source: Source, begin: float, end: float) -> None:
        self._source = source
        self._begin = begin
        self._end = end

    def vector(self, selector: Any) -> VectorNode:
        """Compile an instant selector to the newest samples of its series."""
        moment, series = self.moment(selector), self._series_lookup(selector)

        def select(at: float) -> Vector:
            at = self._sample_time(moment(at))
            return [(one.labels, value) for one in series() if (value := one.at(at)) is not None]

        return select

    def timestamps(self, selector: Any) -> VectorNode:
        """Compile an instant selector to the Unix times of those samples, without metric names."""
        moment, series = self.moment(selector), self._series_lookup(selector)
        wall = self._source.wall

        def timestamps(at: float) -> Vector:
            at = self._sample_time(moment(at))
            return [(without_name(one.labels), wall(one.sampled_at(at))) for one in series() if one.at(at) is not None]

        return timestamps

    def matrix(self, selector: Any) -> MatrixNode:
        """Compile a range selector to one window for each of its series."""
        length = selector.range.total_seconds()
        moment, series = self.moment(selector.vector_selector), self._series_lookup(selector.vector_selector)

        def windows(at: float) -> list[Window]:
            end = moment(at)
            newest = self._source.newest
            return [Window(one, end - length, end, newest) for one in series()]

        return windows

    def moment(self, expression: Any) -> Callable[[float], float]:
        """Return the function that applies `offset` and `@` to the evaluation time."""
        offset = expression.offset.total_seconds() if expression.offset is not None else 0.0
        if expression.at is None:
            return (lambda at: at - offset) if offset else (lambda at: at)
        kind = str(expression.at.type).rpartition(".")[2]
        if kind == "At":
            fixed = self._source.virtual(expression.at.at.timestamp())
        else:
            fixed = self._begin if kind == "Start" else self._end
        return lambda _: fixed - offset

    def _series_lookup(self, selector: Any) -> Callable[[], list[Series]]:
        """Return a function that yields a selector's series, looked up again when they may have changed."""
        matchers = matchers_of(selector)
        source = self._source
        revision = -1
        matched: list[Series] = []

        def series() -> list[Series]:
            nonlocal revision, matched
            if revision != source.revision:
                revision, matched = source.revision, list(source.select(matchers))
            return matched

        return series

    def _sample_time(self, moment: float) -> float:
        """Return the time whose newest sample counts: the present, if the moment is slightly in the future."""
        newest = self._source.newest
        if moment <= newest:
            return moment
        return newest if moment - newest <= LOOKBACK else -math.inf
