"""The dashboard in a real terminal that does not behave: too small, flooded, stopped, without colour or Unicode."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Terminal

PATIENT = 30.0
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
    shown.wait_for(lambda text: "feat(checkout)" in text, PATIENT)
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
        assert terminal.wait(20) == 0
