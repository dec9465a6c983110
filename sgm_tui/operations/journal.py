"""The write-ahead journal: one line for each outward step, on disk before the step is taken.

After a crash the server decides what was done (its branches and pull requests); the journal only says where to look.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sgm_tui.json_reader import read_json
from sgm_tui.operations.state_files import lock_file, report_unusable
from sgm_tui.private_files import append_line
from sgm_tui.untrusted_text import sanitize

BEGINS = frozenset({"commit", "act"})
"""The steps that begin an operation: a write, and an action on a pull request."""
ENDS = frozenset({"done", "discarded"})
"""The steps that finish an operation."""

_BEGINNING = b'{"'
"""How every line begins, also one that a crash truncated."""

Entry = dict[str, Any]


class Journal:
    """An append-only file of JSON lines, readable only by its owner."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, operation: str, step: str, **facts: Any) -> None:
        """Write the next step of an operation; return once it is on disk.

        Raises:
            RefusedError: it cannot be written, so the step must not be taken.
        """
        with lock_file(self._file):
            append(self._file, {"at": now(), "operation": operation, "step": step, **sanitize(facts)})

    def unfinished(self) -> dict[str, list[Entry]]:
        """Return operation → its entries since it last began, for unfinished operations, oldest first.

        A line that a crash truncated is skipped: its step was not taken.

        Raises:
            RefusedError: the file cannot be read.
        """
        unfinished: dict[str, list[Entry]] = {}
        for entry in self._entries():
            operation, step = entry.get("operation"), entry.get("step")
            if not isinstance(operation, str) or not isinstance(step, str):
                continue
            if step in ENDS:
                unfinished.pop(operation, None)
            elif step in BEGINS:
                unfinished[operation] = [entry]
            elif operation in unfinished:
                unfinished[operation].append(entry)
        return unfinished

    def count_damaged_lines(self) -> int:
        """Return how many lines no version of sgm wrote: what they recorded is lost, an unfinished write perhaps.

        A line that a crash truncated is not among them.

        Raises:
            RefusedError: the file cannot be read.
        """
        return sum(_entry(line) is None and line[:2] != _BEGINNING[: len(line)] for line in self._lines())

    def _entries(self) -> list[Entry]:
        return [entry for line in self._lines() if (entry := _entry(line)) is not None]

    def _lines(self) -> list[bytes]:
        try:
            return self._file.read_bytes().splitlines() if self._file.exists() else []
        except OSError as error:
            raise report_unusable(self._file, error) from error


def _entry(line: bytes) -> Entry | None:
    """Return the entry of a line; None where it was truncated or damaged."""
    try:
        entry = read_json(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def now() -> str:
    """Return the current time in UTC, as records have it: ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def encode(record: dict[str, Any]) -> bytes:
    """Return a record as one line of JSON, the same bytes for the same record."""
    # JSON spells a lone surrogate the way Python escapes it.
    return json.dumps(record, ensure_ascii=False, sort_keys=True).encode("utf-8", "backslashreplace")


def append(file: Path, record: dict[str, Any]) -> bytes:
    """Append one JSON line and wait until it is on disk; return it without its line end.

    A last line that a crash truncated is terminated first, so that only that line is lost. A line that cannot be
    written completely is removed again.

    Raises:
        RefusedError: the disk is full or the file cannot be written.
    """
    line = encode(record)
    try:
        append_line(file, line)
    except OSError as error:
        raise report_unusable(file, error) from error
    return line
