"""Where commands write: data to stdout, diagnostics to stderr."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from sgm_tui.errors import UnreachableError


def data(text: str) -> None:
    """What was asked for; a character that stdout's encoding does not have is written as its number.

    Where whoever read it has left (`sgm status | head`), the rest is dropped and the command goes on: what it does and
    its exit code depend on no reader.

    Raises:
        UnreachableError: stdout cannot be written (the disk is full).
    """
    encoding = sys.stdout.encoding or "utf-8"
    shown = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(shown, flush=True)
    except BrokenPipeError:
        _drop(sys.stdout)
    except OSError as error:
        _drop(sys.stdout)
        raise UnreachableError(f"the output cannot be written: {error.strerror}") from error


def note(text: str) -> None:
    """What a person may want to know beside it; dropped where stderr cannot be written: no write stops for it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def _drop(stream: TextIO) -> None:
    """Let a stream lead nowhere: what is still in its buffer would fail once more, and louder, when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def typed(question: str, word: str) -> bool:
    """Ask on the terminal; only the whole word is a yes."""
    print(f"{question}\nType {word} to confirm: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == word


def confirm(question: str) -> bool:
    """Ask on the terminal; only an explicit yes is one."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
