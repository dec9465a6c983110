"""Type random keys at random speed into `sgm demo`, and fail if it ends, freezes or reports a bug.

The keys depend only on the seed, but not the moment at which each arrives: a failure may need several runs with its
seed to recur. Exit code 0: it survived all keys; 1: it ended, froze or reported a bug; 2: wrong usage.
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
"""Keys that open the command palette, which also offers to quit."""
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
"""Seconds a probe waits before it presses again; a key right after an escape would be read as another key."""
SHOWN_KEYS = 60
"""How many of the last keys a failure prints."""


class FailedError(Exception):
    """The program ended, froze or reported a bug."""


class Player:
    """Types keys into one program after another, and checks that each is alive."""

    def __init__(self, options: argparse.Namespace, state: Path) -> None:
        self._random = random.Random(options.seed)
        self._options = options
        self._state = state
        self._last: deque[str] = deque(maxlen=SHOWN_KEYS)
        self._terminal: Terminal | None = None
        self.pressed = 0
        self.starts = 0
        self.slowest = 0.0
        """Seconds of the slowest response to a probe."""

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
        """Return the last keys and the screen, which help to reproduce a failure."""
        screen = self._terminal.text if self._terminal is not None else ""
        return f"after {self.pressed} keys, the last: {' '.join(self._last)}\n{screen}"

    def _start(self) -> Terminal:
        """Start `sgm demo` in a terminal of its own."""
        script = Path(sys.executable).with_name("sgm")
        sgm = str(script) if script.exists() else shutil.which("sgm") or "sgm"
        environment = {"XDG_STATE_HOME": str(self._state), "BROWSER": "true"}
        terminal = Terminal([sgm, "demo"], 160, 45, environment)
        os.set_blocking(terminal.master, False)  # a frozen program that reads nothing must not block us
        return terminal

    def _end(self) -> None:
        """Terminate a program that has not quit, as closing its window does.

        Raises:
            FailedError: it did not end, ended with another status, or reported a bug.
        """
        if self._running.status is None:
            os.kill(self._running.pid, signal.SIGTERM)
            try:
                status = self._running.wait(self._options.patience)
            except TimeoutError as error:
                raise FailedError(f"it does not end: {error}") from error
            self._look_for_reports()
            if status != TERMINATED:
                raise FailedError(f"it ended with status {status} after SIGTERM")

    def _kill(self) -> None:
        """Kill a program that froze, because it would not end by itself."""
        if self._running.status is None:
            os.kill(self._running.pid, signal.SIGKILL)
            os.waitpid(self._running.pid, 0)
            self._running.status = 128 + signal.SIGKILL

    def _wait_until_ready(self) -> None:
        try:
            self._running.wait_for(lambda text: "checkout" in text, READY_SECONDS)
        except TimeoutError as error:
            raise FailedError(f"it did not start: {error}") from error

    def _type_until_it_quits(self) -> None:
        """Type until all keys are typed, or a key that quits has ended the program."""
        probed_at = self.pressed
        while self.pressed < self._options.keys:
            self._type_burst()
            self._resize_or_click()
            if self._has_quit():
                return
            if self.pressed - probed_at >= PROBE_EVERY:
                self._probe()
                probed_at = self.pressed
                self._say(f"{self.pressed} keys")
        self._probe()

    def _type_burst(self) -> None:
        count = min(self._random.choice(BURSTS), self._options.keys - self.pressed)
        pause = self._random.choice(PAUSES)
        for _ in range(count):
            key = self._choose_key()
            self._last.append(repr(key))
            self.pressed += 1
            self._send(key)
            if pause:
                self._read_for(pause)
        self._read_for(0)

    def _choose_key(self) -> str:
        kinds = [OPENING, LEAVING, ACTING, ACTING]
        if self._options.quit and self._random.random() < 1 / 400:
            kinds = [QUITTING]
        key: str = self._random.choice(self._random.choice(kinds))
        return key

    def _resize_or_click(self) -> None:
        """Resize or click now and then."""
        if self._random.random() < 1 / RESIZE_EVERY:
            columns, lines = self._random.choice(SIZES)
            self._last.append(f"{columns}x{lines}")
            self._running.resize(columns, lines)
        if self._random.random() < 1 / CLICK_EVERY:
            screen = self._running.screen
            at = f"{self._random.randint(1, screen.columns)};{self._random.randint(1, screen.lines)}"
            self._last.append(f"click {at}")
            self._send(f"{ESCAPE}[<0;{at}M{ESCAPE}[<0;{at}m")

    def _probe(self) -> None:
        """Open the help page and close it again, to check that the program responds.

        Keys typed before may open other pages meanwhile, so the key is repeated until the page is on the screen.

        Raises:
            FailedError: the program does not respond within `--patience` seconds.
        """
        began = time.monotonic()
        self._running.resize(160, 45)
        for key, is_answered in ((HELP_KEY, _shows_help), (ESCAPE, _shows_matrix)):
            while not is_answered(self._running.text):
                if time.monotonic() - began > self._options.patience:
                    raise FailedError(f"it froze: {key!r} is not answered within {self._options.patience:.0f} s")
                self._send(ESCAPE)
                self._read_for(ANSWER_SECONDS)
                if key != ESCAPE and not is_answered(self._running.text):
                    self._send(key)
                    self._read_for(ANSWER_SECONDS)
                if self._has_quit():
                    return
        self.slowest = max(self.slowest, time.monotonic() - began)
        self._look_for_reports()

    def _send(self, keys: str) -> None:
        """Type keys.

        Raises:
            FailedError: the program does not read them within `--patience` seconds.
        """
        deadline = time.monotonic() + self._options.patience
        data = keys.encode()
        while data:
            try:
                data = data[os.write(self._running.master, data) :]
            except BlockingIOError:
                self._read_for(0.02)
                if time.monotonic() > deadline:
                    raise FailedError("it froze: it does not read what is typed") from None
            except OSError:
                return  # the program has ended, which `_has_quit` reports next

    def _read_for(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._running.read(max(deadline - time.monotonic(), 0)):
            pass

    def _has_quit(self) -> bool:
        """Return whether the program has ended by a key that may end it.

        Raises:
            FailedError: no key that was typed may end it, or it ended with a bug.
        """
        terminal = self._running
        pid, status = os.waitpid(terminal.pid, os.WNOHANG)
        if not pid:
            return False
        code = os.waitstatus_to_exitcode(status)
        terminal.status = 128 - code if code < 0 else code
        while terminal.read(0.2):
            pass
        self._look_for_reports()
        can_quit = self._options.quit or any(repr(key) in self._last for key in PALETTE)
        may_end = can_quit and terminal.status in {0, 130}
        if not may_end or b"Traceback" in terminal.received:
            raise FailedError(f"it ended with status {terminal.status}")
        return True

    def _look_for_reports(self) -> None:
        for report in sorted(self._state.glob("sgm/reports/*")):
            raise FailedError(f"a bug was reported:\n{report.read_text(encoding='utf-8')}")

    @property
    def _running(self) -> Terminal:
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
    """Run `count` busy loops for the length of the block, each in its own process."""
    hogs = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keys", type=int, default=20_000, help="how many keys to type (20000)")
    parser.add_argument("--seed", type=int, default=1, help="which keys to type (1)")
    parser.add_argument("--load", type=int, default=0, help="how many busy loops to run beside it (0)")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds without a picture that are a freeze (30)")
    parser.add_argument("--quit", action="store_true", help="press quit keys too, and start it again after them")
    parser.add_argument("--verbose", action="store_true", help="print how far it is")
    return parser.parse_args()


def main() -> int:
    """Type all keys, print the result, and return the exit code."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that the busy loops and the program end too
    with tempfile.TemporaryDirectory(prefix="sgm-random-keys-") as state, load(options.load):
        os.chdir(state)  # the command palette may save a screenshot here
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
