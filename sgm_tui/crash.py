"""Crash reports: one redacted file per bug, readable only by its owner.

Tracebacks are not shown on the screen: they may contain a token or a URL with a password, and screens end up in
tickets and chats.
"""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sgm_tui.private_files import make_private_directory, open_private
from sgm_tui.redaction import redact
from sgm_tui.user_directories import default_state_directory

_MOST_IN_GROUP = 100
"""Exceptions of a group, and levels of nested groups, that a report contains at most."""


def one_line(error: BaseException, environ: Mapping[str, str]) -> str:
    """Describe an exception in one redacted line: its type, its message and where it was raised.

    An exception group is described by the first exception in it.
    """
    error = _first_of(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    message = str(traceback.TracebackException.from_exception(error))  # works even if __str__ fails
    return redact(f"{type(error).__name__}: {message}{place}", environ)


def kind_of(error: BaseException) -> str:
    """Return the name of an exception's type; for a group, that of the first exception in it."""
    return type(_first_of(error)).__name__


def write_report(error: BaseException, version: str, environ: Mapping[str, str]) -> Path:
    """Write an exception with all its causes, contexts and group members to a new file that only its owner can read.

    Raises:
        OSError: the file cannot be written.
    """
    now = datetime.now(UTC)
    system = f"sgm {version}, Python {platform.python_version()}, {platform.system()}, TERM={environ.get('TERM', '')}"
    folder = _reports_folder(environ)
    make_private_directory(folder)
    file, handle = _create_file(folder, f"{now:%Y%m%dT%H%M%S}-{os.getpid()}")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as report:
        report.write(redact(f"{now.isoformat()}\n{system}\n\n{_format_chain(error)}", environ))
    return file


def _first_of(error: BaseException) -> BaseException:
    """Return the first exception that is no group, or the exception itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _format_chain(error: BaseException) -> str:
    """Return the traceback of every exception in the chain."""
    chain = traceback.TracebackException.from_exception(
        error, max_group_width=_MOST_IN_GROUP, max_group_depth=_MOST_IN_GROUP
    )
    return "".join(chain.format())


def _create_file(folder: Path, name: str) -> tuple[Path, int]:
    """Create a file with a new name, so that several bugs within one second have a report each."""
    file, number = folder / f"{name}.txt", 1
    while True:
        try:
            return file, open_private(file, os.O_WRONLY | os.O_EXCL)
        except FileExistsError:
            number += 1
            file = folder / f"{name}-{number}.txt"


def _reports_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of crash reports, whether it exists or not."""
    if state := environ.get("SGM_STATE_DIRECTORY"):
        return Path(state) / "reports"
    return default_state_directory(environ) / "reports"
