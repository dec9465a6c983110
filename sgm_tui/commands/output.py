"""Where commands write: data to stdout, diagnostics to stderr."""

from __future__ import annotations

import sys


def data(text: str) -> None:
    """What was asked for."""
    print(text, flush=True)


def note(text: str) -> None:
    """What a person may want to know beside it."""
    print(text, file=sys.stderr, flush=True)


def asked(question: str) -> bool:
    """Ask on the terminal; only an explicit yes is one."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
