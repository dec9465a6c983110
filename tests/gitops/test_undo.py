"""What one commit changed is taken back; what was changed since stays, or the undoing is refused."""

from __future__ import annotations

import contextlib
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.gitops.yaml.undo import undo_change

BEFORE = b"a: 1\ntag: v1\nb: 2\nc: 3\nd: 4\n"
AFTER = BEFORE.replace(b"v1", b"v2")


def test_a_change_far_away_stays_when_a_promotion_is_undone() -> None:
    assert undo_change(AFTER.replace(b"d: 4", b"d: 5"), AFTER, BEFORE) == BEFORE.replace(b"d: 4", b"d: 5")


def test_lines_added_since_stay_where_they_are() -> None:
    assert undo_change(b"# hello\n" + AFTER + b"e: 5\n", AFTER, BEFORE) == b"# hello\n" + BEFORE + b"e: 5\n"


def test_a_removed_block_comes_back_beside_a_change_made_since() -> None:
    before = b"a: 1\nsteps:\n- x\n- y\nb: 2\nc: 3\n"
    after = b"a: 1\nb: 2\nc: 3\n"
    assert undo_change(after.replace(b"c: 3", b"c: 4"), after, before) == before.replace(b"c: 3", b"c: 4")


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        (AFTER.replace(b"v2", b"v3"), "line 2"),
        (AFTER.replace(b"a: 1", b"a: 9"), "line 1"),
        (AFTER.replace(b"b: 2\n", b""), "line 3"),
        (AFTER.replace(b"b: 2\n", b"x\ny\nb: 2\n"), "lines 3 to 4"),
        (AFTER.replace(b"\n", b"\r\n"), "lines 1 to 5"),
        (b"", "line 1"),
    ],
)
def test_lines_changed_again_since_are_told_and_nothing_is_mixed(head: bytes, lines: str) -> None:
    with pytest.raises(EditRefusedError, match=rf"\({lines}\)"):
        undo_change(head, AFTER, BEFORE)


def test_what_is_undone_already_stays_undone() -> None:
    assert undo_change(BEFORE + b"e: 5\n", AFTER, BEFORE) == BEFORE + b"e: 5\n"


def test_the_end_of_the_last_line_comes_back_too() -> None:
    assert undo_change(b"x: 0\na: 1\nb: 2", b"a: 1\nb: 2", b"a: 1\nb: 2\n") == b"x: 0\na: 1\nb: 2\n"


def test_a_file_too_large_to_compare_is_refused() -> None:
    with pytest.raises(EditRefusedError, match="1 MB"):
        undo_change(b"a\n" * 600_000, b"b\n", b"c\n")


ANY_LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"\n", b"c\r\n", b"d"]), max_size=8).map(b"".join)


@given(ANY_LINES, ANY_LINES)
def test_undoing_the_newest_change_gives_exactly_what_was_there(after: bytes, before: bytes) -> None:
    assert undo_change(after, after, before) == before


@given(st.data())
def test_changes_in_other_places_are_kept_and_touching_ones_refused(data: st.DataObject) -> None:
    base = [f"line {number}\n".encode() for number in range(data.draw(st.integers(2, 12)))]
    ours = _changed(base, data.draw(st.sets(st.integers(0, len(base) - 1), max_size=4)), b"ours")
    theirs = _changed(base, data.draw(st.sets(st.integers(0, len(base) - 1), min_size=1, max_size=4)), b"theirs")
    near = any(
        ours[one] != base[one] and theirs[other] != base[other]
        for one in range(len(base))
        for other in range(max(0, one - 1), min(len(base), one + 2))
    )
    join = b"".join
    if near:
        with pytest.raises(EditRefusedError, match="changed again since"):
            undo_change(join(ours), join(base), join(theirs))
    else:
        both = [b if a == line else a for a, b, line in zip(ours, theirs, base, strict=True)]
        assert undo_change(join(ours), join(base), join(theirs)) == join(both)


def _changed(base: list[bytes], where: set[int], word: bytes) -> list[bytes]:
    return [word + b" " + line if number in where else line for number, line in enumerate(base)]


@given(ANY_LINES, ANY_LINES, ANY_LINES)
def test_whatever_was_changed_no_line_appears_that_nobody_wrote(head: bytes, after: bytes, before: bytes) -> None:
    try:
        result = undo_change(head, after, before)
    except EditRefusedError:
        return
    assert set(result.splitlines()) <= {*head.splitlines(), *before.splitlines()}


@pytest.mark.parametrize(
    "text",
    [b"\n" * 500_000, b"a: 1\n" * 200_000, b"".join(b"%d\n" % (number % 700) for number in range(200_000))],
    ids=["blank", "alike", "repeated"],
)
def test_large_files_are_compared_in_a_moment_or_refused(text: bytes) -> None:
    other = b"x\n" + text.replace(b"1\n", b"2\n")[: len(text) - 2] + b"y\n"
    started = process_time()
    for head, after, before in ((other, text, text[2:]), (text + b"z\n", text, text[:-8]), (text, other, text)):
        with contextlib.suppress(EditRefusedError):
            undo_change(head, after, before)
    assert process_time() - started < 5


def test_one_line_of_a_large_file_is_undone_among_changes_elsewhere() -> None:
    lines = [b"k%d: v\n" % number for number in range(50_000)]
    before, after, head = list(lines), list(lines), list(lines)
    after[40_000] = b"k40000: w\n"
    head[40_000], head[40_010] = b"k40000: w\n", b"k40010: own\n"
    wanted = list(lines)
    wanted[40_010] = b"k40010: own\n"
    assert undo_change(b"".join(head), b"".join(after), b"".join(before)) == b"".join(wanted)
