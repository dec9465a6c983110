"""YAML as plain values whose strings and keys know where they are written.

Whoever reads a repository to judge it has to say where: every string (keys included) is a `Marked`, every mapping and
list an ordinary one. Numbers and booleans stay what YAML 1.2 says they are; a timestamp stays the text it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sgm_tui.fleet.text import clean

LARGEST = 1 << 20
"""Bytes; what is larger is no configuration written by people."""
_MOST_VALUES = 200_000
_TAG = "tag:yaml.org,2002:"
_TRAILING = re.compile(r"(?<=\S)[ \t]*\t[ \t]*$", re.MULTILINE)
_NUMBER = re.compile(r"[-+]?\d{1,40}")


class Marked(str):
    """A string and where it is written: line and column count from 1."""

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
    """Where something is written."""

    path: str
    line: int = 1
    column: int = 1


class MarkedYamlError(Exception):
    """A text that is no YAML; says where."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def compose(text: str) -> list[Node]:
    """The documents of a text as nodes, empty ones left out.

    Raises:
        MarkedYamlError: it is no YAML, has keys JSON cannot have, or unfolds through its aliases without measure.
    """
    try:
        documents = _composed(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise MarkedYamlError(clean(error.problem or error.context), *place) from error
    except (YAMLError, RecursionError, ValueError) as error:
        raise MarkedYamlError(clean(error)) from error
    known: dict[int, int] = {}
    for document in documents:
        if _unfolded(document, known) > _MOST_VALUES:
            raise MarkedYamlError("it unfolds to more values than anybody writes", document.start_mark.line + 1)
    return documents


def _composed(text: str) -> list[Node]:
    try:
        return [node for node in YAML(typ="safe", pure=True).compose_all(text) if node is not None]
    except MarkedYAMLError:
        # A tab behind a value is white space to YAML and to Argo CD, only not to this parser.
        tidy = _TRAILING.sub(lambda found: " " * len(found[0]), text)
        if tidy == text:
            raise
        return [node for node in YAML(typ="safe", pure=True).compose_all(tidy) if node is not None]


def documents(text: str) -> list[Any]:
    """The documents of a text as plain values.

    Raises:
        MarkedYamlError: as `compose`.
    """
    return [plain(node) for node in compose(text)]


def plain(node: Node) -> Any:
    """A node as mappings, lists, `Marked` strings, numbers, booleans and None."""
    if isinstance(node, MappingNode):
        return _mapping(node)
    if isinstance(node, SequenceNode):
        return [plain(child) for child in node.value]
    return _scalar(node)


def place_of(value: object, path: str, parent: object = None) -> Place:
    """Where a value starts: a string at itself, a mapping at its first key, a list at its first item."""
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


def _mapping(node: MappingNode) -> dict[Any, Any]:
    values: dict[Any, Any] = {}
    merged: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node)
        value = plain(value_node)
        if key == "<<" and not key_node.style:
            for one in value if isinstance(value, list) else [value]:
                merged |= {name: item for name, item in one.items() if name not in merged} if _is_map(one) else {}
        else:
            values[key] = value
    return {**{name: item for name, item in merged.items() if name not in values}, **values}


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


def _key(node: Node) -> Marked:
    """Keys are always strings, as they are in JSON: `1:` is "1"."""
    text = node.value if isinstance(node, ScalarNode) else ""
    return Marked(text, node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: Node) -> Any:
    text = str(node.value)
    kind = str(node.tag).removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    if kind == "int" and _NUMBER.fullmatch(text):
        return int(text)
    if kind == "float":
        try:
            return float(text)
        except ValueError:
            return _marked(node, text)
    return _marked(node, text)


def _marked(node: Node, text: str) -> Marked:
    return Marked(text, node.start_mark.line + 1, node.start_mark.column + 1)


def _unfolded(node: Node, known: dict[int, int]) -> int:
    """How many values a node stands for with every alias followed; each node is looked at once."""
    if id(node) in known:
        if not known[id(node)]:
            raise MarkedYamlError("an alias contains itself", node.start_mark.line + 1, node.start_mark.column + 1)
        return known[id(node)]
    known[id(node)] = 0
    children: list[Node] = []
    if isinstance(node, MappingNode):
        children = [one for pair in node.value for one in pair]
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                place = key.start_mark.line + 1, key.start_mark.column + 1
                raise MarkedYamlError("a mapping or list where a key has to be", *place)
    elif isinstance(node, SequenceNode):
        children = list(node.value)
    known[id(node)] = 1 + sum(_unfolded(child, known) for child in children)
    return known[id(node)]
