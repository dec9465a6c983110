"""The JSON Schemas of `sgm.yaml` and of the user file, generated from their declaration, for editors."""

from __future__ import annotations

import json
from typing import Any

from sgm_tui.config.keys import TEAM_FILE, USER_FILE, ByName, Form, Group, ListOf, Node, Value

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXTS = {"type": "array", "items": {"type": "string"}}
_FORMS: dict[Form, dict[str, Any]] = {
    "text": {"type": "string"},
    "url": {"type": "string", "pattern": "^(https?://.+)?$"},
    "number": {"type": "number", "exclusiveMinimum": 0},
    "flag": {"type": "boolean"},
    "path": {"type": "string"},
    "file": {"type": "string"},
    "texts": _TEXTS,
    "texts by name": {"type": "object", "additionalProperties": {"type": "string"}},
    "duration": {"type": "string", "pattern": "^([0-9.]+(d|h|m|s|ms|us|ns))*$"},
    "ratio": {"type": "number", "minimum": 0, "maximum": 1},
    "waves": {"type": "array", "items": {**_TEXTS, "minItems": 1}},
    "any": {},
}


def team_file_schema() -> str:
    """Return the JSON Schema of `sgm.yaml`, as the text of `docs/sgm.schema.json`."""
    return _document(TEAM_FILE, "sgm.yaml")


def user_file_schema() -> str:
    """Return the JSON Schema of the user file, as the text of `docs/sgm-user.schema.json`."""
    return _document(USER_FILE, "sgm/config.yaml")


def _document(group: Group, title: str) -> str:
    return json.dumps({"$schema": _DRAFT, "title": title, **_schema_of(group)}, indent=2, ensure_ascii=False) + "\n"


def _schema_of(node: Node) -> dict[str, Any]:
    match node:
        case Value():
            schema: dict[str, Any] = {"description": node.about, **_FORMS[node.form]}
            if node.words:
                schema["enum"] = list(node.words)
            if node.default not in {None, "", ()}:
                schema["default"] = list(node.default) if isinstance(node.default, tuple) else node.default
        case Group():
            schema = {
                "description": node.about,
                "type": "object",
                "additionalProperties": False,
                "properties": {key: _optional(child) for key, child in node.keys.items()},
            }
            required = [key for key, child in node.keys.items() if getattr(child, "is_required", False)]
            if required:
                schema["required"] = required
        case ListOf():
            schema = {"description": node.about, "type": "array", "items": _schema_of(node.item)}
            if node.is_required:
                schema["minItems"] = 1
        case ByName():
            schema = {"description": node.about, "type": "object"}
            if node.names:
                schema |= {
                    "additionalProperties": False,
                    "properties": {name: _schema_of(node.item) for name in node.names},
                }
            else:
                schema["additionalProperties"] = _schema_of(node.item)
    return schema


def _optional(node: Node) -> dict[str, Any]:
    """Return the schema of a key; one without a value counts as not set, unless it is required."""
    schema = _schema_of(node)
    if "type" in schema and not getattr(node, "is_required", False):
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    return schema
