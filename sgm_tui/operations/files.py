"""Small files of our own in the state directory: written whole or not at all, one process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from sgm_tui.errors import RefusedError
from sgm_tui.private_files import make_private_directory, open_private, replace_file
from sgm_tui.threads import Lane, start_in

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_PATIENCE = 20.0
"""Seconds another process may hold a file before we say so."""
_PAUSE = 0.02


async def beside(write: Callable[Arguments, Result], *args: Arguments.args, **facts: Arguments.kwargs) -> Result:
    """What `write` returns, called in a thread: neither the disk nor whoever holds a file holds up the loop.

    Once begun it is carried to its end, whatever becomes of who waits for it: a record of what was done is not lost.
    """
    return await asyncio.shield(start_in(Lane.RECORDS, write, *args, **facts))


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold `file` for this process; whoever has it now is waited for, but not for ever.

    Raises:
        RefusedError: another process does not let it go, or the folder cannot be written.
    """
    try:
        make_private_directory(file.parent)
        lock = os.fdopen(open_private(file.with_suffix(".lock"), os.O_WRONLY | os.O_APPEND), "a")
    except OSError as error:
        raise unusable(file, error) from error
    with lock:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise RefusedError(
                        f"{file} has been locked by another sgm for {_PATIENCE:.0f} s",
                        "Stop that process, or wait for it.",
                    ) from error
                time.sleep(_PAUSE)
        yield


def is_held(file: Path) -> bool:
    """Whether another process, or another task of ours, holds `file` now."""
    try:
        with os.fdopen(open_private(file.with_suffix(".lock"), os.O_WRONLY | os.O_APPEND), "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # nobody has ever held it: there is no such folder
    return False


def change_file(locks: Path, identity: str) -> Path:
    """What is held while one change is written or taken back."""
    return locks / f"{identity}.change"


def place_file(locks: Path, path: str) -> Path:
    """What is held from looking who else changes a file of the repository until the pull request for it exists."""
    return locks / f"place-{hashlib.sha256(path.encode()).hexdigest()[:16]}.change"


def write_whole(file: Path, text: str) -> None:
    """Put `text` in the place of what the file held; after a crash it holds the one or the other.

    Raises:
        RefusedError: it cannot be written.
    """
    try:
        replace_file(file, text.encode("utf-8", "backslashreplace"))  # JSON spells a lone surrogate the same way
    except OSError as error:
        raise unusable(file, error) from error


def unusable(file: Path, error: OSError) -> RefusedError:
    """What to say of a file of ours that cannot be used."""
    return RefusedError(f"{file}: {error.strerror}", "Free disk space, or set state_directory to a writable directory.")
