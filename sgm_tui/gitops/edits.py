"""Changing one scalar of a YAML file and not one byte more: the one module that edits.

The parser only says where the scalar is; the bytes are spliced, the result is read again, and anything but "exactly
that value changed" is refused. What cannot be changed safely (anchors, templates, block scalars, duplicate keys,
encrypted files) is refused with its reason rather than reformatted.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sgm_tui.fleet.text import clean
from sgm_tui.gitops.values import path_of
from sgm_tui.gitops.yaml_outline import apart, outline

_LARGEST = 1 << 20
_DEEPEST = 100
_MOST_NODES = 10_000
STRING = "tag:yaml.org,2002:str"
_PLAIN_SAFE = re.compile(r"[A-Za-z][\w.+-]*|[1-9]\d*(?:ms|[smhd]|[KMGT]i?)", re.ASCII)
_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"})
_BREAKS = frozenset("\n\r")
_ODD_BREAK = re.compile("[\x85\u2028\u2029]")
_BRACKET = re.compile(r"[\[\]{}]")
_INDENT = re.compile(r"^[ -]+", re.MULTILINE)
_BOM = b"\xef\xbb\xbf"

Path = Sequence[str | tuple[str, str]]
Version = tuple[int, int]
VERSIONS: tuple[Version, ...] = ((1, 2), (1, 1))
"""What readers of YAML go by: Go's and ruamel's newer rules, PyYAML's older ones."""


class EditRefusedError(Exception):
    """The file cannot be changed safely; the text says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to change, or the lines of it that decide: the parser reads these, the bytes are spliced in the file."""

    whole: str
    bom: bytes
    text: str
    """The lines that decide."""
    lines: Sequence[int] | None
    """Which lines of the file these are, from 0; None for all of them."""

    def spliced(self, start: int, end: int, new: str) -> tuple[str, bytes]:
        """Put new text in the place of some characters of `text`: what that makes of `text`, and of the file."""
        reduced = self.text[:start] + new + self.text[end:]
        if self.lines is None:
            return reduced, self.bom + reduced.encode()
        first = self._original(start, inside=end > start)
        last = first if end == start else self._original(end, inside=False)
        return reduced, self.bom + (self.whole[:first] + new + self.whole[last:]).encode()

    def _original(self, position: int, *, inside: bool) -> int:
        """Where a position of the text is in the file; between two lines it belongs to the one before."""
        before = self.text[:position]
        number, start = before.count("\n"), before.rfind("\n") + 1
        if start == position and number and not inside:
            number, start = number - 1, self.text.rfind("\n", 0, start - 1) + 1
        lines = self.lines or ()
        offset = sum(len(line) + 1 for line in self.whole.split("\n")[: lines[number]])
        return offset + position - start


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
    refuse_value(new)
    path = path_of(key)
    source = source_of(data, path)
    before = {version: documents(source.text, version) for version in VERSIONS}
    spans = [_scalar(source.text, find(nodes, path, key), key) for nodes in before.values()]
    span = spans[0]
    if spans[1] != span:
        raise EditRefusedError(f"readers of YAML 1.1 and 1.2 do not agree where {key} is")
    if expected is not None and span.value != expected:
        raise EditRefusedError(
            f"{key} is {clean(span.value)} now, not {clean(expected)}: somebody changed it; plan it anew"
        )
    changed, result = source.spliced(span.start, span.end, written(new, span.style))
    for version, nodes in before.items():
        prove(nodes, documents(changed, version), path, key, [STRING, new])
    return result


def source_of(data: bytes, path: Path, *, whole_parent: bool = False) -> Source:
    """The file as text, cut down to the lines that decide about a path where that is certain.

    Args:
        data: the whole file.
        path: the parts of the key.
        whole_parent: keep the neighbours of the key too, to add or remove it.

    Raises:
        EditRefusedError: the file is none that may be changed: too large or deep, a template, encrypted, not UTF-8.
    """
    text, bom = _text_of(data)
    _refuse_text(text)
    names: list[str] = []
    for part in path:
        if isinstance(part, tuple):
            break
        names.append(part)
    every = re.findall(r"[^\n]*\n|[^\n]+$", text)
    lines = _deciding(text, every, names, whole_parent=whole_parent)
    if lines is None:
        return Source(text, bom, text, None)
    return Source(text, bom, "".join(every[number] for number in lines), lines)


def _deciding(text: str, every: Sequence[str], names: Sequence[str], *, whole_parent: bool) -> list[int] | None:
    """The lines that decide about a key, where it is certain which these are; None for all of them."""
    found = outline(text)
    if found is not None:
        lines = found.on_the_way(names, whole_parent=whole_parent)
        return None if lines is None else [number for number in lines if number < len(every)]
    fewer = apart(text, names[0]) if len(names) > whole_parent else None
    if fewer is None:
        return None
    lines = [number for number in fewer[0] if number < len(every)]
    try:
        nodes = documents("".join(every[number] for number in lines), VERSIONS[0])
    except EditRefusedError:
        return None  # the whole file is read instead, and says it with its own line number
    if len(nodes) != 1 or not isinstance(nodes[0], MappingNode) or nodes[0].flow_style:
        return None
    return lines if {name.start_mark.line for name, _ in nodes[0].value} == fewer[1] else None


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
    if _ODD_BREAK.search(text):
        raise EditRefusedError("the file holds characters only some readers take for line ends (NEL, U+2028, U+2029)")
    return text, bom


def _refuse_text(text: str) -> None:
    if "{{" in text or "{%" in text:
        raise EditRefusedError("the file is a template ({{ … }}): its values are not there yet")
    if re.search(r"^['\"]?sops['\"]?:|ENC\[AES256", text, re.MULTILINE):
        raise EditRefusedError("the file is encrypted (SOPS)")
    flow = deepest = 0
    for bracket in _BRACKET.findall(text):
        flow = flow + 1 if bracket in "[{" else max(0, flow - 1)
        deepest = max(deepest, flow)
    indent = max((found.end() - found.start() for found in _INDENT.finditer(text)), default=0)
    if deepest > _DEEPEST or indent > 2 * _DEEPEST:
        raise EditRefusedError(f"the file is nested deeper than {_DEEPEST}")


def refuse_value(new: str) -> None:
    """Refuse a string no version, name or duration is: empty, long, or with characters that do not print.

    Raises:
        EditRefusedError: it is one.
    """
    if not new or len(new) > 256 or not new.isprintable():
        raise EditRefusedError("the new value is empty, too long, or has characters no version has")


def documents(text: str, version: Version) -> list[Node]:
    """The nodes of every document, as a reader of this version of YAML takes them.

    Raises:
        EditRefusedError: it is no YAML, too deep, or too much of it.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.version = version
    yaml.composer.warn_double_anchors = False
    try:
        found = [node for node in yaml.compose_all(text) if node is not None]
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


def find(nodes: Sequence[Node], path: Path, key: str) -> Node:
    """The one node at a path, over all documents of the file.

    Raises:
        EditRefusedError: there is none, there are several, or an anchor, merge key or duplicate is on the way.
    """
    found = [one for document in nodes if (one := descend(document, path, key)) is not None]
    if not found:
        raise EditRefusedError(f"there is no {key} in the file")
    if len(found) > 1:
        raise EditRefusedError(f"{key} is in several documents of the file")
    return found[0]


def _scalar(text: str, node: Node, key: str) -> _Span:
    """Where the string is that may be replaced."""
    if not isinstance(node, ScalarNode):
        raise EditRefusedError(f"{key} is no single value")
    if node.style in {"|", ">"}:
        raise EditRefusedError(f"{key} is a block of text")
    if str(node.tag) != STRING:
        raise EditRefusedError(f"{key} is no string but {clean(node.value)}: quote it first")
    start, end = node.start_mark.index, node.end_mark.index
    if set(text[start:end]) & _BREAKS:
        raise EditRefusedError(f"{key} runs over several lines")
    if node.style is None:
        end = start + len(text[start:end].rstrip(" \t"))
    if text[start : start + 1] in {"!", "&", "*"}:
        raise EditRefusedError(f"{key} carries a tag or an anchor")
    return _Span(start, end, node.style or "", node.value)


def descend(node: Node, path: Path, key: str) -> Node | None:
    """The node at a path below a document; None where there is none.

    Raises:
        EditRefusedError: an anchor, alias, merge key or duplicate key is on the way.
    """
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


def written(new: str, style: str = "") -> str:
    """A string in the quoting that was there, or in quotes where a plain word would be read as something else."""
    if style == "'":
        return "'" + new.replace("'", "''") + "'"
    if style == '"' or not _PLAIN_SAFE.fullmatch(new) or new.lower() in _WORDS or new.endswith((".", ":")):
        return '"' + new.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return new


def prove(before: Sequence[Node], after: Sequence[Node], path: Path, key: str, new: object) -> None:
    """Two readings are the same but for one path, and there the second holds what it should.

    Args:
        before: the documents as they were.
        after: the documents read again.
        path: the parts of the key.
        key: the key as it was asked for.
        new: what stands there now, as `plain` gives it.

    Raises:
        EditRefusedError: they differ elsewhere, or the new value would not be read back.
    """
    changed = find(after, path, key)
    if plain(changed) != new:
        raise EditRefusedError(f"{key} would not be read back as it was given")
    spared = {id(find(before, path, key)), id(changed)}
    if [plain(one, spared) for one in before] != [plain(one, spared) for one in after]:
        raise EditRefusedError("something else would have changed too")


def plain(node: Node, spared: Container[int] = ()) -> Any:
    """A node as plain values with their tags, so that two readings can be compared; spared nodes are left out."""
    if id(node) in spared:
        return "spared"
    if isinstance(node, MappingNode):
        return {
            "tag": str(node.tag),
            "pairs": [[plain(one, spared), plain(value, spared)] for one, value in node.value],
        }
    if isinstance(node, SequenceNode):
        return {"tag": str(node.tag), "items": [plain(one, spared) for one in node.value]}
    return [str(node.tag), node.value]
