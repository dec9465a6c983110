"""The diff that is reviewed: as difflib makes it, in a moment for any file."""

from __future__ import annotations

import difflib
from time import process_time

import pytest

from sgm_tui.operations.diffs import render_diff

LINES = [f"k{number}: v" for number in range(40)]


@pytest.mark.parametrize("changed", [[0], [39], [20], [3, 30], [0, 1, 2], [10, 12], []])
def test_a_diff_is_that_of_the_whole_file(changed: list[int]) -> None:
    new = [f"{line}2" if number in changed else line for number, line in enumerate(LINES)]
    expected = "\n".join(difflib.unified_diff(LINES, new, "a/x", "b/x", n=3, lineterm=""))
    assert render_diff("x", "\n".join(LINES).encode(), "\n".join(new).encode()) == expected


def test_lines_added_and_taken_away_are_counted_from_the_beginning() -> None:
    new = [*LINES[:20], "new", *LINES[20:35], *LINES[36:]]
    expected = "\n".join(difflib.unified_diff(LINES, new, "a/x", "b/x", n=3, lineterm=""))
    assert render_diff("x", "\n".join(LINES).encode(), "\n".join(new).encode()) == expected


@pytest.mark.parametrize("line", ["{}\n", "a: 1\n", "\n"], ids=["repeated", "alike", "blank"])
def test_one_line_of_a_large_file_is_shown_in_a_moment(line: str) -> None:
    text = "".join(line.format(number % 700) for number in range(200_000))
    started = process_time()
    shown = render_diff("x", f"{text}tag: v1\n{text}".encode(), f"{text}tag: v2\n{text}".encode())
    assert process_time() - started < 5
    assert "-tag: v1" in shown
    assert "@@ -199998,7 +199998,7 @@" in shown


def test_too_many_lines_to_compare_are_counted() -> None:
    before, after = b"a\nb\n" * 5_000, b"c\n" + b"b\na\n" * 5_000
    assert "10000 lines become 10001: too many to show" in render_diff("x", before, after)
