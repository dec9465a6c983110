"""Tones: the few meanings of text on the screen, from quiet to alarming.

A part is text with a tone; a theme decides what a tone looks like (`themes.py`), so that themes without colour can use
weight, underline and reverse. Colour is never the only carrier: whatever has a loud tone has a sign and a word too.
"""

from __future__ import annotations

from enum import StrEnum

from sgm_tui.fleet.cell import Cell, Journey, Verdict


class Tone(StrEnum):
    """The meaning of a piece of text; the theme variable `$tone-<value>` is its look."""

    TEXT = "text"
    STRONG = "strong"
    QUIET = "quiet"
    """Healthy, settled, secondary: the dimmest text that is still easy to read."""
    TITLE = "title"
    GOOD = "good"
    BUSY = "busy"
    ATTENTION = "attention"
    BAD = "bad"
    UNKNOWN = "unknown"
    STAGED = "staged"
    """Not applied yet: in the plan or in an open pull request."""
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
    """Return the tone of a cell: its verdict, except that staged and proposed changes have a tone of their own."""
    if cell.journey in {Journey.STAGED, Journey.PROPOSED} and cell.verdict is not Verdict.ATTENTION:
        return Tone.STAGED
    return _OF_VERDICT[cell.verdict]
