"""Where GitHub's token comes from: a file, the environment, or what the gh program is signed in with."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

from sgm_tui.config import Config
from sgm_tui.errors import UnreachableError

_SECONDS = 10


def github_token(config: Config, environ: Mapping[str, str]) -> str:
    """The token: `github.token_file`, GH_TOKEN, GITHUB_TOKEN, or what `gh auth token` says; "" when there is none.

    Raises:
        UnreachableError: the token file cannot be read.
    """
    if config.github.token_file is not None:
        try:
            return config.github.token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UnreachableError(f"github.token_file {config.github.token_file}: {error.strerror}") from error
    for name in ("GH_TOKEN", "GITHUB_TOKEN"):
        if environ.get(name):
            return environ[name]
    return _gh_token(urlsplit(config.github.api_url).hostname or "")


def _gh_token(host: str) -> str:
    """What the gh program is signed in with for a host."""
    program = shutil.which("gh")
    if program is None:
        return ""
    host = "github.com" if host == "api.github.com" else host
    try:
        told = subprocess.run(
            [program, "auth", "token", "--hostname", host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
