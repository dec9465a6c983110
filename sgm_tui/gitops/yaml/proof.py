"""Prove an edit: read the file before and after it, and find any difference but the intended one.

Two readers take part. The first is ours, of YAML 1.1 as Go programs read it. The second is ruamel.yaml, of YAML 1.2;
it has no say in files it cannot read.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import zip_longest
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.nodes import Event, MappingNode, Node, Path, ScalarNode, SequenceNode, YamlError, events
from sgm_tui.yaml_reader.scalars import is_string

STRING = "string"
"""The type of a string in `comparable`."""
_OTHER_CHANGE = "something else would have changed too"
_SECOND_READER_DIFFERS = "another reader of YAML would see something else change too"
_NO_EVENT = (-1, Event("end"))
_LARGEST = 16_384
"""Characters of a text the second reader reads; it needs a hundred times as long as the first."""
_MOST_NAMES = 64
"""Anchors and merge keys of a text the second reader reads; it copies what they stand for."""
_FAILURES = (YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What the second reader raises for files it cannot read; some are bugs of its own."""


def find_scalar_mistake(before: str, after: str, node: ScalarNode, new: str, path: Path, key: str) -> str:
    """Return why a text is not the old one with one scalar changed to a new string; "" if it is.

    Args:
        before: the text before the edit.
        after: the text after it.
        node: the scalar in the text before.
        new: the string it has to be after the edit.
        path: the path to the scalar.
        key: the same as a dotted key.
    """
    unchanged = f"{key} would not be read back unchanged"
    position, old_value = int(node.start_mark.index), (node.value, node.is_plain)
    was_compared = False
    try:
        for (start, old), (_, now) in zip_longest(events(before), events(after), fillvalue=_NO_EVENT):
            if start == position and (old.value, old.is_plain) == old_value and not was_compared:
                was_compared = True
                is_same = old._replace(value=new, is_plain=now.is_plain) == now
                if not is_same or (now.is_plain and not is_string(new)):
                    return unchanged
            elif old != now:
                return _OTHER_CHANGE
    except YamlError as error:
        return f"not valid YAML afterwards: line {error.line}: {clean(error.message)}"
    if not was_compared:
        return unchanged
    return find_second_reader_mistake(before, after, path, new)


def find_replacement_mistake(
    before: Sequence[Node], after: Sequence[Node], replaced: Node, replacement: Node, expected: Any, key: str
) -> str:
    """Return why two readings differ in more than one replaced node, or its new value is not the expected one.

    Args:
        before: the documents before the edit.
        after: the documents after it.
        replaced: the node among the documents before.
        replacement: the node in its place after the edit.
        expected: the new value as `comparable` returns it.
        key: the dotted key of the node.
    """
    if comparable(replacement) != expected:
        return f"{key} would not be read back unchanged"
    ignored = {id(replaced), id(replacement)}
    is_same = [comparable(node, ignored) for node in before] == [comparable(node, ignored) for node in after]
    return "" if is_same else _OTHER_CHANGE


def find_insertion_mistake(
    without: Sequence[Node], inserted: Sequence[Node], parent: MappingNode | None, value: Node, expected: Any, key: str
) -> str:
    """Return why two readings differ in more than one key, which only the second has; "" if they do not.

    Args:
        without: the documents without the key.
        inserted: the documents with the key, which is removed from them for the comparison.
        parent: the mapping with the key.
        value: the value of the key.
        expected: that value as `comparable` returns it.
        key: the dotted key.
    """
    if comparable(value) != expected:
        return f"{key} would not be read back unchanged"
    if parent is not None:
        parent.value[:] = [pair for pair in parent.value if pair[1] is not value]
    is_same = [comparable(node) for node in without] == [comparable(node) for node in inserted]
    return "" if is_same else _OTHER_CHANGE


def comparable(node: Node, ignored: Container[int] = ()) -> Any:
    """Return a node as plain values with their types, to compare two readings.

    Args:
        node: the node.
        ignored: `id` of nodes whose value does not matter.
    """
    if id(node) in ignored:
        return "ignored"
    if isinstance(node, MappingNode):
        pairs = [[comparable(key, ignored), comparable(value, ignored)] for key, value in node.value]
        return {"tag": node.tag, "pairs": pairs}
    if isinstance(node, SequenceNode):
        return {"tag": node.tag, "items": [comparable(item, ignored) for item in node.value]}
    if not isinstance(node, ScalarNode):
        return None
    return [node.tag or node.type or STRING, node.value]


def find_second_reader_mistake(before: str, after: str, path: Path, value: Any) -> str:
    """Return that the second reader sees more changed between two texts than the value at a path; "" if it does not.

    Args:
        before: the text before the edit.
        after: the text after it.
        path: the path to the value.
        value: the new value; None if the key is removed.
    """
    if len(before) > _LARGEST or before.count("&") + before.count("<<") > _MOST_NAMES:
        return ""
    try:
        documents = _read(before)
        parents = [parent for document in documents if (parent := _parent(document, path)) is not None]
        candidates = [parent for parent in parents if path[-1] in parent] or parents
        if not candidates:
            return ""
        if value is None:
            candidates[0].pop(path[-1], None)
        else:
            candidates[0][path[-1]] = value
        expected = repr(documents)
    except _FAILURES:
        return ""
    try:
        return "" if repr(_read(after)) == expected else _SECOND_READER_DIFFERS
    except _FAILURES:
        return _SECOND_READER_DIFFERS


def _read(text: str) -> list[Any]:
    reader = YAML(typ="safe", pure=True)
    reader.composer.warn_double_anchors = False
    return list(reader.load_all(text))


def _parent(document: Any, path: Path) -> dict[Any, Any] | None:
    """Return the mapping of a document that the last key of a path is in, or would be in."""
    parent = document
    for part in path[:-1]:
        if isinstance(part, tuple):
            items = parent if isinstance(parent, list) else []
            parent = next((item for item in items if isinstance(item, dict) and item.get(part[0]) == part[1]), None)
        else:
            parent = parent.get(part) if isinstance(parent, dict) else None
    return parent if isinstance(parent, dict) else None
