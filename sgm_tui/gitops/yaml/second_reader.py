"""A second reader, of YAML 1.2, for the proof of an edit: what it cannot read it has no say in."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sgm_tui.yaml_reader.nodes import Path

_LARGEST = 16_384
"""Characters; it needs a hundred times as long as the first reader."""
_MOST_NAMES = 64
"""Anchors and merge keys of a text it reads: it copies what they stand for."""
_FAILURES = (YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What it raises for files it cannot read; some are mistakes of its own."""


def disagrees(before: str, after: str, path: Path, value: Any) -> bool:
    """Whether this reader sees anything else changed between two texts than the value at a path.

    Args:
        before: the text as it was.
        after: the text as it is to be.
        path: the way to the value.
        value: what is to be there; None where the key is to be gone.
    """
    if len(before) > _LARGEST or before.count("&") + before.count("<<") > _MOST_NAMES:
        return False
    try:
        documents = _read(before)
        parents = [parent for document in documents if (parent := _parent(document, path)) is not None]
        having = [parent for parent in parents if path[-1] in parent] or parents
        if not having:
            return False
        if value is None:
            having[0].pop(path[-1], None)
        else:
            having[0][path[-1]] = value
        expected = repr(documents)
    except _FAILURES:
        return False
    try:
        return repr(_read(after)) != expected
    except _FAILURES:
        return True


def _read(text: str) -> list[Any]:
    reader = YAML(typ="safe", pure=True)
    reader.composer.warn_double_anchors = False
    return list(reader.load_all(text))


def _parent(document: Any, path: Path) -> dict[Any, Any] | None:
    """The mapping of a document that a key is in, or would be in."""
    parent = document
    for part in path[:-1]:
        if isinstance(part, tuple):
            items = parent if isinstance(parent, list) else []
            parent = next((item for item in items if isinstance(item, dict) and item.get(part[0]) == part[1]), None)
        else:
            parent = parent.get(part) if isinstance(parent, dict) else None
    return parent if isinstance(parent, dict) else None
