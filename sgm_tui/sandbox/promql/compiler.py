"""Compile a PromQL syntax tree to functions of time: once for each query, called once for each step."""

from __future__ import annotations

import math
from typing import Any

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

from sgm_tui.sandbox.promql import aggregations, functions, operators
from sgm_tui.sandbox.promql.calls import CALLS, apply_to_windows
from sgm_tui.sandbox.promql.expressions import kind_of, matching_of, text_of, unsupported
from sgm_tui.sandbox.promql.range_functions import KEEPS_NAME, RANGE_FUNCTIONS
from sgm_tui.sandbox.promql.selectors import Selectors
from sgm_tui.sandbox.promql.values import (
    Labels,
    MatrixNode,
    RecordedSeries,
    ScalarNode,
    Source,
    VectorNode,
    Window,
)

_SUBQUERY_STEP = 60.0
"""Prometheus' default evaluation interval in seconds."""
_SET_OPERATORS = frozenset({"and", "or", "unless"})


class Compiler:
    """Compile the expressions of one query; `begin` and `end` are the times of `@ start()` and `@ end()`."""

    def __init__(self, source: Source, begin: float, end: float) -> None:
        self.source = source
        self.selectors = Selectors(source, begin, end)

    def scalar(self, expression: Any) -> ScalarNode:
        """Compile an expression that yields a number.

        Raises:
            PromqlError: it uses what this model of Prometheus does not implement.
        """
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
                return lambda at: operators.apply_to_scalars(op, lhs(at), rhs(at))
            case Call():
                return self._scalar_call(expression)
        raise unsupported("this scalar expression")

    def _scalar_call(self, call: Any) -> ScalarNode:
        name: str = call.func.name
        if name == "time":
            return self.source.wall
        if name == "pi":
            return lambda _: math.pi
        if name == "scalar":
            vector = self.vector(call.args[0])
            return lambda at: elements[0][1] if len(elements := vector(at)) == 1 else math.nan
        raise unsupported(f"function {name}()")

    def vector(self, expression: Any) -> VectorNode:
        """Compile an expression that yields an instant vector.

        Raises:
            PromqlError: it uses what this model of Prometheus does not implement.
        """
        match expression:
            case ParenExpr():
                return self.vector(expression.expr)
            case UnaryExpr():
                inner = self.vector(expression.expr)
                return lambda at: functions.map_values(inner(at), lambda value: -value)
            case VectorSelector():
                return self.selectors.vector(expression)
            case AggregateExpr():
                return self._aggregate(expression)
            case BinaryExpr():
                return self._binary(expression)
            case Call():
                return self._call(expression)
        raise unsupported("this vector expression")

    def matrix(self, expression: Any) -> MatrixNode:
        """Compile an expression that yields a range vector.

        Raises:
            PromqlError: it uses what this model of Prometheus does not implement.
        """
        match expression:
            case ParenExpr():
                return self.matrix(expression.expr)
            case MatrixSelector():
                return self.selectors.matrix(expression)
            case SubqueryExpr():
                return self._subquery(expression)
        raise unsupported("this range expression")

    def _subquery(self, expression: Any) -> MatrixNode:
        inner = self.vector(expression.expr)
        length = expression.range.total_seconds()
        step = expression.step.total_seconds() if expression.step is not None else _SUBQUERY_STEP
        moment = self.selectors.moment(expression)

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
        group = aggregations.grouping(modifier.labels if modifier is not None else (), without=without)
        if op in aggregations.REDUCTIONS:
            reduce = aggregations.REDUCTIONS[op]
            return lambda at: aggregations.reduce_groups(inner(at), group, reduce)
        if op == "count_values":
            label = text_of(expression.param)
            return lambda at: aggregations.count_values(inner(at), group, label)
        parameter = self.scalar(expression.param)
        if op in {"topk", "bottomk"}:
            top = op == "topk"
            return lambda at: aggregations.most_extreme(inner(at), group, parameter(at), greatest=top)
        if op == "quantile":
            return lambda at: aggregations.quantiles(inner(at), group, parameter(at))
        raise unsupported(f"aggregation {op}")

    def _binary(self, expression: Any) -> VectorNode:
        op = str(expression.op)
        modifier = expression.modifier
        as_bool = bool(modifier is not None and modifier.return_bool)
        left_kind, right_kind = kind_of(expression.lhs), kind_of(expression.rhs)
        if right_kind == "scalar":
            vector, number = self.vector(expression.lhs), self.scalar(expression.rhs)
            return lambda at: operators.apply_with_scalar(op, vector(at), number(at), swapped=False, as_bool=as_bool)
        if left_kind == "scalar":
            vector, number = self.vector(expression.rhs), self.scalar(expression.lhs)
            return lambda at: operators.apply_with_scalar(op, vector(at), number(at), swapped=True, as_bool=as_bool)
        lhs, rhs, matching = self.vector(expression.lhs), self.vector(expression.rhs), matching_of(modifier)
        if op in _SET_OPERATORS:
            return lambda at: operators.apply_set_operator(op, lhs(at), rhs(at), matching)
        return lambda at: operators.apply_to_vectors(op, lhs(at), rhs(at), matching, as_bool=as_bool)

    def _call(self, call: Any) -> VectorNode:
        name: str = call.func.name
        arguments = call.args
        if name in RANGE_FUNCTIONS:
            windows, function, keeps_name = self.matrix(arguments[0]), RANGE_FUNCTIONS[name], name in KEEPS_NAME
            return lambda at: apply_to_windows(windows(at), function, keeps_name=keeps_name)
        if name in functions.NUMBERS:
            inner, number = self.vector(arguments[0]), functions.NUMBERS[name]
            return lambda at: functions.map_values(inner(at), number)
        if name in functions.CALENDAR:
            read = functions.CALENDAR[name]
            if not arguments:
                return lambda at: [((), read(self.source.wall(at)))]
            inner = self.vector(arguments[0])
            return lambda at: functions.map_values(inner(at), read)
        compile_call = CALLS.get(name)
        if compile_call is None:
            raise unsupported(f"function {name}()")
        return compile_call(self, arguments)
