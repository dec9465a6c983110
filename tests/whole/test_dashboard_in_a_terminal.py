"""The installed `sgm demo` in a real terminal, driven by keys alone: one promotion to healthy, one to failed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from terminal import Terminal

SGM = str(Path(sys.executable).with_name("sgm"))
ENTER, ESCAPE = "\r", "\x1b"
PATIENT = 90.0
_LOOK_SECONDS = 0.1
"""Seconds between two looks at tmux, which is a process each."""


def environment(directory: Path) -> dict[str, str]:
    return {"SGM_STATE_DIRECTORY": str(directory / "state"), "XDG_CONFIG_HOME": str(directory / "config")}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*options: str, columns: int = 120, lines: int = 36) -> Terminal:
        command = [SGM, "demo", "--seed", "story", "--speed", "20", *options]
        terminal = Terminal(command, columns, lines, environment(tmp_path))
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.__exit__(None, None, None)


def row(text: str, service: str) -> str:
    """The line of the matrix that belongs to a service."""
    return next((line for line in text.splitlines() if re.match(rf".{{0,2}}{service}\b.*│", line)), "")


def stage_and_send(terminal: Terminal, service: str) -> None:
    """From the matrix to an opened pull request that promotes the second service from dev into staging."""
    terminal.wait_for(lambda text: "✓" in row(text, service) and "waiting" not in text, PATIENT)
    terminal.type("2")
    terminal.wait_for(lambda text: "cart staging-eu1" in text, PATIENT)
    terminal.type("j")
    terminal.wait_for(lambda text: f"{service} staging-eu1" in text, PATIENT)
    terminal.type("p")
    terminal.wait_for(lambda text: f"planned: {service} staging" in text, PATIENT)
    terminal.type("c")
    terminal.wait_for(lambda text: f"feat({service}): staging -> " in text and "-  tag:" in text, PATIENT)
    terminal.type(ENTER)
    terminal.wait_for(lambda text: "Open a pull request?" in text, PATIENT)
    asked = 0.0
    while "Open a pull request?" in terminal.text:
        # Keys typed before a dialog was painted are dropped, so the answer is given again while it is asked for.
        if time.monotonic() - asked > 1.0:
            asked = time.monotonic()
            terminal.type(ENTER)
        terminal.read(0.05)
    terminal.wait_for(lambda text: "opened" in text and "/pull/" in text, PATIENT)
    terminal.type(ESCAPE)


def test_a_promotion_goes_from_a_key_press_to_a_healthy_cluster(demo: Callable[..., Terminal]) -> None:
    terminal = demo("--scenario", "calm")
    stage_and_send(terminal, "catalog")
    seen: set[str] = set()

    def done(text: str) -> bool:
        line = row(text, "catalog").split("│")
        cell = line[2] if len(line) > 2 else ""
        seen.update(word for word in ("#", "→", "/7") if word in cell)
        seen.update(word for word in ("proposed", "merged", "syncing", "rolling") if word in text.splitlines()[0])
        # A screen is read while it is painted: only a cell that was seen rolling can have arrived.
        return "rolling" in seen and "v5.1.0 ✓" in cell and "all settled" in text.splitlines()[0]

    terminal.wait_for(done, PATIENT)
    assert seen & {"proposed", "merged", "syncing", "#"}, seen


def test_a_bad_version_ends_in_failed_with_what_the_analysis_said(demo: Callable[..., Terminal]) -> None:
    terminal = demo("--scenario", "bad-canary")
    stage_and_send(terminal, "catalog")
    terminal.wait_for(lambda text: any("✖" in stage for stage in row(text, "catalog").split("│")[2:3]), PATIENT)
    terminal.wait_for(lambda text: "catalog staging-eu1" in text and "success-rate" in text, PATIENT)


def test_the_terminal_is_as_it_was_after_a_signal(demo: Callable[..., Terminal]) -> None:
    for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)):
        terminal = demo("--services", "2")
        terminal.wait_for(lambda text: "service" in text, PATIENT)
        os.kill(terminal.pid, number)
        assert terminal.wait(60) == code
        assert b"\x1b[?1049l" in terminal.received
        assert b"\x1b[?25h" in terminal.received


def test_q_leaves_with_success_and_takes_the_embedded_fleet_along(demo: Callable[..., Terminal]) -> None:
    terminal = demo("--services", "2")
    terminal.wait_for(lambda text: "✓" in text, PATIENT)
    terminal.type("q")
    assert terminal.wait(60) == 0
    children = subprocess.run(
        ["pgrep", "-f", f"parent-pid={terminal.pid}"], capture_output=True, text=True, check=False
    )
    assert children.stdout == ""


def test_a_killed_fleet_turns_everything_stale_and_a_restarted_one_heals_it(tmp_path: Path) -> None:
    command = [SGM, "sandbox", "--services", "2", "--scenario", "calm", "--directory", str(tmp_path / "fleet")]

    def sandbox() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        return process

    first = sandbox()
    dashboard = [SGM, "--config", str(tmp_path / "fleet" / "sgm.yaml")]
    with Terminal(dashboard, 160, 40, environment(tmp_path)) as terminal:
        terminal.wait_for(lambda text: "all settled" in text, PATIENT)
        first.kill()
        first.wait()
        terminal.wait_for(lambda text: "10 unknown" in text and "not responding" in text, PATIENT)
        second = sandbox()
        terminal.wait_for(lambda text: "all settled" in text, PATIENT)
        terminal.type("q")
        assert terminal.wait(60) == 0
    second.terminate()
    second.wait()


@pytest.fixture
def tmux(request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    # A server of its own for each test: the one before may still be ending.
    socket = f"sgm-test-{os.getpid()}-{abs(hash(request.node.name)) % 10_000}"

    def run(*arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-L", socket, *arguments], capture_output=True, text=True, check=True, timeout=30
        ).stdout

    yield run
    subprocess.run(["tmux", "-L", socket, "kill-server"], capture_output=True, check=False, timeout=30)


def waiting_in(tmux: Callable[..., str]) -> Callable[[Callable[[str], bool]], str]:
    """Look at the pane until it satisfies a condition."""

    def wait_for(condition: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + PATIENT
        while not condition(shown := tmux("capture-pane", "-p")):
            assert time.monotonic() < deadline, shown
            time.sleep(_LOOK_SECONDS)
        return shown

    return wait_for


def demo_in(tmux: Callable[..., str], size: tuple[int, int], directory: Path) -> None:
    variables = [f"{name}={value}" for name, value in environment(directory).items()]
    # What readline tells of our own terminal must not reach the one in tmux.
    command = " ".join(
        [
            "env",
            "-u",
            "COLUMNS",
            "-u",
            "LINES",
            *variables,
            SGM,
            "demo",
            "--scenario",
            "calm",
            "--seed",
            "story",
            "--speed",
            "20",
        ]
    )
    tmux("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), command)


def test_in_tmux_at_80_by_24_a_person_finds_their_way(tmux: Callable[..., str], tmp_path: Path) -> None:
    demo_in(tmux, (80, 24), tmp_path)
    wait_for = waiting_in(tmux)
    wait_for(lambda text: "checkout" in text and "v1.4.2" in text)
    tmux("send-keys", "?")
    wait_for(lambda text: "Keys" in text and "Jump to a stage" in text)
    tmux("send-keys", "Escape")
    wait_for(lambda text: "checkout" in text)
    tmux("send-keys", "/")
    wait_for(lambda text: "words:" in text)
    tmux("send-keys", "-l", "search")
    wait_for(lambda text: "search" in text and "checkout" not in text)


def test_in_tmux_a_promotion_goes_from_a_key_press_to_a_cluster_that_soaks(
    tmux: Callable[..., str], tmp_path: Path
) -> None:
    demo_in(tmux, (120, 36), tmp_path)
    wait_for = waiting_in(tmux)
    wait_for(lambda text: "all settled" in text)
    tmux("send-keys", "2")
    wait_for(lambda text: "cart staging-eu1" in text)
    tmux("send-keys", "j")
    wait_for(lambda text: "catalog staging-eu1" in text)
    tmux("send-keys", "p")
    wait_for(lambda text: "planned: catalog staging" in text)
    tmux("send-keys", "c")
    wait_for(lambda text: "feat(catalog): staging -> v5.1.0" in text and "-  tag:" in text)
    tmux("send-keys", "Enter")
    wait_for(lambda text: "Open a pull request?" in text)
    asked = 0.0

    def answered(text: str) -> bool:
        nonlocal asked
        if "Open a pull request?" in text and time.monotonic() - asked > 1.0:
            asked = time.monotonic()
            tmux("send-keys", "Enter")
        return "opened" in text and "/pull/" in text

    wait_for(answered)
    tmux("send-keys", "Escape")
    wait_for(lambda text: "rolling" in text.splitlines()[0])
    shown = wait_for(lambda text: "soaking" in text.splitlines()[0])
    assert "v5.1.0 ◷" in row(shown, "catalog").split("│")[2]
