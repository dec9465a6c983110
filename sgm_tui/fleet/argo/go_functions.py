"""The functions of Go templates: Go's own, sprig's and Argo CD's, as far as ApplicationSets use them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sgm_tui.fleet.argo.go_printf import format_printf
from sgm_tui.fleet.argo.go_values import format_value, is_true

_NOT_IN_NAMES = re.compile(r"[^-a-z0-9.]")


def normalize(text: str) -> str:
    """Return a text as Kubernetes accepts it as a name: lower case, dashes for other characters, at most 253 long."""
    return _NOT_IN_NAMES.sub("-", text.lower())[:253].strip("-.")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, Mapping) else value[key]
    return value


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "eq": lambda one, *others: one in others,
    "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other,
    "gt": lambda one, other: one > other,
    "le": lambda one, other: one <= other,
    "ge": lambda one, other: one >= other,
    "not": lambda one: not is_true(one),
    "len": len,
    "index": _index,
    "get": lambda of, key: of.get(key, ""),
    "hasKey": lambda of, key: key in of,
    "has": lambda one, of: one in of,
    "list": lambda *values: list(values),
    "first": lambda of: of[0],
    "last": lambda of: of[-1],
    "default": lambda other, one=None: one if is_true(one) else other,
    "coalesce": lambda *values: next((one for one in values if is_true(one)), None),
    "ternary": lambda yes, no, test: yes if test else no,
    "print": lambda *values: "".join(map(format_value, values)),
    "printf": format_printf,
    "quote": lambda one: f'"{format_value(one)}"',
    "squote": lambda one: f"'{format_value(one)}'",
    "lower": lambda one: format_value(one).lower(),
    "upper": lambda one: format_value(one).upper(),
    "trim": lambda one: format_value(one).strip(),
    "trimPrefix": lambda part, one: format_value(one).removeprefix(part),
    "trimSuffix": lambda part, one: format_value(one).removesuffix(part),
    "replace": lambda old, new, one: format_value(one).replace(old, new),
    "trunc": lambda length, one: format_value(one)[:length] if length >= 0 else format_value(one)[length:],
    "splitList": lambda separator, one: format_value(one).split(separator),
    "join": lambda separator, values: separator.join(map(format_value, values)),
    "contains": lambda part, one: part in format_value(one),
    "hasPrefix": lambda part, one: format_value(one).startswith(part),
    "hasSuffix": lambda part, one: format_value(one).endswith(part),
    "normalize": lambda one: normalize(format_value(one)),
}
