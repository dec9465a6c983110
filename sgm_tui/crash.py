"""What is kept of a defect: one file that only its owner can read, without a secret in it.

The screen is no place for a traceback: it may hold a token or a URL with a password, and it ends in tickets and chats.
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


def write_report(error: BaseException, version: str, environ: Mapping[str, str]) -> Path:
    """Keep what happened, where it is found again.

    Raises:
        OSError: there is no place for it.
    """
    now = datetime.now(UTC)
    system = f"sgm {version}, Python {platform.python_version()}, {platform.system()}, TERM={environ.get('TERM', '')}"
    told = "".join(traceback.format_exception(error))
    folder = _folder(environ)
    make_private_directory(folder)
    file = folder / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    handle = open_private(file, os.O_WRONLY | os.O_EXCL)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as report:
        report.write(redact(f"{now.isoformat()}\n{system}\n\n{told}", environ))
    return file


def _folder(environ: Mapping[str, str]) -> Path:
    if state := environ.get("SGM_STATE_DIRECTORY"):
        return Path(state) / "reports"
    base = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(base) / "sgm" / "reports"
