"""Parse PromQL to a syntax tree, with refusals in the words and positions of Prometheus.

The parser is a library whose messages differ a little; a small scanner finds in the text what they lack.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import promql_parser

from sgm_tui.sandbox.promql.values import PromqlError

_AT_END = ("unclosed left parenthesis", "unexpected end of input", "no expression found")
_TYPES = (("got matrix", "got range vector"), ("got vector", "got instant vector"),
          ("type matrix", "type range vector"), ("type vector", "type instant vector"))  # fmt: skip
_IN_CALL = re.compile(r"in call to function '(\w+)'|unknown function with name '(\w+)'|in call to '(\w+)'")
_TOKEN = re.compile(
    r"""\s+|(?P<comment>\#[^\n]*)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    |(?P<range>\[[^\]]*\])|(?P<braces>\{(?:"(?:\\.|[^"\\])*"|[^"}])*\})
    |(?P<number>0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<identifier>[A-Za-z_:][\w:]*)
    |(?P<operator>==|!=|<=|>=|=~|!~|[-+*/%^<>@])
    |(?P<open>\()|(?P<close>\))|(?P<comma>,)|(?P<other>.)""",
    re.VERBOSE,
)
_WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2", "offset", "bool"})
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})


@lru_cache(maxsize=1024)
def parse(query: str) -> Any:
    """Return the syntax tree of a query.

    Raises:
        PromqlError: bad_data, in Prometheus' words.
    """
    try:
        return promql_parser.parse(query)
    except ValueError as error:
        raise PromqlError("bad_data", _refusal(query, str(error))) from None


def _refusal(query: str, message: str) -> str:
    """Return `line:column: parse error: message`, as Prometheus writes it."""
    if message == "no expression found in input":
        return "1:1: parse error: no expression found in input"
    if message == "invalid promql query":
        at, what = _find_unexpected(query)
        return f"{_format_position(query, at)}: parse error: {what}"
    at = len(query) if message.startswith(_AT_END) else _find_call(query, message)
    for ours, theirs in _TYPES:
        message = message.replace(ours, theirs)
    return f"{_format_position(query, at)}: parse error: {_requote(message)}"


def _requote(message: str) -> str:
    return re.sub(r"'([^']*)'", r'"\1"', message)


def _format_position(query: str, at: int) -> str:
    before = query[:at]
    return f"{before.count(chr(10)) + 1}:{at - (before.rfind(chr(10)) + 1) + 1}"


def _find_call(query: str, message: str) -> int:
    """Return where the call that a message names begins; its first argument for a wrong type."""
    match = _IN_CALL.search(message)
    if match is None:
        return 0
    name = match[1] or match[2] or match[3]
    call = re.search(rf"\b{name}\s*\(\s*", query)
    if call is None:
        return 0
    return call.end() if message.startswith("expected type") else call.start()


def _find_unexpected(query: str) -> tuple[int, str]:
    """Return the first token that cannot stand at its position."""
    wants_operand = True
    in_list = False
    for token in _TOKEN.finditer(query):
        kind, text = token.lastgroup, token.group()
        if kind is None or kind == "comment":
            continue
        if in_list:
            in_list = kind != "close"
            continue
        if kind == "identifier" and text in _LABEL_LISTS:
            in_list = "(" in query[token.end() :].lstrip()[:1]
            continue
        fits, wants_operand = _may_follow(kind, text, wants_operand=wants_operand)
        if not fits:
            return token.start(), f"unexpected {_describe_token(kind, text)}"
    return len(query), "unexpected end of input"


def _may_follow(kind: str, text: str, *, wants_operand: bool) -> tuple[bool, bool]:
    """Return whether a token may follow, and whether an operand must follow it."""
    if kind == "operator" or (kind == "identifier" and text in _WORD_OPERATORS):
        return not wants_operand or text in {"+", "-", "bool", "offset"}, True
    if kind in {"identifier", "number", "string"}:
        return wants_operand, False
    if kind == "open":
        return True, True
    if kind == "comma":
        return not wants_operand, True
    return kind != "other", False


def _describe_token(kind: str, text: str) -> str:
    if kind == "operator":
        return f"<op:{text}>"
    return f'{kind} "{text}"' if kind in {"identifier", "number"} else f"{kind} {text}"
