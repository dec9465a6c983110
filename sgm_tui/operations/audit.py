"""The local audit log: a hash chain in which no record can be changed or removed without detection.

Every record has its own hash and the hash of the line before it. A small file next to the log, the seal, has the hash
of the newest record, so that a cut-off tail is detected too, whatever is recorded later. A person who may write the
directory can still forge all of it, including the lock; a copy elsewhere protects against that. Records of older
versions have no hash of their own and are valid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sgm_tui.json_reader import read_json
from sgm_tui.operations.actor import actor
from sgm_tui.operations.journal import append, encode, now
from sgm_tui.operations.state_files import lock_file, replace_text, report_unusable
from sgm_tui.untrusted_text import sanitize

_START = "0" * 64


class Audit:
    """An append-only chain of JSON lines."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._newest = file.with_suffix(".newest")

    def record(self, action: str, **facts: Any) -> None:
        """Append one record.

        Raises:
            RefusedError: it cannot be written.
        """
        with lock_file(self.file):
            record = {"at": now(), "actor": actor(), "action": action, "previous": self._previous(), **sanitize(facts)}
            if not self._newest.exists() and record["previous"] == _START:
                # The seal exists from the first record on: a log without one has had it removed.
                replace_text(self._newest, _START)
            line = append(self.file, {**record, "hash": _hash_of(record)})
            replace_text(self._newest, hashlib.sha256(line).hexdigest())

    def records(self) -> tuple[dict[str, Any], ...]:
        """Return every readable record, oldest first.

        Raises:
            RefusedError: the file cannot be read.
        """
        records: list[dict[str, Any]] = []
        for line in self._lines():
            try:
                record = read_json(line)
            except ValueError:
                continue  # `verify` reports the line
            if isinstance(record, dict):
                records.append(record)
        return tuple(records)

    def count_unreadable_lines(self) -> int:
        """Return how many lines `records` leaves out, because they were truncated or damaged.

        Raises:
            RefusedError: the file cannot be read.
        """
        return len(self._lines()) - len(self.records())

    def verify(self) -> int | None:
        """Return the number of the first line that breaks the chain, or None if the chain is intact.

        If the tail was cut off, that is the line after the last one. Records without a seal, and an empty log in which
        something was recorded, are broken. Lines after the sealed one are intact: a process may die between writing its
        record and its seal.

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
            # Every record was written under the lock, whose file is never deleted.
            return 1 if self.file.with_suffix(".lock").exists() else None
        return None if self._seal(lines) in chain else len(lines) + 1

    def _seal(self, lines: Sequence[bytes]) -> str:
        """Return the hash of the newest record as the seal has it, or "" if the seal was removed.

        Records of versions without seals have no hash of their own, and need no seal.
        """
        if self._newest.exists():
            return self._newest.read_text(encoding="utf-8", errors="replace").strip()
        return "" if any(_has_hash(line) for line in lines) else _START

    def _previous(self) -> str:
        """Return the hash to chain to.

        If the tail was cut off, it is the lost record's hash, so that verification fails for good.
        """
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
        record = read_json(line)
        own_hash = record.pop("hash", None)
        return bool(record["previous"] == previous and own_hash in {None, _hash_of(record)})
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _has_hash(line: bytes) -> bool:
    try:
        return "hash" in read_json(line)
    except (ValueError, TypeError):
        return False


def _hash_of(record: dict[str, Any]) -> str:
    return hashlib.sha256(encode(record)).hexdigest()
