"""A pseudo-terminal with a program in it: what benchmarks and whole-process tests type into and read from."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Sequence
from types import TracebackType

import pyte


class Terminal:
    """One program on a pty of a given size, its screen kept by pyte."""

    def __init__(self, command: Sequence[str], columns: int = 160, lines: int = 45) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.started = time.perf_counter()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            os.execvp(command[0], list(command))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not os.waitpid(self.pid, os.WNOHANG)[0]:
            self.read(0.05)
        os.close(self.master)

    @property
    def text(self) -> str:
        """What is on the screen, a line a row."""
        return "\n".join(self.screen.display)

    def read(self, seconds: float) -> bytes:
        """Read what comes within `seconds`; returns at the first bytes."""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return b""
        self._stream.feed(data)
        return data

    def wait_for(self, condition: Callable[[str], bool], seconds: float) -> float:
        """Read until the screen satisfies `condition`; seconds since the start of the program."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read(0.02)
            if condition(self.text):
                return time.perf_counter() - self.started
        raise TimeoutError(f"not within {seconds} s; the screen is:\n{self.text}")

    def press(self, key: str, settle: float = 0.25) -> float:
        """Type one key; milliseconds until the first bytes of the answer. Drains what follows."""
        begin = time.perf_counter()
        os.write(self.master, key.encode())
        while not self.read(1.0):
            if time.perf_counter() - begin > 5:
                raise TimeoutError(f"no answer to {key!r} within 5 s; the screen is:\n{self.text}")
        answered = (time.perf_counter() - begin) * 1000
        while self.read(settle / 5):
            pass
        return answered
