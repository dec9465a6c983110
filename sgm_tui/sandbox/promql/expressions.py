"""Questions about PromQL syntax trees that need no series: types, matchers, literals and label matching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from promql_parser import (
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

from sgm_tui.sandbox.promql.operators import Matching
from sgm_tui.sandbox.promql.values import NAME, Labels, Matcher, PromqlError, labels_of

Kind = Literal["scalar", "vector", "matrix", "string"]

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
    """Return the type of the value an expression yields."""
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


def unsupported(feature: str) -> PromqlError:
    """Return the refusal of a query that uses what this model of Prometheus does not implement."""
    return PromqlError("execution", f"{feature} is not supported by this Prometheus")


def without_parentheses(expression: Any) -> Any:
    """Return the expression inside any number of parentheses."""
    while isinstance(expression, ParenExpr):
        expression = expression.expr
    return expression


def text_of(expression: Any) -> str:
    """Return the text of a string literal.

    Raises:
        PromqlError: it is another expression.
    """
    expression = without_parentheses(expression)
    if not isinstance(expression, StringLiteral):
        raise unsupported("a string that is not a literal")
    text: str = expression.val
    return text


def required_labels(expression: Any) -> Labels:
    """Return the labels that a selector requires to be equal to a value; none for another expression."""
    selector = without_parentheses(expression)
    if isinstance(selector, MatrixSelector):
        selector = selector.vector_selector
    if not isinstance(selector, VectorSelector):
        return ()
    return labels_of(
        [
            (matcher.name, matcher.value)
            for matcher in matchers_of(selector)
            if matcher.op == "=" and matcher.name != NAME
        ]
    )


def matching_of(modifier: Any) -> Matching:
    """Return how a binary operator matches the elements of its two sides; `modifier` is None without a clause."""
    if modifier is None:
        return Matching()
    card = str(modifier.card).rpartition(".")[2]
    matching = modifier.matching
    labels = tuple(matching.labels) if matching is not None else ()
    on = matching is not None and matching.type == LabelModifierType.Include
    return Matching(labels, on, card, tuple(modifier.group_labels or ()))
