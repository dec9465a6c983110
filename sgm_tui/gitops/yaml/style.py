"""How a file writes its lists and mappings, and values written that way."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from dataclasses import replace as with_changes
from typing import Any

from sgm_tui.gitops.yaml.edits import STRING, EditRefusedError, refuse_value, written

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
"""What can be written: what JSON has."""

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
        """The same style with the indentation one place has."""
        return with_changes(self, list_offset=offset) if of_list else with_changes(self, mapping_offset=offset)

    def flow(self, value: Value) -> str:
        """A value on one line: `{duration: 1m}`."""
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.name(key)}: {self.flow(one)}" for key, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.flow(one) for one in value) + "]"
        return _scalar(value)

    def name(self, key: str) -> str:
        """A key, in quotes where a plain word would be no string."""
        refuse_value(key)
        return written(key)

    def block(self, value: Value, column: int) -> list[str] | None:
        """The lines below a key at a column; None for what stands behind the colon."""
        if isinstance(value, list) and value:
            column += self.list_offset
            return [line for one in value for line in self._item(one, column)]
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
        for key, one in value.items():
            head = f"{' ' * column}{self.name(key)}:"
            below = None if self._is_small(one, len(head)) else self.block(one, column)
            lines += [f"{head} {self.flow(one)}"] if below is None else [head, *below]
        return lines

    def _is_small(self, value: Value, column: int) -> bool:
        """Whether a collection is written in brackets: nothing nested in it, and it fits the line."""
        parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        return not any(isinstance(one, dict | list) and one for one in parts) and (
            column + 1 + len(self.flow(value)) <= _WIDEST
        )


def style_of(text: str) -> Style:
    """What most of the file does; two columns where it does nothing yet."""
    lists = Counter(len(found[2]) - len(found[1]) for found in _LIST_BELOW.finditer(text))
    mappings = Counter(len(found[2]) - len(found[1]) for found in _MAPPING_BELOW.finditer(text))
    line_break = "\r\n" if "\r\n" in text else "\n"
    return Style(line_break, _most(lists, 0), _most(mappings, 1))


def _most(seen: Counter[int], least: int) -> int:
    return next((offset for offset, _ in seen.most_common() if offset >= least), 2)


def reading(value: Value, depth: int = 0) -> Any:
    """What a reader has to see for a value: the form `edits.plain` gives.

    Raises:
        EditRefusedError: it is nested too deep.
    """
    if depth > _DEEPEST:
        raise EditRefusedError(f"the new value is nested deeper than {_DEEPEST}")
    if isinstance(value, dict):
        return {
            "tag": "",
            "pairs": [[[STRING, key], reading(one, depth + 1)] for key, one in value.items()],
        }
    if isinstance(value, list):
        return {"tag": "", "items": [reading(one, depth + 1) for one in value]}
    if isinstance(value, str):
        return [STRING, value]
    kind = "nothing" if value is None else "a boolean" if isinstance(value, bool) else "a number"
    return [kind, _scalar(value)]


def _scalar(value: str | float | bool | None) -> str:
    if isinstance(value, str):
        if value:
            refuse_value(value)
        return written(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")
