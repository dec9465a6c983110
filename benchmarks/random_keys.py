"""Plays random keys at random speed on `sgm demo` in a terminal, and fails when it ends, freezes or reports a bug.

The keys depend on the seed alone; at which moment of the program each arrives does not: a failure of one seed may need
several runs to come back. Exit code 0: it survived all keys; 1: it ended, froze or reported a bug; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from terminal import Terminal

ESCAPE = "\x1b"
OPENING = ("v", "y", "c", "o", "\r", "W", "U", "?", "\x10", "/", ":")
LEAVING = (ESCAPE, ESCAPE, ESCAPE)
ACTING = (
    *"jjkkhlpPLSgabdemMrtuwxzfiEsoOR0123 ",
    "\t",
    "\r",
    "\x7f",
    *(f"{ESCAPE}[{end}" for end in ("A", "B", "C", "D", "H", "F", "5~", "6~", "Z")),
)
QUITTING = ("q", "\x03", "\x11")
"""`q` means back on most screens and quits on the matrix."""
PALETTE = ("\x10", ":")
"""They open the command palette, which offers quitting too."""
BURSTS = (1, 1, 1, 2, 3, 5, 12, 40)
PAUSES = (0.0, 0.0, 0.0, 0.0, 0.001, 0.005, 0.02, 0.1)
SIZES = ((160, 45), (120, 36), (80, 24), (210, 60), (100, 15), (40, 10), (20, 5))
RESIZE_EVERY = 60
CLICK_EVERY = 25
PROBE_EVERY = 250
READY_SECONDS = 120.0
HOG = "while True: pass"
TERMINATED = 128 + signal.SIGTERM
HELP_KEY = "?"
HELP_TITLE = "│  Keys     "
ANSWER_SECONDS = 0.2
"""How long a probe waits before it presses again; a key alone after an escape is another key."""
REMEMBERED = 60
"""So many of the last keys are printed when it fails."""


class FailedError(Exception):
    """It ended, froze or reported a bug."""


class Player:
    """Types into one terminal after another, and looks whether the program in it lives."""

    def __init__(self, options: argparse.Namespace, state: Path) -> None:
        self._luck = random.Random(options.seed)
        self._options = options
        self._state = state
        self._last: deque[str] = deque(maxlen=REMEMBERED)
        self._terminal: Terminal | None = None
        self.pressed = 0
        self.starts = 0
        self.slowest = 0.0
        """Seconds that the slowest answer to a probe took."""

    def play(self) -> None:
        """Type every key.

        Raises:
            FailedError: the program did not survive.
        """
        started = time.monotonic()
        while self.pressed < self._options.keys:
            self.starts += 1
            with self._start() as self._terminal:
                try:
                    self._wait_until_ready()
                    self._type_until_it_quits()
                    self._end()
                finally:
                    self._kill()
            self._say(f"{self.pressed} keys, {self.pressed / (time.monotonic() - started):.0f} a second")

    def describe(self) -> str:
        """Return the last keys and the screen, to repeat a failure by."""
        screen = self._terminal.text if self._terminal is not None else ""
        return f"after {self.pressed} keys, the last: {' '.join(self._last)}\n{screen}"

    def _start(self) -> Terminal:
        beside = Path(sys.executable).with_name("sgm")
        sgm = str(beside) if beside.exists() else shutil.which("sgm") or "sgm"
        environment = {"XDG_STATE_HOME": str(self._state), "BROWSER": "true"}
        terminal = Terminal([sgm, "demo"], 160, 45, environment)
        os.set_blocking(terminal.master, False)  # what a frozen program does not read must not freeze us
        return terminal

    def _end(self) -> None:
        """End a program that has not quit, as a person who closes the window of a session does.

        Raises:
            FailedError: it did not end, or ended with a bug.
        """
        if self._ours.status is None:
            os.kill(self._ours.pid, signal.SIGTERM)
            try:
                status = self._ours.wait(self._options.patience)
            except TimeoutError as error:
                raise FailedError(f"it does not end: {error}") from error
            self._look_for_reports()
            if status != TERMINATED:
                raise FailedError(f"it ended with status {status} after SIGTERM")

    def _kill(self) -> None:
        """End what froze: it would not end by itself."""
        if self._ours.status is None:
            os.kill(self._ours.pid, signal.SIGKILL)
            os.waitpid(self._ours.pid, 0)
            self._ours.status = 128 + signal.SIGKILL

    def _wait_until_ready(self) -> None:
        try:
            self._ours.wait_for(lambda text: "checkout" in text, READY_SECONDS)
        except TimeoutError as error:
            raise FailedError(f"it did not start: {error}") from error

    def _type_until_it_quits(self) -> None:
        """Type until all keys are typed, or until it ends by a key that may end it."""
        probed_at = self.pressed
        while self.pressed < self._options.keys:
            self._type_burst()
            self._happen()
            if self._ended():
                return
            if self.pressed - probed_at >= PROBE_EVERY:
                self._probe()
                probed_at = self.pressed
                self._say(f"{self.pressed} keys")
        self._probe()

    def _type_burst(self) -> None:
        count = min(self._luck.choice(BURSTS), self._options.keys - self.pressed)
        pause = self._luck.choice(PAUSES)
        for _ in range(count):
            key = self._choose()
            self._last.append(repr(key))
            self.pressed += 1
            self._send(key)
            if pause:
                self._read_for(pause)
        self._read_for(0)

    def _choose(self) -> str:
        kinds = [OPENING, LEAVING, ACTING, ACTING]
        if self._options.quit and self._luck.random() < 1 / 400:
            kinds = [QUITTING]
        key: str = self._luck.choice(self._luck.choice(kinds))
        return key

    def _happen(self) -> None:
        """Resize and click now and then."""
        if self._luck.random() < 1 / RESIZE_EVERY:
            columns, lines = self._luck.choice(SIZES)
            self._last.append(f"{columns}x{lines}")
            self._ours.resize(columns, lines)
        if self._luck.random() < 1 / CLICK_EVERY:
            screen = self._ours.screen
            at = f"{self._luck.randint(1, screen.columns)};{self._luck.randint(1, screen.lines)}"
            self._last.append(f"click {at}")
            self._send(f"{ESCAPE}[<0;{at}M{ESCAPE}[<0;{at}m")

    def _probe(self) -> None:
        """Press the key of the help page until the page is on the screen, and leave it again.

        Keys that were typed before may open other pages in between: it is pressed again until it is answered.

        Raises:
            FailedError: no answer within the patience.
        """
        began = time.monotonic()
        self._ours.resize(160, 45)
        for key, is_answered in ((HELP_KEY, _shows_help), (ESCAPE, _shows_matrix)):
            while not is_answered(self._ours.text):
                if time.monotonic() - began > self._options.patience:
                    raise FailedError(f"it froze: {key!r} is not answered within {self._options.patience:.0f} s")
                self._send(ESCAPE)
                self._read_for(ANSWER_SECONDS)
                if key != ESCAPE and not is_answered(self._ours.text):
                    self._send(key)
                    self._read_for(ANSWER_SECONDS)
                if self._ended():
                    return
        self.slowest = max(self.slowest, time.monotonic() - began)
        self._look_for_reports()

    def _send(self, keys: str) -> None:
        """Type keys; a program that does not read them for too long is frozen."""
        deadline = time.monotonic() + self._options.patience
        data = keys.encode()
        while data:
            try:
                data = data[os.write(self._ours.master, data) :]
            except BlockingIOError:
                self._read_for(0.02)
                if time.monotonic() > deadline:
                    raise FailedError("it froze: it does not read what is typed") from None
            except OSError:
                return  # it has ended: that is looked at next

    def _read_for(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._ours.read(max(deadline - time.monotonic(), 0)):
            pass

    def _ended(self) -> bool:
        """Whether it has ended, and may have.

        Raises:
            FailedError: nothing that was typed may end it, or it ended with a bug.
        """
        terminal = self._ours
        pid, status = os.waitpid(terminal.pid, os.WNOHANG)
        if not pid:
            return False
        code = os.waitstatus_to_exitcode(status)
        terminal.status = 128 - code if code < 0 else code
        while terminal.read(0.2):
            pass
        self._look_for_reports()
        is_asked = self._options.quit or any(repr(key) in self._last for key in PALETTE)
        may_end = is_asked and terminal.status in {0, 130}
        if not may_end or b"Traceback" in terminal.received:
            raise FailedError(f"it ended with status {terminal.status}")
        return True

    def _look_for_reports(self) -> None:
        for report in sorted(self._state.glob("sgm/reports/*")):
            raise FailedError(f"a bug was reported:\n{report.read_text(encoding='utf-8')}")

    @property
    def _ours(self) -> Terminal:
        assert self._terminal is not None, "nothing has been started"
        return self._terminal

    def _say(self, text: str) -> None:
        if self._options.verbose:
            print(text, file=sys.stderr, flush=True)


def _shows_help(text: str) -> bool:
    return HELP_TITLE in text


def _shows_matrix(text: str) -> bool:
    return HELP_TITLE not in text and "checkout" in text


@contextlib.contextmanager
def load(count: int) -> Iterator[None]:
    """Keep so many processes busy for the length of the block."""
    hogs = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keys", type=int, default=20_000, help="how many keys to type (20000)")
    parser.add_argument("--seed", type=int, default=1, help="which keys to type (1)")
    parser.add_argument("--load", type=int, default=0, help="how many busy loops to run beside it (0)")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds without a picture that are a freeze (30)")
    parser.add_argument("--quit", action="store_true", help="press quit keys too, and start it again after them")
    parser.add_argument("--verbose", action="store_true", help="print how far it is")
    return parser.parse_args()


def main() -> int:
    """Play, and print what happened."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the busy loops and the program end with it
    with tempfile.TemporaryDirectory(prefix="sgm-random-keys-") as state, load(options.load):
        os.chdir(state)  # a picture may be saved by the command palette
        player = Player(options, Path(state))
        try:
            player.play()
        except FailedError as error:
            print(f"seed {options.seed}: {error}\n{player.describe()}")
            return 1
    print(
        f"seed {options.seed}: survived {player.pressed} keys, started {player.starts} times,"
        f" slowest answer {player.slowest:.1f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
