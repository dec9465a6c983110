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
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pyte

_ABOUT_OUR_OWN = frozenset({"COLUMNS", "LINES", "NO_COLOR"})
"""What says something of the terminal we run in, not of this one."""


class Terminal:
    """One program on a pty of a given size, its screen kept by pyte."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 160,
        lines: int = 45,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.started = time.perf_counter()
        self.status: int | None = None
        """Exit code, once it has ended."""
        self.received = b""
        """The last bytes that came, for what pyte does not keep (modes left on)."""
        self.received_at = self.started
        """When they came; what pyte does with them takes longer than they did."""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            asked = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", **(environment or {})}
            kept = {name: value for name, value in os.environ.items() if name not in _ABOUT_OUR_OWN}
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
                # Whoever started us may have had them ignored (nohup, a background job), and that is inherited.
                signal.signal(number, signal.SIG_DFL)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            # With an environment of its own: readline puts LINES and COLUMNS into the process behind os.environ.
            os.execvpe(command[0], list(command), kept | asked)

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
        """Read until the program has ended; its exit code (128 + signal when one ended it)."""
        deadline = time.monotonic() + seconds
        while self.status is None and time.monotonic() < deadline:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.status = 128 - code if code < 0 else code
                while self.read(0):  # what it said last may still be under way
                    pass
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = 137
            raise TimeoutError(f"it did not end within {seconds} s; the screen is:\n{self.text}")
        return self.status

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
        self.received_at = time.perf_counter()
        self.received = (self.received + data)[-20_000:]
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

    def type(self, keys: str) -> None:
        """Send keys as they are."""
        os.write(self.master, keys.encode())

    def wait_until_read(self, seconds: float) -> None:
        """Read until the program has taken in everything that was typed; a resize overtakes what it has not."""
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
        """Make the terminal another size, as a person does with its window."""
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def drain(self, quiet: float = 0.05, limit: float = 2.0) -> None:
        """Read until nothing has come for `quiet` seconds, or for `limit` at most."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and self.read(quiet):
            pass

    def press(self, key: str, arrived: Callable[[], bool]) -> float:
        """Type one key; milliseconds until the bytes are here that show it has `arrived`. What came before is read."""
        self.drain()
        if arrived():
            raise ValueError(f"{key!r} has nothing to change; the screen is:\n{self.text}")
        begin = time.perf_counter()
        os.write(self.master, key.encode())
        while time.perf_counter() - begin < 5:
            if self.read(1.0) and arrived():
                return (self.received_at - begin) * 1000
        raise TimeoutError(f"no answer to {key!r} within 5 s; the screen is:\n{self.text}")
