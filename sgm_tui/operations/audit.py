"""What was done: a chain of records in which none can be changed or taken out without being noticed.

Every record carries the hash of the line before it.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
from pathlib import Path
from typing import Any

from sgm_tui.operations.journal import append, now, unwritable

_START = "0" * 64


class Audit:
    """An append-only chain of JSON lines."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def record(self, action: str, **facts: Any) -> None:
        """Add one record.

        Raises:
            RefusedError: it cannot be written.
        """
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._file.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                append(
                    self._file,
                    {"at": now(), "actor": getpass.getuser(), "action": action, "previous": self._last(), **facts},
                )
        except OSError as error:
            raise unwritable(self._file, error) from error

    def verify(self) -> int | None:
        """The number of the first line that breaks the chain, or None when it is whole."""
        previous = _START
        for number, line in enumerate(self._lines(), 1):
            try:
                intact = json.loads(line)["previous"] == previous
            except (ValueError, KeyError, TypeError):
                intact = False
            if not intact:
                return number
            previous = hashlib.sha256(line).hexdigest()
        return None

    def _last(self) -> str:
        lines = self._lines()
        return hashlib.sha256(lines[-1]).hexdigest() if lines else _START

    def _lines(self) -> list[bytes]:
        return self._file.read_bytes().splitlines() if self._file.exists() else []
