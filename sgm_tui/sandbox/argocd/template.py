"""The two template languages of an ApplicationSet: Go templates (the part such files use) and fasttemplate.

Errors carry the words the real controller writes into its conditions, because people search for those words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+)|(?P<field>\$?(?:\.[A-Za-z_]\w*)+|\$|\.)"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<mark>[()|]))"""
)
_FAST = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_NOT_ALLOWED = re.compile(r"[^-a-z0-9.]")


class TemplateError(Exception):
    """A template that cannot be parsed or executed, in the controller's words."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """A map that has no such key, and what to say about it."""

    reason: str


_NO_VALUE = _Missing("")


def normalize(text: str) -> str:
    """A name as Kubernetes takes it: lower case, everything else a dash, at most 253 characters."""
    return _NOT_ALLOWED.sub("-", text.lower())[:253].strip("-.")


def fast(text: str, parameters: Mapping[str, str]) -> str:
    """Replace `{{ key }}` where the key is known; unknown ones stay as they are, as fasttemplate leaves them."""
    return _FAST.sub(lambda found: parameters.get(found[1], found[0]), text)


def go(text: str, parameters: Mapping[str, Any], *, missing_is_error: bool) -> str:
    """Execute a Go template on these parameters."""
    if "{{" not in text:
        return text
    nodes = _parse(text)
    return "".join(_Execution(text, parameters, missing_is_error).run(nodes))


@dataclass(frozen=True, slots=True)
class _Pipe:
    source: str
    offset: int


@dataclass(frozen=True, slots=True)
class _Branch:
    test: _Pipe
    then: list[_Node]
    otherwise: list[_Node]


_Node = str | _Pipe | _Branch


def _pieces(text: str) -> list[str | _Pipe]:
    """Plain text and actions in turn, white space trimmed where `{{-` or `-}}` asks for it."""
    pieces: list[str | _Pipe] = []
    end, trim = 0, False
    for action in _ACTION.finditer(text):
        plain = text[end : action.start()]
        plain = plain.lstrip() if trim else plain
        pieces.append(plain.rstrip() if action[1] else plain)
        pieces.append(_Pipe(action[2], action.start(2)))
        end, trim = action.end(), bool(action[3])
    pieces.append(text[end:].lstrip() if trim else text[end:])
    return pieces


@functools.lru_cache(maxsize=512)
def _parse(text: str) -> list[_Node]:
    pieces = _pieces(text)
    nodes, stopped = _block(pieces, text)
    if stopped:
        raise TemplateError(f"failed to parse template {text}: template: base:1: unexpected {{{{{stopped}}}}}")
    return nodes


def _block(pieces: list[str | _Pipe], text: str) -> tuple[list[_Node], str]:
    """Nodes up to `else`, `end` or the end of the text; consumes `pieces` and says what stopped it."""
    nodes: list[_Node] = []
    while pieces:
        piece = pieces.pop(0)
        if isinstance(piece, str):
            nodes.append(piece)
        elif piece.source in {"else", "end"} or piece.source.startswith("else if "):
            return nodes, piece.source
        elif piece.source.startswith("if "):
            nodes.append(_branch(_Pipe(piece.source[3:], piece.offset + 3), pieces, text))
        elif piece.source and not piece.source.startswith("/*"):
            nodes.append(piece)
    return nodes, ""


def _branch(test: _Pipe, pieces: list[str | _Pipe], text: str) -> _Branch:
    then, stopped = _block(pieces, text)
    otherwise: list[_Node] = []
    if stopped.startswith("else if "):
        otherwise = [_branch(_Pipe(stopped[8:], test.offset), pieces, text)]
        return _Branch(test, then, otherwise)
    if stopped == "else":
        otherwise, stopped = _block(pieces, text)
    if stopped != "end":
        raise TemplateError(f"failed to parse template {text}: template: base:1: unexpected EOF")
    return _Branch(test, then, otherwise)


class _Execution:
    """One run of one template."""

    def __init__(self, text: str, parameters: Mapping[str, Any], missing_is_error: bool) -> None:
        self._text = text
        self._parameters = parameters
        self._missing_is_error = missing_is_error

    def run(self, nodes: list[_Node]) -> list[str]:
        out: list[str] = []
        for node in nodes:
            if isinstance(node, str):
                out.append(node)
            elif isinstance(node, _Pipe):
                out.append(_printed(self._value(node)))
            else:
                out += self.run(node.then if _truth(self._value(node.test)) else node.otherwise)
        return out

    def _value(self, pipe: _Pipe) -> Any:
        return self._pipeline(self._tokens(pipe))

    def _tokens(self, pipe: _Pipe) -> list[tuple[str, str, int]]:
        tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(pipe.source):
            match = _TOKEN.match(pipe.source, at)
            if match is None or match.lastgroup is None:
                raise self._unparsed(f'unexpected "{pipe.source[at : at + 1]}" in operand')
            start = match.start(match.lastgroup)
            tokens.append((match.lastgroup, match[match.lastgroup], pipe.offset + start))
            at = match.end()
        return tokens

    def _pipeline(self, tokens: list[tuple[str, str, int]]) -> Any:
        """`a b | c d`: each command gets the value before it as its last argument."""
        piped: list[Any] = []
        while True:
            value = self._command(tokens, piped)
            if not tokens or tokens[0][1] == ")":
                return value
            tokens.pop(0)  # the bar
            piped = [value]

    def _command(self, tokens: list[tuple[str, str, int]], piped: list[Any]) -> Any:
        if not tokens:
            raise self._unparsed("missing value for command")
        kind, word, _ = tokens[0]
        if kind != "word" or word in {"true", "false", "nil"}:
            return self._operand(tokens)
        tokens.pop(0)
        function = _FUNCTIONS.get(word)
        if function is None:
            raise self._unparsed(f'function "{word}" not defined')
        arguments: list[Any] = []
        while tokens and tokens[0][1] not in {"|", ")"}:
            arguments.append(self._operand(tokens))
        try:
            return function(*arguments, *piped)
        except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
            raise self._failed(word, f"error calling {word}: {error}", 2) from error

    def _operand(self, tokens: list[tuple[str, str, int]]) -> Any:
        kind, word, offset = tokens.pop(0)
        if kind == "string":
            return word[1:-1] if word[0] == "`" else re.sub(r"\\(.)", r"\1", word[1:-1])
        if kind == "number":
            return int(word)
        if kind == "field":
            return self._field(word, offset)
        if word == "(":
            value = self._pipeline(tokens)
            if not tokens:
                raise self._unparsed("unclosed left paren")
            tokens.pop(0)
            return value
        return {"true": True, "false": False}.get(word)

    def _field(self, word: str, offset: int) -> Any:
        value: Any = self._parameters
        names = word.removeprefix("$").split(".")[1:] if word not in {".", "$"} else []
        # Go places the error of a chain at its second link.
        column = offset + (len(names[0]) + 1 if len(names) > 1 else 0)
        for name in names:
            if isinstance(value, _Missing) or value is None:
                raise self._failed(word, f"nil pointer evaluating interface {{}}.{name}", column)
            if not isinstance(value, Mapping):
                raise self._failed(word, f"can't evaluate field {name} in type {_go_type(value)}", column)
            if name not in value:
                if self._missing_is_error:
                    raise self._failed(word, f'map has no entry for key "{name}"', column)
                value = _NO_VALUE
            else:
                value = value[name]
        return value

    def _failed(self, word: str, reason: str, column: int) -> TemplateError:
        where = f'template: base:1:{column}: executing "base" at <{word}>'
        return TemplateError(f"failed to execute go template {self._text}: {where}: {reason}")

    def _unparsed(self, reason: str) -> TemplateError:
        return TemplateError(f"failed to parse template {self._text}: template: base:1: {reason}")


def _go_type(value: object) -> str:
    return {str: "string", int: "int", bool: "bool", list: "[]interface {}"}.get(type(value), "interface {}")


def _truth(value: object) -> bool:
    return not isinstance(value, _Missing) and bool(value)


def _printed(value: object) -> str:
    if isinstance(value, _Missing) or value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, Mapping) else value[key]
    return value


def _default(fallback: object, value: object = None) -> object:
    return value if _truth(value) else fallback


def _printf(form: str, *values: object) -> str:
    return re.sub("%[vqd]", lambda found: '"%s"' if found[0] == "%q" else "%s", form) % tuple(map(_printed, values))


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "index": _index,
    "default": _default,
    "printf": _printf,
    "print": lambda *values: "".join(map(_printed, values)),
    "quote": lambda value: f'"{_printed(value)}"',
    "lower": lambda value: _printed(value).lower(),
    "upper": lambda value: _printed(value).upper(),
    "trim": lambda value: _printed(value).strip(),
    "trimPrefix": lambda prefix, value: _printed(value).removeprefix(prefix),
    "trimSuffix": lambda suffix, value: _printed(value).removesuffix(suffix),
    "replace": lambda old, new, value: _printed(value).replace(old, new),
    "trunc": lambda length, value: _printed(value)[:length],
    "splitList": lambda separator, value: _printed(value).split(separator),
    "join": lambda separator, values: separator.join(map(_printed, values)),
    "last": lambda values: values[-1],
    "first": lambda values: values[0],
    "normalize": lambda value: normalize(_printed(value)),
    "eq": lambda value, *others: value in others,
    "ne": lambda value, other: value != other,
    "not": lambda value: not _truth(value),
    "and": lambda *values: next((value for value in values if not _truth(value)), values[-1]),
    "or": lambda *values: next((value for value in values if _truth(value)), values[-1]),
    "hasPrefix": lambda prefix, value: _printed(value).startswith(prefix),
    "hasSuffix": lambda suffix, value: _printed(value).endswith(suffix),
    "contains": lambda part, value: part in _printed(value),
    "len": len,
}
