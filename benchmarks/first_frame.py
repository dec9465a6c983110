"""How soon `sgm demo` shows its first frame, beside an empty Textual application, and how soon every cell is live."""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path

from terminal import Terminal

RUNS = 7
EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App[None]):
    def compose(self):
        yield Static("ready")

Empty().run()
"""


def first_content(command: list[str], word: str) -> float:
    """Seconds from the start of the process to a screen that shows `word`."""
    with Terminal(command) as terminal:
        return terminal.wait_for(lambda text: word in text, 30)


def all_live(command: list[str]) -> float:
    """Seconds to a matrix without a single waiting cell."""
    with Terminal(command) as terminal:
        return terminal.wait_for(lambda text: "checkout" in text and "waiting" not in text and "…" not in text, 60)


def main() -> None:
    """Interleave the two, print medians and the ratio."""
    sgm = shutil.which("sgm") or str(Path(sys.executable).with_name("sgm"))
    empty_times, demo_times = [], []
    for _ in range(RUNS):
        empty_times.append(first_content([sys.executable, "-c", EMPTY], "ready"))
        demo_times.append(first_content([sgm, "demo"], "service"))
    empty, demo = statistics.median(empty_times), statistics.median(demo_times)
    print(f"first frame, median of {RUNS}: empty {empty * 1000:.0f} ms, sgm demo {demo * 1000:.0f} ms")
    print(f"ratio sgm demo / empty: {demo / empty:.2f} (goal ≤ 1.3)")
    live = statistics.median(all_live([sgm, "demo"]) for _ in range(3))
    print(f"all cells live, median of 3: {live:.1f} s (goal ≤ 5 s)")


if __name__ == "__main__":
    main()
