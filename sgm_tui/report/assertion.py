"""`--assert`: a condition on every selected cell.

`FIELD OPERATOR VALUE` with a field of the status document (`journey`, `live`, `metrics.error_ratio`), an operator
(== != < <= > >= in) and a literal, a comma list for `in`, or another field (`live==desired`). A list counts as its
length. Numbers, percentages, times and versions have an order. An unknown value satisfies no condition.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sgm_tui.errors import UsageError
from sgm_tui.fleet.cell import Journey, Verdict
from sgm_tui.fleet.versions import Order, order_of
from sgm_tui.report.status import Document

_SHAPE = re.compile(r"^\s*([A-Za-z_][\w.]*)\s*(==|!=|<=|>=|<|>|=|\sin\s)\s*([^=<>!\s].*?)\s*$")
_Rank = float | datetime | Order
_ORDER: Mapping[str, Callable[[_Rank, _Rank], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_REPORTED_BY: Mapping[str, str] = {"alerts": "alerts", "pending": "github"}
"""Lists that are empty also while their source does not respond, and that source."""
_SETTLED = frozenset({"settled"})
"""Soaking is settled whose soak time for the next stage is not over: who asks for a settled cell has it."""
_WORDS: Mapping[str, tuple[str, ...]] = {
    "journey": tuple(one.value for one in Journey),
    "verdict": tuple(one.value for one in Verdict),
}
"""Fields that have one of a few words: mistyped, `!=` would be true of every cell."""
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Assertion:
    """One parsed assertion."""

    text: str
    field: str
    operator: str
    value: str

    def holds(self, cell: Document) -> bool:
        """Return whether it holds for one cell of the status document.

        Raises:
            UsageError: it cannot hold for any cell: no such field or word, or the two sides cannot be compared.
        """
        actual, expected = self.value_in(cell), _look_up(cell, self.value)
        if expected is _MISSING:
            self._check_words()
        if self.operator in _ORDER and expected is _MISSING and not _ranks(self.value):
            raise self._impossible("is no number, time or version")
        if actual is None or expected is None:
            return False
        words = {_text(actual)} | (_SETTLED if self.field == "journey" and actual == "soaking" else set())
        if self.operator == "in":
            return not words.isdisjoint(one.strip().strip("'\"") for one in self.value.split(","))
        expected = self.value.strip("'\"") if expected is _MISSING else _count_list(expected)
        if self.operator not in _ORDER:
            return (_text(expected) in words) is (self.operator == "==")
        return self._in_order(actual, _text(expected))

    def value_in(self, cell: Document) -> object:
        """Return the value of the field in a cell; None when it is unknown."""
        actual = _look_up(cell, self.field)
        if actual is _MISSING:
            raise UsageError(f"--assert {self.text}: a cell has no field {self.field}", f"Fields: {_fields(cell)}")
        if isinstance(actual, dict):
            inner = ", ".join(f"{self.field}.{name}" for name in actual)
            raise UsageError(f"--assert {self.text}: {self.field} is several fields", f"Name one: {inner}")
        reporter = _REPORTED_BY.get(self.field)
        if reporter is not None and any(name.split(" ")[0] == reporter for name in cell.get("stale", ())):
            return None
        return _count_list(actual)

    def _check_words(self) -> None:
        """Raise UsageError for a word that the field never has."""
        words = _WORDS.get(self.field)
        if words is None or self.operator in _ORDER:
            return
        for word in self.value.split(",") if self.operator == "in" else [self.value]:
            bare = word.strip().strip("'\"")
            if bare not in words:
                near = difflib.get_close_matches(bare, words, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"It is one of: {', '.join(words)}"
                raise UsageError(f"--assert {self.text}: no {self.field} is called {bare}", hint)

    def _in_order(self, actual: object, expected: str) -> bool:
        mine, theirs = _ranks(_text(actual)), _ranks(expected)
        kinds = ("number",) if isinstance(actual, int | float) else ("version", "time")
        for kind in kinds:
            if kind in mine and kind in theirs:
                return _ORDER[self.operator](mine[kind], theirs[kind])
        if any(kind in theirs for kind in kinds) and not any(kind in mine for kind in kinds):
            return False  # a branch or a digest, where others have a version: it has no place in their order
        raise self._impossible(f"cannot be compared with {actual}")

    def _impossible(self, why: str) -> UsageError:
        hint = "Compare numbers, percentages, RFC 3339 times or versions: metrics.error_ratio<1%, live>=v1.4.2"
        return UsageError(f"--assert {self.text}: {self.value} {why}", hint)


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


def _count_list(value: object) -> object:
    return len(value) if isinstance(value, list) else value


def _ranks(text: str) -> dict[str, _Rank]:
    """Return the rank of a text in each order it belongs to: `1.10` is a number and a version, a word neither."""
    text = text.strip("'\"")
    ranks: dict[str, _Rank] = {}
    version = order_of(text)
    if version is not None:
        ranks["version"] = version
    try:
        ranks["number"] = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return ranks
        ranks["time"] = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return ranks


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _look_up(cell: Document, path: str) -> object:
    value: object = cell
    for part in path.split("."):
        if value is None:
            return None
        if not isinstance(value, dict) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _fields(cell: Document) -> str:
    names: list[str] = []
    for name, value in cell.items():
        names.extend(f"{name}.{inner}" for inner in value) if isinstance(value, dict) else names.append(name)
    return ", ".join(names)
