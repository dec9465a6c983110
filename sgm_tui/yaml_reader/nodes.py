"""The reader of YAML files that people wrote: limited in size, depth, number of values and what aliases unfold to.

The grammar is libyaml's, which Helm, Argo CD and kubectl use in its Go translation; `scalars` types the scalars. Any
text is read within a second and 50 MB, or refused with the reason. Values outside the requested path are counted and
checked but not kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from sgm_tui.yaml_reader.scalars import Scalar, ScalarError, type_of, value_of

LARGEST = 1 << 20
"""Bytes of a file; larger files were written by programs."""
DEEPEST = 100
"""How deep lists and mappings may be nested."""
MOST_VALUES = 100_000
"""Values of a file that are read."""
MOST_NODES = 60_000
"""Values of a file that are kept in memory."""
MOST_UNFOLDED = 5_000
"""Values that the aliases of a file stand for, merge keys included; a long text counts as one per 100 characters."""
_MOST_DIRECTIVES = 16
"""Lines that start with %; libyaml compares each with all before."""
_TOO_DEEP = f"the file is nested deeper than {DEEPEST}"
_MERGE_TAG = "tag:yaml.org,2002:merge"

Path = Sequence[str | tuple[str, str]]
"""The path to a value: names of keys, and (name, value) pairs that select an entry of a list."""
_Parser: Any = getattr(getattr(yaml, "cyaml", None), "CParser", None) or yaml.SafeLoader
"""libyaml's parser, if PyYAML was built with it, as its wheels are."""


class Event(NamedTuple):
    """An event of the parser without its position; two texts that read the same have the same events."""

    kind: str
    value: str | None = None
    anchor: str | None = None
    tag: str | None = None
    is_plain: bool = False


class YamlError(Exception):
    """A text that cannot be read; `line` and `column` count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


class TooLargeError(YamlError):
    """A text beyond one of the limits; the message is about the whole file."""


@dataclass(slots=True, eq=False)
class Node:
    """A value and its position. Marks have `index`, `line` and `column`, all counted from 0."""

    start_mark: Any
    end_mark: Any
    tag: str
    """The tag as written, "" for none."""
    anchor: str
    """The name of its anchor, "" for none."""


@dataclass(slots=True, eq=False)
class ScalarNode(Node):
    """A single value."""

    value: str
    style: str
    """The quote or block sign it is written with, "" for none."""

    @property
    def is_plain(self) -> bool:
        """Whether it is written without quotes."""
        return not self.style

    @property
    def type(self) -> str:
        """Its type if it is no string, else "" (`scalars.type_of`)."""
        return type_of(self.value, self.tag, is_plain=self.is_plain)

    @property
    def scalar(self) -> Scalar:
        """The value a Go program reads."""
        return value_of(self.value, self.tag, is_plain=self.is_plain)


@dataclass(slots=True, eq=False)
class SequenceNode(Node):
    """A list."""

    value: list[Node]
    flow_style: bool


@dataclass(slots=True, eq=False)
class MappingNode(Node):
    """A mapping; its keys are always scalars."""

    value: list[tuple[ScalarNode, Node]]
    flow_style: bool


@dataclass(slots=True)
class Work:
    """The amount of work that reading a text took."""

    values: int = 0
    nodes: int = 0
    unfolded: int = 0


def text_of(data: bytes) -> str:
    """Return the text of a file, without its byte order mark.

    Raises:
        YamlError: it is larger than 1 MB, or not UTF-8.
    """
    if len(data) > LARGEST:
        raise TooLargeError("the file is larger than 1 MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError("the file is not UTF-8", data[: error.start].count(b"\n") + 1) from None


def compose(text: str, path: Path | None = None, *, work: Work | None = None) -> list[Node]:
    """Return the documents of a text as nodes.

    Args:
        text: the whole file.
        path: keep only the nodes that matter for this key in every document, and the top-level `kind`; None keeps all.
        work: counts the values read.

    Raises:
        YamlError: it is no YAML, no YAML that Go programs accept, or beyond a limit.
    """
    with _translate_errors(text):
        return _Composer(text, work or Work()).documents(path)


def events(text: str) -> Iterator[tuple[int, Event]]:
    """Yield the position of each event of a text, and the event.

    Raises:
        YamlError: it is no YAML.
    """
    with _translate_errors(text):
        parser = _Parser(text)
        while (event := parser.get_event()) is not None:
            kind, start = type(event).__name__, event.start_mark.index
            if isinstance(event, ScalarEvent):
                yield start, Event(kind, event.value, event.anchor, event.tag, not event.style)
            else:
                yield start, Event(kind, None, getattr(event, "anchor", None), getattr(event, "tag", None))


@contextlib.contextmanager
def _translate_errors(text: str) -> Iterator[None]:
    """Refuse a text that would cost too much to parse, and turn the errors of the parser into ours."""
    if len(text) > LARGEST:
        raise TooLargeError("the file is larger than 1 MB")
    if sum(line.startswith("%") for line in text.split("\n")) > _MOST_DIRECTIVES:
        raise TooLargeError(f"the file has more than {_MOST_DIRECTIVES} directives")
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        last = text.count("\n") + 1  # the parser puts the end of a text without a line break on the next line
        place = (min(mark.line + 1, last), mark.column + 1) if mark else (1, 1)
        problem = str(error.problem or error.context)
        if "nesting depth" in problem:
            raise TooLargeError(_TOO_DEEP) from error
        raise YamlError(problem, *place) from error
    except yaml.reader.ReaderError as error:
        before, _, _ = text.partition(chr(_code_of(error.character)))
        raise YamlError("a control character", before.count("\n") + 1) from error
    except UnicodeEncodeError as error:
        raise YamlError("half of a character", text.count("\n", 0, error.start) + 1) from error
    except yaml.YAMLError as error:
        raise YamlError(str(error)) from error


def is_merge(key: ScalarNode) -> bool:
    """Whether a key is a merge key (`<<`), which stands for the content of other mappings."""
    return key.value == "<<" and (key.tag == _MERGE_TAG or (key.is_plain and not key.tag))


def entries(node: MappingNode) -> dict[str, Node]:
    """Return the content of a mapping, merge keys resolved; of several values for a key the last one counts.

    Raises:
        YamlError: the value of a merge key is neither a mapping nor a list of mappings.
    """
    content: dict[str, Node] = {}
    for key, value in node.value:
        if is_merge(key):
            content |= _resolve_merge(value)
        else:
            content[key.value] = value
    return content


def duplicate_keys(documents: Sequence[Node]) -> Iterator[tuple[ScalarNode, ScalarNode]]:
    """Yield every key that is in its mapping a second time, and the first key of that name.

    Readers of YAML disagree on which of the two counts.
    """
    pending, visited = list(documents), set[int]()
    while pending:
        node = pending.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, SequenceNode):
            pending += node.value
        elif isinstance(node, MappingNode):
            first: dict[str, ScalarNode] = {}
            for key, value in node.value:
                pending.append(value)
                if key.value in first:
                    yield key, first[key.value]
                first.setdefault(key.value, key)


def plain(node: Node) -> Any:
    """Return a node as the plain dictionaries, lists and scalars that a Go program reads.

    Raises:
        YamlError: the value of a merge key is neither a mapping nor a list of mappings.
    """
    if isinstance(node, MappingNode):
        return {name: plain(value) for name, value in entries(node).items()}
    if isinstance(node, SequenceNode):
        return [plain(value) for value in node.value]
    return node.scalar if isinstance(node, ScalarNode) else None


def load_all(data: bytes | str) -> list[Any]:
    """Return every document of a file as plain values.

    Raises:
        YamlError: it cannot be read.
    """
    return [plain(node) for node in compose(data if isinstance(data, str) else text_of(data))]


def load(data: bytes | str) -> Any:
    """Return the first document of a file as plain values, None for an empty file; Go programs read no other document.

    Raises:
        YamlError: it cannot be read.
    """
    documents = compose(data if isinstance(data, str) else text_of(data))
    return plain(documents[0]) if documents else None


def _resolve_merge(value: Node) -> dict[str, Node]:
    if isinstance(value, MappingNode):
        return entries(value)
    if not isinstance(value, SequenceNode) or not all(isinstance(item, MappingNode) for item in value.value):
        mark = value.start_mark
        raise YamlError("a merge key (<<) needs a mapping or a list of mappings", mark.line + 1, mark.column + 1)
    content: dict[str, Node] = {}
    for mapping in reversed(value.value):
        content |= _resolve_merge(mapping)
    return content


def _code_of(character: object) -> int:
    return character if isinstance(character, int) else ord(str(character)[:1] or "\0")


class _Composer:
    """Turns the events of one text into nodes, and counts the work."""

    def __init__(self, text: str, work: Work) -> None:
        self._next = _Parser(text).get_event
        self._work = work
        self._anchors: dict[str, tuple[Node | None, int, Any]] = {}
        """Anchor → its node (None while it is read), the number of values it stands for, and its first event."""

    def documents(self, path: Path | None) -> list[Node]:
        """Read the whole text."""
        documents: list[Node] = []
        while not isinstance(event := self._next(), StreamEndEvent):
            if isinstance(event, StreamStartEvent | DocumentEndEvent):
                continue
            if isinstance(event, DocumentStartEvent):
                if event.version not in {None, (1, 1)}:
                    raise _error_at(event, "a version of YAML that Go programs refuse")
                self._anchors.clear()
                continue
            node, _ = self._read_value(event, path, 0)
            if node is not None:
                documents.append(node)
        return documents

    def _read_value(self, event: Any, path: Path | None, depth: int, *, keep: bool = True) -> tuple[Node | None, int]:
        """Read a value; return its node (None if it is not kept) and how many values it stands for.

        Args:
            event: its first event.
            path: the path that matters in it; None for all of it.
            depth: how many lists and mappings are around it.
            keep: whether to return a node; a value with an anchor is always kept.
        """
        if isinstance(event, AliasEvent):
            return self._resolve_alias(event)
        if depth > DEEPEST:
            raise TooLargeError(_TOO_DEEP)
        anchor = event.anchor or ""
        if anchor:
            keep, path = True, None
            self._anchors[anchor] = (None, 0, event)
        self._count(keep=keep)
        if isinstance(event, ScalarEvent):
            scalar = self._read_scalar(event) if keep or event.tag else None
            node: Node | None = scalar if keep else None
            size = 1 + len(event.value) // 100
        elif isinstance(event, MappingStartEvent):
            node, size = self._read_mapping(event, path, depth, keep=keep)
        else:
            node, size = self._read_sequence(event, path, depth, keep=keep)
        if anchor and node is not None:
            self._anchors[anchor] = (node, size, event)
        return node, size

    def _count(self, *, keep: bool) -> None:
        self._work.values += 1
        self._work.nodes += keep
        if self._work.values > MOST_VALUES or self._work.nodes > MOST_NODES:
            most = MOST_VALUES if self._work.values > MOST_VALUES else MOST_NODES
            raise TooLargeError(f"the file has more than {most} values")

    def _resolve_alias(self, event: Any) -> tuple[Node, int]:
        if event.anchor not in self._anchors:
            raise _error_at(event, f"an alias without its anchor: {event.anchor[:40]}")
        node, size, anchored = self._anchors[event.anchor]
        if node is None:
            raise _error_at(anchored, "an alias contains itself")
        self._work.unfolded += size
        if self._work.unfolded > MOST_UNFOLDED:
            raise TooLargeError(f"the file unfolds to more than {MOST_UNFOLDED} values through its aliases")
        return node, size

    def _read_scalar(self, event: Any) -> ScalarNode:
        style = event.style or ""
        node = ScalarNode(event.start_mark, event.end_mark, event.tag or "", event.anchor or "", event.value, style)
        if node.tag:
            try:
                value_of(node.value, node.tag, is_plain=node.is_plain)
            except ScalarError as error:
                raise _error_at(event, str(error)) from error
        return node

    def _read_sequence(self, event: Any, path: Path | None, depth: int, *, keep: bool) -> tuple[Node | None, int]:
        items: list[Node] = []
        size = 1
        keep_items = keep and (path is None or (bool(path) and isinstance(path[0], tuple)))
        while not isinstance(entry := self._next(), SequenceEndEvent):
            node, inner = self._read_value(entry, None, depth + 1, keep=keep_items)
            size += inner
            if keep_items and node is not None:
                items.append(node)
        if not keep:
            return None, size
        flow = bool(event.flow_style)
        return SequenceNode(event.start_mark, entry.end_mark, event.tag or "", event.anchor or "", items, flow), size

    def _read_mapping(self, event: Any, path: Path | None, depth: int, *, keep: bool) -> tuple[Node | None, int]:
        pairs: list[tuple[ScalarNode, Node]] = []
        size = 1
        while not isinstance(entry := self._next(), MappingEndEvent):
            key = self._read_key(entry, depth + 1)
            is_kept, below = _select_part(key, path, depth) if keep else (False, ())
            self._work.nodes -= not is_kept
            value, inner = self._read_value(self._next(), below, depth + 1, keep=is_kept)
            size += 1 + inner
            if is_kept and value is not None:
                pairs.append((key, value))
        if not keep:
            return None, size
        flow = bool(event.flow_style)
        return MappingNode(event.start_mark, entry.end_mark, event.tag or "", event.anchor or "", pairs, flow), size

    def _read_key(self, event: Any, depth: int) -> ScalarNode:
        node, _ = self._read_value(event, None, depth)
        if not isinstance(node, ScalarNode):
            raise _error_at(event, "a mapping or list where a key has to be")
        if node.is_plain and not node.tag and node.scalar is None:
            raise _error_at(event, "a key that is null")
        return node


def _select_part(key: ScalarNode, path: Path | None, depth: int) -> tuple[bool, Path | None]:
    """Return whether the value of a key matters for a path, and the path that matters in the value."""
    if path is None or is_merge(key):
        return True, None
    if not depth and key.value == "kind" and path[:1] != ["kind"]:
        return True, None
    if not path or path[0] != key.value:
        return False, ()
    return True, path[1:] or None


def _error_at(event: Any, message: str) -> YamlError:
    return YamlError(message, event.start_mark.line + 1, event.start_mark.column + 1)
