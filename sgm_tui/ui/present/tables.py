"""Rows in aligned columns, one of which is cut if there is too little room."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from sgm_tui.ui.present.fit import pad
from sgm_tui.ui.present.tones import Line, Part, Tone

_SPACE = 2


def aligned(
    rows: Sequence[Sequence[Part]], width: int, *, flexible: int, expendable: Sequence[int] = (), least: int = 8
) -> list[Line]:
    """Return each row as a line of at most `width` cells.

    Args:
        rows: the parts of each row, the headings first.
        width: terminal cells.
        flexible: the column that is cut until the rest fits, to no less than `least` cells.
        expendable: columns that are left out where cutting is not enough, the first of them first.
        least: what stays of the flexible column, in terminal cells.
    """
    columns = list(range(len(rows[0])))
    widths = [max(cell_len(row[column][0]) for row in rows) for column in columns]
    least = min(least, widths[flexible])
    for column in expendable:
        if sum(widths[at] for at in columns if at != flexible) + least + _SPACE * (len(columns) - 1) <= width:
            break
        columns.remove(column)
    surplus = sum(widths[at] for at in columns) + _SPACE * (len(columns) - 1) - width
    if surplus > 0:
        widths[flexible] = max(least, widths[flexible] - surplus)
    lines: list[Line] = []
    for row in rows:
        parts: list[Part] = []
        for at in columns:
            parts.extend([(" " * _SPACE, Tone.TEXT)] if parts else [])
            parts.extend(pad([row[at]], widths[at]))
        lines.append(pad(parts, width) if sum(cell_len(text) for text, _ in parts) > width else tuple(parts))
    return lines
