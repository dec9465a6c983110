"""Fitting text into cells: words are dropped before facts, and no text enters the next column."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from sgm_tui.fleet.model import Version
from sgm_tui.ui.present.tones import Line, Part, Tone

_NARROWEST = 24
"""The least width of text behind a head, in terminal cells."""
_LEAST = 8
"""The same in a narrow block."""


class Piece(NamedTuple):
    """A part of a line that may be dropped; the highest rank first, rank 0 never."""

    text: str
    tone: Tone
    rank: int = 0
    glued: bool = False
    """Whether no space follows it."""


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` terminal cells, with an ellipsis where it was cut."""
    if len(text) * 2 <= width or cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip(" …") + "…" if width > 0 else ""


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Wrap `text` at its words into at most `most` lines of `width` cells; the rest is cut with an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and (cell_len(joined) <= width or len(lines) == most):
            lines[-1] = joined
        else:
            lines.append(word)
    return [shorten(line, width) for line in lines]


def hung(head: Line, text: str, tone: Tone, width: int, least: int = _NARROWEST) -> list[Line]:
    """Return `text` behind `head`; what does not fit in `width` cells wraps below its start, and nothing is cut.

    It gets `least` cells a line, however few remain behind the head.
    """
    indent = sum(cell_len(part) for part, _ in head)
    rows = _broken(text, max(width - indent, least)) or [""]
    below: list[Line] = [((" " * indent, Tone.TEXT), (row, tone)) for row in rows[1:]]
    return [(*head, (rows[0], tone)), *below]


def _broken(text: str, width: int) -> list[str]:
    """Split at words; where one is too long (a path, the name of an object), behind slashes and colons too."""
    if all(cell_len(word) <= width for word in text.split()):
        return textwrap.wrap(text, width)
    rows = [""]
    for piece in re.findall(r"\s+|[^\s/:]*[/:]+|[^\s/:]+", text):
        if piece.isspace():
            rows[-1] += " "
        elif not rows[-1].strip() or cell_len(rows[-1] + piece) <= width:
            rows[-1] += piece
        else:
            rows.append(piece)
        rows[-1:] = textwrap.wrap(rows[-1], width, drop_whitespace=False) or [""]
    return [row.strip() for row in rows]


class Loose(NamedTuple):
    """A line whose text wraps if lines are to spare, and is cut if not."""

    head: Line
    text: str
    tone: Tone
    from_end: bool = False
    """Whether its end remains when it is cut, because the end is what distinguishes paths."""


def settled(lines: Sequence[Line | Loose], width: int, spare: int) -> list[Line]:
    """Return the lines in `width` cells; wrappable ones wrap, the first one first, while `spare` lines remain."""
    fitted: list[Line] = []
    for line in lines:
        if not isinstance(line, Loose):
            fitted.append(line)
            continue
        rows = hung(line.head, line.text, line.tone, width, _LEAST)
        if len(rows) - 1 <= spare:
            spare -= len(rows) - 1
            fitted.extend(rows)
        else:
            room = max(_LEAST, width - sum(cell_len(part) for part, _ in line.head))
            cut = _from_end(line.text, room) if line.from_end else shorten(line.text, room)
            fitted.append((*line.head, (cut, line.tone)))
    return fitted


def _from_end(text: str, width: int) -> str:
    return text if cell_len(text) <= width else "…" + text[-max(1, width - 1) :]


def shorten_middle(text: str, width: int) -> str:
    """Return `text` in at most `width` cells with both ends kept, because they distinguish it."""
    if cell_len(text) <= width:
        return text
    if width < 5:
        return shorten(text, width)
    tail = text[-((width - 1) // 2) :]
    return set_cell_size(text, max(0, width - 1 - cell_len(tail))).rstrip() + "…" + tail


def short_version(version: Version | None, width: int) -> str:
    """Return a version in at most `width` cells; a digest loses its algorithm."""
    if version is None:
        return "—"
    text = version.removeprefix("sha256:")
    return shorten_middle(text if text == version else text[:10], width)


def pad(parts: Sequence[Part], width: int) -> Line:
    """Return the parts in exactly `width` cells: cut or filled with spaces."""
    used = 0
    parts_kept: list[Part] = []
    for text, tone in parts:
        space = width - used
        if space <= 0:
            break
        shown = shorten(text, space)
        if shown == "…" and parts_kept and parts_kept[-1][0].endswith("…"):
            break  # what is before it says already that there is more
        parts_kept.append((shown, tone))
        used += cell_len(shown)
    if used < width:
        parts_kept.append((" " * (width - used), Tone.TEXT))
    return tuple(parts_kept)


def fit(pieces: Sequence[Piece], width: int) -> Line:
    """Return the pieces separated by spaces in exactly `width` cells, dropping the highest ranks first."""
    shown = [piece for piece in pieces if piece.text]
    while len(shown) > 1 and _length(shown) > width:
        expendable = max(range(len(shown)), key=lambda index: (shown[index].rank, index))
        if shown[expendable].rank == 0:
            break
        del shown[expendable]
    parts: list[Part] = []
    for piece in shown:
        parts.append((piece.text, piece.tone))
        if not piece.glued:
            parts.append((" ", Tone.TEXT))
    return pad(parts, width)


def _length(pieces: Sequence[Piece]) -> int:
    spaces = sum(not piece.glued for piece in pieces[:-1])
    return sum(cell_len(piece.text) for piece in pieces) + spaces
