"""Undoing what one commit changed in a file while everything changed since stays: a three-way merge of lines.

It is `git merge-file` with the commit's result as the base, our file as one side and the file before the commit as
the other, but stricter: what touches lines that were changed since is refused, never mixed and never marked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

from sgm_tui.gitops.yaml.edits import EditRefusedError

_LARGEST = 1 << 20
_MOST_LINES = 4_000
_MOST_PAIRS = 30_000
"""Lines that differ, and pairs of equal ones among them: the comparison takes the time of their product."""


@dataclass(frozen=True, slots=True)
class _Change:
    """The lines [start, end) of the base replaced by others, which are [first, last) of the changed file."""

    start: int
    end: int
    first: int
    last: int
    lines: tuple[bytes, ...]

    def touches(self, other: _Change) -> bool:
        """Whether no unchanged line lies between the two."""
        return self.start <= other.end and other.start <= self.end

    def same_as(self, other: _Change) -> bool:
        """Whether both say the same of the base."""
        return (self.start, self.end, self.lines) == (other.start, other.end, other.lines)


def undo_change(head: bytes, after: bytes, before: bytes) -> bytes:
    """The file as it is now, without what turned `before` into `after`.

    Args:
        head: the file now.
        after: the file as the commit left it.
        before: the file as the commit found it.

    Raises:
        EditRefusedError: the file was changed since in the same lines, or right beside them; or it is too large.
    """
    if head == after:
        return before
    if max(len(head), len(after), len(before)) > _LARGEST:
        raise EditRefusedError("the file is larger than 1 MB")
    base = after.splitlines(keepends=True)
    since, undoing = _changes(base, head), _changes(base, before)
    open_changes = [one for one in undoing if not any(one.same_as(other) for other in since)]
    clashes = [other for other in since if any(other.touches(one) for one in open_changes)]
    if clashes:
        where = ", ".join(_lines(one) for one in clashes)
        raise EditRefusedError(f"the same lines were changed again since ({where}): undo it by hand")
    result, position = [], 0
    for one in sorted([*since, *open_changes], key=lambda change: change.start):
        result += [*base[position : one.start], *one.lines]
        position = one.end
    return b"".join([*result, *base[position:]])


def _changes(base: list[bytes], changed: bytes) -> list[_Change]:
    """What differs between two texts, by lines.

    Raises:
        EditRefusedError: so much differs that comparing it would take long.
    """
    lines = changed.splitlines(keepends=True)
    head = _common(base, lines)
    tail = _common(base[head:][::-1], lines[head:][::-1])
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


def _common(one: list[bytes], other: list[bytes]) -> int:
    """How many lines two texts begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(one), len(other)))


def _lines(change: _Change) -> str:
    """The lines of the file now that a change left, counted from 1."""
    if change.last <= change.first + 1:
        return f"line {change.first + 1}"
    return f"lines {change.first + 1} to {change.last}"
