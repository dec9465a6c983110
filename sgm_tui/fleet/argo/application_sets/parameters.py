"""The parameters a generator yields: nested for Go templates, flat with dotted keys for plain ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Parameters = dict[str, Any]


def flatten(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested parameters with dotted keys, as selectors and plain templates see them."""
    values: dict[str, str] = {}
    for key, value in parameters.items():
        inner = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inner, Mapping):
            values |= flatten({str(name): item for name, item in inner.items()}, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = text_of(value)
    return values


def text_of(value: object) -> str:
    """Return a scalar as text; "" for None."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def override(first: Mapping[str, Any], second: Mapping[str, Any]) -> Parameters:
    """Merge two mappings deeply; values of the first win."""
    merged = {**second, **first}
    for key in first.keys() & second.keys():
        if isinstance(first[key], Mapping) and isinstance(second[key], Mapping):
            merged[key] = override(first[key], second[key])
    return merged


def describe(parameters: Parameters) -> str:
    """Return what a finding calls a set of parameters: the name of a cluster, a directory, or both; else ""."""
    path = parameters.get("path")
    directory = path.get("path") if isinstance(path, Mapping) else path
    return " ".join(str(part) for part in (parameters.get("name"), directory) if part)
