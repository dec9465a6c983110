"""Render the bundled chart into objects, as Helm does: the manifest generation of the embedded Argo CD.

The demo must run without Helm, so the chart's templates are repeated in Python (`templates`); a test renders every
service on every cluster with real Helm too and compares. Errors in values are reported in Helm's words.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sgm_tui.sandbox.helm.schema import violations
from sgm_tui.sandbox.helm.templates import Release, objects_of
from sgm_tui.yaml_reader.nodes import YamlError, load

Read = Callable[[str], bytes | None]


class RenderError(Exception):
    """The chart cannot be rendered with these values; the text is what Argo CD would report."""


def render(read: Read, chart: str, release: str, namespace: str, value_files: Sequence[str]) -> list[dict[str, Any]]:
    """Render the chart for one release.

    Args:
        read: gives a file of the repository by its path from the root, or None.
        chart: the chart's folder.
        release: the release's name, which is the service.
        namespace: where it goes.
        value_files: values files, later ones win; paths that begin with "/" count from the repository's root.

    Raises:
        RenderError: a file is missing, is not a mapping, or does not fit the chart's schema.
    """
    values: Mapping[str, Any] = _values(read, f"{chart}/values.yaml")
    for file in value_files:
        path = file.removeprefix("/") if file.startswith("/") else f"{chart}/{file}"
        values = merged(values, _values(read, path))
    schema = read(f"{chart}/values.schema.json")
    wrong = violations(values, schema) if schema is not None else []
    if wrong:
        why = "Error: values don't meet the specifications of the schema(s) in the following chart(s):"
        raise RenderError(f"{why}\nmicroservice:\n" + "\n".join(wrong))
    dashboard = read(f"{chart}/dashboards/service.json") or b""
    try:
        return objects_of(Release(release, namespace, values, dashboard.decode()))
    except KeyError as missing:
        # A null removed a default; Helm would render an object that no API server accepts.
        raise RenderError(f"Error: the chart needs a value for {missing}, and it is null") from missing


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge values as Helm does: mappings are merged, everything else is replaced, null removes a key."""
    result = dict(base)
    for key, value in over.items():
        existing = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(existing, Mapping):
            result[key] = merged(existing, value)
        else:
            result[key] = value
    return result


def _values(read: Read, path: str) -> Mapping[str, Any]:
    data = read(path)
    if data is None:
        raise RenderError(f"Error: open {path}: no such file or directory")
    loaded = _parsed(data)
    if isinstance(loaded, str):
        raise RenderError(f"Error: failed to parse {path}: error converting YAML to JSON: {loaded}")
    return loaded


@functools.lru_cache(maxsize=4096)
def _parsed(data: bytes) -> Mapping[str, Any] | str:
    """Return the mapping in a file, or why there is none; the same bytes are parsed once."""
    try:
        loaded = load(data)
    except YamlError as error:
        return f"yaml: line {error.line}: {error.message}"
    if loaded is None:
        return {}
    if not isinstance(loaded, Mapping):
        kind = _kind(loaded)
        return f"yaml: unmarshal errors:\n  cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
    return loaded


def _kind(value: object) -> str:
    return {str: "string", list: "array", bool: "bool"}.get(type(value), "number")
