"""Go's `fmt.Sprintf` for the values that templates have: strings, numbers, booleans, lists and maps."""

from __future__ import annotations

import json
import re
from typing import Any

from sgm_tui.fleet.argo.go_values import UnsupportedError, printed

_VERB = re.compile(r"%(?P<flags>[-+# 0]*)(?P<width>\d+)?(?:\.(?P<precision>\d+))?(?P<verb>.)", re.DOTALL)
_WHOLE = frozenset("dxXob")
_NUMBERS = {verb: verb.replace("F", "f") for verb in "dxXobeEfFgG"}
"""Go's verbs for numbers, in Python's spelling."""


def printf(form: str, *values: Any) -> str:
    """Format as Go's fmt does, its complaints about wrong and missing operands included.

    Raises:
        UnsupportedError: a verb whose text only Go knows (%T, %p, %U, an operand given by number).
    """
    rest = list(values)

    def filled(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return "%"
        if verb not in {"v", "s", "q", "t", "c", *_NUMBERS}:
            raise UnsupportedError(f"printf {match[0]}")
        return _formatted(match, rest.pop(0)) if rest else f"%!{verb}(MISSING)"

    text = _VERB.sub(filled, form)
    extra = ", ".join(f"{_go_type(value)}={printed(value)}" for value in rest)
    return f"{text}%!(EXTRA {extra})" if extra else text


def _formatted(match: re.Match[str], value: Any) -> str:
    verb, flags = match["verb"], match["flags"]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if verb in _NUMBERS and isinstance(value, str) and verb in {"x", "X"}:
        text = value.encode().hex() if verb == "x" else value.encode().hex().upper()
    elif verb in _NUMBERS:
        whole = verb in _WHOLE
        if not number or (whole and not isinstance(value, int)):
            return f"%!{verb}({_go_type(value)}={printed(value)})"
        sign = "+" if "+" in flags else " " if " " in flags else ""
        exact = "" if whole else f".{match['precision'] or 6}" if verb not in {"g", "G"} or match["precision"] else ""
        text = format(value, f"{sign}{exact}{_NUMBERS[verb]}") if exact or whole else printed(value)
    elif (verb == "t" and not isinstance(value, bool)) or (verb == "s" and (number or isinstance(value, bool))):
        return f"%!{verb}({_go_type(value)}={printed(value)})"
    elif verb == "q":
        text = json.dumps(printed(value), ensure_ascii=False)
    elif verb == "c":
        text = chr(value) if isinstance(value, int) else printed(value)
    else:
        text = printed(value)[: int(match["precision"]) if match["precision"] and verb == "s" else None]
    return _padded(text, int(match["width"] or 0), flags)


def _padded(text: str, width: int, flags: str) -> str:
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and text[:1] in {"-", "+", " "}:
        return text[0] + text[1:].rjust(width - 1, "0")
    return text.rjust(width, "0" if "0" in flags else " ")


def _go_type(value: Any) -> str:
    kinds = ((bool, "bool"), (int, "int"), (float, "float64"), (str, "string"), (list, "[]interface {}"))
    named = next((name for kind, name in kinds if isinstance(value, kind)), "")
    return named or ("<nil>" if value is None else "map[string]interface {}")
