"""Reading one version out of one values file, as Helm reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sgm_tui.gitops.yaml.image_values import version_of
from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.nodes import (
    MappingNode,
    Node,
    Path,
    ScalarNode,
    SequenceNode,
    YamlError,
    compose,
    entries,
    text_of,
)
from sgm_tui.yaml_reader.scalars import shown

_SELECTOR = re.compile(r"([\w.-]+)\[([\w.-]+)=([^\]]+)\]")


class UnreadableError(Exception):
    """There is no version where one is expected; the text says why."""


def read_version(data: bytes, key: str) -> str:
    """Return the version at a dotted key of a file: of an image reference its tag, digest or both.

    Raises:
        UnreadableError: the file is no YAML, has no such key, or what is there is no version to Helm.
    """
    try:
        return version_of(read_string(data, key), key)
    except ValueError as error:
        raise UnreadableError(f"{key} {error}") from error


def read_string(data: bytes, key: str) -> str:
    """Return the string at a dotted key of a file.

    Raises:
        UnreadableError: the file is no YAML, has no such key, or what is there is no string to Helm.
    """
    path = path_of(key)
    try:
        node = node_at(compose(text_of(data), path), path, key)
        return _string(node, key)
    except YamlError as error:
        raise unreadable(error) from error


def unreadable(error: YamlError) -> UnreadableError:
    """Return the reason a file cannot be read, with the line unless it is about the whole file."""
    message = clean(error.message)
    return UnreadableError(message if message.startswith("the file ") else f"line {error.line}: {message}")


def path_of(key: str) -> list[str | tuple[str, str]]:
    """Return the parts of a dotted key; `images[name=x]` becomes "images" and the pair that selects."""
    parts: list[str | tuple[str, str]] = []
    for part in re.findall(r"[^.\[]+(?:\[[^\]]*\])?", key):
        match = _SELECTOR.fullmatch(part)
        parts += [match[1], (match[2], match[3])] if match else [part]
    return parts


def node_at(nodes: Sequence[Node], path: Path, key: str) -> Node:
    """Return what is found at a path: Helm reads the first document of a values file and no other.

    Raises:
        UnreadableError: there is nothing, a key on the way is there twice, or another document has the key too.
        YamlError: a merge key cannot be resolved.
    """
    found = [follow(node, path) for node in nodes]
    having = [node for node in found if node is not None]
    if len(having) > 1:
        raise UnreadableError(f"{key} is in several documents of the file")
    if having and (found[0] is not None or is_manifest(nodes)):
        return having[0]
    raise UnreadableError(f"there is no {key}" + (" in the first document, and Helm reads no other" if having else ""))


def is_manifest(nodes: Sequence[Node]) -> bool:
    """Whether a file holds Kubernetes objects, of which every document counts."""
    first = nodes[0] if nodes else None
    return isinstance(first, MappingNode) and any(key.value == "kind" for key, _ in first.value)


def follow(node: Node, path: Path) -> Node | None:
    """Return the node at a path below a document, merge keys and aliases resolved; None where there is none.

    Raises:
        UnreadableError: a key on the way is there twice.
        YamlError: a merge key cannot be resolved.
    """
    current: Node | None = node
    for part in path:
        if isinstance(part, tuple):
            items = current.value if isinstance(current, SequenceNode) else []
            current = next((item for item in items if _has(item, *part)), None)
        else:
            current = _child(current, part) if isinstance(current, MappingNode) else None
    return current


def _has(item: Node, name: str, value: str) -> bool:
    child = _child(item, name) if isinstance(item, MappingNode) else None
    return isinstance(child, ScalarNode) and not child.type and child.value == value


def _child(node: MappingNode, name: str) -> Node | None:
    own = [key for key, _ in node.value if key.value == name]
    if len(own) > 1:
        lines = " and ".join(str(one.start_mark.line + 1) for one in own[:2])
        raise UnreadableError(f"duplicate key {name}: lines {lines}")
    return entries(node).get(name)


def _string(node: Node, key: str) -> str:
    if not isinstance(node, ScalarNode):
        raise UnreadableError(f"{key} is no single value")
    if node.type:
        raise UnreadableError(f"{key} is {described(node)}: quote it")
    if not node.value:
        raise UnreadableError(f"{key} is empty")
    reason = unprintable(node.value)
    if reason:
        raise UnreadableError(f"{key} {reason}")
    return node.value


def described(node: ScalarNode) -> str:
    """Return what a scalar is that is no string: `a number (1.1)`."""
    kind, value = node.type, node.scalar
    return kind if kind == "nothing" else f"{kind} ({value if isinstance(value, bool) else clean(shown(value), 80)})"


def unprintable(value: str) -> str:
    """Return why a string is no version: it has characters that cannot be seen; "" where it has none."""
    hidden = sorted({f"U+{ord(character):04X}" for character in value if not character.isprintable()})
    return f"holds characters no version has ({', '.join(hidden[:4])})" if hidden else ""
