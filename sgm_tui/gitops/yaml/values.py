"""Read values from a values file as Helm reads it: one version or value, or all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sgm_tui.gitops.yaml.image_values import version_of
from sgm_tui.gitops.yaml.keys import is_manifest, pairs_named, parse_key, select_entries
from sgm_tui.json_reader import read_json
from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.nodes import (
    MappingNode,
    Node,
    Path,
    ScalarNode,
    YamlError,
    compose,
    duplicate_keys,
    entries,
    plain,
    text_of,
)
from sgm_tui.yaml_reader.scalars import format_scalar


class UnreadableError(Exception):
    """A file or a value that cannot be read; the message says why."""


def read_version(data: bytes, key: str) -> str:
    """Return the version at a dotted key of a file; of an image reference its tag, digest or both.

    Raises:
        UnreadableError: the file is no YAML, has no such key, or its value is no version to Helm.
    """
    try:
        return version_of(read_string(data, key), key)
    except ValueError as error:
        raise UnreadableError(f"{key} {error}") from error


def read_string(data: bytes, key: str) -> str:
    """Return the string at a dotted key of a file.

    Raises:
        UnreadableError: the file is no YAML, has no such key, or its value is no string to Helm.
    """
    path = parse_key(key)
    try:
        node = find_node(compose(text_of(data), path), path, key)
        return _read_scalar(node, key)
    except YamlError as error:
        raise _unreadable(error) from error


def read_value(data: bytes, key: str) -> Any:
    """Return the plain value at a dotted key; None if there is none.

    Raises:
        UnreadableError: the file cannot be read, or the key is in several documents.
    """
    path = parse_key(key)
    try:
        node = _find_in_documents(compose(text_of(data), path), path, key)[0]
        return None if node is None else plain(node)
    except YamlError as error:
        raise _unreadable(error) from error


def flatten_values(data: bytes) -> dict[str, str]:
    """Return every dotted key of a file and its value as one line of text; `clean` the text before it is shown.

    A list is one value, as JSON; so are strings that would be read as something else ("1.10", "true", "", strings with
    line breaks). A name with a dot in it is in quotes. An empty mapping is `{}`.

    Raises:
        UnreadableError: the file cannot be read, has a key twice, or in several documents.
    """
    try:
        nodes = compose(text_of(data))
        for key, _ in duplicate_keys(nodes):
            raise UnreadableError(f"line {key.start_mark.line + 1}: duplicate key {clean(key.value)}")
        return _merge_documents([plain(node) for node in nodes])
    except YamlError as error:
        raise _unreadable(error) from error


def find_node(nodes: Sequence[Node], path: Path, key: str) -> Node:
    """Return the node at a path: in the first document of a values file, since Helm reads no other.

    Raises:
        UnreadableError: there is none, a key on the path is there twice, or another document has the key too.
        YamlError: a merge key cannot be resolved.
    """
    node, is_elsewhere = _find_in_documents(nodes, path, key)
    if node is not None:
        return node
    raise UnreadableError(
        f"there is no {key}" + (" in the first document, and Helm reads no other" if is_elsewhere else "")
    )


def _find_in_documents(nodes: Sequence[Node], path: Path, key: str) -> tuple[Node | None, bool]:
    """Return the node at a path, and whether any document has one, also where Helm does not read it."""
    by_document = [_follow(node, path) for node in nodes]
    existing = [node for node in by_document if node is not None]
    if len(existing) > 1:
        raise UnreadableError(f"{key} is in several documents of the file")
    if existing and (by_document[0] is not None or is_manifest(nodes)):
        return existing[0], True
    return None, bool(existing)


def _follow(document: Node, path: Path) -> Node | None:
    """Return the node at a path of a document, merge keys and aliases resolved; None if there is none."""
    current: Node | None = document
    for part in path:
        if isinstance(part, tuple):
            current = next(select_entries(current, part, _child), None)
        else:
            current = _child(current, part) if isinstance(current, MappingNode) else None
    return current


def _child(node: MappingNode, name: str) -> Node | None:
    own = pairs_named(node, name)
    if len(own) > 1:
        lines = " and ".join(str(key.start_mark.line + 1) for key, _ in own[:2])
        raise UnreadableError(f"duplicate key {name}: lines {lines}")
    return entries(node).get(name)


def _read_scalar(node: Node, key: str) -> str:
    if not isinstance(node, ScalarNode):
        raise UnreadableError(f"{key} is no single value")
    if node.type:
        raise UnreadableError(f"{key} is {describe_scalar(node)}: quote it")
    if not node.value:
        raise UnreadableError(f"{key} is empty")
    reason = reason_unprintable(node.value)
    if reason:
        raise UnreadableError(f"{key} {reason}")
    return node.value


def describe_scalar(node: ScalarNode) -> str:
    """Return type and value of a scalar that is no string: `a number (1.1)`."""
    kind, value = node.type, node.scalar
    if kind == "nothing":
        return kind
    return f"{kind} ({value if isinstance(value, bool) else clean(format_scalar(value), 80)})"


def reason_unprintable(value: str) -> str:
    """Return why a string is no version: it has characters that cannot be seen; "" if it has none."""
    hidden = sorted({f"U+{ord(character):04X}" for character in value if not character.isprintable()})
    return f"holds characters no version has ({', '.join(hidden[:4])})" if hidden else ""


def _unreadable(error: YamlError) -> UnreadableError:
    """Return the error of a file that cannot be read, with the line unless it is about the whole file."""
    message = clean(error.message)
    return UnreadableError(message if message.startswith("the file ") else f"line {error.line}: {message}")


def _merge_documents(documents: list[Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, Mapping):
            raise UnreadableError("the file holds no mapping")
        for key, value in _leaves(document, ""):
            if key in values:
                raise UnreadableError(f"{key} is there more than once")
            values[key] = value
    return values


def _leaves(mapping: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    """Yield every dotted key below a mapping and its value as text."""
    for name, value in mapping.items():
        key = above + clean(json.dumps(name, ensure_ascii=False) if "." in name or not name else name)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, _format(value)


def _format(value: object) -> str:
    """Return a value as one line: JSON, or a string without quotes if it cannot be taken for anything else."""
    as_json = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str) or not value.isprintable() or value != value.strip() or not value:
        return as_json
    try:
        read_json(value)
    except (ValueError, RecursionError):
        return value
    return as_json
