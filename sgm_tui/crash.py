"""What is kept of a defect: one file that only its owner can read, without a secret in it.

The screen is no place for a traceback: it may hold a token or a URL with a password, and it ends in tickets and chats.
"""

from __future__ import annotations

import os
import platform
import re
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sgm_tui.private_files import make_private_directory, open_private

_SECRETS = (
    re.compile(r"gh[pousr]_\w{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|AKIA[A-Z0-9]{16}"),
    re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(r"(?i)(?<=bearer )\S+|(?<=basic )[\w+/=]{8,}"),
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL),
    re.compile(r"(?i)(?<=password=)\S+|(?<=token=)\S+|(?<=secret=)\S+"),
)
_NAMES = re.compile(r"(?i)token|secret|passw|api_?key|credential")
"""Variables of the environment with such a name hold what nobody else may read."""
_SHORTEST = 6
"""A shorter value may be part of any word."""


def redacted(text: str, environ: Mapping[str, str]) -> str:
    """The text without anything that looks like a secret, or is one of the environment's."""
    for name, value in environ.items():
        if _NAMES.search(name) and len(value) >= _SHORTEST:
            text = text.replace(value, "***")
    for secret in _SECRETS:
        text = secret.sub("***", text)
    return text


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
        report.write(redacted(f"{now.isoformat()}\n{system}\n\n{told}", environ))
    return file


def _folder(environ: Mapping[str, str]) -> Path:
    if state := environ.get("SGM_STATE_DIRECTORY"):
        return Path(state) / "reports"
    base = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(base) / "sgm" / "reports"
