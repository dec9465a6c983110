"""The dashboard in a real terminal that does not behave: too small, flooded, stopped, without colour or Unicode."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import signal
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Terminal

PATIENT = 90.0
SGM = str(Path(sys.executable).with_name("sgm"))
DASHBOARD = [sys.executable, str(Path(__file__).parent.parent / "scripted_dashboard.py")]


def dashboard(tmp_path: Path, columns: int = 120, lines: int = 36, **environ: str) -> Terminal:
    return Terminal([*DASHBOARD, str(tmp_path / "asked")], columns, lines, environ)


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Terminal]:
    """The dashboard with its matrix on the screen."""
    with dashboard(tmp_path) as terminal:
        terminal.wait_for(lambda text: "checkout" in text and "promote" in text.splitlines()[-1], PATIENT)
        yield terminal


def asked(tmp_path: Path) -> list[str]:
    """What was asked of the session."""
    file = tmp_path / "asked"
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def test_a_terminal_that_becomes_too_small_says_so_and_shows_everything_again_when_it_grows(
    shown: Terminal, tmp_path: Path
) -> None:
    shown.type("jj")

    def complete(text: str) -> bool:
        return all(one in text for one in ("acme/gitops", "▌checkout", "shipping", " checkout dev-eu1", "q quit"))

    shown.wait_for(complete, PATIENT)
    shown.resize(30, 8)
    shown.wait_for(lambda text: "terminal too small (30×8)" in text and "sgm needs 40×10" in text, PATIENT)
    assert "checkout" not in shown.text
    shown.type("pj")
    shown.wait_until_read(PATIENT)
    for width in (31, 32):  # each answer comes after what was typed before it
        shown.resize(width, 8)
        shown.wait_for(lambda text, has=f"({width}×8)": has in text, PATIENT)
    shown.resize(120, 36)
    shown.wait_for(complete, PATIENT)
    assert asked(tmp_path) == []


def test_the_last_question_is_covered_and_comes_back(shown: Terminal) -> None:
    shown.type("jj3lp")
    shown.wait_for(lambda text: "1 planned" in text, PATIENT)
    shown.type("c")
    shown.wait_for(lambda text: "The plan" in text and "-  tag:" in text, PATIENT)
    shown.type("\r")
    shown.wait_for(lambda text: "Type prod to unlock" in text, PATIENT)
    shown.resize(40, 9)
    shown.wait_for(lambda text: "terminal too small (40×9)" in text and "Type prod" not in text, PATIENT)
    shown.resize(40, 10)
    shown.wait_for(lambda text: "Open a pull request?" in text and "too small" not in text, PATIENT)


def test_no_size_ends_it_and_a_start_in_one_cell_is_a_start(tmp_path: Path) -> None:
    sizes = random.Random(3)
    with dashboard(tmp_path, 1, 1) as terminal:
        terminal.wait_for(lambda text: text.strip() == "1", PATIENT)
        for size in [(2, 2), (500, 200), *((sizes.randrange(1, 300), sizes.randrange(1, 90)) for _ in range(60))]:
            terminal.resize(*size)
            terminal.read(0.01)
        terminal.resize(120, 36)
        terminal.wait_for(lambda text: "checkout" in text and "promote" in text.splitlines()[-1], PATIENT)
        terminal.type("q")
        assert terminal.wait(60) == 0


def flood(terminal: Terminal, data: bytes) -> None:
    """Write it as fast as the other side takes it, reading what comes back."""
    os.set_blocking(terminal.master, False)
    while data:
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(terminal.master, data) :]
        terminal.read(0)
    os.set_blocking(terminal.master, True)


PASTES = {
    "a log": b"promote checkout to prod; c\r\ry\rprod\r\x03q\x1b\n" * 4000,
    "one line": b"pcuvsq\rprod\r" * 2,
    "a held letter that is none": b"p" * 200_000,
    "binary": bytes(byte for byte in random.Random(11).randbytes(60_000) if byte != 0x1B),
    "in brackets": b"\x1b[200~" + b"pc\rprod\r" * 20_000 + b"\x1b[201~",
}


@pytest.mark.parametrize("paste", PASTES.values(), ids=PASTES.keys())
def test_a_paste_does_nothing_but_say_that_it_was_ignored(shown: Terminal, tmp_path: Path, paste: bytes) -> None:
    flood(shown, paste)
    shown.wait_for(lambda text: "paste ignored" in text, PATIENT)
    assert "▌cart" in shown.text
    assert asked(tmp_path) == []
    while "▌cart" in shown.text:  # keys count again as soon as it is quiet
        shown.type("j")
        shown.drain(0.3)


def test_a_held_key_goes_on_to_the_last_row_and_no_press_is_lost(shown: Terminal) -> None:
    for _ in range(8):
        shown.type("j")
        shown.read(0.016)
    shown.wait_for(lambda text: "▌recommendations" in text, PATIENT)


def test_a_filter_takes_a_paste_and_a_name_that_unlocks_takes_none(shown: Terminal) -> None:
    shown.type("/")
    shown.wait_for(lambda text: "words:" in text, PATIENT)
    shown.type("checkout prod-eu1\rpc")
    shown.wait_for(lambda text: "checkout prod-eu1" in text.splitlines()[-2] and "cart" not in text, PATIENT)
    shown.type("\x1b")
    shown.wait_for(lambda text: "shipping" in text, PATIENT)
    shown.type("3lp")
    shown.wait_for(lambda text: "1 planned" in text, PATIENT)
    shown.type("c")
    shown.wait_for(lambda text: "The plan" in text and "-  tag:" in text, PATIENT)
    shown.type("\r")
    shown.wait_for(lambda text: "Type prod to unlock" in text, PATIENT)
    shown.drain(1.0)
    shown.type("\x1b[200~prod\x1b[201~")
    shown.wait_for(lambda text: "paste ignored" in text, PATIENT)
    shown.type("xyz")
    shown.wait_for(lambda text: "xyz" in text and "prodxyz" not in text, PATIENT)


def state(pid: int) -> str:
    """What the kernel says a process does: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def until_stopped(terminal: Terminal) -> None:
    deadline = time.monotonic() + PATIENT
    while state(terminal.pid) != "T":
        assert time.monotonic() < deadline, "it goes on"
        terminal.read(0.02)
    terminal.drain()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks the kernel for the state of a process")
@pytest.mark.parametrize("by", ["ctrl+z", "a signal"])
def test_it_stops_with_the_terminal_as_it_was_and_goes_on_with_everything_painted(shown: Terminal, by: str) -> None:
    cooked = termios.tcgetattr(shown.master)[3] | termios.ICANON | termios.ECHO
    shown.type("j")
    shown.wait_for(lambda text: "▌catalog" in text, PATIENT)
    if by == "ctrl+z":
        shown.type("\x1a")
    else:
        os.kill(shown.pid, signal.SIGTSTP)
    until_stopped(shown)
    left = shown.received[-400:]
    assert b"\x1b[?1049l" in left
    assert b"\x1b[?25h" in left
    assert b"\x1b[?1003l" in left
    assert termios.tcgetattr(shown.master)[3] & (termios.ICANON | termios.ECHO) == cooked & (
        termios.ICANON | termios.ECHO
    )
    shown.screen.reset()
    os.kill(shown.pid, signal.SIGCONT)
    shown.wait_for(lambda text: "Argo CD" in text and "▌catalog" in text and "q quit" in text, PATIENT)
    assert "acme/gitops" in shown.text
    shown.type("j")
    shown.wait_for(lambda text: "▌checkout" in text, PATIENT)
    shown.type("q")
    assert shown.wait(60) == 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks the kernel for the state of a process")
def test_a_stop_nobody_can_catch_is_survived_and_the_terminal_still_restored(shown: Terminal) -> None:
    os.kill(shown.pid, signal.SIGSTOP)
    until_stopped(shown)
    shown.screen.reset()
    os.kill(shown.pid, signal.SIGCONT)
    shown.wait_for(lambda text: "acme/gitops" in text and "▌cart" in text and "q quit" in text, PATIENT)
    for service in ("catalog", "checkout", "gateway"):
        shown.type("j")
        shown.wait_for(lambda text, on=service: f"▌{on}" in text, PATIENT)
    shown.type("q")
    assert shown.wait(60) == 0
    assert termios.tcgetattr(shown.master)[3] & termios.ICANON


def test_a_defect_gives_the_terminal_back_and_says_in_two_lines_what_and_where(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with dashboard(tmp_path, SGM_STATE_DIRECTORY=str(state), GH_TOKEN="s3cret-of-mine") as terminal:
        terminal.wait_for(lambda text: "q quit" in text, PATIENT)
        terminal.type("r")
        assert terminal.wait(60) == 1
        after = terminal.received.rpartition(b"\x1b[?1049l")[2].decode()
    assert "Traceback" not in after
    assert "sgm crashed (bug): " in after
    (report,) = (state / "reports").iterdir()
    assert str(report) in after
    assert report.stat().st_mode & 0o777 == 0o600
    told = report.read_text(encoding="utf-8")
    assert "scripted_dashboard.py" in told
    assert "KeyError: 'the cause, near " in told
    assert "direct cause" in told
    for secret in ("hunter2", "ghp_", "s3cret-of-mine"):
        assert secret not in told + after


@pytest.mark.parametrize("ending", ["q", "r", "\x03"], ids=["quit", "a bug in the matrix", "ctrl+c"])
def test_what_is_typed_while_it_ends_never_runs_in_the_shell(tmp_path: Path, ending: str) -> None:
    ended = tmp_path / "ended"
    command = f'{shlex.join([*DASHBOARD, str(tmp_path / "asked"), str(ended)])}; echo shell; read line; echo "<$line>"'
    with Terminal(["sh", "-c", command], 120, 36, {"SGM_STATE_DIRECTORY": str(tmp_path)}) as terminal:
        terminal.wait_for(lambda text: "q quit" in text, PATIENT)
        terminal.type(ending)
        terminal.wait_for(lambda _: b"\x1b[?1049l" in terminal.received, PATIENT)
        deadline = time.monotonic() + PATIENT
        while b"important" not in terminal.received and time.monotonic() < deadline:
            terminal.type("rm -rf important\r")  # again where it met the terminal being given back, and was discarded
            terminal.drain(quiet=0.2)
        ended.touch()
        terminal.wait_for(lambda _: b"shell" in terminal.received, PATIENT)
        terminal.type("typed later\r")
        assert terminal.wait(30) == 0
        assert b"<typed later>" in terminal.received


@pytest.mark.parametrize("kind", ["dumb", "", "unknown"])
@pytest.mark.parametrize("command", [["demo"], []], ids=["demo", "the dashboard"])
def test_a_terminal_that_only_prints_is_told_what_to_use_instead(tmp_path: Path, kind: str, command: list[str]) -> None:
    config = tmp_path / "sgm.yaml"
    config.write_text("stages: []\n", encoding="utf-8")
    with Terminal([SGM, "--config", str(config), *command], environment={"TERM": kind}) as terminal:
        assert terminal.wait(60) == 2
        assert "cannot show the dashboard" in terminal.text
        assert "sgm status" in terminal.text
        assert b"\x1b" not in terminal.received


def test_without_a_keyboard_it_prints_and_leaves(tmp_path: Path) -> None:
    with Terminal(["sh", "-c", f"exec {SGM} --config {tmp_path / 'none.yaml'} < /dev/null"]) as terminal:
        assert terminal.wait(60) == 2
        assert "none.yaml" in terminal.text
        assert b"\x1b[?1049h" not in terminal.received


def test_standard_error_may_go_elsewhere(tmp_path: Path) -> None:
    command = " ".join([*DASHBOARD, str(tmp_path / "asked")])
    with Terminal(["sh", "-c", f"exec {command} 2> {tmp_path / 'log'}"]) as terminal:
        terminal.wait_for(lambda text: "checkout" in text, PATIENT)
        terminal.type("q")
        assert terminal.wait(60) == 0
    assert (tmp_path / "log").read_bytes() == b""


BACK = "\x1b"
TOUR = ["?", BACK, ":", BACK, "3lp", "c", "w", BACK, "\r", BACK, BACK, "y", BACK, "v", BACK, "o", BACK, "\r"]
"""Every kind of screen, and back."""


def tour(terminal: Terminal) -> bytes:
    """Everything it writes while every kind of screen is opened."""
    terminal.wait_for(lambda text: "q quit" in text, PATIENT)
    written = terminal.received
    for keys in TOUR:
        terminal.type(keys)
        deadline = time.monotonic() + 2.0
        while piece := terminal.read(0.3):
            written += piece
            assert time.monotonic() < deadline + PATIENT
    return written


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "de_DE.ISO-8859-1"}], ids=str)
def test_no_byte_above_ascii_is_written_where_the_locale_has_none(tmp_path: Path, locale: dict[str, str]) -> None:
    with dashboard(tmp_path, **locale) as terminal:
        assert tour(terminal).isascii()


def test_no_colour_is_written_where_none_is_wanted(tmp_path: Path) -> None:
    with dashboard(tmp_path, NO_COLOR="1") as terminal:
        codes = re.findall(rb"\x1b\[([0-9;]*)m", tour(terminal))
    assert {int(code) for found in codes for code in found.split(b";") if code} <= {0, 1, 2, 3, 4, 7}
