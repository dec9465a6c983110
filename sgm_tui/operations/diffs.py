"""Render the diff of a file for review; the common head and tail of both versions are not compared line by line."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence

from sgm_tui.untrusted_text import clean

_CONTEXT = 3
_LONGEST = 20_000
_MOST_LINES = 4_000
_MOST_PAIRS = 30_000
"""Limits on the differing lines and on the pairs of equal lines among them, which determine the comparison time."""
_HUNK = re.compile(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")


def render_diff(path: str, before: bytes, after: bytes) -> str:
    """Return a unified diff without control characters, or line counts if too many lines differ to compare them."""
    old, new = (data.decode("utf-8", "replace").splitlines() for data in (before, after))
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    start = max(0, head - _CONTEXT)
    end = max(0, tail - _CONTEXT)
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    counts = Counter(new)
    if max(len(old), len(new)) > _MOST_LINES or sum(counts[line] for line in old) > _MOST_PAIRS:
        return clean(
            f"--- a/{path}\n+++ b/{path}\n{len(old)} lines become {len(new)}: too many to show", keep_lines=True
        )
    lines = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=_CONTEXT, lineterm="")
    return clean("\n".join(_renumber(line, start) for line in lines), _LONGEST, keep_lines=True)


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many lines at the beginning of two texts are equal."""
    pairs = zip(first, second, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(first), len(second)))


def _renumber(line: str, offset: int) -> str:
    """Add an offset to the line numbers of a hunk header; return any other line unchanged."""
    hunk = _HUNK.fullmatch(line)
    if hunk is None:
        return line
    return f"@@ -{int(hunk[1]) + offset}{hunk[2] or ''} +{int(hunk[3]) + offset}{hunk[4] or ''} @@"
