"""A values file as plain values: one at a dotted key, or all of them as a flat table to compare two files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sgm_tui.gitops.yaml.values import UnreadableError, follow, is_manifest, path_of, unreadable
from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.nodes import MappingNode, Node, SequenceNode, YamlError, compose, plain, text_of


def flattened(data: bytes) -> dict[str, str]:
    """Return every dotted key of a file and its value as one line of text, exact and not fit to show: `clean` it first.

    Lists are one value, as JSON; so are strings that would be taken for something else ("1.10", "true", "", one with
    line breaks). A name with a dot in it stands in quotes. Empty mappings are `{}`.

    Raises:
        UnreadableError: the file cannot be read, has a key twice, or in several documents.
    """
    try:
        nodes = compose(text_of(data))
        _refuse_duplicates(nodes)
        return _table([plain(node) for node in nodes])
    except YamlError as error:
        raise unreadable(error) from error


def value_at(data: bytes, key: str) -> Any:
    """Return the plain value at a dotted key; None where there is none.

    Raises:
        UnreadableError: the file cannot be read, or the key is in several documents.
    """
    path = path_of(key)
    try:
        nodes = compose(text_of(data), path)
        found = [follow(node, path) for node in nodes]
        values = [plain(node) for node in found if node is not None]
    except YamlError as error:
        raise unreadable(error) from error
    if len(values) > 1:
        raise UnreadableError(f"{key} is in several documents of the file")
    return values[0] if values and (found[0] is not None or is_manifest(nodes)) else None


def _refuse_duplicates(nodes: Sequence[Node]) -> None:
    """Refuse a file with a key that is there twice: which of the two counts differs between readers."""
    waiting, seen = list(nodes), set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            waiting += node.value
        elif isinstance(node, MappingNode):
            names: set[str] = set()
            for key, value in node.value:
                if key.value in names:
                    raise UnreadableError(f"line {key.start_mark.line + 1}: duplicate key {clean(key.value)}")
                names.add(key.value)
                waiting.append(value)


def _table(documents: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, Mapping):
            raise UnreadableError("the file holds no mapping")
        for key, value in _leaves(document, ""):
            if key in found:
                raise UnreadableError(f"{key} is there more than once")
            found[key] = value
    return found


def _leaves(mapping: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    for name, value in mapping.items():
        key = above + clean(json.dumps(name, ensure_ascii=False) if "." in name or not name else name)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, _text(value)


def _text(value: object) -> str:
    written = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str) or not value.isprintable() or value != value.strip() or not value:
        return written
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return value
    return written
