"""What was about to be done: one line before each outward step, on disk before the step is taken.

After a crash the remote decides (branch, pull request), the journal only says where to look.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sgm_tui.operations.state_files import lock_file, report_unusable
from sgm_tui.private_files import append_line
from sgm_tui.untrusted_text import harmless

BEGINS = frozenset({"commit", "act"})
"""Steps with which an operation begins: a write, and an action on a pull request."""
ENDS = frozenset({"done", "discarded"})
"""Steps after which nothing is left of an operation."""

Entry = dict[str, Any]


class Journal:
    """An append-only file of JSON lines that only its owner may read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, operation: str, step: str, **facts: Any) -> None:
        """Write what comes next; returns only when it is on disk.

        Raises:
            RefusedError: it cannot be written, so the step must not be taken.
        """
        with lock_file(self._file):
            append(self._file, {"at": now(), "operation": operation, "step": step, **harmless(facts)})

    def unfinished(self) -> dict[str, list[Entry]]:
        """Operation → its entries since it was begun last, for those that never ended; the oldest first.

        A line torn by a crash is no step that was taken: it is left out.

        Raises:
            RefusedError: the file cannot be read.
        """
        found: dict[str, list[Entry]] = {}
        for entry in self._entries():
            operation, step = entry.get("operation"), entry.get("step")
            if not isinstance(operation, str) or not isinstance(step, str):
                continue
            if step in ENDS:
                found.pop(operation, None)
            elif step in BEGINS:
                found[operation] = [entry]
            elif operation in found:
                found[operation].append(entry)
        return found

    def _entries(self) -> list[Entry]:
        try:
            lines = self._file.read_bytes().splitlines() if self._file.exists() else []
        except OSError as error:
            raise report_unusable(self._file, error) from error
        entries: list[Entry] = []
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                entries.append(entry)
        return entries


def now() -> str:
    """The time of a record."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def encoded(record: dict[str, Any]) -> bytes:
    """Return a record as one line of JSON, the same bytes for the same record."""
    # JSON spells a lone surrogate the way Python escapes it.
    return json.dumps(record, ensure_ascii=False, sort_keys=True).encode("utf-8", "backslashreplace")


def append(file: Path, record: dict[str, Any]) -> bytes:
    """Append one JSON line and wait for the disk; the line, without its end.

    A line that a crash tore is ended first, so that it spoils no other. What could not be written whole is cut off
    again.

    Raises:
        RefusedError: the disk is full or the file cannot be written.
    """
    line = encoded(record)
    try:
        append_line(file, line)
    except OSError as error:
        raise report_unusable(file, error) from error
    return line
