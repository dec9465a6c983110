"""Type YAML scalars by the rules of go-yaml v2, with which Helm, Argo CD and kubectl read their files.

Mirrors `resolve` of go.yaml.in/yaml/v2 as sigs.k8s.io/yaml uses it: YAML 1.1 booleans (`yes`, `on`, `y`), octal with a
leading 0, digits with underscores; a date or a time of day stays text.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_TAG = "tag:yaml.org,2002:"
STRING_TAG = f"{_TAG}str"
_BOOLEANS = {
    word: value
    for value, words in {True: ("y", "yes", "true", "on"), False: ("n", "no", "false", "off")}.items()
    for lower in words
    for word in (lower, lower.capitalize(), lower.upper())
}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_SPECIAL = {
    sign + word: value
    for sign, value in (("", math.inf), ("+", math.inf), ("-", -math.inf))
    for word in (".inf", ".Inf", ".INF")
} | dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT_FLOAT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"([-+]?)(?:(0[xX])([0-9a-fA-F]+)|(0[bB])([01]+)|(0[oO]?)([0-7]+)|([1-9][0-9]*|0))")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?")
_CLOCK = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9]*)?")
_ANY_NUMBER = re.compile(
    r"[-+]?(?:\.?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]+)?|0[xX][0-9a-fA-F_]+|0[oObB][0-7_]+)"
)
_ANY_BOOLEAN = re.compile(r"(?i:y|n|yes|no|on|off|true|false)")
_LONGEST = 400
"""Characters; a longer plain scalar is text."""


class ScalarError(ValueError):
    """A value that does not fit its tag; Go programs refuse the file."""


def value_of(text: str, tag: str, *, is_plain: bool) -> Scalar:
    """Return the value a Go program reads for a scalar.

    Args:
        text: the scalar without its quotes.
        tag: its explicit tag, "" for none.
        is_plain: whether it is written without quotes.

    Raises:
        ScalarError: it does not fit its tag.
    """
    if not tag:
        return _resolve(text) if is_plain else text
    kind = tag.removeprefix(_TAG)
    if kind == tag or kind not in {"bool", "int", "float", "null", "timestamp"}:
        return text  # the tag of another program, !!str or !!binary: Go programs keep the text
    value = _resolve(text)
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "null": value is None,
        "timestamp": _DATE.fullmatch(text) is not None,
    }
    if not fits[kind]:
        raise ScalarError(f"{text[:40]} is no !!{kind}")
    return float(value) if kind == "float" and isinstance(value, int) else value


def type_of(text: str, tag: str, *, is_plain: bool) -> str:
    """Return the type of a scalar: "" for a string, else "a number", "a boolean", "a date" or "nothing".

    Text that only some readers of YAML take for a string (`12:30:45`, `2026-11-23`, `123e4567`) is no string here.

    Raises:
        ScalarError: it does not fit its tag.
    """
    value = value_of(text, tag, is_plain=is_plain)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if tag.endswith(":binary"):
        return "binary data"
    return _type_in_other_readers(text) if is_plain and not tag and len(text) <= _LONGEST else ""


def is_string(text: str) -> bool:
    """Whether every reader of YAML takes plain text for a string."""
    return not type_of(text, "", is_plain=True)


def format_scalar(value: Scalar) -> str:
    """Return a value as JSON text, which is what a chart gets: `1.1` for `1.10`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    return str(value)


def _type_in_other_readers(text: str) -> str:
    """Return the type that readers of YAML 1.1 or 1.2 other than Go's give a string of Go's; "" for a string."""
    if _ANY_BOOLEAN.fullmatch(text):
        return "a boolean"
    if _DATE.fullmatch(text):
        return "a date"
    return "a number" if _ANY_NUMBER.fullmatch(text) or _CLOCK.fullmatch(text) else ""


def _resolve(text: str) -> Scalar:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _SPECIAL:
        return _SPECIAL[text]
    if len(text) > _LONGEST:
        return text
    if text[0] == ".":
        return _parse_finite(text, text.replace("_", "")) if _POINT_FLOAT.fullmatch(text) else text
    return _parse_number(text) if text[0] in "+-0123456789" else text


def _parse_number(text: str) -> Scalar:
    digits = text.replace("_", "")
    match = _INTEGER.fullmatch(digits)
    if match is not None:
        sign, _, sixteen, _, two, _, eight, ten = match.groups()
        base, number = next((base, part) for base, part in ((16, sixteen), (2, two), (8, eight), (10, ten)) if part)
        value = int(number, base)
        if -(1 << 63) <= (-value if sign == "-" else value) < (1 << 63 if sign else 1 << 64):
            return -value if sign == "-" else value
    return _parse_finite(text, digits) if _FLOAT.fullmatch(digits) else text


def _parse_finite(text: str, digits: str) -> Scalar:
    value = float(digits)
    return value if math.isfinite(value) else text
