"""successCondition and failureCondition: a small, safe evaluator of the expressions AnalysisTemplates use.

Comparisons, &&, ||, !, arithmetic, `result[0]`, `len(result)` and the functions Argo Rollouts adds (isNaN, isInf,
isNil, asInt, asFloat, default). Python's own parser reads it; only the nodes named here are walked.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class ConditionError(Exception):
    """The expression cannot be evaluated; the text is the measurement's message."""


_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "len": len,
    "isNaN": math.isnan,
    "isInf": math.isinf,
    "isNil": lambda value: value is None,
    "asInt": int,
    "asFloat": float,
    "default": lambda value, other: other if value is None else value,
}


def holds(expression: str, result: Sequence[float]) -> bool:
    """Whether a condition is true of a measurement's values.

    Raises:
        ConditionError: an index out of range, an unknown name, or no expression at all.
    """
    text = re.sub(r"!(?!=)", " not ", expression.replace("&&", " and ").replace("||", " or "))
    try:
        return bool(_value(ast.parse(text.strip(), mode="eval").body, result))
    except IndexError:
        raise ConditionError("reflect: slice index out of range") from None
    except (SyntaxError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ConditionError(str(error)) from error


def _value(node: ast.expr, result: Sequence[float]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id="result"):
            return list(result)
        case ast.Name(id=("true" | "false") as word):
            return word == "true"
        case ast.Subscript(value=of, slice=index):
            return _value(of, result)[_value(index, result)]
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(one, result) for one in values)
        case ast.BoolOp(values=values):
            return any(_value(one, result) for one in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, result)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, result)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
            return _ARITHMETIC[type(sign)](_value(left, result), _value(right, result))
        case ast.Compare(left=left, ops=signs, comparators=others) if all(type(one) in _COMPARE for one in signs):
            values = [_value(one, result) for one in (left, *others)]
            pairs = zip(signs, values, values[1:], strict=False)
            return all(_COMPARE[type(sign)](one, other) for sign, one, other in pairs)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(one, result) for one in arguments))
    raise ConditionError(f"unknown expression {ast.unparse(node)}")
