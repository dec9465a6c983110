"""Where in a file a dotted key stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sgm_tui.gitops.yaml.values import is_manifest, path_of
from sgm_tui.yaml_reader.nodes import MappingNode, Node, ScalarNode, SequenceNode, is_merge


@dataclass(frozen=True, slots=True)
class Located:
    """How far a dotted key leads."""

    node: Node | None
    """What stands there; None when the way ends before."""
    deepest: Node | None
    """The last node on the way."""
    missing: str = ""
    """The part that is not there."""
    merged: bool = False
    """A merge key (`<<`) stands on the way: the value may come from elsewhere."""
    key: Node | None = None
    """The key the value stands behind, where it is that of a mapping."""


def locate(nodes: Sequence[Node], key: str) -> Located:
    """Follow a dotted key through a file: of a values file through the first document, for Helm reads no other.

    Of Kubernetes objects the first document that has it counts, else the one that comes closest.
    """
    best = Located(None, nodes[0] if nodes else None, key.partition(".")[0])
    reached = -1
    for node in nodes if is_manifest(nodes) else nodes[:1]:
        one, depth = _follow(node, path_of(key))
        if one.node is not None:
            return one
        if depth > reached:
            best, reached = one, depth
    return best


def _follow(node: Node, path: Sequence[str | tuple[str, str]]) -> tuple[Located, int]:
    current, merged = node, False
    key: Node | None = None
    for depth, part in enumerate(path):
        merged = merged or (isinstance(current, MappingNode) and any(is_merge(one) for one, _ in current.value))
        key, child = (None, _selected(current, part)) if isinstance(part, tuple) else _child(current, part)
        if child is None:
            name = f"{part[0]}={part[1]}" if isinstance(part, tuple) else part
            return Located(None, current, name, merged), depth
        current = child
    return Located(current, current, merged=merged, key=key), len(path)


def _child(node: Node, name: str) -> tuple[Node | None, Node | None]:
    """A key and its value."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == name:
                return key, value
    return None, None


def _selected(node: Node, part: tuple[str, str]) -> Node | None:
    name, wanted = part
    for entry in node.value if isinstance(node, SequenceNode) else ():
        _, value = _child(entry, name)
        if isinstance(value, ScalarNode) and value.value == wanted:
            return entry
    return None
