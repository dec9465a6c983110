"""Between the application and its terminal: it outlives the terminal, and lets in what was typed, not what was pasted.

When the terminal is gone, the input thread of Textual's own driver panics or spins for ever, and its output thread
dies, after which the thirty-first write waits for ever.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import selectors
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from sgm_tui.ui.terminal.capabilities import discard_input, terminal_is_there
from sgm_tui.ui.terminal.intake import TerminalInput

if TYPE_CHECKING:
    from typing_extensions import Buffer

_TICK = 0.1
"""Seconds after which a lone escape is a key and no longer the beginning of a sequence."""
_PIECE = 1 << 16


class _Output(io.RawIOBase):
    """Where the screen is written; drops what comes after the terminal has vanished. Closing it closes nothing."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._vanished = False

    def fileno(self) -> int:
        """The terminal's."""
        return self._descriptor

    def writable(self) -> bool:
        """It is for nothing else."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Write, while somebody is there."""
        if not self._vanished:
            try:
                return self._write_when_ready(data)
            except OSError:
                if terminal_is_there():
                    raise
                self._vanished = True
        return memoryview(data).nbytes

    def _write_when_ready(self, data: Buffer) -> int:
        """Write, and wait for a terminal that another program has made non-blocking: the descriptor is shared."""
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [], _TICK)


def open_output(file: TextIO) -> io.TextIOWrapper:
    """Return a stream to the terminal behind `file` that no text and no state of the terminal ends.

    A character the terminal's encoding lacks becomes "?": an error here would end the thread that writes the screen.
    """
    return io.TextIOWrapper(io.BufferedWriter(_Output(file.fileno())), encoding=file.encoding, errors="replace")


class HangupSafeDriver(LinuxDriver):
    """A driver whose terminal may vanish: that is noticed by `terminal_is_there`, and is no defect of the program."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # Standard error may be a file (`sgm 2>log`); that standard output is the terminal has been looked at.
        standard = sys.__stdout__
        file = standard if standard is not None and standard.isatty() else self._file
        if file is not None:
            self._file = open_output(file)

    def start_application_mode(self) -> None:
        """Take the terminal. Whatever is typed until the process has ended is for it, also while it winds down."""
        atexit.unregister(discard_input)  # at most once, however often the terminal is taken
        atexit.register(discard_input, self.fileno)
        start: Callable[[], None] = super().start_application_mode
        start()

    def _sigcont_application(self, *_: object) -> None:
        if self._auto_restart and not self._must_signal_resume:
            # It was stopped by what cannot be caught, and never left the terminal: a second set of threads would
            # read half of the keys each, and the terminal would never be given back as it was.
            self.suspend_application_mode()
            self._must_signal_resume = True
        super()._sigcont_application()

    def run_input_thread(self) -> None:
        """Read keys until the end, or until there is nothing to read from."""
        try:
            self._read()
        except OSError:
            if terminal_is_there():
                raise

    def _read(self) -> None:
        intake = TerminalInput(debug=self._debug)
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                ready = selector.select(_TICK)
                try:
                    data = os.read(self.fileno, _PIECE) if ready else b""
                except BlockingIOError:
                    continue  # a non-blocking terminal, and another program has read what was typed
                for message in intake.take(data, time.monotonic()):
                    self.process_message(message)
                if ready and not data:
                    self.exit_event.wait(_TICK)  # the other side has left: that is noticed elsewhere
