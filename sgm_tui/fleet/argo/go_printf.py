"""Go's `fmt.Sprintf` for the values that templates have: strings, numbers, booleans, lists and maps."""

from __future__ import annotations

import json
import re
from typing import Any

from sgm_tui.fleet.argo.go_values import UnsupportedError, format_value, name_type

_VERB = re.compile(r"%(?P<flags>[-+# 0]*)(?P<width>\d+)?(?:\.(?P<precision>\d+))?(?P<verb>.)", re.DOTALL)
_WHOLE = frozenset("dxXob")
_NUMBERS = {verb: verb.replace("F", "f") for verb in "dxXobeEfFgG"}
"""Go's verbs for numbers, in Python's spelling."""


def format_printf(form: str, *values: Any) -> str:
    """Return what Go's `fmt.Sprintf` returns, including its notes on wrong and missing operands.

    Raises:
        UnsupportedError: a verb whose text only Go knows (%T, %p, %U, an operand given by number).
    """
    rest = list(values)

    def replace_verb(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return "%"
        if verb not in {"v", "s", "q", "t", "c", *_NUMBERS}:
            raise UnsupportedError(f"printf {match[0]}")
        return _format_operand(match, rest.pop(0)) if rest else f"%!{verb}(MISSING)"

    text = _VERB.sub(replace_verb, form)
    extra = ", ".join(f"{name_type(value)}={format_value(value)}" for value in rest)
    return f"{text}%!(EXTRA {extra})" if extra else text


def _format_operand(match: re.Match[str], value: Any) -> str:
    verb, flags = match["verb"], match["flags"]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if verb in _NUMBERS and isinstance(value, str) and verb in {"x", "X"}:
        text = value.encode().hex() if verb == "x" else value.encode().hex().upper()
    elif verb in _NUMBERS:
        whole = verb in _WHOLE
        if not number or (whole and not isinstance(value, int)):
            return f"%!{verb}({name_type(value)}={format_value(value)})"
        sign = "+" if "+" in flags else " " if " " in flags else ""
        exact = "" if whole else f".{match['precision'] or 6}" if verb not in {"g", "G"} or match["precision"] else ""
        text = format(value, f"{sign}{exact}{_NUMBERS[verb]}") if exact or whole else format_value(value)
    elif (verb == "t" and not isinstance(value, bool)) or (verb == "s" and (number or isinstance(value, bool))):
        return f"%!{verb}({name_type(value)}={format_value(value)})"
    elif verb == "q":
        text = json.dumps(format_value(value), ensure_ascii=False)
    elif verb == "c":
        text = chr(value) if isinstance(value, int) else format_value(value)
    else:
        text = format_value(value)[: int(match["precision"]) if match["precision"] and verb == "s" else None]
    return _pad(text, int(match["width"] or 0), flags)


def _pad(text: str, width: int, flags: str) -> str:
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and text[:1] in {"-", "+", " "}:
        return text[0] + text[1:].rjust(width - 1, "0")
    return text.rjust(width, "0" if "0" in flags else " ")
