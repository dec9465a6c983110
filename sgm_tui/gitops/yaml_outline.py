"""Which lines of a YAML file matter for one key, where reading lines is enough to be sure.

A parser needs a second for a file of ten thousand values; the lines of one need ten milliseconds. Where every line of
a file is of a plain kind (an entry, a list item, a comment, a block of text; nothing that runs over lines otherwise,
no anchor, alias, tag or merge key), indentation alone says what belongs to what, and what stands beside the way to a
key cannot change how the key is read. Such a file is cut down to the lines on the way, and the parser judges those.
Anything else is left to the parser as a whole: the outline never guesses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_NOT_PLAIN = re.compile(
    r"[^\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|\r(?!\n)|<<"
)
_QUOTED = r""""(?:[^"\\\n]|\\["\\/abenrt])*+"|'(?:[^'\n]|'')*+'"""
_PLAIN = r"(?:[A-Za-z0-9_./+~^$(]|-(?=[^\s]))(?:[^:#\s]|:(?=\S)|(?<=\S)#| +(?=[^\s#:]))*+"
_COMMENT = r"(?: +#.*)?"
_BLANK = re.compile(r" *+(?:#.*)?$")
_MARKER = re.compile(rf"--- *{_COMMENT}$")
_DASH = re.compile(r"- *(?=[^\s]|$)")
_KEY = re.compile(r"""([A-Za-z0-9_][A-Za-z0-9_./-]{0,200}+|"[^"\\\n]{0,200}+"|'[^'\n]{0,200}+'):(?: +|$)""")
_SINGLE = re.compile(rf"(?:{_QUOTED}) *{_COMMENT}$|(?:{_PLAIN}) *{_COMMENT}$")
_TEXT = re.compile(rf"[|>][+-]? *{_COMMENT}$")
_FLOW = re.compile(r"([\[{].*[\]}]) *(?: #.*)?$")
_WORD = r"""(?:[A-Za-z0-9_./+][A-Za-z0-9_./+ -]*+|"[^"'\\{}\[\],:#\n]*+"|'[^"'\\{}\[\],:#\n]*+')"""
_PAIR = rf"{_WORD}: +{_WORD} *"
_INNER = re.compile(
    rf"\{{ *(?:{_PAIR}(?:, *{_PAIR})*+)?+\}}|\[ *(?:(?:{_WORD}) *(?:, *(?:{_WORD}) *)*+)?+\]",
)
_DEEP = 1 << 30
"""Indentation of a line that is text: deeper than anything."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One key of a mapping: its line, its column, and the entry whose value it is in (-1: the document's)."""

    line: int
    column: int
    name: str
    parent: int


@dataclass(slots=True)
class _Level:
    """A mapping or list that is open, at its column."""

    column: int
    is_list: bool
    parent: int
    """The entry it is the value of; -1 for the document, -2 within a list."""
    entry: int = -2
    """The last entry of a mapping."""


@dataclass(slots=True)
class Outline:
    """The plain lines of a file as a tree."""

    indents: list[int] = field(default_factory=list)
    """Column of the first character of each line that is content; -1 for blank lines, comments; text is deep."""
    dashes: set[int] = field(default_factory=set)
    """Lines that start with a list item."""
    markers: list[int] = field(default_factory=list)
    """Lines that start a document."""
    entries: list[_Entry] = field(default_factory=list)

    def on_the_way(self, path: Sequence[str], *, whole_parent: bool) -> list[int] | None:
        """The lines that decide what stands at a path, in order; None when that is all of them.

        Args:
            path: the names from the document down.
            whole_parent: keep everything beside the last name too.
        """
        kept = set(self.markers)
        at = {-1}
        for depth, name in enumerate(path):
            below = {number for number, one in enumerate(self.entries) if one.parent in at and one.name == name}
            if not below or (whole_parent and depth == len(path) - 1):
                break
            kept.update(self.entries[number].line for number in below)
            at = below
        if at == {-1}:
            return None if whole_parent else sorted(kept)
        for number in at:
            kept.update(self._subtree(self.entries[number]))
        return sorted(kept)

    def _subtree(self, entry: _Entry) -> range:
        end = entry.line + 1
        while end < len(self.indents) and (self.indents[end] < 0 or self._within(end, entry.column)):
            end += 1
        return range(entry.line, end)

    def _within(self, line: int, column: int) -> bool:
        if line in self.markers:
            return False
        return self.indents[line] > column or (self.indents[line] == column and line in self.dashes)


def outline(text: str) -> Outline | None:
    """The tree of a file whose lines are all plain; None for any other file."""
    if _NOT_PLAIN.search(text):
        return None
    reader = _Reader(text.split("\n"))
    return reader.result if reader.read() else None


def apart(text: str, name: str) -> tuple[list[int], set[int]] | None:
    """The lines of a file that is not all plain, without the top-level entries that are and have another name.

    What is left out is sure to stand at the top level only when a parser finds exactly the given lines to start the
    top-level entries of what is left: then no quote and no bracket was open where something was left out.

    Returns:
        The lines that stay, and which of these (counted anew) start an entry; None when there is nothing to gain.
    """
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines) if _KEY.match(line)]
    if not starts or any(line.startswith(("---", "...", "%")) for line in lines):
        return None
    kept: list[int] = list(range(starts[0]))
    firsts: set[int] = set()
    named = False
    for first, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        match = _KEY.match(lines[first])
        is_named = match is not None and match[1].strip("\"'") == name
        named = named or is_named
        if is_named or outline("\n".join(lines[first:end])) is None:
            firsts.add(len(kept))
            kept += range(first, end)
    return (kept, firsts) if named and len(kept) < len(lines) else None


class _Reader:
    """Walks the lines once, with the stack of what is open."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.result = Outline()
        self._levels: list[_Level] = []
        self._pending = False
        """Whether the last line left room for a value in the lines below it."""
        self._text_in = -1
        """Column of the entry whose block of text is being read; -1 outside of one."""
        self._text_at = -1
        """Column of that text, once a line of it is seen."""

    def read(self) -> bool:
        """Whether every line was plain."""
        return all(self._line(number, line.removesuffix("\r")) for number, line in enumerate(self.lines))

    def _line(self, number: int, line: str) -> bool:
        indent = len(line) - len(line.lstrip(" "))
        if self._text_in >= 0 and (indent > self._text_in or indent == len(line)):
            return self._text(indent, blank=indent == len(line))
        self._text_in = -1
        if _BLANK.match(line):
            self.result.indents.append(-1)
            return True
        self.result.indents.append(indent)
        if line.startswith(("---", "...")):
            self._levels, self._pending = [], False
            self.result.markers.append(number)
            return _MARKER.match(line) is not None
        return self._content(number, line, indent)

    def _text(self, indent: int, *, blank: bool) -> bool:
        self.result.indents.append(_DEEP)
        if blank:
            return not indent or self._text_at >= 0
        if self._text_at < 0:
            self._text_at = indent
        return indent >= self._text_at

    def _content(self, number: int, line: str, column: int) -> bool:
        dash = _DASH.match(line, column)
        if dash:
            self.result.dashes.add(number)
        if not self._opened(column, is_list=dash is not None):
            return False
        while dash:
            column = dash.end()
            if column == len(line):
                self._pending = True
                return True
            if column == dash.start() + 1:
                return False
            key = _KEY.match(line, column)
            dash = _DASH.match(line, column)
            if dash or key:
                self._levels.append(_Level(column, dash is not None, -2))
            else:
                return self._value(line, column, self._levels[-1].column)
        key = _KEY.match(line, column)
        if key is None:
            return False
        level = self._levels[-1]
        level.entry = len(self.result.entries)
        name = key[1][1:-1] if key[1][0] in "\"'" else key[1]
        self.result.entries.append(_Entry(number, column, name, level.parent))
        return self._value(line, key.end(), column)

    def _opened(self, column: int, *, is_list: bool) -> bool:
        """Make the level at a column the innermost one; False where indentation does not say which it is."""
        levels = self._levels
        while levels and levels[-1].column > column:
            levels.pop()
            self._pending = False
        if not levels:
            levels.append(_Level(column, is_list, -2 if is_list else -1))
            return column == 0 and self._first()
        top = levels[-1]
        if top.column == column and top.is_list and not is_list:
            levels.pop()
            self._pending = False
            return bool(levels) and levels[-1].column == column and not levels[-1].is_list
        if top.column == column and top.is_list == is_list:
            self._pending = False
            return True
        if not self._pending:
            return False
        inside = top.is_list or is_list or top.parent == -2
        levels.append(_Level(column, is_list, -2 if inside else top.entry))
        self._pending = False
        return True

    def _first(self) -> bool:
        """Whether nothing of this document was read yet."""
        last = self.result.markers[-1] if self.result.markers else -1
        return all(indent < 0 for indent in self.result.indents[last + 1 : -1])

    def _value(self, line: str, start: int, column: int) -> bool:
        """Whether what follows a key or a dash is nothing, one value on this line, or a block of text."""
        self._pending = start == len(line) or line[start] == "#"
        if self._pending or _SINGLE.match(line, start):
            return True
        if _TEXT.match(line, start):
            self._text_in, self._text_at = column, -1
            return True
        flow = _FLOW.match(line, start)
        return flow is not None and _balanced(flow[1])


def _balanced(flow: str) -> bool:
    """Whether a flow collection is whole and plain: its innermost ones become words until one word is left."""
    while flow != "x":
        flow, count = _INNER.subn("x", flow)
        if not count:
            return False
    return True
