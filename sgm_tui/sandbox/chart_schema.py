"""The part of JSON Schema that the chart's `values.schema.json` uses, with messages as Helm words them."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "object": Mapping,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def violations(values: Mapping[str, Any], schema: bytes) -> list[str]:
    """What in these values does not fit the schema, a line each; empty when they fit."""
    return list(_check(values, _loaded(schema), ""))


@functools.lru_cache(maxsize=16)
def _loaded(schema: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(schema)
    return loaded


def _check(value: Any, schema: Mapping[str, Any], at: str) -> list[str]:
    expected = schema.get("type")
    kinds = [expected] if isinstance(expected, str) else list(expected or ())
    if kinds and not any(_is(value, kind) for kind in kinds):
        return [f"at '{at}': got {_name(value)}, want {' or '.join(kinds)}"]
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(f"'{one}'" for one in schema["enum"])
        return [f"at '{at}': value must be one of {allowed}"]
    return [*_check_size(value, schema, at), *_check_members(value, schema, at)]


def _check_size(value: Any, schema: Mapping[str, Any], at: str) -> list[str]:
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        return [f"at '{at}': minLength: got {len(value)}, want {schema['minLength']}"]
    if isinstance(value, int | float) and "minimum" in schema and value < schema["minimum"]:
        return [f"at '{at}': minimum: got {value}, want {schema['minimum']}"]
    return []


def _check_members(value: Any, schema: Mapping[str, Any], at: str) -> list[str]:
    if isinstance(value, list):
        items = schema.get("items", {})
        return [line for index, one in enumerate(value) for line in _check(one, items, f"{at}/{index}")]
    if not isinstance(value, Mapping):
        return []
    found = [f"at '{at}': missing property '{key}'" for key in schema.get("required", ()) if key not in value]
    properties = schema.get("properties", {})
    rest = schema.get("additionalProperties", True)
    for key, one in value.items():
        if key in properties:
            found.extend(_check(one, properties[key], f"{at}/{key}"))
        elif rest is False:
            found.append(f"at '{at}': additional properties '{key}' not allowed")
        elif isinstance(rest, Mapping):
            found.extend(_check(one, rest, f"{at}/{key}"))
    return found


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])


def _name(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")
