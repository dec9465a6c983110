"""The conditions of analysis metrics (`result[0] >= 0.95 || isNaN(result[0])`), parsed and evaluated, never executed.

Supports the part of the expr language that success and failure conditions use: numbers, strings, booleans, `result`
with indexes and fields, arithmetic, comparison, `&&`/`||`/`!` and their words, `? :`, `in`, the controller's helpers,
and predicates over lists (`all(result, # > 0.5)`).
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any


class ExpressionError(Exception):
    """A condition that cannot be parsed, or not evaluated for this result."""


_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<name>[A-Za-z_]\w*|#)"
    r"|(?P<sign>\|\||&&|==|!=|<=|>=|\*\*|[-+*/%<>!()\[\]{}.,?:]))"
)

_Value = Any
_Scope = Mapping[str, _Value]
_Node = Callable[[_Scope], _Value]

_LEVELS: tuple[Mapping[str, str], ...] = (
    {"||": "||", "or": "||"},
    {"&&": "&&", "and": "&&"},
    {"==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "in": "in"},
    {"+": "+", "-": "-"},
    {"*": "*", "/": "/", "%": "%"},
    {"**": "**"},
)
"""Binary operators by precedence, lowest first."""

_COMPUTE: Mapping[str, Callable[[Any, Any], _Value]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda one, many: one in many,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "**": lambda base, exponent: float(base) ** float(exponent),
}
_OVER_LISTS: Mapping[str, Callable[[list[bool]], _Value]] = {
    "all": all,
    "any": any,
    "none": lambda found: not any(found),
    "count": sum,
}
_CONSTANTS: Mapping[str, _Value] = {"true": True, "false": False, "nil": None}


def holds(condition: str, result: _Value) -> bool:
    """Return whether a condition is true of a result.

    Raises:
        ExpressionError: it cannot be parsed, cannot be computed, or is no yes or no.
    """
    try:
        value = _computed(_Parser(condition).parsed(), {"result": result})
    except RecursionError as error:
        raise ExpressionError("nested too deeply") from error
    if not isinstance(value, bool):
        raise ExpressionError(f"expected bool, but got {type(value).__name__}")
    return value


def _computed(node: _Node, scope: _Scope) -> _Value:
    try:
        return node(scope)
    except ZeroDivisionError as error:
        raise ExpressionError("integer divide by zero") from error
    except OverflowError as error:
        raise ExpressionError("the number is too large") from error
    except (TypeError, ValueError) as error:
        raise ExpressionError(str(error)) from error


class _Parser:
    """A recursive descent parser over the tokens of one condition; compiles to a function of the scope."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def parsed(self) -> _Node:
        node = self._choice()
        if self._at < len(self._tokens):
            raise ExpressionError(f"unexpected token {self._tokens[self._at][1]}")
        return node

    def _choice(self) -> _Node:
        condition = self._binary(0)
        if not self._takes("?"):
            return condition
        then = self._choice()
        self._expect(":")
        otherwise = self._choice()
        return lambda scope: then(scope) if condition(scope) else otherwise(scope)

    def _binary(self, level: int) -> _Node:
        if level == len(_LEVELS):
            return self._unary()
        operand = self._binary(level + 1)
        while (sign := _LEVELS[level].get(self._peek())) is not None:
            self._at += 1
            operand = _joined(sign, operand, self._binary(level + 1))
        return operand

    def _unary(self) -> _Node:
        if self._takes("!") or self._takes("not"):
            operand = self._unary()
            return lambda scope: not operand(scope)
        if self._takes("-"):
            negated = self._unary()
            return lambda scope: -negated(scope)
        return self._postfix(self._primary())

    def _postfix(self, node: _Node) -> _Node:
        while True:
            if self._takes("["):
                node = _indexed(node, self._choice())
                self._expect("]")
            elif self._takes("."):
                kind, name = self._next()
                if kind != "name":
                    raise ExpressionError(f"unexpected token {name}")
                node = _indexed(node, _constant(name))
            else:
                return node

    def _primary(self) -> _Node:
        kind, text = self._next()
        if kind == "number":
            return _constant(float(text) if any(mark in text for mark in ".eE") else int(text))
        if kind == "text":
            return _constant(text[1:-1])
        if kind == "name":
            return self._call(text) if self._takes("(") else _named(text)
        if text == "(":
            node = self._choice()
            self._expect(")")
            return node
        if text == "[":
            items = self._items("]")
            return lambda scope: [item(scope) for item in items]
        raise ExpressionError(f"unexpected token {text}")

    def _call(self, name: str) -> _Node:
        if name in _OVER_LISTS:
            return self._predicate(name)
        function = _FUNCTIONS.get(name)
        if function is None:
            raise ExpressionError(f"unknown name {name}")
        arguments = self._items(")")
        return lambda scope: function(*(argument(scope) for argument in arguments))

    def _predicate(self, name: str) -> _Node:
        many = self._choice()
        self._expect(",")
        braced = self._takes("{")
        test = self._choice()
        if braced:
            self._expect("}")
        self._expect(")")
        summary = _OVER_LISTS[name]
        return lambda scope: summary([bool(test({**scope, "#": one})) for one in many(scope)])

    def _items(self, end: str) -> list[_Node]:
        items: list[_Node] = []
        while not self._takes(end):
            items.append(self._choice())
            if not self._takes(","):
                self._expect(end)
                break
        return items

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise ExpressionError("unexpected token EOF")
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, text: str) -> bool:
        if self._peek() != text:
            return False
        self._at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise ExpressionError(f"unexpected token {self._peek() or 'EOF'}")


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ExpressionError(f"unrecognized character: {text[at:].strip()[:1]}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


def _joined(sign: str, lhs: _Node, rhs: _Node) -> _Node:
    if sign == "||":
        return lambda scope: bool(lhs(scope)) or bool(rhs(scope))
    if sign == "&&":
        return lambda scope: bool(lhs(scope)) and bool(rhs(scope))
    compute = _COMPUTE[sign]
    return lambda scope: compute(lhs(scope), rhs(scope))


def _constant(value: _Value) -> _Node:
    return lambda _: value


def _named(name: str) -> _Node:
    if name in _CONSTANTS:
        return _constant(_CONSTANTS[name])
    if name not in {"result", "#"}:
        raise ExpressionError(f"unknown name {name}")
    return lambda scope: scope[name]


def _indexed(node: _Node, index: _Node) -> _Node:
    def read(scope: _Scope) -> _Value:
        container, at = node(scope), index(scope)
        if isinstance(container, Mapping):
            return container.get(at)
        if not isinstance(container, list) or not isinstance(at, int):
            raise ExpressionError(f"cannot fetch {at} from {type(container).__name__}")
        if not -len(container) <= at < len(container):
            raise ExpressionError(f"index out of range: {at} (array length is {len(container)})")
        return container[at]

    return read


def _default(value: _Value, otherwise: _Value) -> _Value:
    empty = value is None or (isinstance(value, float) and math.isnan(value)) or value == []
    return otherwise if empty else value


_FUNCTIONS: Mapping[str, Callable[..., _Value]] = {
    "len": len,
    "isNaN": math.isnan,
    "isInf": math.isinf,
    "isNil": lambda value: value is None,
    "asInt": int,
    "asFloat": float,
    "default": _default,
    "abs": abs,
    "int": int,
    "float": float,
    "ceil": math.ceil,
    "floor": math.floor,
    "min": min,
    "max": max,
}
