"""Small files in the state directory: written completely or not at all, by one process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

import filelock

from sgm_tui.errors import RefusedError
from sgm_tui.private_files import OWNER_ONLY, make_private_directory, replace_file
from sgm_tui.threads import Lane, start_in

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_LOCK_TIMEOUT = 20.0
"""Seconds to wait for a file that another process has locked."""
_POLL_INTERVAL = 0.02
"""Seconds between two attempts to lock a file."""


async def run_in_thread(
    write: Callable[Arguments, Result], *args: Arguments.args, **keywords: Arguments.kwargs
) -> Result:
    """Run `write` in a worker thread and return its result.

    It is not cancelled with its caller, so no record of an action is lost.
    """
    return await asyncio.shield(start_in(Lane.RECORDS, write, *args, **keywords))


@contextlib.contextmanager
def lock_file(file: Path) -> Iterator[None]:
    """Lock `file` for the length of the block, waiting up to 20 seconds for other processes and tasks.

    The lock is a file next to it with the suffix `.lock`; it stays there, and the kernel releases it with the process.

    Raises:
        RefusedError: another process keeps it locked, or the directory cannot be written.
    """
    try:
        make_private_directory(file.parent)
        lock = _lock_of(file)
        lock.acquire(timeout=_LOCK_TIMEOUT, poll_interval=_POLL_INTERVAL)
    except filelock.Timeout as error:
        raise RefusedError(
            f"{file} has been locked by another sgm for {_LOCK_TIMEOUT:.0f} s", "Stop that process, or wait for it."
        ) from error
    except OSError as error:
        raise report_unusable(file, error) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(file: Path) -> bool:
    """Return whether another process, or another task of this one, has locked `file`."""
    lock = _lock_of(file)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        return True
    except OSError:
        return False  # its directory does not exist: the file was never locked
    lock.release()
    return False


def _lock_of(file: Path) -> filelock.FileLock:
    """Return a new lock for `file`.

    A task takes it in one thread and releases it in another. The lock file is kept: the audit tells by it whether its
    records were deleted.
    """
    return filelock.FileLock(file.with_suffix(".lock"), mode=OWNER_ONLY, thread_local=False, preserve_lock_file=True)


def change_lock(locks: Path, identity: str) -> Path:
    """Return the file to lock while one change is written or discarded."""
    return locks / f"{identity}.change"


def path_lock(locks: Path, path: str) -> Path:
    """Return the file to lock from checking for concurrent changes of a repository file until its pull request is open.

    Args:
        locks: the directory of locks.
        path: the file in the GitOps repository.
    """
    return locks / f"place-{hashlib.sha256(path.encode()).hexdigest()[:16]}.change"


def replace_text(file: Path, text: str) -> None:
    """Replace the content of a file; after a crash it has either the old content or the new one.

    Raises:
        RefusedError: it cannot be written.
    """
    try:
        replace_file(file, text.encode("utf-8", "backslashreplace"))  # JSON spells a lone surrogate the same way
    except OSError as error:
        raise report_unusable(file, error) from error


def report_unusable(file: Path, error: OSError) -> RefusedError:
    """Return the error to raise for a state file that cannot be read or written."""
    return RefusedError(f"{file}: {error.strerror}", "Free disk space, or set state_directory to a writable directory.")
