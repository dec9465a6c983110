"""A pseudo-terminal that runs a program, for benchmarks and whole-process tests."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pyte

_MOST_AT_ONCE = 1 << 20
"""The most bytes taken before they are parsed."""
_PAUSE = 0.002
"""Seconds without output after which what has arrived is parsed: a program writes one frame in several pieces."""
_OUTER_TERMINAL = frozenset({"COLUMNS", "LINES", "NO_COLOR"})
"""Environment variables that describe the terminal this process runs in, not the pseudo-terminal."""


class Terminal:
    """One program on a pty of a given size; pyte keeps its screen."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 160,
        lines: int = 45,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._text: str | None = None
        """The text of the screen; None after it changed. Composing it takes longer than most programs take to paint."""
        self.started = time.perf_counter()
        self.status: int | None = None
        """Exit code of the program; None while it runs."""
        self.received = b""
        """The last 20 000 bytes received, for what pyte does not keep, such as modes that are still on."""
        self.received_at = self.started
        """Time of the last bytes, taken before pyte processes them, which takes longer than receiving them."""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            overrides = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", **(environment or {})}
            inherited = {name: value for name, value in os.environ.items() if name not in _OUTER_TERMINAL}
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
                # The program inherits signals that our own parent ignores (nohup, a background job).
                signal.signal(number, signal.SIG_DFL)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            # Pass the environment explicitly: readline sets LINES and COLUMNS without os.environ noticing.
            os.execvpe(command[0], list(command), inherited | overrides)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGTERM)
            self.wait(10)
        os.close(self.master)

    def wait(self, seconds: float) -> int:
        """Read until the program has ended, and return its exit code (128 + signal if a signal ended it).

        Raises:
            TimeoutError: it did not end within `seconds`, and was killed.
        """
        deadline = time.monotonic() + seconds
        while self.status is None and time.monotonic() < deadline:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.status = 128 - code if code < 0 else code
                while self.read(0):  # its last output may not have arrived yet
                    pass
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = 137
            raise TimeoutError(f"it did not end within {seconds} s; the screen is:\n{self.text}")
        return self.status

    @property
    def text(self) -> str:
        """Return the text of the screen, one line per row."""
        if self._text is None:
            self._text = "\n".join(self.screen.display)
        return self._text

    def read(self, seconds: float) -> bytes:
        """Wait up to `seconds` for output, and return its first bytes; b"" without any."""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        # Everything that is there is taken before any of it is parsed: a pseudo-terminal holds 4 kB, and a program that
        # waits for the emulator would be measured by the emulator's speed.
        data = b""
        while len(data) < _MOST_AT_ONCE and (not data or select.select([self.master], [], [], _PAUSE)[0]):
            try:
                part = os.read(self.master, 1 << 16)
            except OSError:
                break
            if not part:
                break
            data += part
            self.received_at = time.perf_counter()
        if not data:
            return b""
        self.received = (self.received + data)[-20_000:]
        self._stream.feed(data)
        self._text = None
        return data

    def wait_for(self, condition: Callable[[str], bool], seconds: float) -> float:
        """Read until the screen satisfies `condition`, and return the seconds since the start of the program.

        Raises:
            TimeoutError: the screen did not satisfy it within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read(0.02)
            if condition(self.text):
                return self.received_at - self.started
        raise TimeoutError(f"not within {seconds} s; the screen is:\n{self.text}")

    def type(self, keys: str) -> None:
        """Type keys, or send any other input."""
        os.write(self.master, keys.encode())

    def wait_until_read(self, seconds: float) -> None:
        """Read until the program has read all input; a resize would overtake input that it has not read.

        Raises:
            TimeoutError: it did not read everything within `seconds`.
        """
        program_side = os.open(f"/proc/{self.pid}/fd/0", os.O_RDWR | os.O_NOCTTY)
        try:
            deadline = time.monotonic() + seconds
            while struct.unpack("i", fcntl.ioctl(program_side, termios.FIONREAD, b"\0" * 4))[0]:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"it does not read what was typed; the screen is:\n{self.text}")
                self.read(0.02)
        finally:
            os.close(program_side)

    def resize(self, columns: int, lines: int) -> None:
        """Resize the terminal, as a user resizes its window."""
        self.screen.resize(lines, columns)
        self._text = None
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def drain(self, quiet: float = 0.05, limit: float = 2.0) -> None:
        """Read until there was no output for `quiet` seconds, or for at most `limit` seconds."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and self.read(quiet):
            pass

    def press(self, key: str, arrived: Callable[[], bool]) -> float:
        """Type one key, and return the milliseconds until output makes `arrived` true; earlier output is read first.

        Raises:
            ValueError: `arrived` is true before the key is typed.
            TimeoutError: it does not become true within 5 s.
        """
        self.drain()
        if arrived():
            raise ValueError(f"{key!r} has nothing to change; the screen is:\n{self.text}")
        begin = time.perf_counter()
        os.write(self.master, key.encode())
        while time.perf_counter() - begin < 5:
            if self.read(1.0) and arrived():
                return (self.received_at - begin) * 1000
        raise TimeoutError(f"no answer to {key!r} within 5 s; the screen is:\n{self.text}")
