"""What was done: a chain of records in which none can be changed or taken out without being noticed.

Every record carries its own hash and the hash of the line before it; a small file beside holds the newest one, so that
a cut-off end is noticed too, and stays noticed whatever is recorded after. Whoever may write the folder can still
forge all of it, the lock too: what must outlive that is kept elsewhere. Records of an older sgm carry no hash of their
own and still count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sgm_tui.operations.actor import actor
from sgm_tui.operations.journal import append, encoded, now
from sgm_tui.operations.state_files import lock_file, replace_text, report_unusable
from sgm_tui.untrusted_text import harmless

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
        with lock_file(self.file):
            record = {"at": now(), "actor": actor(), "action": action, "previous": self._previous(), **harmless(facts)}
            if not self._newest.exists() and record["previous"] == _START:
                # From its first record on there is a seal: records without one had theirs taken away.
                replace_text(self._newest, _START)
            line = append(self.file, {**record, "hash": _hash_of(record)})
            replace_text(self._newest, hashlib.sha256(line).hexdigest())

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

        A line that is missing at the end is the one after the last; records without their seal, and nothing at all
        where something was recorded, are not whole. Lines after the newest sealed one are whole all
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
        if not lines and not self._newest.exists():
            # Whoever recorded something held the lock, which nobody takes away in passing.
            return 1 if self.file.with_suffix(".lock").exists() else None
        return None if self._seal(lines) in chain else len(lines) + 1

    def _seal(self, lines: Sequence[bytes]) -> str:
        """The hash of the newest record as it was kept apart; "" where it was taken away.

        Records of an sgm that knew no seals have no hash of their own, and need none.
        """
        if self._newest.exists():
            return self._newest.read_text(encoding="utf-8").strip()
        return "" if any(_has_hash(line) for line in lines) else _START

    def _previous(self) -> str:
        """What the next record follows: where the end was cut off, what was cut, so that the gap stays for ever."""
        lines = self._lines()
        hashes = [_START, *(hashlib.sha256(line).hexdigest() for line in lines)]
        seal = self._seal(lines)
        return hashes[-1] if seal in hashes else seal

    def _lines(self) -> list[bytes]:
        try:
            return self.file.read_bytes().splitlines() if self.file.exists() else []
        except OSError as error:
            raise report_unusable(self.file, error) from error


def _is_intact(line: bytes, previous: str) -> bool:
    try:
        record = json.loads(line)
        own = record.pop("hash", None)
        return bool(record["previous"] == previous and own in {None, _hash_of(record)})
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _has_hash(line: bytes) -> bool:
    try:
        return "hash" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _hash_of(record: dict[str, Any]) -> str:
    return hashlib.sha256(encoded(record)).hexdigest()
