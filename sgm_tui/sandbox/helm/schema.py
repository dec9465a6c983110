"""Validate values with the part of JSON Schema that the chart's `values.schema.json` uses, in Helm's words."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "number": (int, float),
    "integer": int,
    "string": str,
    "array": list,
    "object": Mapping,
}
"""The order in which Helm lists several types."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """An error at one place; several reasons are listed below "validation failed"."""

    at: str
    says: str
    reasons: tuple[_Fault, ...] = ()

    def lines(self, indent: str = "") -> Iterable[str]:
        yield f"{indent}- at '{self.at}': {self.says}"
        for reason in self.reasons:
            yield from reason.lines(f"{indent}  ")


def violations(values: Mapping[str, Any], schema: bytes) -> list[str]:
    """Return the errors of values as Helm lists them; [] if they match the schema."""
    faults = _faults(values, _loaded(schema), "")
    while len(faults) == 1 and faults[0].reasons:
        faults = list(faults[0].reasons)
    return [line for fault in faults for line in fault.lines()]


@functools.lru_cache(maxsize=16)
def _loaded(schema: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(schema)
    return loaded


def _below(value: Any, schema: Mapping[str, Any], at: str) -> list[_Fault]:
    """Return the errors of a part of the values as one error; [] if there are none."""
    faults = _faults(value, schema, at)
    return [_Fault(at, "validation failed", tuple(faults))] if len(faults) > 1 else faults


def _faults(value: Any, schema: Mapping[str, Any], at: str) -> list[_Fault]:
    expected = schema.get("type")
    kinds = [expected] if isinstance(expected, str) else list(expected or ())
    if kinds and not any(_is(value, kind) for kind in kinds):
        expected_kinds = " or ".join(kind for kind in _KINDS if kind in kinds)
        return [_Fault(at, f"got {_name(value)}, want {expected_kinds}")]
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(f"'{one}'" for one in schema["enum"])
        return [_Fault(at, f"value must be one of {allowed}")]
    if isinstance(value, Mapping):
        return _of_mapping(value, schema, at)
    if isinstance(value, list):
        items = schema.get("items", {})
        return [fault for index, one in enumerate(value) for fault in _below(one, items, f"{at}/{index}")]
    return _of_scalar(value, schema, at)


def _of_scalar(value: Any, schema: Mapping[str, Any], at: str) -> list[_Fault]:
    if isinstance(value, str):
        shortest = schema.get("minLength", 0)
        return [_Fault(at, f"minLength: got {len(value)}, want {shortest}")] if len(value) < shortest else []
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    if "minimum" in schema and value < schema["minimum"]:
        return [_Fault(at, f"minimum: got {value:,}, want {schema['minimum']:,}")]
    if "maximum" in schema and value > schema["maximum"]:
        return [_Fault(at, f"maximum: got {value:,}, want {schema['maximum']:,}")]
    return []


def _of_mapping(value: Mapping[str, Any], schema: Mapping[str, Any], at: str) -> list[_Fault]:
    faults: list[_Fault] = []
    if len(value) < schema.get("minProperties", 0):
        faults.append(_Fault(at, f"minProperties: got {len(value)}, want {schema['minProperties']}"))
    if len(value) > schema.get("maxProperties", len(value)):
        faults.append(_Fault(at, f"maxProperties: got {len(value)}, want {schema['maxProperties']}"))
    missing = [key for key in schema.get("required", ()) if key not in value]
    if missing:
        faults.append(_Fault(at, f"missing {_named(missing)}"))
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key in sorted(value):
        expected = properties.get(key, rest)
        if isinstance(expected, Mapping):
            faults += _below(value[key], expected, f"{at}/{key}")
    unknown = [key for key in sorted(value) if key not in properties] if rest is False else []
    if unknown:
        faults.append(_Fault(at, f"additional properties {_quoted(unknown)} not allowed"))
    return faults


def _named(keys: list[str]) -> str:
    return f"property {_quoted(keys)}" if len(keys) == 1 else f"properties {_quoted(keys)}"


def _quoted(keys: list[str]) -> str:
    return ", ".join(f"'{key}'" for key in keys)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, float) and kind == "integer":
        return value.is_integer()
    return isinstance(value, _KINDS[kind])


def _name(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")
