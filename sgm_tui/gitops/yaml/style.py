"""The style of a file: how it indents lists and mappings, and values written in that style."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from dataclasses import replace as with_changes
from typing import Any

from sgm_tui.gitops.yaml.edits import EditRefusedError, check_new_value, quote
from sgm_tui.gitops.yaml.proof import STRING

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
"""A value that can be written: any value of JSON."""

_LIST_BELOW = re.compile(r"^( *)(?:- +)*[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\r?\n( *)- ", re.MULTILINE)
_MAPPING_BELOW = re.compile(r"^( *)[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\r?\n( +)[\w\"']", re.MULTILINE)
_WIDEST = 80
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Style:
    """Indentation and line ends of a file."""

    line_break: str
    list_offset: int
    """Columns between a key and the dashes of its list."""
    mapping_offset: int
    """Columns between a key and the keys of its mapping."""

    def with_offset(self, offset: int, *, of_list: bool) -> Style:
        """Return the style with another indentation of lists or of mappings."""
        return with_changes(self, list_offset=offset) if of_list else with_changes(self, mapping_offset=offset)

    def flow(self, value: Value) -> str:
        """Return a value on one line: `{duration: 1m}`."""
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.name(key)}: {self.flow(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.flow(item) for item in value) + "]"
        return _format_scalar(value)

    def name(self, key: str) -> str:
        """Return a key, in quotes if a plain word would not be a string."""
        check_new_value(key)
        return quote(key)

    def block(self, value: Value, column: int) -> list[str] | None:
        """Return the lines of a value below its key at a column; None for a value that is written on the key's line."""
        if isinstance(value, list) and value:
            column += self.list_offset
            return [line for item in value for line in self._item(item, column)]
        if isinstance(value, dict) and value:
            return self._entries(value, column + self.mapping_offset)
        return None

    def _item(self, value: Value, column: int) -> list[str]:
        if not isinstance(value, dict) or not value:
            return [f"{' ' * column}- {self.flow(value)}"]
        lines = self._entries(value, column + 2)
        return [f"{' ' * column}- {lines[0].lstrip(' ')}", *lines[1:]]

    def _entries(self, value: dict[str, Value], column: int) -> list[str]:
        lines = []
        for key, item in value.items():
            head = f"{' ' * column}{self.name(key)}:"
            below = None if self._is_small(item, len(head)) else self.block(item, column)
            lines += [f"{head} {self.flow(item)}"] if below is None else [head, *below]
        return lines

    def _is_small(self, value: Value, column: int) -> bool:
        """Whether a list or mapping is written in brackets: nothing is nested in it, and it fits on the line."""
        parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        return not any(isinstance(one, dict | list) and one for one in parts) and (
            column + 1 + len(self.flow(value)) <= _WIDEST
        )


def detect_style(text: str) -> Style:
    """Return the style of most of the file; two columns of indentation if it has no lists or mappings yet."""
    lists = Counter(len(match[2]) - len(match[1]) for match in _LIST_BELOW.finditer(text))
    mappings = Counter(len(match[2]) - len(match[1]) for match in _MAPPING_BELOW.finditer(text))
    line_break = "\r\n" if "\r\n" in text else "\n"
    return Style(line_break, _most_frequent(lists, 0), _most_frequent(mappings, 1))


def _most_frequent(offsets: Counter[int], least: int) -> int:
    return next((offset for offset, _ in offsets.most_common() if offset >= least), 2)


def comparable_value(value: Value, depth: int = 0) -> Any:
    """Return a value in the form `proof.comparable` returns when the written value is read back.

    Raises:
        EditRefusedError: it is nested too deep.
    """
    if depth > _DEEPEST:
        raise EditRefusedError(f"the new value is nested deeper than {_DEEPEST}")
    if isinstance(value, dict):
        return {
            "tag": "",
            "pairs": [[[STRING, key], comparable_value(item, depth + 1)] for key, item in value.items()],
        }
    if isinstance(value, list):
        return {"tag": "", "items": [comparable_value(item, depth + 1) for item in value]}
    if isinstance(value, str):
        return [STRING, value]
    kind = "nothing" if value is None else "a boolean" if isinstance(value, bool) else "a number"
    return [kind, _format_scalar(value)]


def _format_scalar(value: str | float | bool | None) -> str:
    if isinstance(value, str):
        if value:
            check_new_value(value)
        return quote(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")
