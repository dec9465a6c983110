"""Run the sandbox as a child process of `sgm demo`: it starts before everything else and stops last.

A separate process keeps the screen responsive, and lets kubectl and a second terminal use the same fleet.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from sgm_tui.errors import UnreachableError
from sgm_tui.json_reader import read_json

READY_SECONDS = 60.0
"""Seconds within which a sandbox must be ready; a hundred services on twenty clusters take a few."""

_STOP_SECONDS = 5.0
"""Seconds that the process gets to end by itself, before it is killed."""
_POLL_SECONDS = 0.1
"""Seconds between two checks whether the sandbox was stopped while it starts."""


class EmbeddedFleet:
    """A running sandbox process and the file that receives its standard error."""

    def __init__(self, process: subprocess.Popen[bytes], error_output: IO[bytes]) -> None:
        self._process = process
        self._error_output = error_output
        self._stopped = False

    def wait_for_config_file(self) -> Path:
        """Wait until the sandbox is ready, and return the configuration file it wrote. Blocks for up to a minute.

        Raises:
            UnreachableError: the process ended (the message then contains its standard error), was stopped, or was
                not ready in time.
        """
        return Path(read_json(self._read_ready_line())["config"])

    def _read_ready_line(self) -> bytes:
        """Return the JSON line that the sandbox prints once it is ready."""
        output = self._process.stdout
        if output is None:
            raise UnreachableError("the embedded fleet has no output")
        deadline = time.monotonic() + READY_SECONDS
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in received:
                # Poll: closing the pipe does not wake `select`, and the program waits for this thread when it quits.
                while not selector.select(_POLL_SECONDS):
                    if self._stopped:
                        raise UnreachableError("the embedded fleet was stopped before it was ready")
                    if time.monotonic() > deadline:
                        raise UnreachableError(f"the embedded fleet was not ready after {READY_SECONDS:.0f} s")
                chunk = os.read(output.fileno(), 65536)
                if not chunk:
                    raise UnreachableError(f"the embedded fleet stopped: {self._error_tail()}")
                received += chunk
        return received.partition(b"\n")[0]

    def _error_tail(self) -> str:
        """Return the end of what the process wrote to standard error, or its exit code if it wrote nothing."""
        self._process.wait(_STOP_SECONDS)
        self._error_output.seek(0)
        text = self._error_output.read().decode("utf-8", "replace").strip()
        return text[-600:] or f"exit code {self._process.returncode}"

    def stop(self) -> None:
        """End the process: SIGTERM first, SIGKILL if it does not end within five seconds."""
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
    """Start `sgm sandbox` with these flags; it ends with the block, and also if this process is killed."""
    command = [sys.executable, "-m", "sgm_tui", "sandbox", f"--parent-pid={os.getpid()}", *flags]
    with tempfile.TemporaryFile() as error_output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=error_output,
            start_new_session=True,  # Ctrl-C is for the dashboard, which stops the sandbox after it has ended
        )
        fleet = EmbeddedFleet(process, error_output)
        try:
            yield fleet
        finally:
            fleet.stop()
            if process.stdout is not None:
                process.stdout.close()
