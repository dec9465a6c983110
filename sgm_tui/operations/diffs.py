"""The diff of a file as a person reviews it; what is alike at both of its ends is never compared line by line."""

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
"""Lines that differ, and pairs of equal ones among them: the comparison takes the time of their product."""
_HUNK = re.compile(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")


def diff_of(path: str, before: bytes, after: bytes) -> str:
    """Return a unified diff, made harmless for showing; a count where too many lines differ to compare them."""
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
    return clean("\n".join(_moved(line, start) for line in lines), _LONGEST, keep_lines=True)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines two texts begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(one), len(other)))


def _moved(line: str, by: int) -> str:
    """The head of a hunk counted from the beginning of the file; any other line as it is."""
    found = _HUNK.fullmatch(line)
    if found is None:
        return line
    return f"@@ -{int(found[1]) + by}{found[2] or ''} +{int(found[3]) + by}{found[4] or ''} @@"
