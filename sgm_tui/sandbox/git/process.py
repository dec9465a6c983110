"""Run the git program without any of the user's configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SECONDS = 30.0
"""The longest a git command may take."""


class GitError(Exception):
    """A git command that failed; the text is what git printed."""


def git_environment() -> dict[str, str]:
    """Return an environment without configuration of the user, without prompts and hooks."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return environment | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }


def start_git(
    *arguments: str, folder: Path | None, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a git command to its end, whatever its exit code."""
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=dict(environment) if environment is not None else git_environment(),
        input=stdin,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )


def run_git(
    *arguments: str, folder: Path | None, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> bytes:
    """Run a git command and return what it prints.

    Raises:
        GitError: it failed.
    """
    process = start_git(*arguments, folder=folder, stdin=stdin, environment=environment)
    if process.returncode:
        raise GitError(error_of(process) or f"git {arguments[0]} failed")
    return process.stdout


def error_of(process: subprocess.CompletedProcess[bytes]) -> str:
    """Return what a git command printed as its error."""
    return process.stderr.decode("utf-8", "replace").strip()
