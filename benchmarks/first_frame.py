"""Measure the time to the first frame of `sgm demo`, against an empty Textual application, and to all live cells."""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path

from terminal import Terminal

RUNS = 7
"""Starts of each program."""
EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App[None]):
    def compose(self):
        yield Static("ready")

Empty().run()
"""


def time_to_text(command: list[str], word: str) -> float:
    """Return the seconds from the start of the process until the screen shows `word`."""
    with Terminal(command) as terminal:
        return terminal.wait_for(lambda text: word in text, 30)


def time_to_live_cells(command: list[str]) -> float:
    """Return the seconds from the start of the process until no cell of the matrix is waiting."""
    with Terminal(command) as terminal:
        return terminal.wait_for(lambda text: "checkout" in text and "waiting" not in text and "…" not in text, 60)


def main() -> None:
    """Run both programs alternately, and print medians and their ratio."""
    sgm = shutil.which("sgm") or str(Path(sys.executable).with_name("sgm"))
    empty_times, demo_times = [], []
    for _ in range(RUNS):
        empty_times.append(time_to_text([sys.executable, "-c", EMPTY], "ready"))
        demo_times.append(time_to_text([sgm, "demo"], "service"))
    empty, demo = statistics.median(empty_times), statistics.median(demo_times)
    print(f"first frame, median of {RUNS}: empty {empty * 1000:.0f} ms, sgm demo {demo * 1000:.0f} ms")
    print(f"ratio sgm demo / empty: {demo / empty:.2f} (goal ≤ 1.3)")
    live = statistics.median(time_to_live_cells([sgm, "demo"]) for _ in range(3))
    print(f"all cells live, median of 3: {live:.1f} s (goal ≤ 5 s)")


if __name__ == "__main__":
    main()
