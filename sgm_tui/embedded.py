"""The sandbox as a child process of `sgm demo`: started before anything else, stopped after everything else.

A process of its own keeps the screen smooth, and lets kubectl and a second terminal use the same fleet.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sgm_tui.errors import UnreachableError

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config

READY_SECONDS = 60.0
"""How long a sandbox may take to be ready; a hundred services on twenty clusters need a few."""

_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.1


class EmbeddedFleet:
    """A running sandbox process and the file it complains to."""

    def __init__(self, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        self._process = process
        self._complaints = complaints
        self._stopped = False

    def config(self, flags: Mapping[str, str]) -> Config:
        """Wait until it is ready and load the configuration it wrote. Blocks.

        Raises:
            UnreachableError: it died or did not get ready in time; says what it complained of.
        """
        from sgm_tui.config.file import load

        ready = json.loads(self._ready_line())
        return load(Path(ready["config"]), flags=flags, environ=os.environ)

    def _ready_line(self) -> bytes:
        output = self._process.stdout
        if output is None:
            raise UnreachableError("the embedded fleet has no output")
        deadline = time.monotonic() + READY_SECONDS
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in received:
                # In short looks: a pipe that is closed meanwhile wakes nobody, and leaving waits for this thread.
                while not selector.select(_LOOK_SECONDS):
                    if self._stopped:
                        raise UnreachableError("the embedded fleet was stopped before it was ready")
                    if time.monotonic() > deadline:
                        raise UnreachableError(f"the embedded fleet was not ready after {READY_SECONDS:.0f} s")
                chunk = os.read(output.fileno(), 65536)
                if not chunk:
                    raise UnreachableError(f"the embedded fleet stopped: {self._last_words()}")
                received += chunk
        return received.partition(b"\n")[0]

    def _last_words(self) -> str:
        self._process.wait(_STOP_SECONDS)
        self._complaints.seek(0)
        words = self._complaints.read().decode("utf-8", "replace").strip()
        return words[-600:] or f"exit code {self._process.returncode}"

    def stop(self) -> None:
        """End it, gently first."""
        self._stopped = True
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@contextlib.contextmanager
def embedded_fleet(flags: Sequence[str]) -> Iterator[EmbeddedFleet]:
    """Start `sgm sandbox` with these flags; it ends with the block, or with this process if that is killed."""
    command = [sys.executable, "-m", "sgm_tui", "sandbox", f"--parent-pid={os.getpid()}", *flags]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,  # Ctrl-C is for the dashboard; the sandbox is told when that has ended
        )
        fleet = EmbeddedFleet(process, complaints)
        try:
            yield fleet
        finally:
            fleet.stop()
            if process.stdout is not None:
                process.stdout.close()
