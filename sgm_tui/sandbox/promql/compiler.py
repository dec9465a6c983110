"""Compile a PromQL syntax tree to functions of time: once for each query, called once for each step.

Selectors look up their series again only after series appeared or disappeared, so that a step matches no labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    LabelModifierType,
    MatchOp,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    ValueType,
    VectorSelector,
)

from sgm_tui.sandbox.promql import aggregations as aggregates
from sgm_tui.sandbox.promql import functions
from sgm_tui.sandbox.promql import operators as binary
from sgm_tui.sandbox.promql.range_functions import KEEPS_NAME, RANGE_FUNCTIONS, RangeFunction, over_time, predictor
from sgm_tui.sandbox.promql.values import (
    NAME,
    Labels,
    Matcher,
    PromqlError,
    RecordedSeries,
    Series,
    Source,
    Vector,
    Window,
    labels_of,
    require_distinct,
    without_name,
)

Kind = Literal["scalar", "vector", "matrix", "string"]
ScalarNode = Callable[[float], float]
VectorNode = Callable[[float], Vector]
MatrixNode = Callable[[float], list[Window]]

LOOKBACK = 300.0
"""Seconds for which a sample counts as current."""
_SUBQUERY_STEP = 60.0
"""Prometheus' default evaluation interval in seconds."""
_SET_OPERATORS = frozenset({"and", "or", "unless"})
_OPERATORS: Mapping[Any, Literal["=", "!=", "=~", "!~"]] = {
    str(MatchOp.Equal): "=",
    str(MatchOp.NotEqual): "!=",
    str(MatchOp.Re): "=~",
    str(MatchOp.NotRe): "!~",
}
_RETURNS: Mapping[str, Kind] = {
    str(ValueType.Vector): "vector",
    str(ValueType.Scalar): "scalar",
    str(ValueType.Matrix): "matrix",
    str(ValueType.String): "string",
}


def kind_of(expression: Any) -> Kind:
    """Return the type an expression yields."""
    match expression:
        case NumberLiteral():
            return "scalar"
        case StringLiteral():
            return "string"
        case ParenExpr() | UnaryExpr():
            return kind_of(expression.expr)
        case BinaryExpr():
            both = {kind_of(expression.lhs), kind_of(expression.rhs)}
            return "scalar" if both == {"scalar"} else "vector"
        case Call():
            return _RETURNS[str(expression.func.return_type)]
        case MatrixSelector() | SubqueryExpr():
            return "matrix"
    return "vector"


def matchers_of(selector: Any) -> list[Matcher]:
    """Return the matchers of a selector, its metric name included."""
    if selector.matchers.or_matchers:
        raise unsupported("`or` between label matchers")
    matchers = [Matcher(one.name, _OPERATORS[str(one.op)], one.value) for one in selector.matchers.matchers]
    return [Matcher(NAME, "=", selector.name), *matchers] if selector.name else matchers


def unsupported(what: str) -> PromqlError:
    """Return the refusal of what this model of Prometheus does not implement."""
    return PromqlError("execution", f"{what} is not supported by this Prometheus")


class Compiler:
    """Compile one query; `begin` and `end` are the times of `@ start()` and `@ end()`."""

    def __init__(self, source: Source, begin: float, end: float) -> None:
        self._source = source
        self._begin = begin
        self._end = end

    def scalar(self, expression: Any) -> ScalarNode:
        """Compile an expression of this type."""
        match expression:
            case NumberLiteral():
                value: float = expression.val
                return lambda _: value
            case ParenExpr():
                return self.scalar(expression.expr)
            case UnaryExpr():
                inner = self.scalar(expression.expr)
                return lambda at: -inner(at)
            case BinaryExpr():
                op, lhs, rhs = str(expression.op), self.scalar(expression.lhs), self.scalar(expression.rhs)
                return lambda at: binary.apply_to_scalars(op, lhs(at), rhs(at))
            case Call():
                return self._scalar_call(expression)
        raise unsupported("this scalar expression")

    def _scalar_call(self, call: Any) -> ScalarNode:
        name: str = call.func.name
        if name == "time":
            return self._source.wall
        if name == "pi":
            return lambda _: math.pi
        if name == "scalar":
            vector = self.vector(call.args[0])
            return lambda at: found[0][1] if len(found := vector(at)) == 1 else math.nan
        raise unsupported(f"function {name}()")

    def vector(self, expression: Any) -> VectorNode:
        """Compile an expression of this type."""
        match expression:
            case ParenExpr():
                return self.vector(expression.expr)
            case UnaryExpr():
                inner = self.vector(expression.expr)
                return lambda at: functions.map_values(inner(at), lambda value: -value)
            case VectorSelector():
                return self._selector(expression)
            case AggregateExpr():
                return self._aggregate(expression)
            case BinaryExpr():
                return self._binary(expression)
            case Call():
                return self._call(expression)
        raise unsupported("this vector expression")

    def matrix(self, expression: Any) -> MatrixNode:
        """Compile an expression of this type."""
        match expression:
            case ParenExpr():
                return self.matrix(expression.expr)
            case MatrixSelector():
                length = expression.range.total_seconds()
                moment = self._moment(expression.vector_selector)
                series = self._series_lookup(expression.vector_selector)

                def windows(at: float) -> list[Window]:
                    end = moment(at)
                    newest = self._source.newest
                    return [Window(one, end - length, end, newest) for one in series()]

                return windows
            case SubqueryExpr():
                return self._subquery(expression)
        raise unsupported("this range expression")

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

    def _moment(self, expression: Any) -> Callable[[float], float]:
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

    def _sample_time(self, moment: float) -> float:
        """Return the time whose newest sample counts: the present, if the moment is slightly in the future."""
        newest = self._source.newest
        if moment <= newest:
            return moment
        return newest if moment - newest <= LOOKBACK else -math.inf

    def _selector(self, expression: Any) -> VectorNode:
        moment = self._moment(expression)
        series = self._series_lookup(expression)

        def select(at: float) -> Vector:
            at = self._sample_time(moment(at))
            return [(one.labels, value) for one in series() if (value := one.at(at)) is not None]

        return select

    def _subquery(self, expression: Any) -> MatrixNode:
        inner = self.vector(expression.expr)
        length = expression.range.total_seconds()
        step = expression.step.total_seconds() if expression.step is not None else _SUBQUERY_STEP
        moment = self._moment(expression)

        def windows(at: float) -> list[Window]:
            end = moment(at)
            buffers: dict[Labels, tuple[list[float], list[float]]] = {}
            for tick in range(math.ceil((end - length) / step), math.floor(end / step) + 1):
                for labels, value in inner(tick * step):
                    moments, values = buffers.setdefault(labels, ([], []))
                    moments.append(tick * step)
                    values.append(value)
            return [
                Window(RecordedSeries(labels, *samples), end - length, end, end) for labels, samples in buffers.items()
            ]

        return windows

    def _aggregate(self, expression: Any) -> VectorNode:
        op = str(expression.op)
        inner = self.vector(expression.expr)
        modifier = expression.modifier
        without = modifier is not None and modifier.type == AggModifierType.Without
        group = aggregates.grouping(modifier.labels if modifier is not None else (), without=without)
        if op in aggregates.REDUCTIONS:
            reduce = aggregates.REDUCTIONS[op]
            return lambda at: aggregates.reduce_groups(inner(at), group, reduce)
        if op == "count_values":
            label = _text(expression.param)
            return lambda at: aggregates.count_values(inner(at), group, label, number_text)
        parameter = self.scalar(expression.param)
        if op in {"topk", "bottomk"}:
            top = op == "topk"
            return lambda at: aggregates.most_extreme(inner(at), group, parameter(at), greatest=top)
        if op == "quantile":
            return lambda at: aggregates.quantiles(inner(at), group, parameter(at))
        raise unsupported(f"aggregation {op}")

    def _binary(self, expression: Any) -> VectorNode:
        op = str(expression.op)
        modifier = expression.modifier
        as_bool = bool(modifier is not None and modifier.return_bool)
        left_kind, right_kind = kind_of(expression.lhs), kind_of(expression.rhs)
        if right_kind == "scalar":
            vector, number = self.vector(expression.lhs), self.scalar(expression.rhs)
            return lambda at: binary.apply_with_scalar(op, vector(at), number(at), swapped=False, as_bool=as_bool)
        if left_kind == "scalar":
            vector, number = self.vector(expression.rhs), self.scalar(expression.lhs)
            return lambda at: binary.apply_with_scalar(op, vector(at), number(at), swapped=True, as_bool=as_bool)
        lhs, rhs, matching = self.vector(expression.lhs), self.vector(expression.rhs), _matching(modifier)
        if op in _SET_OPERATORS:
            return lambda at: binary.apply_set_operator(op, lhs(at), rhs(at), matching)
        return lambda at: binary.apply_to_vectors(op, lhs(at), rhs(at), matching, as_bool=as_bool)

    def _call(self, call: Any) -> VectorNode:
        name: str = call.func.name
        arguments = call.args
        if name in RANGE_FUNCTIONS:
            return self._ranged(arguments[0], RANGE_FUNCTIONS[name], keeps_name=name in KEEPS_NAME)
        if name in functions.NUMBERS:
            inner, number = self.vector(arguments[0]), functions.NUMBERS[name]
            return lambda at: functions.map_values(inner(at), number)
        if name in functions.CALENDAR:
            read = functions.CALENDAR[name]
            if not arguments:
                return lambda at: [((), read(self._source.wall(at)))]
            inner = self.vector(arguments[0])
            return lambda at: functions.map_values(inner(at), read)
        special = _CALLS.get(name)
        if special is None:
            raise unsupported(f"function {name}()")
        return special(self, arguments)

    def _ranged(self, argument: Any, function: RangeFunction, *, keeps_name: bool = False) -> VectorNode:
        windows = self.matrix(argument)

        def apply(at: float) -> Vector:
            out: Vector = []
            for window in windows(at):
                value = function(window)
                if value is not None:
                    labels = window.series.labels
                    out.append((labels if keeps_name else without_name(labels), value))
            return require_distinct(out)

        return apply

    def quantile_over_time(self, arguments: list[Any]) -> VectorNode:
        """Compile `quantile_over_time(fraction, range)`."""
        fraction = self.scalar(arguments[0])
        return lambda at: self._ranged(arguments[1], over_time(fraction(at)))(at)

    def predict_linear(self, arguments: list[Any]) -> VectorNode:
        """Compile `predict_linear(range, seconds)`."""
        ahead = self.scalar(arguments[1])
        return lambda at: self._ranged(arguments[0], lambda window: predictor(window, ahead(at)))(at)

    def histogram_quantile(self, arguments: list[Any]) -> VectorNode:
        """Compile `histogram_quantile(fraction, buckets)`."""
        fraction, inner = self.scalar(arguments[0]), self.vector(arguments[1])
        return lambda at: functions.histogram_quantile(fraction(at), inner(at))

    def clamp(self, arguments: list[Any], low: int | None = 1, high: int | None = 2) -> VectorNode:
        """Compile `clamp`, `clamp_min` or `clamp_max`; `low` and `high` are the positions of the bounds."""
        inner = self.vector(arguments[0])
        least = self.scalar(arguments[low]) if low else lambda _: -math.inf
        most = self.scalar(arguments[high]) if high else lambda _: math.inf

        def clamp(at: float) -> Vector:
            bounds = least(at), most(at)
            return functions.map_values(inner(at), functions.clamper(*bounds)) if bounds[0] <= bounds[1] else []

        return clamp

    def rounded(self, arguments: list[Any]) -> VectorNode:
        """Compile `round(vector, to)`."""
        inner = self.vector(arguments[0])
        to = self.scalar(arguments[1]) if len(arguments) > 1 else lambda _: 1.0
        return lambda at: functions.map_values(inner(at), functions.rounder(to(at)))

    def vector_of(self, arguments: list[Any]) -> VectorNode:
        """Compile `vector(scalar)`."""
        number = self.scalar(arguments[0])
        return lambda at: [((), number(at))]

    def ordered(self, arguments: list[Any], *, falling: bool) -> VectorNode:
        """Compile `sort` or `sort_desc`; NaN comes last in both."""
        inner = self.vector(arguments[0])

        def order(element: tuple[Labels, float]) -> tuple[bool, float]:
            value = element[1]
            return math.isnan(value), 0.0 if math.isnan(value) else -value if falling else value

        return lambda at: sorted(inner(at), key=order)

    def absent(self, arguments: list[Any]) -> VectorNode:
        """Compile `absent(vector)`; its labels are those that the selector requires to be equal."""
        inner, labels = self.vector(arguments[0]), _asked_labels(arguments[0])
        return lambda at: [] if inner(at) else [(labels, 1.0)]

    def absent_over_time(self, arguments: list[Any]) -> VectorNode:
        """Compile `absent_over_time(range)`."""
        windows, labels = self.matrix(arguments[0]), _asked_labels(arguments[0])

        def absent(at: float) -> Vector:
            is_present = any(window.samples()[0] for window in windows(at))
            return [] if is_present else [(labels, 1.0)]

        return absent

    def timestamp(self, arguments: list[Any]) -> VectorNode:
        """Compile `timestamp(vector)`: the times of a selector's samples, and the evaluation time for all else."""
        argument = arguments[0]
        while isinstance(argument, ParenExpr):
            argument = argument.expr
        wall = self._source.wall
        if not isinstance(argument, VectorSelector):
            inner = self.vector(argument)
            return lambda at: functions.map_values(inner(at), lambda _: wall(at))
        series, moment = self._series_lookup(argument), self._moment(argument)

        def timestamps(at: float) -> Vector:
            at = self._sample_time(moment(at))
            return [(without_name(one.labels), wall(one.sampled_at(at))) for one in series() if one.at(at) is not None]

        return timestamps

    def label_replace(self, arguments: list[Any]) -> VectorNode:
        """Compile `label_replace(vector, target, replacement, source, pattern)`."""
        inner = self.vector(arguments[0])
        target, replacement, source, pattern = (_text(one) for one in arguments[1:5])
        return lambda at: functions.label_replace(inner(at), target, replacement, source, pattern)

    def label_join(self, arguments: list[Any]) -> VectorNode:
        """Compile `label_join(vector, target, separator, sources…)`."""
        inner = self.vector(arguments[0])
        target, separator, *sources = (_text(one) for one in arguments[1:])
        return lambda at: functions.label_join(inner(at), target, separator, sources)


_CALLS: Mapping[str, Callable[[Compiler, list[Any]], VectorNode]] = {
    "histogram_quantile": Compiler.histogram_quantile,
    "quantile_over_time": Compiler.quantile_over_time,
    "predict_linear": Compiler.predict_linear,
    "clamp": Compiler.clamp,
    "clamp_min": lambda compiler, arguments: compiler.clamp(arguments, 1, None),
    "clamp_max": lambda compiler, arguments: compiler.clamp(arguments, None, 1),
    "round": Compiler.rounded,
    "vector": Compiler.vector_of,
    "sort": lambda compiler, arguments: compiler.ordered(arguments, falling=False),
    "sort_desc": lambda compiler, arguments: compiler.ordered(arguments, falling=True),
    "absent": Compiler.absent,
    "absent_over_time": Compiler.absent_over_time,
    "timestamp": Compiler.timestamp,
    "label_replace": Compiler.label_replace,
    "label_join": Compiler.label_join,
}


def number_text(value: float) -> str:
    """Format a value as Prometheus writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e21 else repr(value)


def selectors_of(expression: Any) -> Iterator[Any]:
    """Return every vector selector of an expression."""
    match expression:
        case VectorSelector():
            yield expression
        case MatrixSelector():
            yield expression.vector_selector
        case ParenExpr() | UnaryExpr() | SubqueryExpr() | AggregateExpr():
            yield from selectors_of(expression.expr)
        case BinaryExpr():
            yield from selectors_of(expression.lhs)
            yield from selectors_of(expression.rhs)
        case Call():
            for argument in expression.args:
                yield from selectors_of(argument)


def _matching(modifier: Any) -> binary.Matching:
    if modifier is None:
        return binary.Matching()
    card = str(modifier.card).rpartition(".")[2]
    matching = modifier.matching
    labels = tuple(matching.labels) if matching is not None else ()
    on = matching is not None and matching.type == LabelModifierType.Include
    return binary.Matching(labels, on, card, tuple(modifier.group_labels or ()))


def _asked_labels(argument: Any) -> Labels:
    while isinstance(argument, ParenExpr):
        argument = argument.expr
    if isinstance(argument, MatrixSelector):
        argument = argument.vector_selector
    if not isinstance(argument, VectorSelector):
        return ()
    equal = [(one.name, one.value) for one in matchers_of(argument) if one.op == "=" and one.name != NAME]
    return labels_of(equal)


def _text(expression: Any) -> str:
    while isinstance(expression, ParenExpr):
        expression = expression.expr
    if not isinstance(expression, StringLiteral):
        raise unsupported("a string that is not a literal")
    text: str = expression.val
    return text
