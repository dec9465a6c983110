"""The errors sgm raises on purpose, with their exit codes.

SgmError
├── UsageError        2  wrong arguments
├── ConfigError       2  sgm.yaml or the user file cannot be used (file, line, nearest valid name)
├── UnreachableError  3  a server, repository or registry did not answer
└── RefusedError      4  permission, read-only mode, or a stage that is not armed
    └── ConflictError    the object to change has changed since it was read

Adapters translate the errors of their library into these and keep the cause; the command line turns the class into
the exit code. A message says what happened and where; the hint says what to do next.
"""

from __future__ import annotations

import os

from sgm_tui.redaction import redact


class SgmError(Exception):
    """A failure with a message for the user, without secrets, and a hint what to do about it; "" for no hint."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = redact(message)
        self.hint = redact(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    @property
    def sentence(self) -> str:
        """Return the message and the hint in one line."""
        stop = "" if self.message.endswith((".", "!", "?", ":")) else "."
        return f"{self.message}{stop} {self.hint}" if self.hint else self.message


class UsageError(SgmError):
    """The command line names something that does not exist."""

    exit_code = 2


class ConfigError(SgmError):
    """A configuration file is invalid or cannot be read."""

    exit_code = 2


class UnreachableError(SgmError):
    """A server, repository or registry did not respond, or its response cannot be used."""

    exit_code = 3


class RefusedError(SgmError):
    """The server, read-only mode or a protected stage refused an action."""

    exit_code = 4


def describe_os_error(error: OSError) -> str:
    """Return the operating system's description of an error.

    The text of asyncio's errors contains the whole address, as a tuple.
    """
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)


class ConflictError(RefusedError):
    """A concurrent change: the object to change is no longer what was read."""
