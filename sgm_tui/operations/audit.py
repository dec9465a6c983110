"""What was done: a chain of records in which none can be changed or taken out without being noticed.

Every record carries its own hash and the hash of the line before it; a small file beside holds the newest one, so that
a cut-off end is noticed too. Records of an older sgm carry no hash of their own and still count.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sgm_tui.operations.actor import actor
from sgm_tui.operations.files import locked, unusable, write_whole
from sgm_tui.operations.journal import append, now

_START = "0" * 64


class Audit:
    """An append-only chain of JSON lines."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._newest = file.with_suffix(".newest")

    def record(self, action: str, **facts: Any) -> None:
        """Add one record.

        Raises:
            RefusedError: it cannot be written.
        """
        with locked(self.file):
            record = {"at": now(), "actor": actor(), "action": action, "previous": self._last(), **facts}
            line = append(self.file, {**record, "hash": _hash_of(record)})
            write_whole(self._newest, hashlib.sha256(line).hexdigest())

    def records(self) -> tuple[dict[str, Any], ...]:
        """Every record that can be read, the oldest first.

        Raises:
            RefusedError: the file cannot be read.
        """
        found: list[dict[str, Any]] = []
        for line in self._lines():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # `verify` says which line it is
            if isinstance(record, dict):
                found.append(record)
        return tuple(found)

    def verify(self) -> int | None:
        """The number of the first line that breaks the chain, or None when it is whole.

        A line that is missing at the end is the one after the last. Lines after the newest sealed one are whole all
        the same: a process that died after its record and before its seal took nothing away.

        Raises:
            RefusedError: the file cannot be read.
        """
        previous = _START
        lines = self._lines()
        chain = {previous}
        for number, line in enumerate(lines, 1):
            if not _is_intact(line, previous):
                return number
            previous = hashlib.sha256(line).hexdigest()
            chain.add(previous)
        newest = self._newest.read_text(encoding="utf-8").strip() if self._newest.exists() else previous
        return None if newest in chain else len(lines) + 1

    def _last(self) -> str:
        lines = self._lines()
        return hashlib.sha256(lines[-1]).hexdigest() if lines else _START

    def _lines(self) -> list[bytes]:
        try:
            return self.file.read_bytes().splitlines() if self.file.exists() else []
        except OSError as error:
            raise unusable(self.file, error) from error


def _is_intact(line: bytes, previous: str) -> bool:
    try:
        record = json.loads(line)
        own = record.pop("hash", None)
        return bool(record["previous"] == previous and own in {None, _hash_of(record)})
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _hash_of(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
