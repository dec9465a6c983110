"""Changing one scalar of a YAML file and not one byte more: the one module that edits.

The parser only says where the scalar is; the bytes are spliced, the result is read again, and anything but "exactly
that value changed" is refused. What cannot be changed safely (anchors, block scalars, duplicate keys, encrypted files)
is refused with its reason rather than reformatted.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from sgm_tui.gitops.yaml.image_values import version_of, with_version
from sgm_tui.gitops.yaml.second_reader import disagrees
from sgm_tui.gitops.yaml.values import UnreadableError, described, node_at, path_of, unprintable
from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.nodes import (
    LARGEST,
    Event,
    MappingNode,
    Node,
    Path,
    ScalarNode,
    SequenceNode,
    YamlError,
    compose,
    events,
    is_merge,
)
from sgm_tui.yaml_reader.scalars import is_string

STRING = "string"
_PLAIN_SAFE = re.compile(
    r"[A-Za-z][\w.+-]*|[1-9]\d*(?:ms|[smhd]|[KMGT]i?)|[A-Za-z0-9][\w.-]*(?::\d+)?(?:/[\w.-]+)+(?:[:@][\w.-]+)*",
    re.ASCII,
)
"""Words, durations, quantities, and image references with a slash."""
_BREAKS = frozenset("\n\r")
_ODD_BREAK = re.compile("[\x85\u2028\u2029]")
_ENCRYPTED = re.compile(r"^['\"]?sops['\"]?:|ENC\[AES256", re.MULTILINE)
_TEMPLATE = re.compile(r"\{\{|\{%")
_BOM = b"\xef\xbb\xbf"
_NO_EVENT = (-1, Event("end"))


class EditRefusedError(Exception):
    """The file cannot be changed safely; the text says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file to change."""

    text: str
    bom: bytes

    def spliced(self, start: int, end: int, new: str) -> tuple[str, bytes]:
        """Put new text in the place of some characters: the new text, and the bytes of the file."""
        text = self.text[:start] + new + self.text[end:]
        return text, self.bom + text.encode()


def edit(data: bytes, key: str, new: str, *, expected: str | None = None) -> bytes:
    """Replace the version at a dotted key; of an image reference (`acme/app:3.0`) the image stays.

    Args:
        data: the whole file.
        key: `image.tag`, or `images[name=x].newTag`.
        new: the new version; it is quoted where any reader of YAML would see anything else.
        expected: the version that has to be there now.

    Raises:
        EditRefusedError: why nothing was changed.
    """
    refuse_value(new)
    path = path_of(key)
    source = source_of(data)
    node = _string_node(source.text, find(documents(source.text, path), path, key), key)
    try:
        current, value = version_of(node.value, key), with_version(node.value, key, new)
    except ValueError as error:
        raise EditRefusedError(f"{key} {error}: {clean(node.value)}") from error
    if expected is not None and current != expected:
        raise EditRefusedError(
            f"{key} is {clean(current)} now, not {clean(expected)}: it was changed meanwhile; stage it again"
        )
    start, end = span_of(source.text, node)
    changed, result = source.spliced(start, end, written(value, node.style))
    _prove(source.text, changed, node, value, key)
    return result


def source_of(data: bytes) -> Source:
    """Return the text of a file that may be changed.

    Raises:
        EditRefusedError: the file is too large, encrypted, not UTF-8, or has characters readers disagree on.
    """
    if len(data) > LARGEST:
        raise EditRefusedError("the file is larger than 1 MB")
    bom = _BOM if data.startswith(_BOM) else b""
    try:
        text = data[len(bom) :].decode("utf-8")
    except UnicodeDecodeError:
        raise EditRefusedError("the file is not UTF-8") from None
    if "\0" in text:
        raise EditRefusedError("the file holds NUL bytes")
    if _ODD_BREAK.search(text):
        raise EditRefusedError("the file holds characters only some readers take for line ends (NEL, U+2028, U+2029)")
    if _ENCRYPTED.search(text):
        raise EditRefusedError("the file is encrypted (SOPS)")
    return Source(text, bom)


def refuse_value(new: str) -> None:
    """Refuse a string no version, name or duration is: empty, long, or with characters that do not print.

    Raises:
        EditRefusedError: it is one.
    """
    if not new or len(new) > 256 or not new.isprintable():
        raise EditRefusedError("the new value is empty, too long, or has characters no version has")


def documents(text: str, path: Path | None = None) -> list[Node]:
    """Return the nodes of every document; only what decides about `path` where one is named.

    Raises:
        EditRefusedError: it is no YAML, too deep, too much of it, or a template.
    """
    try:
        return compose(text, path)
    except YamlError as error:
        if _TEMPLATE.search(text):
            raise EditRefusedError("the file is a template ({{ … }}), not final values") from error
        message = clean(error.message)
        place = message if message.startswith("the file ") else f"not valid YAML: line {error.line}: {message}"
        raise EditRefusedError(place) from error


def find(nodes: Sequence[Node], path: Path, key: str) -> Node:
    """Return the node at a path: of a values file in the first document, for Helm reads no other.

    Raises:
        EditRefusedError: there is none, or several; an anchor, merge key or duplicate is on the way.
    """
    for document in nodes:
        descend(document, path, key)
    try:
        return node_at(nodes, path, key)
    except UnreadableError as error:
        reason = str(error)
    except YamlError as error:
        reason = f"line {error.line}: {error.message}"
    raise EditRefusedError(f"{reason} in the file" if reason == f"there is no {key}" else reason)


def _string_node(text: str, node: Node, key: str) -> ScalarNode:
    """The string that may be replaced."""
    if not isinstance(node, ScalarNode):
        raise EditRefusedError(f"{key} is no single value")
    if node.style in {"|", ">"}:
        raise EditRefusedError(f"{key} is a block of text")
    if node.tag or node.anchor:
        raise EditRefusedError(f"{key} carries a tag or an anchor")
    if node.type:
        raise EditRefusedError(f"{key} is no string but {described(node)}: quote it first")
    if _TEMPLATE.search(node.value):
        raise EditRefusedError(f"{key} is a template: {clean(node.value, 80)}")
    if node.value and (reason := unprintable(node.value)):
        raise EditRefusedError(f"{key} {reason}")
    if set(text[node.start_mark.index : node.end_mark.index]) & _BREAKS:
        raise EditRefusedError(f"{key} runs over several lines")
    return node


def span_of(text: str, node: ScalarNode) -> tuple[int, int]:
    """Return where a scalar starts and ends in the text."""
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    return start, start + len(text[start:end].rstrip(" \t")) if node.is_plain else end


def descend(node: Node, path: Path, key: str) -> Node | None:
    """Return the node at a path below a document; None where there is none.

    Raises:
        EditRefusedError: an anchor, alias, merge key or duplicate key is on the way.
    """
    current: Node | None = node
    for part in path:
        if current is None:
            return None
        if current.anchor:
            raise EditRefusedError(f"{key} is under an anchor: the change would reach other places too")
        current = _selected(current, part, key) if isinstance(part, tuple) else _child(current, part, key)
    if current is not None and current.anchor:
        raise EditRefusedError(f"{key} is an anchor or an alias: the change would reach other places too")
    return current


def _child(node: Node, name: str, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    if any(is_merge(one) for one, _ in node.value):
        raise EditRefusedError(f"a merge key (<<) is on the path to {key}")
    found = [value for one, value in node.value if one.value == name]
    if len(found) > 1:
        raise EditRefusedError(f"{name} occurs twice on the path to {key}")
    return found[0] if found else None


def _selected(node: Node, part: tuple[str, str], key: str) -> Node | None:
    if not isinstance(node, SequenceNode):
        return None
    name, wanted = part
    matching = []
    for entry in node.value:
        value = _child(entry, name, key) if isinstance(entry, MappingNode) else None
        if isinstance(value, ScalarNode) and value.value == wanted and not value.type:
            matching.append(entry)
    if len(matching) > 1:
        raise EditRefusedError(f"{name}={wanted} occurs twice on the path to {key}")
    return matching[0] if matching else None


def written(new: str, style: str = "") -> str:
    """Return a string in the quoting that was there, or in quotes where a plain word would be something else."""
    if style == "'":
        return "'" + new.replace("'", "''") + "'"
    if style == '"' or not _PLAIN_SAFE.fullmatch(new) or not is_string(new) or new.endswith((".", ":")):
        return '"' + new.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return new


def _prove(before: str, after: str, node: ScalarNode, new: str, key: str) -> None:
    """Two texts read the same but for one scalar, and there the second holds the new string.

    Raises:
        EditRefusedError: they differ elsewhere, or the new value would not be read back.
    """
    position, old_value = int(node.start_mark.index), (node.value, node.is_plain)
    seen = False
    try:
        for (start, old), (_, now) in zip_longest(events(before), events(after), fillvalue=_NO_EVENT):
            if start == position and (old.value, old.is_plain) == old_value and not seen:
                seen = True
                same = old._replace(value=new, is_plain=now.is_plain) == now
                if not same or (now.is_plain and not is_string(new)):
                    raise EditRefusedError(f"{key} would not be read back unchanged")
            elif old != now:
                raise EditRefusedError("something else would have changed too")
    except YamlError as error:
        raise EditRefusedError(f"not valid YAML afterwards: line {error.line}: {clean(error.message)}") from error
    if not seen:
        raise EditRefusedError(f"{key} would not be read back unchanged")
    if disagrees(before, after, path_of(key), new):
        raise EditRefusedError("another reader of YAML would see something else change too")


def plain(node: Node, spared: Container[int] = ()) -> Any:
    """Return a node as plain values with their types, to compare two readings; spared nodes are left out."""
    if id(node) in spared:
        return "spared"
    if isinstance(node, MappingNode):
        return {"tag": node.tag, "pairs": [[plain(one, spared), plain(value, spared)] for one, value in node.value]}
    if isinstance(node, SequenceNode):
        return {"tag": node.tag, "items": [plain(one, spared) for one in node.value]}
    if not isinstance(node, ScalarNode):
        return None
    return [node.tag or node.type or STRING, node.value]
