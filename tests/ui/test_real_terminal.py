"""In a real pseudo-terminal: whatever ends the dashboard, the terminal is as it was and the exit code tells."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEADLINE = 60.0
PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
import builders
import signal
from sgm_tui.ui.terminal import capabilities as terminal
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.widgets.cell_grid import CellGrid

if {deaf}:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    terminal._SIGNALS = tuple(one for one in terminal._SIGNALS if one != signal.SIGHUP)

def fail(*_):
    raise RuntimeError("a bug")

class Breaks(builders.ScriptedSession):
    async def refresh(self):
        CellGrid.render_lines = fail
        self.push(builders.calm())

app = SgmApp(Breaks(builders.release()))
app.run()
sys.exit(app.return_code or 0)
"""


class Terminal:
    """A child on a pseudo-terminal of 120 × 36, and everything it wrote."""

    def __init__(self, *, deaf: bool = False, **environ: str) -> None:
        program = textwrap.dedent(PROGRAM.format(tests=str(Path(__file__).parent.parent), deaf=deaf))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE"):
                os.environ.pop(name, None)
            os.environ.update({"TERM": "xterm-256color", "LANG": "C.UTF-8", **environ})
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
                # Whoever runs the tests may have them ignored (nohup, a background job): that is inherited.
                signal.signal(number, signal.SIG_DFL)
            os.execv(sys.executable, [sys.executable, "-c", program])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.written = b""

    def read_until(self, done: Callable[[], bool]) -> None:
        """Read what it writes until something is so."""
        deadline = time.monotonic() + DEADLINE
        while not done():
            assert time.monotonic() < deadline, self.written[-2000:]
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.written += os.read(self.fd, 65536)
                except OSError:
                    return

    def shows(self, text: bytes) -> None:
        self.read_until(lambda: text in self.written)

    def ends(self) -> int:
        """Its exit code, once it has ended."""
        codes: list[int] = []

        def ended() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                codes.append(os.waitstatus_to_exitcode(status))
            return bool(pid)

        self.read_until(ended)
        while not codes:
            ended()
        return codes[0]

    def vanish(self) -> int:
        """Nobody is at the other side any more; its exit code, once it has ended."""
        os.close(self.fd)
        self.fd = -1
        ended, deadline = (0, 0), time.monotonic() + DEADLINE
        while not ended[0]:
            assert time.monotonic() < deadline, "it goes on without a terminal"
            ended = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(ended[1])

    @property
    def restored(self) -> bool:
        """The alternate screen is left and the cursor is back."""
        end = self.written[-400:]
        return b"\x1b[?1049l" in self.written and b"\x1b[?25h" in self.written and b"\x1b[?1049h" not in end


@pytest.fixture
def terminals() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(*, deaf: bool = False, **environ: str) -> Terminal:
        opened.append(Terminal(deaf=deaf, **environ))
        opened[-1].shows(b"checkout")
        return opened[-1]

    yield open_terminal
    for terminal in opened:
        try:
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        if terminal.fd >= 0:
            os.close(terminal.fd)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGQUIT, 131)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_signal_restores_the_terminal(terminals: Callable[..., Terminal], number: signal.Signals, code: int) -> None:
    terminal = terminals()
    os.kill(terminal.pid, number)
    assert terminal.ends() == code
    assert terminal.restored


@pytest.mark.parametrize(
    ("keys", "code"), [(b"q", 0), (b"\x03", 130), (b"r", 1)], ids=["q", "ctrl-c", "a bug in the matrix"]
)
def test_a_key_restores_the_terminal(terminals: Callable[..., Terminal], keys: bytes, code: int) -> None:
    terminal = terminals()
    os.write(terminal.fd, keys)
    assert terminal.ends() == code
    assert terminal.restored


@pytest.mark.parametrize("deaf", [False, True], ids=["told by a signal", "told by nobody"])
def test_it_ends_when_its_terminal_vanishes(terminals: Callable[..., Terminal], deaf: bool) -> None:
    assert terminals(deaf=deaf).vanish() == 129


def test_no_colour_means_none_at_all(terminals: Callable[..., Terminal]) -> None:
    terminal = terminals(NO_COLOR="1")
    os.write(terminal.fd, b"q")
    terminal.ends()
    codes = {code for found in re.findall(rb"\x1b\[([0-9;]*)m", terminal.written) for code in found.split(b";") if code}
    assert {int(code) for code in codes} <= {0, 1, 2, 3, 4, 7}


def test_a_terminal_without_unicode_gets_ascii_only(terminals: Callable[..., Terminal]) -> None:
    terminal = terminals(LANG="C", LC_ALL="C")
    os.write(terminal.fd, b"q")
    terminal.ends()
    assert terminal.written.isascii()
