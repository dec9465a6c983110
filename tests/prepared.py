"""A Python that has imported what our programs need and forks for each of them: starting one costs no import.

Three quarters of the processor time of a short `sgm` is spent importing client libraries. Each program here is still a
process of its own, with its own arguments, environment, folder, output and exit code, and ends as any interpreter does.
What the installed script itself does (closed descriptors, `python -m`, terminals) is tested with real processes.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_HERE = Path(__file__).parent
_LENGTH = struct.Struct("!I")
_STATUS = struct.Struct("!i")


class Started:
    """A program that was started; `stdout` and `stderr` are text where they were asked for as pipes."""

    def __init__(self, arguments: Sequence[str], status: socket.socket, pipes: Mapping[str, IO[str]]) -> None:
        self.arguments = list(arguments)
        self.returncode: int | None = None
        """Exit code, negative where a signal ended it; None while it runs."""
        self.stdout = pipes.get("stdout")
        self.stderr = pipes.get("stderr")
        self._status = status
        (self.pid,) = _STATUS.unpack(status.recv(_STATUS.size, socket.MSG_WAITALL))

    def wait(self, seconds: float) -> int:
        """Wait for its end and return the exit code; raise subprocess.TimeoutExpired when it has none in time."""
        if self.returncode is None:
            self._status.settimeout(seconds)
            try:
                (self.returncode,) = _STATUS.unpack(self._status.recv(_STATUS.size, socket.MSG_WAITALL))
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.arguments, seconds) from None
            self._status.close()
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait(10)

    def communicate(self, seconds: float) -> tuple[str, str]:
        """Wait for its end and return what is left to read of its output; neither may be longer than a pipe holds."""
        self.wait(seconds)
        texts = []
        for pipe in (self.stdout, self.stderr):
            assert pipe is not None
            with pipe:
                texts.append(pipe.read())
        return texts[0], texts[1]


class Prepared:
    """The Python that forks."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        command = [sys.executable, str(Path(__file__)), str(its.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL)
        its.close()
        self._control = ours

    def close(self) -> None:
        """Let it end; what it has started goes on."""
        self._control.close()
        self._process.wait(20)

    def start(
        self, *arguments: str, run: str = "sgm_tui.start:main", cwd: Path | None = None, **variables: str
    ) -> Started:
        """Start a program whose output is read from pipes."""
        reading, writing = zip(os.pipe(), os.pipe(), strict=True)
        pipes = {
            name: os.fdopen(end, encoding="utf-8") for name, end in zip(("stdout", "stderr"), reading, strict=True)
        }
        try:
            return Started(arguments, self._ask(arguments, run, cwd, variables, writing), pipes)
        finally:
            for end in writing:
                os.close(end)

    def start_silent(self, *arguments: str, run: str) -> Started:
        """Start a program whose output nobody reads."""
        with Path(os.devnull).open("wb") as nowhere:
            descriptors = (nowhere.fileno(), nowhere.fileno())
            return Started(arguments, self._ask(arguments, run, None, {}, descriptors), {})

    def run(
        self,
        *arguments: str,
        run: str = "sgm_tui.start:main",
        cwd: Path | None = None,
        seconds: float = 120,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, with nothing to read; raise subprocess.TimeoutExpired after so many seconds."""
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            writing = (stdout.fileno(), stderr.fileno())
            started = Started(arguments, self._ask(arguments, run, cwd, variables, writing), {})
            try:
                code = started.wait(seconds)
            finally:
                started.kill()
            texts = []
            for file in (stdout, stderr):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess(list(arguments), code, *texts)

    def _ask(
        self,
        arguments: Sequence[str],
        run: str,
        cwd: Path | None,
        variables: Mapping[str, str],
        writing: Sequence[int],
    ) -> socket.socket:
        request = {
            "arguments": list(arguments),
            "run": run,
            "cwd": str(cwd or Path.cwd()),
            "environ": {**os.environ, **variables},
        }
        data = json.dumps(request).encode()
        ours, its = socket.socketpair()
        with its:
            socket.send_fds(self._control, [_LENGTH.pack(len(data))], [*writing, its.fileno()])
            self._control.sendall(data)
        return ours


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork for every request; return it in the process that has to run it, and None when no more can come."""
    while True:
        length, descriptors, _, _ = socket.recv_fds(control, _LENGTH.size, 3)
        _reap()
        if not length:
            return None
        data = control.recv(_LENGTH.unpack(length)[0], socket.MSG_WAITALL)
        if os.fork() == 0:
            control.close()
            return _guarded(json.loads(data), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _guarded(request: dict[str, Any], stdout: int, stderr: int, reports: int) -> dict[str, Any]:
    """Fork once more: the program returns from here, its guard waits for its end, reports it and ends."""
    pid = os.fork()
    if pid == 0:
        os.close(reports)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.close(stdout)
        os.close(stderr)
        return request
    os.close(stdout)
    os.close(stderr)
    os.write(reports, _STATUS.pack(pid))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(reports, _STATUS.pack(status))
    os._exit(0)


def _import_everything() -> None:
    import sgm_tui

    for module in pkgutil.walk_packages(sgm_tui.__path__, "sgm_tui."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _main() -> int:
    sys.path[:0] = [str(_HERE), str(_HERE / "operations")]
    control = socket.socket(fileno=int(sys.argv[1]))
    _import_everything()
    request = _serve(control)
    if request is None:
        return 0
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    sys.argv = ["sgm", *request["arguments"]]
    module, _, function = request["run"].partition(":")
    code: int | None = getattr(importlib.import_module(module), function)()
    return code or 0


@functools.cache
def prepared_python() -> Prepared:
    """The one of this process, started when it is first needed and ended with it."""
    python = Prepared()
    atexit.register(python.close)
    return python


if __name__ == "__main__":
    sys.exit(_main())
