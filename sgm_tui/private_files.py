"""Files that only their owner may read, written completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from sgm_tui.errors import UnreachableError

OWNER_ONLY = 0o600
"""The mode of files that only their owner may read and write."""


_LARGEST_SECRET = 1 << 16
"""Bytes; a token is much shorter, and `/dev/zero` has no end."""


def read_secret(key: str, file: Path) -> str:
    """Return the token or password in a file, without the blanks around it; `key` is the configuration key of the file.

    Raises:
        UnreachableError: the file cannot be read, is not UTF-8 text, or is larger than any secret.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST_SECRET + 1)
    except OSError as error:
        raise UnreachableError(f"{key} {file}: {error.strerror}") from error
    if len(content) > _LARGEST_SECRET:
        raise UnreachableError(f"{key} {file}: it is larger than {_LARGEST_SECRET >> 10} KiB, so it is no secret")
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise UnreachableError(f"{key} {file}: it is not UTF-8") from error


def make_private_directory(path: Path) -> None:
    """Make a directory, and every missing one above it, with mode 0700.

    Raises:
        OSError: it cannot be made, or something else stands there.
    """
    missing = [path]
    while not missing[-1].parent.exists() and missing[-1].parent != missing[-1]:
        missing.append(missing[-1].parent)
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)


def open_private(path: Path, flags: int) -> int:
    """Open a file, created with mode 0600 where it is missing, and return its descriptor.

    A symbolic link is not followed.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_ONLY)


def append_line(path: Path, line: bytes) -> None:
    """Append one line and wait until it is on disk. If that fails, the file is cut back to its previous length.

    A last line without its end (the process was killed while writing it) is ended first.

    Raises:
        OSError: the line is not on disk.
    """
    make_private_directory(path.parent)
    handle = open_private(path, os.O_RDWR | os.O_APPEND)
    is_open = True
    size = os.fstat(handle).st_size
    try:
        is_torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        _write_all(handle, (b"\n" if is_torn else b"") + line + b"\n")
        os.fsync(handle)
        is_open = False
        os.close(handle)
    except OSError:
        # The error that matters is the first one: a full disk still allows a file to be cut.
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise
    finally:
        if is_open:
            os.close(handle)


def replace_file(path: Path, data: bytes) -> None:
    """Replace the content of a file; after a crash or an error it holds the old content or the new one.

    Raises:
        OSError: the new content is not on disk; the file is unchanged.
    """
    make_private_directory(path.parent)
    draft = path.with_suffix(".new")
    try:
        handle = open_private(draft, os.O_WRONLY | os.O_TRUNC)
        is_open = True
        try:
            _write_all(handle, data)
            os.fsync(handle)
            is_open = False
            os.close(handle)  # a network file system may report a full disk only here
        finally:
            if is_open:
                os.close(handle)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _write_all(handle: int, data: bytes) -> None:
    """Write every byte: a disk that fills up takes a part of them first."""
    rest = memoryview(data)
    while rest:
        count = os.write(handle, rest)
        if not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = rest[count:]


def _sync_directory(path: Path) -> None:
    """Put the new name of a file on disk, where the file system can."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)
