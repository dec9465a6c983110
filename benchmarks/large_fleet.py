"""Measure a dashboard of 100 services × 20 clusters: cursor latency, CPU at rest and memory of its process."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from terminal import Terminal

from sgm_tui.ui.present.glyphs import CURSOR

PRESSES = 90
"""Key presses per direction pair."""
STRETCH = 15
"""Steps in one direction before turning back; sideways far enough to scroll."""
REST_SECONDS = 20.0
"""Seconds for which CPU use is measured without any key."""


def cpu_seconds(pid: int) -> float:
    """Return the user and system time a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def cursor_position(terminal: Terminal) -> tuple[int, int, str]:
    """Return the cursor's line, the first column of its cell, and the header line with the visible clusters."""
    lines = terminal.screen.display
    line = next((y for y, text in enumerate(lines) if text.startswith(CURSOR)), 0)
    row = terminal.screen.buffer[line]
    column = next((x for x in range(2, terminal.screen.columns) if row[x].bg != row[1].bg), 0)
    return line, column, next((text for text in lines if text.startswith(" service ")), "")


def has_moved_from(terminal: Terminal, before: tuple[int, int, str]) -> Callable[[], bool]:
    """Return a function that says whether the cursor has left its place."""
    return lambda: cursor_position(terminal) != before


def measure_presses(terminal: Terminal, keys: str) -> list[float]:
    """Press the two keys alternately, a stretch each, and return the milliseconds of every press, sorted."""
    times = []
    for index in range(PRESSES):
        terminal.drain()
        forward, backward = keys[0], keys[1]
        key = forward if index % (2 * STRETCH) < STRETCH else backward
        times.append(terminal.press(key, has_moved_from(terminal, cursor_position(terminal))))
    return sorted(times)


def measure(sgm: str, config: str) -> None:
    """Measure the dashboard on a running sandbox, and print the results."""
    with Terminal([sgm, "--config", config]) as terminal:
        live = terminal.wait_for(lambda text: text.count("v") > 100, 120)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            terminal.read(0.1)
        moves = {name: measure_presses(terminal, keys) for name, keys in (("down, up", "jk"), ("right, left", "lh"))}
        before, begin = cpu_seconds(terminal.pid), time.monotonic()
        while time.monotonic() - begin < REST_SECONDS:
            terminal.read(0.2)
        idle = (cpu_seconds(terminal.pid) - before) / (time.monotonic() - begin)
        print(f"cells on the screen after {live:.1f} s")
        for name, times in moves.items():
            p50, p95 = statistics.median(times), times[int(len(times) * 0.95)]
            print(f"cursor {name} → paint: p50 {p50:.1f} ms, p95 {p95:.1f} ms (goal ≤ 16)")
        print(f"CPU at rest: {idle:.1%} of a core (goal ≤ 5 %)")
        print(f"memory: {resident_megabytes(terminal.pid):.0f} MB (goal ≤ 150)")


def main() -> None:
    """Start the sandbox, measure the dashboard, and stop the sandbox."""
    sgm = shutil.which("sgm") or str(Path(sys.executable).with_name("sgm"))
    command = [sgm, "sandbox", "--services", "100", "--clusters", "20", "--scenario", "calm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as sandbox:
        if sandbox.stdout is None:
            sys.exit("no output")
        try:
            measure(sgm, json.loads(sandbox.stdout.readline())["config"])
        finally:
            sandbox.terminate()


if __name__ == "__main__":
    main()
