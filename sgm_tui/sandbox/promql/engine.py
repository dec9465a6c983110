"""Prometheus' query engine over any source of series: instant and range queries."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

from sgm_tui.sandbox.promql.compiler import Compiler
from sgm_tui.sandbox.promql.expressions import Kind, kind_of
from sgm_tui.sandbox.promql.syntax import parse
from sgm_tui.sandbox.promql.values import Labels, PromqlError, Source, Vector, VectorNode, number_text

__all__ = ["Answer", "PromqlError", "compile_vector", "evaluate_instant", "evaluate_range"]

MOST_POINTS = 11_000
"""The most points of one series in one answer."""

_PATIENCE = 2.0
"""Real seconds a range query may take; everything else of the fleet waits meanwhile."""

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a query; its times are Unix times."""

    kind: Kind
    vector: Vector
    """The result of an instant query; a scalar is one element without labels."""
    matrix: list[tuple[Labels, Points]]
    at: float
    text: str = ""

    def data(self) -> dict[str, Any]:
        """Return `data` of the HTTP API."""
        at = round(self.at, 3)
        result: Any
        match self.kind:
            case "scalar":
                result = [at, number_text(self.vector[0][1])]
            case "string":
                result = [at, self.text]
            case "vector":
                result = [{"metric": dict(labels), "value": [at, number_text(value)]} for labels, value in self.vector]
            case "matrix":
                result = [
                    {"metric": dict(labels), "values": [[round(when, 3), number_text(value)] for when, value in points]}
                    for labels, points in self.matrix
                ]
        return {"resultType": self.kind, "result": result}


def compile_vector(source: Source, query: str) -> VectorNode:
    """Compile a query that yields a vector, to be evaluated at any virtual time; a scalar is one element.

    Raises:
        PromqlError: it cannot be parsed, or yields something else.
    """
    expression = parse(query)
    kind = kind_of(expression)
    compiler = Compiler(source, 0.0, 0.0)
    if kind == "scalar":
        number = compiler.scalar(expression)
        return lambda at: [((), number(at))]
    if kind != "vector":
        raise PromqlError("bad_data", f"query yields a {kind}, not a vector")
    return compiler.vector(expression)


def evaluate_instant(source: Source, query: str, at: float) -> Answer:
    """Evaluate a query at one Unix time.

    Raises:
        PromqlError: it cannot be parsed or evaluated.
    """
    expression = parse(query)
    moment = source.virtual(at)
    compiler = Compiler(source, moment, moment)
    kind = kind_of(expression)
    match kind:
        case "string":
            return Answer(kind, [], [], at, expression.val)
        case "scalar":
            return Answer(kind, [((), compiler.scalar(expression)(moment))], [], at)
        case "vector":
            return Answer(kind, compiler.vector(expression)(moment), [], at)
    matrix: list[tuple[Labels, Points]] = []
    for window in compiler.matrix(expression)(moment):
        moments, values = window.samples()
        if moments:
            points = [(source.wall(one), value) for one, value in zip(moments, values, strict=True)]
            matrix.append((window.series.labels, points))
    return Answer(kind, [], matrix, at)


def evaluate_range(source: Source, query: str, start: float, end: float, step: float) -> Answer:
    """Evaluate a query at every step from one Unix time to another.

    Raises:
        PromqlError: it cannot be parsed or evaluated, or yields no scalar or vector.
    """
    expression = parse(query)
    kind = kind_of(expression)
    if kind not in {"scalar", "vector"}:
        named = "range vector" if kind == "matrix" else kind
        raise PromqlError(
            "bad_data",
            f'invalid expression type "{named}" for range query, must be Scalar or instant Vector',
        )
    compiler = Compiler(source, source.virtual(start), source.virtual(end))
    times = [start + number * step for number in range(int((end - start) / step + 1e-9) + 1)]
    if kind == "scalar":
        number = compiler.scalar(expression)
        return Answer("matrix", [], [((), [(at, number(source.virtual(at))) for at in times])], end)
    vector = compiler.vector(expression)
    series: dict[Labels, Points] = {}
    deadline = monotonic() + _PATIENCE
    for at in times:
        if monotonic() > deadline:
            raise PromqlError("timeout", "query timed out in expression evaluation")
        for labels, value in vector(source.virtual(at)):
            points = series.get(labels)
            if points is None:
                series[labels] = [(at, value)]
            else:
                points.append((at, value))
    return Answer("matrix", [], sorted(series.items()), end)
