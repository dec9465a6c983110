"""`--assert`: a claim about every selected cell, as a person or a workflow writes it.

`FIELD OPERATOR VALUE` with a field of the status document (`journey`, `live`, `metrics.error_ratio`), an operator
(== != < <= > >= in) and a literal, a comma list for `in`, or another field (`live==desired`). What is not known
satisfies nothing: unknown is never a pass.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sgm_tui.errors import UsageError
from sgm_tui.fleet.report import Document

_SHAPE = re.compile(r"^\s*([A-Za-z_][\w.]*)\s*(==|!=|<=|>=|<|>|=|\sin\s)\s*([^=<>!\s].*?)\s*$")
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Assertion:
    """One parsed claim."""

    text: str
    field: str
    operator: str
    value: str

    def holds(self, cell: Document) -> bool:
        """Whether it is true of one cell of the status document."""
        actual = _look_up(cell, self.field)
        if actual is _MISSING:
            raise UsageError(f"--assert {self.text}: a cell has no field {self.field}", f"Fields: {_fields(cell)}")
        if actual is None:
            return False
        if self.operator == "in":
            return _text(actual) in {one.strip() for one in self.value.split(",")}
        other = _look_up(cell, self.value)
        expected = self.value.strip("'\"") if other is _MISSING else other
        if expected is None:
            return False
        return _compare(self.operator, actual, expected)


def parse(text: str) -> Assertion:
    """Parse one `--assert` argument.

    Raises:
        UsageError: it is not FIELD OPERATOR VALUE.
    """
    match = _SHAPE.match(text)
    if match is None:
        raise UsageError(
            f"--assert {text}: not understood", "Write FIELD OPERATOR VALUE, for example: --assert journey==settled"
        )
    name, sign, value = match.groups()
    return Assertion(text, name, "==" if sign == "=" else sign.strip(), value)


def _compare(sign: str, actual: object, expected: object) -> bool:
    if sign == "==":
        return _text(actual) == _text(expected)
    if sign == "!=":
        return _text(actual) != _text(expected)
    try:
        return _ORDER[sign](float(_text(actual)), float(_text(expected)))
    except ValueError:
        return False


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _look_up(cell: Document, path: str) -> object:
    found: object = cell
    for part in path.split("."):
        if found is None:
            return None
        if not isinstance(found, dict) or part not in found:
            return _MISSING
        found = found[part]
    return found


def _fields(cell: Document) -> str:
    names: list[str] = []
    for name, value in cell.items():
        names.extend(f"{name}.{inner}" for inner in value) if isinstance(value, dict) else names.append(name)
    return ", ".join(names)
