"""Read YAML as plain values whose strings and keys know their position in the file.

Findings need a place: every string (keys included) is a `Marked`, every mapping and list an ordinary one. Numbers and
merge keys are read as Argo CD reads them; only `true` and `false` are booleans, and a timestamp stays text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.nodes import MappingNode, Node, ScalarNode, SequenceNode, YamlError, entries
from sgm_tui.yaml_reader.nodes import compose as nodes_of


class Marked(str):
    """A string and its position; line and column count from 1."""

    __slots__ = ("column", "line")
    line: int
    column: int

    def __new__(cls, text: str, line: int = 1, column: int = 1) -> Marked:
        marked = super().__new__(cls, text)
        marked.line = line
        marked.column = column
        return marked


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; line and column count from 1."""

    path: str
    line: int = 1
    column: int = 1


class MarkedYamlError(YamlError):
    """A text that cannot be read, with the position of the error."""


def compose(text: str) -> list[Node]:
    """Return the documents of a text as nodes.

    Raises:
        MarkedYamlError: it cannot be read.
    """
    try:
        return nodes_of(text)
    except YamlError as error:
        raise MarkedYamlError(clean(error.message), error.line, error.column) from error


def documents(text: str) -> list[Any]:
    """Return the documents of a text as plain values.

    Raises:
        MarkedYamlError: it cannot be read.
    """
    nodes = compose(text)
    try:
        return [plain(node) for node in nodes]
    except YamlError as error:
        raise MarkedYamlError(clean(error.message), error.line, error.column) from error


def plain(node: Node) -> Any:
    """Return a node as mappings, lists, `Marked` strings, numbers, booleans and None."""
    if isinstance(node, MappingNode):
        return _plain_mapping(node)
    if isinstance(node, SequenceNode):
        return [plain(child) for child in node.value]
    return _plain_scalar(node)


def place_of_node(node: Node, path: str) -> Place:
    """Return where a node of a file starts."""
    return Place(path, node.start_mark.line + 1, node.start_mark.column + 1)


def place_of(value: object, path: str, parent: object = None) -> Place:
    """Return where a value starts: a string at itself, a mapping at its first key, a list at its first item.

    Args:
        value: a value of `documents`.
        path: the file.
        parent: what to use instead if the value has no position.
    """
    if isinstance(value, Marked):
        return Place(path, value.line, value.column)
    inner: object = None
    if isinstance(value, Mapping):
        inner = next(iter(value), None)
    elif isinstance(value, list) and value:
        inner = value[0]
    if inner is not None:
        return place_of(inner, path, parent)
    return place_of(parent, path) if parent is not None else Place(path)


def _plain_mapping(node: MappingNode) -> dict[Any, Any]:
    own = {key.value: key for key, _ in node.value}
    values: dict[Any, Any] = {}
    for name, value in entries(node).items():
        key = own.get(name)
        values[Marked(name) if key is None else _marked(key, name)] = plain(value)
    return values


def _plain_scalar(node: Node) -> Any:
    if not isinstance(node, ScalarNode):
        return None
    value = node.scalar
    if isinstance(value, bool) and node.value.lower() not in {"true", "false"}:
        return _marked(node, node.value)
    return _marked(node, value) if isinstance(value, str) else value


def _marked(node: Node, text: str) -> Marked:
    return Marked(text, node.start_mark.line + 1, node.start_mark.column + 1)
