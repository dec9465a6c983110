"""Go templates, as far as ApplicationSets use them.

An error of the author raises `TemplateError` with the reason Go gives. What this reader does not know (a rare sprig
function, a variable) raises `UnsupportedError`: the result is unknown then, and no error is claimed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgm_tui.fleet.argo.go_functions import FUNCTIONS
from sgm_tui.fleet.argo.go_values import (
    MISSING,
    Missing,
    TemplateError,
    UnknownFunctionError,
    UnsupportedError,
    format_value,
    is_true,
    name_type,
)

_ACTION = re.compile(r"(\{\{-?\s*.*?\s*-?\}\})", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+\b)|(?P<open>\()|(?P<close>\))|(?P<bar>\|)"""
    r"""|(?P<field>\$?(?:\.[A-Za-z_]\w*)+|\.|\$(?!\w))|(?P<word>[A-Za-z_]\w*)"""
)
_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "nil": None}


@dataclass(frozen=True, slots=True)
class _Scope:
    """The values a template can reach at one place."""

    root: Any
    """`$`: the parameters."""
    dot: Any
    """`.`: the parameters, or what `with` and `range` select."""
    strict: bool


@dataclass(frozen=True, slots=True)
class _Action:
    """The text between `{{` and `}}`."""

    text: str
    column: int
    """Characters before it in the template."""

    @property
    def keyword(self) -> str:
        """Its first word; "" if it is empty."""
        return self.text.split(None, 1)[0] if self.text else ""

    def after_keyword(self) -> _Action:
        """Return what follows the first word."""
        rest = self.text[len(self.keyword) :].lstrip()
        return _Action(rest, self.column + len(self.text) - len(rest))


_Value = Callable[[_Scope], Any]
_Writer = Callable[[_Scope], str]
_Block = list[_Writer]


def render_go(text: str, parameters: Mapping[str, Any], *, strict: bool) -> str:
    """Execute a Go template.

    Args:
        text: the template.
        parameters: the value of `.`.
        strict: `missingkey=error`.

    Raises:
        TemplateError: the template is wrong, or needs a missing value.
        UnsupportedError: it uses something that is not understood here.
    """
    if "{{" not in text:
        return text
    scope = _Scope(parameters, parameters, strict)
    try:
        return "".join(write(scope) for write in _parse(text))
    except (TemplateError, UnknownFunctionError) as error:
        error.template = text
        raise


@functools.lru_cache(maxsize=1024)
def _parse(text: str) -> _Block:
    block, end = _parse_block(_split(text))
    if end is not None:
        raise TemplateError(f"unexpected {{{{{end.text}}}}}")
    return block


def _split(text: str) -> Iterator[str | _Action]:
    """Yield plain text and actions in turn; the text lacks white space that a dash next to it trims."""
    pieces = _ACTION.split(text)
    start = 0
    for number, piece in enumerate(pieces):
        if number % 2:
            action = piece[2:-2].strip("-").strip()
            yield _Action(action, start + piece.index(action, 2))
        else:
            plain = piece
            if number and pieces[number - 1].endswith("-}}"):
                plain = plain.lstrip()
            if number + 1 < len(pieces) and pieces[number + 1].startswith("{{-"):
                plain = plain.rstrip()
            yield plain
        start += len(piece)


def _parse_block(pieces: Iterator[str | _Action]) -> tuple[_Block, _Action | None]:
    """Return everything up to an `end` or `else`, and that action; None at the end of the template."""
    block: _Block = []
    for piece in pieces:
        if isinstance(piece, str):
            block.append(_write_text(piece))
        elif piece.keyword in {"end", "else"}:
            return block, piece
        elif piece.keyword in {"if", "with", "range"}:
            block.append(_parse_control(piece, pieces))
        elif piece.keyword in {"define", "template", "block", "break", "continue"}:
            raise UnsupportedError(f"{{{{{piece.keyword}}}}}")
        elif not piece.text.startswith("/*"):
            block.append(_write_value(_parse_expression(piece)))
    return block, None


def _write_text(text: str) -> _Writer:
    return lambda _: text


def _write_value(value: _Value) -> _Writer:
    return lambda scope: format_value(value(scope))


def _parse_control(action: _Action, pieces: Iterator[str | _Action]) -> _Writer:
    """Parse an `if`, `with` or `range` with everything up to its `end`."""
    keyword, condition = action.keyword, _parse_expression(action.after_keyword())
    then, end = _parse_block(pieces)
    otherwise: _Block = []
    if end is not None and end.text.startswith("else "):
        otherwise = [_parse_control(end.after_keyword(), pieces)]
    else:
        if end is not None and end.text == "else":
            otherwise, end = _parse_block(pieces)
        if end is None or end.text != "end":
            raise TemplateError("unexpected EOF")

    def write(scope: _Scope) -> str:
        value = condition(scope)
        if not is_true(value):
            return "".join(write_part(scope) for write_part in otherwise)
        if keyword == "range":
            dots = list(value.values()) if isinstance(value, Mapping) else list(value)
        else:
            dots = [value if keyword == "with" else scope.dot]
        return "".join(write_part(_Scope(scope.root, dot, scope.strict)) for dot in dots for write_part in then)

    return write


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """A group of `_TOKEN`."""
    text: str
    column: int
    follows_space: bool


class _Tokens:
    """The tokens of one action that are still to be parsed."""

    def __init__(self, action: _Action) -> None:
        self._action = action
        self._tokens: list[_Token] = []
        at, follows_space = 0, False
        while at < len(action.text):
            match = _TOKEN.match(action.text, at)
            if match is None or match.lastgroup is None:
                raise self._refusal(action.text[at:])
            if match.lastgroup != "space":
                self._tokens.append(_Token(match.lastgroup, match[0], action.column + at, follows_space))
            at, follows_space = match.end(), match.lastgroup == "space"

    def _refusal(self, rest: str) -> Exception:
        if rest[0] == "$" or rest.startswith((":=", "=", ",")):
            return UnsupportedError(f"variables ({self._action.text})")
        return TemplateError(f'unexpected "{rest[0]}" in operand')

    def next_kind(self) -> str:
        """Return the kind of the next token; "" at the end."""
        return self._tokens[0].kind if self._tokens else ""

    def ends_command(self) -> bool:
        """Return whether the next token belongs to no command."""
        return self.next_kind() in {"", "bar", "close"}

    def continues_operand(self) -> bool:
        """Return whether the next token is a field directly behind the last one, as in `(index .a 1).b`."""
        return self.next_kind() == "field" and not self._tokens[0].follows_space

    def take(self) -> _Token:
        return self._tokens.pop(0)


def _parse_expression(action: _Action) -> _Value:
    tokens = _Tokens(action)
    value = _parse_pipeline(tokens)
    if tokens.next_kind():
        raise TemplateError(f'unexpected "{tokens.take().text}" in operand')
    return value


def _parse_pipeline(tokens: _Tokens) -> _Value:
    value = _parse_command(tokens, None)
    while tokens.next_kind() == "bar":
        tokens.take()
        value = _parse_command(tokens, value)
    return value


def _parse_command(tokens: _Tokens, piped: _Value | None) -> _Value:
    """Parse a function with its arguments, or an operand; `piped` is the last argument."""
    if tokens.ends_command():
        raise TemplateError("missing value for command")
    if tokens.next_kind() != "word":
        return _parse_operand(tokens)
    word = tokens.take()
    if word.text in _CONSTANTS:
        return lambda _: _CONSTANTS[word.text]
    arguments: list[_Value] = []
    while not tokens.ends_command():
        arguments.append(_parse_operand(tokens))
    if piped is not None:
        arguments.append(piped)
    return _call(word, arguments)


def _call(word: _Token, arguments: Sequence[_Value]) -> _Value:
    name = word.text
    if name in {"and", "or"}:
        return lambda scope: _first_deciding(name, arguments, scope)
    function = FUNCTIONS.get(name)
    if function is None:
        raise UnknownFunctionError(name)

    def evaluate(scope: _Scope) -> Any:
        try:
            return function(*(argument(scope) for argument in arguments))
        except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
            raise TemplateError(f"error calling {name}: {error}", node=name, column=word.column) from error

    return evaluate


def _first_deciding(name: str, arguments: Sequence[_Value], scope: _Scope) -> Any:
    """Evaluate `and` and `or`: the value of the first argument that decides, else of the last."""
    value: Any = None
    for argument in arguments:
        value = argument(scope)
        if is_true(value) == (name == "or"):
            return value
    return value


def _parse_operand(tokens: _Tokens) -> _Value:
    token = tokens.take()
    text = token.text
    if token.kind == "text":
        literal = text[1:-1] if text[0] == "`" else re.sub(r"\\(.)", r"\1", text[1:-1])
        return lambda _: literal
    if token.kind == "number":
        return lambda _: int(text)
    if token.kind == "field":
        return _read_field(token)
    if token.kind == "word":
        return (lambda _: _CONSTANTS[text]) if text in _CONSTANTS else _call(token, [])
    value = _parse_pipeline(tokens)
    if tokens.next_kind() != "close":
        raise TemplateError("unclosed left paren")
    tokens.take()
    if tokens.continues_operand():
        return _read_field(tokens.take(), of=value)
    return value


def _read_field(token: _Token, of: _Value | None = None) -> _Value:
    """Read `.a.b`, `$.a` or `.`, of the value before it if there is one."""
    names = [name for name in token.text.removeprefix("$").split(".") if name]
    # Go reports an error in a chain at its second link.
    column = token.column + (len(names[0]) + 1 if len(names) > 1 else 0)

    def read(scope: _Scope) -> Any:
        value = of(scope) if of is not None else scope.root if token.text.startswith("$") else scope.dot
        for name in names:
            try:
                value = _read_entry(value, name, strict=scope.strict)
            except TemplateError as error:
                error.node, error.column = token.text, column
                raise
        return value

    return read


def _read_entry(value: Any, name: str, *, strict: bool) -> Any:
    if isinstance(value, Missing) or value is None:
        raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
    if not isinstance(value, Mapping):
        raise TemplateError(f"can't evaluate field {name} in type {name_type(value)}")
    if name in value:
        return value[name]
    if strict:
        raise TemplateError(f'map has no entry for key "{name}"')
    return MISSING
