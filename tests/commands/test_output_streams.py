"""Where nobody reads what a command writes, its work and its exit code stay what they are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SGM = [sys.executable, "-m", "sgm_tui"]


@pytest.fixture
def full() -> Iterator[int]:
    """A descriptor that takes nothing: the disk is full."""
    handle = os.open("/dev/full", os.O_WRONLY)
    yield handle
    os.close(handle)


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_an_error_that_cannot_be_printed_keeps_its_exit_code(full: int, unread: int) -> None:
    for stderr in (full, unread):
        ran = subprocess.run([*SGM, "nosuch"], stdout=subprocess.PIPE, stderr=stderr, check=False, timeout=60)
        assert ran.returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_output_that_cannot_be_written_is_unreachable_also_where_that_cannot_be_printed(full: int) -> None:
    assert subprocess.run([*SGM, "help"], stdout=full, stderr=full, check=False, timeout=60).returncode == 3


_WORK_AFTER_OUTPUT = """
import sys
from sgm_tui import cli
from sgm_tui.commands import output

def run():
    output.data("x" * 200_000)
    output.note("half of it is written")
    output.data("y")
    open(sys.argv[1], "w").write("the rest is written")
    return 1

sys.exit(cli.outcome(run))
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_who_leaves_neither_stops_a_write_nor_turns_a_no_into_a_yes(
    stream: str, unread: int, tmp_path: Path
) -> None:
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: unread}
    command = [sys.executable, "-c", _WORK_AFTER_OUTPUT, str(tmp_path / "done")]
    assert subprocess.run(command, check=False, timeout=60, **streams).returncode == 1
    assert (tmp_path / "done").read_text() == "the rest is written"
