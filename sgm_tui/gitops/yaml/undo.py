"""Undo what one commit changed in a file and keep every later change: a three-way merge of lines.

This is `git merge-file` with the commit's result as the base, the current file as one side and the file before the
commit as the other, but stricter: a conflict with later changes is refused, never merged or marked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

from sgm_tui.gitops.yaml.edits import EditRefusedError

_LARGEST = 1 << 20
_MOST_LINES = 4_000
_MOST_PAIRS = 30_000
"""Limits of the lines that differ, and of equal pairs among them; the time to compare grows with their product."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Lines [start, end) of the base, replaced by lines [first, last) of the changed file."""

    start: int
    end: int
    first: int
    last: int
    lines: tuple[bytes, ...]

    def touches(self, other: _Change) -> bool:
        """Whether no unchanged line is between the two."""
        return self.start <= other.end and other.start <= self.end

    def is_same_as(self, other: _Change) -> bool:
        """Whether both make the same change to the base."""
        return (self.start, self.end, self.lines) == (other.start, other.end, other.lines)


def undo_change(head: bytes, after: bytes, before: bytes) -> bytes:
    """Return the current file without the change from `before` to `after`.

    Args:
        head: the current file.
        after: the file after the commit.
        before: the file before the commit.

    Raises:
        EditRefusedError: the same or adjacent lines were changed later, or the file is too large.
    """
    if head == after:
        return before
    if max(len(head), len(after), len(before)) > _LARGEST:
        raise EditRefusedError("the file is larger than 1 MB")
    base = after.splitlines(keepends=True)
    since, undoing = _find_changes(base, head), _find_changes(base, before)
    open_changes = [change for change in undoing if not any(change.is_same_as(later) for later in since)]
    clashes = [later for later in since if any(later.touches(change) for change in open_changes)]
    if clashes:
        where = ", ".join(_describe_lines(clash) for clash in clashes)
        raise EditRefusedError(f"the same lines were changed again since ({where}): undo it by hand")
    result, position = [], 0
    for change in sorted([*since, *open_changes], key=lambda change: change.start):
        result += [*base[position : change.start], *change.lines]
        position = change.end
    return b"".join([*result, *base[position:]])


def _find_changes(base: list[bytes], changed: bytes) -> list[_Change]:
    """Return the differences of two texts by lines.

    Raises:
        EditRefusedError: so many lines differ that comparing them would take long.
    """
    lines = changed.splitlines(keepends=True)
    head = _count_common_lines(base, lines)
    tail = _count_common_lines(base[head:][::-1], lines[head:][::-1])
    old, new = base[head : len(base) - tail], lines[head : len(lines) - tail]
    counts = Counter(new)
    if max(len(old), len(new)) > _MOST_LINES or sum(counts[line] for line in old) > _MOST_PAIRS:
        raise EditRefusedError("too many lines differ from what the commit left: undo it by hand")
    operations = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        _Change(head + start, head + end, head + first, head + last, tuple(new[first:last]))
        for kind, start, end, first, last in operations
        if kind != "equal"
    ]


def _count_common_lines(first: list[bytes], second: list[bytes]) -> int:
    """Return the number of equal lines at the start of two texts."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (line, other) in pairs if line != other), min(len(first), len(second)))


def _describe_lines(change: _Change) -> str:
    """Return the lines of the current file that a change made, counted from 1."""
    if change.last <= change.first + 1:
        return f"line {change.first + 1}"
    return f"lines {change.first + 1} to {change.last}"
