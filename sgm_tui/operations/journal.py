"""What was about to be done: one line before each outward step, on disk before the step is taken.

After a crash the remote decides (branch, pull request), the journal only says where to look.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sgm_tui.errors import RefusedError


class Journal:
    """An append-only file of JSON lines that only its owner may read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, operation: str, step: str, **facts: Any) -> None:
        """Write what comes next; returns only when it is on disk.

        Raises:
            RefusedError: it cannot be written, so the step must not be taken.
        """
        append(self._file, {"at": now(), "operation": operation, "step": step, **facts})


def now() -> str:
    """The time of a record."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def append(file: Path, record: dict[str, Any]) -> None:
    """Append one JSON line and wait for the disk.

    Raises:
        RefusedError: the disk is full or the file cannot be written.
    """
    line = json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise unwritable(file, error) from error


def unwritable(file: Path, error: OSError) -> RefusedError:
    """What to say of a record that cannot be kept; how far the operation got is the caller's to tell."""
    return RefusedError(f"{file}: {error.strerror}", "Make room, or set state_directory to a folder you can write.")
