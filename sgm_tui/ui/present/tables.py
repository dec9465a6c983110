"""Rows of parts in aligned columns, one of which gives way when there is too little room."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from sgm_tui.ui.present.fit import pad
from sgm_tui.ui.present.tones import Line, Part, Tone

_SPACE = 2
_LEAST = 8


def aligned(rows: Sequence[Sequence[Part]], width: int, *, flexible: int) -> list[Line]:
    """Each row as a line; column number `flexible` is cut until the rest fits in `width` cells."""
    widths = [max(cell_len(row[column][0]) for row in rows) for column in range(len(rows[0]))]
    surplus = sum(widths) + _SPACE * (len(widths) - 1) - width
    if surplus > 0:
        widths[flexible] = max(_LEAST, widths[flexible] - surplus)
    lines: list[Line] = []
    for row in rows:
        parts: list[Part] = []
        for part, column in zip(row, widths, strict=True):
            parts.extend(pad([part], column))
            parts.append((" " * _SPACE, Tone.TEXT))
        lines.append(tuple(parts))
    return lines
