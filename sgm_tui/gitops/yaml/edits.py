"""Change one scalar of a YAML file and no other byte.

The parser only finds the scalar. Its bytes are replaced, the result is read again, and the edit is refused unless
exactly that value has changed. What cannot be changed safely (anchors, block scalars, duplicate keys, encrypted files)
is refused with the reason and never reformatted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sgm_tui.gitops.yaml.image_values import version_of, with_version
from sgm_tui.gitops.yaml.keys import pairs_named, parse_key, select_entries
from sgm_tui.gitops.yaml.proof import find_scalar_mistake
from sgm_tui.gitops.yaml.values import UnreadableError, describe_scalar, find_node, reason_unprintable
from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.nodes import (
    LARGEST,
    MappingNode,
    Node,
    Path,
    ScalarNode,
    YamlError,
    compose,
    is_merge,
)
from sgm_tui.yaml_reader.scalars import is_string

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


class EditRefusedError(Exception):
    """The file cannot be changed safely; the message says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file to change."""

    text: str
    bom: bytes

    def splice(self, start: int, end: int, new: str) -> tuple[str, bytes]:
        """Replace some characters; return the new text, and the new bytes of the file."""
        text = self.text[:start] + new + self.text[end:]
        return text, self.bom + text.encode()


def edit(data: bytes, key: str, new: str, *, expected: str | None = None) -> bytes:
    """Replace the version at a dotted key; an image reference (`acme/app:3.0`) keeps its image.

    Args:
        data: the whole file.
        key: `image.tag`, or `images[name=x].newTag`.
        new: the new version; it is quoted if any reader of YAML would take it for anything but a string.
        expected: the version the file must have now.

    Raises:
        EditRefusedError: why nothing was changed.
    """
    check_new_value(new)
    path = parse_key(key)
    source = read_source(data)
    node = _string_node(source.text, find_editable_node(compose_documents(source.text, path), path, key), key)
    try:
        current, value = version_of(node.value, key), with_version(node.value, key, new)
    except ValueError as error:
        raise EditRefusedError(f"{key} {error}: {clean(node.value)}") from error
    if expected is not None and current != expected:
        raise EditRefusedError(
            f"{key} is {clean(current)} now, not {clean(expected)}: it was changed meanwhile; stage it again"
        )
    start, end = find_span(source.text, node)
    changed, result = source.splice(start, end, quote(value, node.style))
    if mistake := find_scalar_mistake(source.text, changed, node, value, path, key):
        raise EditRefusedError(mistake)
    return result


def read_source(data: bytes) -> Source:
    """Decode a file that may be changed.

    Raises:
        EditRefusedError: the file is too large, encrypted, not UTF-8, or has characters on which readers disagree.
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


def check_new_value(new: str) -> None:
    """Check a string that is to be written.

    Raises:
        EditRefusedError: it is empty, longer than 256 characters, or has characters that do not print.
    """
    if not new or len(new) > 256 or not new.isprintable():
        raise EditRefusedError("the new value is empty, too long, or has characters no version has")


def compose_documents(text: str, path: Path | None = None) -> list[Node]:
    """Return the nodes of every document; with a `path`, only those that matter for it.

    Raises:
        EditRefusedError: the text is no YAML, too deeply nested, too large, or a template.
    """
    try:
        return compose(text, path)
    except YamlError as error:
        if _TEMPLATE.search(text):
            raise EditRefusedError("the file is a template ({{ … }}), not final values") from error
        message = clean(error.message)
        reason = message if message.startswith("the file ") else f"not valid YAML: line {error.line}: {message}"
        raise EditRefusedError(reason) from error


def find_editable_node(nodes: Sequence[Node], path: Path, key: str) -> Node:
    """Return the node at a path: in the first document of a values file, since Helm reads no other.

    Raises:
        EditRefusedError: there is none, or several; an anchor, merge key or duplicate is on the path.
    """
    for document in nodes:
        descend(document, path, key)
    try:
        return find_node(nodes, path, key)
    except UnreadableError as error:
        reason = str(error)
    except YamlError as error:
        reason = f"line {error.line}: {error.message}"
    raise EditRefusedError(f"{reason} in the file" if reason == f"there is no {key}" else reason)


def _string_node(text: str, node: Node, key: str) -> ScalarNode:
    """Return the string that may be replaced.

    Raises:
        EditRefusedError: the node is no string on one line that can be replaced safely.
    """
    if not isinstance(node, ScalarNode):
        raise EditRefusedError(f"{key} is no single value")
    if node.style in {"|", ">"}:
        raise EditRefusedError(f"{key} is a block of text")
    if node.tag or node.anchor:
        raise EditRefusedError(f"{key} carries a tag or an anchor")
    if node.type:
        raise EditRefusedError(f"{key} is no string but {describe_scalar(node)}: quote it first")
    if _TEMPLATE.search(node.value):
        raise EditRefusedError(f"{key} is a template: {clean(node.value, 80)}")
    if node.value and (reason := reason_unprintable(node.value)):
        raise EditRefusedError(f"{key} {reason}")
    if set(text[node.start_mark.index : node.end_mark.index]) & _BREAKS:
        raise EditRefusedError(f"{key} runs over several lines")
    return node


def find_span(text: str, node: ScalarNode) -> tuple[int, int]:
    """Return the positions in the text where a scalar starts and ends."""
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    return start, start + len(text[start:end].rstrip(" \t")) if node.is_plain else end


def descend(node: Node, path: Path, key: str) -> Node | None:
    """Return the node at a path of a document; None if there is none.

    Raises:
        EditRefusedError: an anchor, alias, merge key or duplicate key is on the path.
    """
    current: Node | None = node
    for part in path:
        if current is None:
            return None
        if current.anchor:
            raise EditRefusedError(f"{key} is under an anchor: the change would reach other places too")
        current = _select(current, part, key) if isinstance(part, tuple) else _child(current, part, key)
    if current is not None and current.anchor:
        raise EditRefusedError(f"{key} is an anchor or an alias: the change would reach other places too")
    return current


def _child(node: Node, name: str, key: str) -> Node | None:
    if isinstance(node, MappingNode) and any(is_merge(name_node) for name_node, _ in node.value):
        raise EditRefusedError(f"a merge key (<<) is on the path to {key}")
    pairs = pairs_named(node, name)
    if len(pairs) > 1:
        raise EditRefusedError(f"{name} occurs twice on the path to {key}")
    return pairs[0][1] if pairs else None


def _select(node: Node, selector: tuple[str, str], key: str) -> Node | None:
    entries = list(select_entries(node, selector, lambda entry, name: _child(entry, name, key)))
    if len(entries) > 1:
        raise EditRefusedError(f"{selector[0]}={selector[1]} occurs twice on the path to {key}")
    return entries[0] if entries else None


def quote(new: str, style: str = "") -> str:
    """Return a string as YAML: in the quotes of `style`, or in quotes if a plain word would not be a string."""
    if style == "'":
        return "'" + new.replace("'", "''") + "'"
    if style == '"' or not _PLAIN_SAFE.fullmatch(new) or not is_string(new) or new.endswith((".", ":")):
        return '"' + new.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return new
