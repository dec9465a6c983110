"""PromQL functions whose arguments are more than one vector or range: compile their calls, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from promql_parser import VectorSelector

from sgm_tui.sandbox.promql import functions
from sgm_tui.sandbox.promql.expressions import required_labels, text_of, without_parentheses
from sgm_tui.sandbox.promql.range_functions import RangeFunction, over_time, predictor
from sgm_tui.sandbox.promql.selectors import Selectors
from sgm_tui.sandbox.promql.values import (
    Labels,
    MatrixNode,
    ScalarNode,
    Source,
    Vector,
    VectorNode,
    Window,
    require_distinct,
    without_name,
)


class ExpressionCompiler(Protocol):
    """What compiles the arguments of a call."""

    source: Source
    selectors: Selectors

    def scalar(self, expression: Any) -> ScalarNode:
        """Compile an expression that yields a number."""
        ...

    def vector(self, expression: Any) -> VectorNode:
        """Compile an expression that yields an instant vector."""
        ...

    def matrix(self, expression: Any) -> MatrixNode:
        """Compile an expression that yields a range vector."""
        ...


def apply_to_windows(windows: list[Window], function: RangeFunction, *, keeps_name: bool = False) -> Vector:
    """Apply a range function to every window; windows for which it has no value are left out."""
    elements: Vector = []
    for window in windows:
        value = function(window)
        if value is not None:
            labels = window.series.labels
            elements.append((labels if keeps_name else without_name(labels), value))
    return require_distinct(elements)


def _quantile_over_time(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `quantile_over_time(fraction, range)`."""
    fraction, windows = compiler.scalar(arguments[0]), compiler.matrix(arguments[1])
    return lambda at: apply_to_windows(windows(at), over_time(fraction(at)))


def _predict_linear(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `predict_linear(range, seconds)`."""
    windows, ahead = compiler.matrix(arguments[0]), compiler.scalar(arguments[1])
    return lambda at: apply_to_windows(windows(at), partial(predictor, ahead=ahead(at)))


def _histogram_quantile(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `histogram_quantile(fraction, buckets)`."""
    fraction, inner = compiler.scalar(arguments[0]), compiler.vector(arguments[1])
    return lambda at: functions.histogram_quantile(fraction(at), inner(at))


def _clamp(compiler: ExpressionCompiler, arguments: list[Any], low: int | None = 1, high: int | None = 2) -> VectorNode:
    """Compile `clamp`, `clamp_min` or `clamp_max`; `low` and `high` are the positions of the bounds."""
    inner = compiler.vector(arguments[0])
    least = compiler.scalar(arguments[low]) if low else lambda _: -math.inf
    most = compiler.scalar(arguments[high]) if high else lambda _: math.inf

    def clamp(at: float) -> Vector:
        bounds = least(at), most(at)
        return functions.map_values(inner(at), functions.clamper(*bounds)) if bounds[0] <= bounds[1] else []

    return clamp


def _round(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `round(vector, to)`."""
    inner = compiler.vector(arguments[0])
    to = compiler.scalar(arguments[1]) if len(arguments) > 1 else lambda _: 1.0
    return lambda at: functions.map_values(inner(at), functions.rounder(to(at)))


def _vector(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `vector(scalar)`."""
    number = compiler.scalar(arguments[0])
    return lambda at: [((), number(at))]


def _sort(compiler: ExpressionCompiler, arguments: list[Any], *, descending: bool) -> VectorNode:
    """Compile `sort` or `sort_desc`; NaN comes last in both."""
    inner = compiler.vector(arguments[0])

    def order(element: tuple[Labels, float]) -> tuple[bool, float]:
        value = element[1]
        return math.isnan(value), 0.0 if math.isnan(value) else -value if descending else value

    return lambda at: sorted(inner(at), key=order)


def _absent(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `absent(vector)`; its labels are those that the selector requires to be equal."""
    inner, labels = compiler.vector(arguments[0]), required_labels(arguments[0])
    return lambda at: [] if inner(at) else [(labels, 1.0)]


def _absent_over_time(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `absent_over_time(range)`."""
    windows, labels = compiler.matrix(arguments[0]), required_labels(arguments[0])

    def absent(at: float) -> Vector:
        is_present = any(window.samples()[0] for window in windows(at))
        return [] if is_present else [(labels, 1.0)]

    return absent


def _timestamp(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `timestamp(vector)`: the times of a selector's samples, and the evaluation time for all else."""
    argument = without_parentheses(arguments[0])
    if isinstance(argument, VectorSelector):
        return compiler.selectors.timestamps(argument)
    inner, wall = compiler.vector(argument), compiler.source.wall
    return lambda at: functions.map_values(inner(at), lambda _: wall(at))


def _label_replace(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `label_replace(vector, target, replacement, source, pattern)`."""
    inner = compiler.vector(arguments[0])
    target, replacement, source, pattern = (text_of(argument) for argument in arguments[1:5])
    return lambda at: functions.label_replace(inner(at), target, replacement, source, pattern)


def _label_join(compiler: ExpressionCompiler, arguments: list[Any]) -> VectorNode:
    """Compile `label_join(vector, target, separator, sources…)`."""
    inner = compiler.vector(arguments[0])
    target, separator, *sources = (text_of(argument) for argument in arguments[1:])
    return lambda at: functions.label_join(inner(at), target, separator, sources)


CALLS: Mapping[str, Callable[[ExpressionCompiler, list[Any]], VectorNode]] = {
    "histogram_quantile": _histogram_quantile,
    "quantile_over_time": _quantile_over_time,
    "predict_linear": _predict_linear,
    "clamp": _clamp,
    "clamp_min": partial(_clamp, low=1, high=None),
    "clamp_max": partial(_clamp, low=None, high=1),
    "round": _round,
    "vector": _vector,
    "sort": partial(_sort, descending=False),
    "sort_desc": partial(_sort, descending=True),
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "timestamp": _timestamp,
    "label_replace": _label_replace,
    "label_join": _label_join,
}
"""The compiler of each function's calls, by the function's name."""
