"""Measure every start a person waits for, against an empty Textual application or a bare Python in the same run."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from terminal import Terminal

EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App[None]):
    def compose(self):
        yield Static("ready")

Empty().run()
"""
PATIENT = 120.0
"""Seconds after which a start counts as failed."""


def time_to(command: Sequence[str], environment: Mapping[str, str], *conditions: Callable[[str], bool]) -> list[float]:
    """Start a program in a terminal, and return the seconds until each condition was true of the screen, in order."""
    with Terminal(command, 160, 45, environment) as terminal:
        return [terminal.wait_for(condition, PATIENT) for condition in conditions]


def time_to_end(command: Sequence[str]) -> float:
    """Return the seconds a command takes that prints and ends."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


@contextmanager
def serve_sandbox(sgm: str, directory: Path, *options: str) -> Iterator[tuple[float, str]]:
    """Serve a calm fleet; yield the seconds until it was ready, and the path of its configuration."""
    started = time.perf_counter()
    command = [sgm, "sandbox", "--scenario", "calm", "--directory", str(directory), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        config = str(json.loads(process.stdout.readline())["config"])
        yield time.perf_counter() - started, config
    finally:
        process.terminate()
        process.wait(30)


def has_rows(text: str) -> bool:
    """Return whether the matrix has rows, confirmed or not."""
    return "shipping" in text


def has_live_cell(text: str) -> bool:
    """Return whether some cell is confirmed by every source it depends on."""
    return has_rows(text) and "✓" in text


def is_all_live(text: str) -> bool:
    """Return whether every cell of the matrix is confirmed."""
    matrix = "\n".join(text.splitlines()[4:-3])
    return has_rows(text) and "✓" in matrix and not any(sign in matrix for sign in "?◌")


class Report:
    """Prints one line for each measurement."""

    def __init__(self, control: str) -> None:
        self._control = control

    def print(self, name: str, times: Sequence[float], control: Sequence[float], goal: str) -> None:
        """Print the median in milliseconds, its ratio to the control's, and the goal."""
        median, base = statistics.median(times), statistics.median(control)
        print(f"{name:<46} {median * 1000:6.0f} ms  {median / base:5.2f} × {self._control:<12} goal {goal}")


def measure_commands(sgm: str, runs: int) -> None:
    """Measure what prints and ends, against a Python that does nothing."""
    report = Report("bare Python")
    bare, version, usage = [], [], []
    for _ in range(runs):
        bare.append(time_to_end([sys.executable, "-c", "pass"]))
        version.append(time_to_end([sgm, "--version"]))
        usage.append(time_to_end([sgm, "--help"]))
    base = statistics.median(bare) * 1000
    report.print("sgm --version", version, bare, f"≤ {base + 60:.0f} ms")
    report.print("sgm --help", usage, bare, f"≤ {base + 60:.0f} ms")


def measure_dashboard(sgm: str, runs: int, directory: Path) -> None:
    """Measure the dashboard on a fleet that runs already, and `sgm demo` from nothing."""
    empty, ready, first, again, live_cell, all_live, demo = [], [], [], [], [], [], []
    environment = {"XDG_CACHE_HOME": str(directory / "cache"), "XDG_STATE_HOME": str(directory / "state")}
    with serve_sandbox(sgm, directory / "fleet") as (_, config):
        command = [sgm, "--config", config]
        time_to(command, environment, is_all_live)  # clones the repository
        shutil.rmtree(directory / "cache")
        for _ in range(runs):
            empty += time_to([sys.executable, "-c", EMPTY], {}, lambda text: "ready" in text)
            rows, cell, everything = time_to(command, environment, has_rows, has_live_cell, is_all_live)
            first.append(rows)
            again += time_to(command, environment, has_rows)
            live_cell.append(cell)
            all_live.append(everything)
            shutil.rmtree(directory / "cache", ignore_errors=True)
    for run in range(max(runs // 2, 1)):
        with serve_sandbox(sgm, directory / f"fleet-{run}") as (seconds, _):
            ready.append(seconds)
        demo += time_to([sgm, "demo", "--scenario", "calm"], environment, is_all_live)
    report = Report("empty app")
    report.print("first frame with rows, seen before", again, empty, "≤ 1.15 ×")
    report.print("first rows, never seen before", first, empty, "–")
    report.print("first live cell", live_cell, empty, "≤ 2 ×")
    report.print("all 12 × 5 cells live", all_live, empty, "≤ 3 ×")
    report.print("sgm demo: all cells live", demo, empty, "≤ 1500 ms")
    report.print("sandbox ready", ready, empty, "≤ 800 ms")


def main() -> None:
    """Print one line for each start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="starts of each program (default: 7)")
    runs = parser.parse_args().runs
    sgm = shutil.which("sgm") or str(Path(sys.executable).with_name("sgm"))
    measure_commands(sgm, runs)
    with tempfile.TemporaryDirectory() as directory:
        measure_dashboard(sgm, runs, Path(directory))


if __name__ == "__main__":
    main()
