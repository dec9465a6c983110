"""Changing one scalar of a YAML file and not one byte more: the one module that edits.

The parser only says where the scalar is; the bytes are spliced, the result is read again, and anything but "exactly
that value changed" is refused. What cannot be changed safely (anchors, templates, block scalars, duplicate keys,
encrypted files) is refused with its reason rather than reformatted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sgm_tui.fleet.text import clean
from sgm_tui.gitops.values import path_of

_LARGEST = 1 << 20
_DEEPEST = 100
_MOST_NODES = 10_000
_STRING = "tag:yaml.org,2002:str"
_PLAIN_SAFE = re.compile(r"v?[A-Za-z][\w.+-]*|v\d[\w.+-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"})
_BOM = b"\xef\xbb\xbf"

Path = Sequence[str | tuple[str, str]]


class EditRefusedError(Exception):
    """The file cannot be changed safely; the text says why."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a scalar stands in the text, in characters, and how it is quoted."""

    start: int
    end: int
    style: str
    value: str


def edit(data: bytes, key: str, new: str, *, expected: str | None = None) -> bytes:
    """Replace the string at a dotted key.

    Args:
        data: the whole file.
        key: `image.tag`, or `images[name=x].newTag`.
        new: the new string; it is quoted where a YAML 1.1 or 1.2 reader would see anything else.
        expected: what has to be there now.

    Raises:
        EditRefusedError: why nothing was changed.
    """
    text, bom = _text_of(data)
    _refuse_text(text)
    _refuse_value(new)
    path = path_of(key)
    span = _find(text, path, key)
    if expected is not None and span.value != expected:
        raise EditRefusedError(f"{key} is {clean(span.value)} now, not {clean(expected)}: somebody changed it")
    changed = text[: span.start] + _written(new, span.style) + text[span.end :]
    _prove(text, changed, path, key, new)
    return bom + changed.encode()


def _text_of(data: bytes) -> tuple[str, bytes]:
    if len(data) > _LARGEST:
        raise EditRefusedError("the file is larger than 1 MB")
    bom = _BOM if data.startswith(_BOM) else b""
    try:
        text = data[len(bom) :].decode("utf-8")
    except UnicodeDecodeError:
        raise EditRefusedError("the file is not UTF-8") from None
    if "\0" in text:
        raise EditRefusedError("the file holds NUL bytes")
    return text, bom


def _refuse_text(text: str) -> None:
    if "{{" in text or "{%" in text:
        raise EditRefusedError("the file is a template ({{ … }}): its values are not there yet")
    if re.search(r"^sops:|ENC\[AES256", text, re.MULTILINE):
        raise EditRefusedError("the file is encrypted (SOPS)")
    flow = deepest = 0
    for character in text:
        flow += (character in "[{") - (character in "]}")
        deepest = max(deepest, flow)
    indents = (len(line) - len(line.lstrip(" -")) for line in text.splitlines())
    if deepest > _DEEPEST or max(indents, default=0) > 2 * _DEEPEST:
        raise EditRefusedError(f"the file is nested deeper than {_DEEPEST}")


def _refuse_value(new: str) -> None:
    if not new or len(new) > 256 or not new.isprintable():
        raise EditRefusedError("the new value is empty, too long, or has characters no version has")


def _documents(text: str) -> list[Node]:
    try:
        found = [node for node in YAML(pure=True).compose_all(text) if node is not None]
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise EditRefusedError(f"not valid YAML: {line}{clean(error.problem)}") from error
    except (YAMLError, RecursionError, ValueError) as error:
        raise EditRefusedError(f"not valid YAML: {clean(error)}") from error
    known: dict[int, int] = {}
    if sum(_unfolded(document, known) for document in found) > _MOST_NODES:
        raise EditRefusedError(f"the file unfolds to more than {_MOST_NODES} values")
    return found


def _unfolded(node: Node, known: dict[int, int]) -> int:
    """How many values a node stands for with every alias followed; each node is looked at once."""
    if id(node) in known:
        if not known[id(node)]:
            raise EditRefusedError("an alias of the file contains itself")
        return known[id(node)]
    known[id(node)] = 0
    children: list[Node] = []
    if isinstance(node, MappingNode):
        children = [one for pair in node.value for one in pair]
    elif isinstance(node, SequenceNode):
        children = list(node.value)
    known[id(node)] = 1 + sum(_unfolded(child, known) for child in children)
    return known[id(node)]


def _find(text: str, path: Path, key: str) -> _Span:
    """The one scalar at a path, over all documents of the file."""
    found = [one for document in _documents(text) if (one := _descend(document, path, key)) is not None]
    if not found:
        raise EditRefusedError(f"there is no {key} in the file")
    if len(found) > 1:
        raise EditRefusedError(f"{key} is in several documents of the file")
    node = found[0]
    if not isinstance(node, ScalarNode):
        raise EditRefusedError(f"{key} is no single value")
    if node.style in {"|", ">"}:
        raise EditRefusedError(f"{key} is a block of text")
    if node.tag != _STRING and str(getattr(node, "ctag", node.tag)) != _STRING:
        raise EditRefusedError(f"{key} is no string but {clean(node.value)}: quote it first")
    start, end = node.start_mark.index, node.end_mark.index
    if "\n" in text[start:end]:
        raise EditRefusedError(f"{key} runs over several lines")
    written = text[start:end]
    if node.style is None and written.rstrip() != written:
        end = start + len(written.rstrip())
    if text[start : start + 1] in {"!", "&", "*"}:
        raise EditRefusedError(f"{key} carries a tag or an anchor")
    return _Span(start, end, node.style or "", node.value)


def _descend(node: Node, path: Path, key: str) -> Node | None:
    current: Node | None = node
    for part in path:
        if current is None:
            return None
        if getattr(current, "anchor", None):
            raise EditRefusedError(f"{key} is under an anchor: the change would reach other places too")
        current = _selected(current, part, key) if isinstance(part, tuple) else _child(current, part, key)
    if current is not None and getattr(current, "anchor", None):
        raise EditRefusedError(f"{key} is an anchor or an alias: the change would reach other places too")
    return current


def _child(node: Node, name: str, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    names = [one.value for one, _ in node.value]
    if "<<" in names:
        raise EditRefusedError(f"a merge key (<<) stands on the way to {key}")
    if names.count(name) > 1:
        raise EditRefusedError(f"{name} is there twice on the way to {key}")
    return next((value for one, value in node.value if one.value == name), None)


def _selected(node: Node, part: tuple[str, str], key: str) -> Node | None:
    if not isinstance(node, SequenceNode):
        return None
    name, wanted = part
    matching = []
    for entry in node.value:
        value = _child(entry, name, key) if isinstance(entry, MappingNode) else None
        if isinstance(value, ScalarNode) and value.value == wanted:
            matching.append(entry)
    if len(matching) > 1:
        raise EditRefusedError(f"{name}={wanted} is there twice on the way to {key}")
    return matching[0] if matching else None


def _written(new: str, style: str) -> str:
    """The new value in the old quoting, or in quotes where a plain word would be read as something else."""
    if style == "'":
        return "'" + new.replace("'", "''") + "'"
    if style == '"' or not _PLAIN_SAFE.fullmatch(new) or new.lower() in _WORDS or new.endswith((".", ":")):
        return '"' + new.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return new


def _prove(before: str, after: str, path: Path, key: str, new: str) -> None:
    """Read both again: the new text holds the new value at the path, and the same everywhere else."""
    if _find(after, path, key).value != new:
        raise EditRefusedError(f"{key} would not be read back as {clean(new)}")
    old_values = [_plain(one) for one in _documents(before)]
    new_values = [_plain(one) for one in _documents(after)]
    for document in old_values:
        _put(document, path, new)
    for document in new_values:
        _put(document, path, new)
    if old_values != new_values:
        raise EditRefusedError("something else would have changed too")


def _plain(node: Node) -> Any:
    """A node as plain values with their tags, so that two readings can be compared."""
    if isinstance(node, MappingNode):
        return {"pairs": [[_plain(one), _plain(value)] for one, value in node.value]}
    if isinstance(node, SequenceNode):
        return {"items": [_plain(one) for one in node.value]}
    return [str(node.tag), node.value]


def _put(document: Any, path: Path, new: str) -> None:
    """Set the value at a path of a plain reading, where there is one."""
    current = document
    for part in path:
        if isinstance(part, tuple):
            name, wanted = part
            entries = current.get("items", []) if isinstance(current, dict) else []
            current = next((one for one in entries if _entry(one, name) == wanted), None)
        else:
            pairs = current.get("pairs", []) if isinstance(current, dict) else []
            current = next((value for one, value in pairs if one[1:] == [part]), None)
        if current is None:
            return
    if isinstance(current, list):
        current[:] = [_STRING, new]


def _entry(value: Any, name: str) -> str | None:
    pairs = value.get("pairs", []) if isinstance(value, dict) else []
    found = next((one for key, one in pairs if isinstance(key, list) and key[1:] == [name]), None)
    return found[1] if isinstance(found, list) else None
