"""The templates of an ApplicationSet: Go's, as far as such files use them, and the plain `{{key}}` ones.

A mistake of the author is a `TemplateError` in the controller's words. What this reader does not know (a rare sprig
function, a variable) is an `UnsupportedError`: nothing can be said then, and nothing wrong is claimed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgm_tui.fleet.argo.go_printf import printf
from sgm_tui.fleet.argo.go_values import MISSING, Missing, UnsupportedError, printed

Parameters = Mapping[str, Any]
_ACTION = re.compile(r"(\{\{-?\s*.*?\s*-?\}\})", re.DOTALL)
_PLAIN_KEY = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+\b)|(?P<open>\()|(?P<close>\))|(?P<bar>\|)"""
    r"""|(?P<field>\$?(?:\.[A-Za-z_]\w*)+|\.|\$(?!\w))|(?P<word>[A-Za-z_]\w*)"""
)


class TemplateError(Exception):
    """A template that fails, in the controller's words."""


@dataclass(frozen=True, slots=True)
class _Scope:
    root: Any
    dot: Any
    strict: bool


_Value = Callable[[_Scope], Any]
_Block = list[Callable[[_Scope], str]]


def normalized(text: str) -> str:
    """A name as Kubernetes takes it: lower case, everything else a dash, at most 253 characters."""
    return re.sub(r"[^-a-z0-9.]", "-", text.lower())[:253].strip("-.")


def render_plain(text: str, parameters: Parameters) -> str:
    """Put strings in place of `{{key}}`; a key that is unknown or no string stays as it is written."""

    def filled(match: re.Match[str]) -> str:
        value = parameters.get(match[1])
        return value if isinstance(value, str) else match[0]

    return _PLAIN_KEY.sub(filled, text)


def render_go(text: str, parameters: Parameters, *, strict: bool) -> str:
    """Execute a Go template.

    Args:
        text: the template.
        parameters: what `.` is.
        strict: `missingkey=error`.

    Raises:
        TemplateError: the template is wrong, or asks for what is not there.
        UnsupportedError: it uses something unknown here.
    """
    if "{{" not in text:
        return text
    scope = _Scope(parameters, parameters, strict)
    return "".join(part(scope) for part in _parsed(text))


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> _Block:
    parts = iter(_trimmed(_ACTION.split(text)))
    block, end = _block(parts)
    if end:
        raise TemplateError(f"unexpected {{{{{end}}}}}")
    return block


def _trimmed(pieces: Sequence[str]) -> Iterator[str]:
    """Text and actions in turn (odd ones are actions), white space removed where a dash asks for it."""
    for number, piece in enumerate(pieces):
        if number % 2:
            yield piece
            continue
        plain = piece
        if number and pieces[number - 1].endswith("-}}"):
            plain = plain.lstrip()
        if number + 1 < len(pieces) and pieces[number + 1].startswith("{{-"):
            plain = plain.rstrip()
        yield plain


def _block(parts: Iterator[str]) -> tuple[_Block, str]:
    """Everything up to `end` or `else`, and which of them (with what follows it) stopped it."""
    block: _Block = []
    for part in parts:
        if not part.startswith("{{") or not part.endswith("}}"):
            block.append(_constant(part))
            continue
        action = part[2:-2].strip("-").strip()
        word = action.split(None, 1)[0] if action else ""
        if word in {"end", "else"}:
            return block, action
        if word in {"if", "with", "range"}:
            block.append(_control(word, action[len(word) :], parts))
        elif word in {"define", "template", "block", "break", "continue"}:
            raise UnsupportedError(f"{{{{{word}}}}}")
        elif not action.startswith("/*"):
            block.append(_printing(_expression(action)))
    return block, ""


def _constant(text: str) -> Callable[[_Scope], str]:
    return lambda _: text


def _printing(value: _Value) -> Callable[[_Scope], str]:
    return lambda scope: printed(value(scope))


def _control(word: str, test_text: str, parts: Iterator[str]) -> Callable[[_Scope], str]:
    test = _expression(test_text.strip())
    then, end = _block(parts)
    otherwise: _Block = []
    if end.startswith("else "):
        inner, _, rest = end[5:].strip().partition(" ")
        otherwise = [_control(inner, rest, parts)]
    elif end == "else":
        otherwise, end = _block(parts)
    if end != "end" and not end.startswith("else "):
        raise TemplateError("unexpected EOF")

    def run(scope: _Scope) -> str:
        value = test(scope)
        if not _true(value):
            return "".join(part(scope) for part in otherwise)
        if word == "range":
            dots = list(value.values()) if isinstance(value, Mapping) else list(value)
        else:
            dots = [value if word == "with" else scope.dot]
        return "".join(part(_Scope(scope.root, dot, scope.strict)) for dot in dots for part in then)

    return run


class _Tokens:
    """The tokens of one action."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, bool]] = []
        at, spaced = 0, False
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                self._refuse(text[at:])
            else:
                if match.lastgroup != "space":
                    self._tokens.append((match.lastgroup, match[0], spaced))
                at, spaced = match.end(), match.lastgroup == "space"

    def _refuse(self, rest: str) -> None:
        if rest[0] == "$" or rest.startswith((":=", "=", ",")):
            raise UnsupportedError(f"variables ({self._text})")
        raise TemplateError(f'unexpected "{rest[0]}" in operand')

    def kind(self) -> str:
        return self._tokens[0][0] if self._tokens else ""

    def attached(self) -> bool:
        """The next token is a field written right behind the last one."""
        return bool(self._tokens) and self._tokens[0][0] == "field" and not self._tokens[0][2]

    def take(self) -> str:
        return self._tokens.pop(0)[1]


def _expression(text: str) -> _Value:
    tokens = _Tokens(text)
    value = _pipeline(tokens)
    if tokens.kind():
        raise TemplateError(f'unexpected "{tokens.take()}" in operand')
    return value


def _pipeline(tokens: _Tokens) -> _Value:
    value = _command(tokens, None)
    while tokens.kind() == "bar":
        tokens.take()
        value = _command(tokens, value)
    return value


def _command(tokens: _Tokens, piped: _Value | None) -> _Value:
    if tokens.kind() in {"", "bar", "close"}:
        raise TemplateError("missing value for command")
    if tokens.kind() != "word":
        return _operand(tokens)
    word = tokens.take()
    if word in _CONSTANTS:
        constant = _CONSTANTS[word]
        return lambda _: constant
    arguments: list[_Value] = []
    while tokens.kind() not in {"", "bar", "close"}:
        arguments.append(_operand(tokens))
    if piped is not None:
        arguments.append(piped)
    return _call(word, arguments)


def _call(word: str, arguments: Sequence[_Value]) -> _Value:
    if word in {"and", "or"}:
        return lambda scope: _lazily(word, arguments, scope)
    function = _FUNCTIONS.get(word)
    if function is None:
        raise UnsupportedError(f"the function {word}")

    def run(scope: _Scope) -> Any:
        try:
            return function(*(one(scope) for one in arguments))
        except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
            raise TemplateError(f"error calling {word}: {error}") from error

    return run


def _lazily(word: str, arguments: Sequence[_Value], scope: _Scope) -> Any:
    value: Any = None
    for argument in arguments:
        value = argument(scope)
        if _true(value) == (word == "or"):
            return value
    return value


def _operand(tokens: _Tokens) -> _Value:
    kind = tokens.kind()
    word = tokens.take()
    if kind == "text":
        literal = word[1:-1] if word[0] == "`" else re.sub(r"\\(.)", r"\1", word[1:-1])
        return lambda _: literal
    if kind == "number":
        return lambda _: int(word)
    if kind == "field":
        return _field(word)
    if kind == "word":
        return _command_word(word)
    value = _pipeline(tokens)
    if tokens.kind() != "close":
        raise TemplateError("unclosed left paren")
    tokens.take()
    if tokens.attached():
        names = tokens.take().split(".")[1:]
        return lambda scope: functools.reduce(lambda of, name: _entry(of, name, scope.strict), names, value(scope))
    return value


def _command_word(word: str) -> _Value:
    if word in _CONSTANTS:
        return lambda _: _CONSTANTS[word]
    return _call(word, [])


def _field(word: str) -> _Value:
    names = [name for name in word.removeprefix("$").split(".") if name]

    def run(scope: _Scope) -> Any:
        start = scope.root if word.startswith("$") else scope.dot
        return functools.reduce(lambda of, name: _entry(of, name, scope.strict), names, start)

    return run


def _entry(of: Any, name: str, strict: bool) -> Any:
    if isinstance(of, Missing) or of is None:
        raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
    if not isinstance(of, Mapping):
        raise TemplateError(f"can't evaluate field {name} in type {type(of).__name__}")
    if name in of:
        return of[name]
    if strict:
        raise TemplateError(f'map has no entry for key "{name}"')
    return MISSING


def _true(value: object) -> bool:
    return not isinstance(value, Missing) and bool(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, Mapping) else value[key]
    return value


_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "nil": None}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "eq": lambda one, *others: one in others,
    "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other,
    "gt": lambda one, other: one > other,
    "le": lambda one, other: one <= other,
    "ge": lambda one, other: one >= other,
    "not": lambda one: not _true(one),
    "len": len,
    "index": _index,
    "get": lambda of, key: of.get(key, ""),
    "hasKey": lambda of, key: key in of,
    "has": lambda one, of: one in of,
    "list": lambda *values: list(values),
    "first": lambda of: of[0],
    "last": lambda of: of[-1],
    "default": lambda other, one=None: one if _true(one) else other,
    "coalesce": lambda *values: next((one for one in values if _true(one)), None),
    "ternary": lambda yes, no, test: yes if test else no,
    "print": lambda *values: "".join(map(printed, values)),
    "printf": printf,
    "quote": lambda one: f'"{printed(one)}"',
    "squote": lambda one: f"'{printed(one)}'",
    "lower": lambda one: printed(one).lower(),
    "upper": lambda one: printed(one).upper(),
    "trim": lambda one: printed(one).strip(),
    "trimPrefix": lambda part, one: printed(one).removeprefix(part),
    "trimSuffix": lambda part, one: printed(one).removesuffix(part),
    "replace": lambda old, new, one: printed(one).replace(old, new),
    "trunc": lambda length, one: printed(one)[:length] if length >= 0 else printed(one)[length:],
    "splitList": lambda separator, one: printed(one).split(separator),
    "join": lambda separator, values: separator.join(map(printed, values)),
    "contains": lambda part, one: part in printed(one),
    "hasPrefix": lambda part, one: printed(one).startswith(part),
    "hasSuffix": lambda part, one: printed(one).endswith(part),
    "normalize": lambda one: normalized(printed(one)),
}
