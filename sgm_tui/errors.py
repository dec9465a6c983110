"""Every error sgm raises on purpose, as one tree.

SgmError
├── UsageError        2  wrong arguments
├── ConfigError       2  sgm.yaml or the user file cannot be used (file, line, nearest valid name)
├── UnreachableError  3  a server, repository or registry did not answer
└── RefusedError      4  permission, read-only mode, or a stage that is not armed
    └── ConflictError    what was to be changed has changed meanwhile

Adapters translate their library's errors into these at their edge and keep the cause; the command line
turns the class into the exit code. What a person reads says what happened, where, and what to do next.
"""

from __future__ import annotations

import os

from sgm_tui.redaction import redact


class SgmError(Exception):
    """A failure with a message fit to show, without secrets, and what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = redact(message)
        self.hint = redact(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    @property
    def sentence(self) -> str:
        """The same in one line."""
        stop = "" if self.message.endswith((".", "!", "?", ":")) else "."
        return f"{self.message}{stop} {self.hint}" if self.hint else self.message


class UsageError(SgmError):
    """The command line asked for something that does not exist."""

    exit_code = 2


class ConfigError(SgmError):
    """A configuration file cannot be used as it is."""

    exit_code = 2


class UnreachableError(SgmError):
    """Something outside did not answer, or answered with something unusable."""

    exit_code = 3


class RefusedError(SgmError):
    """Somebody said no: the server, read-only mode, or a stage that is locked."""

    exit_code = 4


def system_words(error: OSError) -> str:
    """What the system calls it: asyncio puts the whole address into its own text, as a tuple."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)


class ConflictError(RefusedError):
    """Somebody else was there first: what was to be changed is not what was read any more."""
