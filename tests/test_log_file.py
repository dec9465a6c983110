"""The log file is written beside the event loop, and holds everything when the program ends, also after a crash."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sgm_tui.log_file import LogFileHandler

SECRET = "ghp_" + "a" * 20


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("test_log_file")
    made.setLevel(logging.INFO)
    made.propagate = False
    yield made
    made.handlers.clear()


def test_a_disk_that_hangs_keeps_nobody_who_logs_waiting(
    tmp_path: Path, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, real = threading.Event(), logging.FileHandler.emit
    writers: list[threading.Thread] = []

    def slow(self: logging.FileHandler, record: logging.LogRecord) -> None:
        writers.append(threading.current_thread())
        free.wait()
        real(self, record)

    monkeypatch.setattr(logging.FileHandler, "emit", slow)
    handler = LogFileHandler(tmp_path / "log")
    logger.addHandler(handler)
    for number in range(3):
        logger.info("record %d", number)  # would wait for ever on the disk
    free.set()
    handler.close()
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["record 0", "record 1", "record 2"]
    assert threading.main_thread() not in writers


def test_it_is_private_and_holds_no_secret_of_a_traceback(tmp_path: Path, logger: logging.Logger) -> None:
    handler = LogFileHandler(tmp_path / "log")
    logger.addHandler(handler)
    try:
        int(f"https://me:{SECRET}@host")
    except ValueError:
        logger.exception("it failed with %s", SECRET)
    handler.flush()
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "ValueError" in text
    assert SECRET not in text
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    handler.close()
    handler.close()


def test_after_a_crash_the_log_is_whole(tmp_path: Path) -> None:
    script = (
        "import logging, sys; from pathlib import Path; from sgm_tui import cli; cli._start_logging(Path(sys.argv[1]));"
        "[logging.getLogger('sgm').info('record %d', n) for n in range(2000)]; raise RuntimeError('a crash')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert (len(lines), lines[-1].rpartition(": ")[2]) == (2000, "record 1999")
