"""Dotted keys: parse them, and find where one leads in the nodes of a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sgm_tui.yaml_reader.nodes import MappingNode, Node, ScalarNode, SequenceNode, is_merge

_SELECTOR = re.compile(r"([\w.-]+)\[([\w.-]+)=([^\]]+)\]")


def parse_key(key: str) -> list[str | tuple[str, str]]:
    """Return the parts of a dotted key; `images[name=x]` becomes "images" and the selector ("name", "x")."""
    parts: list[str | tuple[str, str]] = []
    for part in re.findall(r"[^.\[]+(?:\[[^\]]*\])?", key):
        match = _SELECTOR.fullmatch(part)
        parts += [match[1], (match[2], match[3])] if match else [part]
    return parts


def is_manifest(nodes: Sequence[Node]) -> bool:
    """Whether a file holds Kubernetes objects, of which every document counts."""
    first = nodes[0] if nodes else None
    return isinstance(first, MappingNode) and any(key.value == "kind" for key, _ in first.value)


def pairs_named(node: Node | None, name: str) -> list[tuple[ScalarNode, Node]]:
    """Return the keys of this name in a mapping and their values, without resolving merge keys; [] for other nodes."""
    return [pair for pair in node.value if pair[0].value == name] if isinstance(node, MappingNode) else []


def select_entries(
    node: Node | None, selector: tuple[str, str], child_of: Callable[[MappingNode, str], Node | None]
) -> Iterator[MappingNode]:
    """Yield the mappings of a list that a selector matches: those whose value at its key is that string.

    Args:
        node: the list; other nodes have no entries.
        selector: the key and the string.
        child_of: returns the value at a key of an entry.
    """
    name, text = selector
    for entry in node.value if isinstance(node, SequenceNode) else ():
        if isinstance(entry, MappingNode):
            child = child_of(entry, name)
            if isinstance(child, ScalarNode) and not child.type and child.value == text:
                yield entry


@dataclass(frozen=True, slots=True)
class Location:
    """How far a dotted key leads into a file."""

    node: Node | None
    """The node at the key; None if there is none."""
    deepest: Node | None
    """The last node on the path."""
    missing: str = ""
    """The first part of the key that is not in the file."""
    has_merge_key: bool = False
    """Whether a merge key (`<<`) is on the path: the value may come from elsewhere."""
    key: Node | None = None
    """The key of the value, if it is in a mapping."""


def locate(nodes: Sequence[Node], key: str) -> Location:
    """Follow a dotted key through a values file: through its first document, since Helm reads no other.

    In a file of Kubernetes objects, the first document with the key counts, else the one that comes closest.
    """
    best = Location(None, nodes[0] if nodes else None, key.partition(".")[0])
    best_depth = -1
    for node in nodes if is_manifest(nodes) else nodes[:1]:
        location, depth = _locate_in(node, parse_key(key))
        if location.node is not None:
            return location
        if depth > best_depth:
            best, best_depth = location, depth
    return best


def _locate_in(document: Node, path: Sequence[str | tuple[str, str]]) -> tuple[Location, int]:
    """Return how far a path leads into a document, and how many of its parts were found."""
    current, has_merge_key = document, False
    key: Node | None = None
    child: Node | None
    for depth, part in enumerate(path):
        has_merge_key = has_merge_key or (
            isinstance(current, MappingNode) and any(is_merge(name) for name, _ in current.value)
        )
        if isinstance(part, tuple):
            key, child = None, next(select_entries(current, part, _first_value), None)
        else:
            key, child = next(iter(pairs_named(current, part)), (None, None))
        if child is None:
            name = f"{part[0]}={part[1]}" if isinstance(part, tuple) else part
            return Location(None, current, name, has_merge_key), depth
        current = child
    return Location(current, current, has_merge_key=has_merge_key, key=key), len(path)


def _first_value(node: MappingNode, name: str) -> Node | None:
    return next((value for _, value in pairs_named(node, name)), None)
