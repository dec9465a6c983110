"""The terminal itself: what it can show, whether it is still there, and what ends the application there.

Textual restores the terminal only when the app ends by itself. So signals end the app with the shell's exit codes, and
once a second we look whether anybody is still there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator, Mapping

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from sgm_tui.ui.present.glyphs import AsciiTable

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
HUNG_UP = 128 + signal.SIGHUP


class PlainFilter(LineFilter):
    """Remove every colour, the default included; bold, dim, italic, underline and reverse stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments without colour."""
        return [
            Segment(text, style.without_color if style is not None else None, control)
            for text, style, control in segments
        ]


class AsciiFilter(LineFilter):
    """For terminals without Unicode: no byte above 0x7f leaves, and nothing changes its width."""

    def __init__(self) -> None:
        super().__init__()
        self._table = AsciiTable()

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in ASCII."""
        return [
            segment if segment.text.isascii() else Segment(self._plain(segment), segment.style, segment.control)
            for segment in segments
        ]

    def _plain(self, segment: Segment) -> str:
        plain = segment.text.translate(self._table)
        return plain.ljust(segment.cell_length)[: segment.cell_length]


def speaks_unicode(environ: Mapping[str, str]) -> bool:
    """Whether the locale allows more than ASCII; a locale nobody set does.

    Python itself sets LC_CTYPE when it finds the C locale (PEP 538), so an explicit LANG=C outranks that.
    """
    if locale := environ.get("LC_ALL"):
        return _is_unicode(locale)
    language = environ.get("LANG", "")
    ctype = environ.get("LC_CTYPE", "")
    if ctype and ctype not in {"C.UTF-8", "C.utf8", "UTF-8"}:
        return _is_unicode(ctype)
    return _is_unicode(language) if language else True


def _is_unicode(locale: str) -> bool:
    return "utf" in locale.lower()


@contextlib.contextmanager
def signals_end(end: Callable[[int], None]) -> Iterator[None]:
    """Inside the block, signals that end a program call `end` with the exit code a shell would see."""
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, end, 128 + number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def discard_input(descriptor: int) -> None:
    """Throw away what was typed and not read yet: it was meant for the program, not for the shell behind it.

    Nothing is thrown away from the background, where the terminal is somebody else's.
    """
    with contextlib.suppress(OSError, termios.error):
        if os.tcgetpgrp(descriptor) == os.getpgrp():
            termios.tcflush(descriptor, termios.TCIFLUSH)


def terminal_is_there() -> bool:
    """Whether our terminal still answers."""
    try:
        termios.tcgetattr(sys.__stdin__.fileno() if sys.__stdin__ is not None else 0)
        return os.isatty(0)
    except (OSError, termios.error, ValueError):
        return False
