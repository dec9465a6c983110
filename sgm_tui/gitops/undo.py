"""Undoing what one commit changed in a file, while everything changed since stays: a three-way merge of lines.

It mirrors `git merge-file` with the commit's own content as the base: what touches lines that were changed since is
refused, never mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import Match, SequenceMatcher

from sgm_tui.gitops.edits import EditRefusedError


def undo_merge(head: bytes, after: bytes, before: bytes) -> bytes:
    """`head` without what turned `before` into `after`.

    Raises:
        EditRefusedError: `head` was changed in the same lines since, or right beside them.
    """
    if head == after:
        return before
    head_lines, after_lines, before_lines = (data.splitlines(keepends=True) for data in (head, after, before))
    kept = SequenceMatcher(None, after_lines, head_lines, autojunk=False).get_matching_blocks()
    result, position = b"", 0
    for tag, start, end, first, last in SequenceMatcher(None, after_lines, before_lines, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        place = _place_in_head(kept, start, end, len(after_lines))
        if place is None:
            raise EditRefusedError(
                f"lines {start + 1} to {max(end, start + 1)} were changed again since: undo it by hand"
            )
        result += b"".join(head_lines[position:place]) + b"".join(before_lines[first:last])
        position = place + (end - start)
    return result + b"".join(head_lines[position:])


def _place_in_head(kept: Sequence[Match], start: int, end: int, length: int) -> int | None:
    """Where the lines [start, end) and their neighbours stand unchanged in the head; None when they do not."""
    low, high = max(0, start - 1), min(length, end + 1)
    for at, head_at, size in kept:
        if at <= low and high <= at + size:
            return head_at + (start - at)
    return None
