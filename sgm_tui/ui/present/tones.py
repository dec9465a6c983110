"""Tones: the few ways anything on the screen may be said, from quiet to alarming.

A part is text with a tone; a theme decides what a tone looks like (`themes.py`), so that no-colour and terminal-palette
themes can use weight, underline and reverse where others use colour. Colour is never the only carrier: whatever has a
loud tone has a glyph and a word as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from textual.content import Content

from sgm_tui.fleet.cell import Cell, Journey, Verdict


class Tone(StrEnum):
    """What a piece of text means; the theme variable `$tone-<value>` is how it looks."""

    TEXT = "text"
    STRONG = "strong"
    QUIET = "quiet"
    """Healthy, settled, secondary: the dimmest thing that is still easy to read."""
    TITLE = "title"
    GOOD = "good"
    BUSY = "busy"
    ATTENTION = "attention"
    BAD = "bad"
    UNKNOWN = "unknown"
    STAGED = "staged"
    """What is only wanted so far: in the plan or in an open pull request."""
    PROTECTED = "protected"
    ADDED = "added"
    REMOVED = "removed"

    __hash__ = str.__hash__  # that of Enum is Python, and lines are looked up by their parts


Part = tuple[str, Tone]
Line = tuple[Part, ...]

_OF_VERDICT = {
    Verdict.GOOD: Tone.QUIET,
    Verdict.BUSY: Tone.BUSY,
    Verdict.ATTENTION: Tone.ATTENTION,
    Verdict.BAD: Tone.BAD,
    Verdict.UNKNOWN: Tone.UNKNOWN,
}


def tone_of(cell: Cell) -> Tone:
    """The tone of a cell: its verdict, but what is only wanted so far has a tone of its own."""
    if cell.journey in {Journey.STAGED, Journey.PROPOSED} and cell.verdict is not Verdict.ATTENTION:
        return Tone.STAGED
    return _OF_VERDICT[cell.verdict]


def content(parts: Iterable[Part]) -> Content:
    """The parts as Textual content; text is taken literally."""
    return Content.assemble(*((text, f"$tone-{tone}") for text, tone in parts if text))


def page(lines: Iterable[Iterable[Part]]) -> Content:
    """Several lines as one content."""
    return Content("\n").join([content(line) for line in lines])
