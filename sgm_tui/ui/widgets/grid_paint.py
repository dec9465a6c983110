"""Painting one line of the matrix: parts in, strips out, each made once per value.

A strip depends only on its parts, its highlight and the theme, so the cache survives snapshots, scrolling and
re-sorting; a theme change clears it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.style import Style as VisualStyle

from sgm_tui.ui.present.tones import Line, Tone

if TYPE_CHECKING:
    from textual.widget import Widget

_CACHE_LIMIT = 20_000
_LINE_LIMIT = 400
"""Whole lines: a few screens, so that going back and forth paints nothing anew."""


class Ground(Enum):
    """What lies behind a piece of a line; the value is the component class, without its prefix."""

    PLAIN = ""
    ROW = "row"
    CURSOR = "cursor"
    BAND = "band"
    PROTECTED = "protected"

    __hash__ = object.__hash__  # that of Enum is Python, and lines are looked up by their pieces


Piece = tuple[Line, Ground]
"""Parts and what lies behind them."""


class Painter:
    """Makes and remembers the strips of one widget."""

    def __init__(self, widget: Widget, prefix: str) -> None:
        self._widget = widget
        self._prefix = prefix
        self._styles: dict[tuple[Tone, Ground], Style] = {}
        self._strips: dict[Piece, Strip] = {}
        self._lines: dict[tuple[tuple[Piece, ...], int], Strip] = {}

    def forget(self) -> None:
        """Styles have changed: make everything again."""
        self._styles.clear()
        self._strips.clear()
        self._lines.clear()

    def strip(self, parts: Line, ground: Ground) -> Strip:
        """The parts on this ground."""
        key = (parts, ground)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) >= _CACHE_LIMIT:
                self._strips.clear()
            segments = [Segment(text, self.style(tone, ground)) for text, tone in parts if text]
            strip = self._strips[key] = self._filtered(Strip(segments).simplify())
        return strip

    def line(self, pieces: tuple[Piece, ...], width: int) -> Strip:
        """The pieces joined into one line of exactly this width; the same line is the same strip, caches included."""
        strip = self._lines.get((pieces, width))
        if strip is None:
            if len(self._lines) >= _LINE_LIMIT:
                self._lines.clear()
            strip = self._lines[pieces, width] = self._joined(pieces, width)
        return strip

    def _joined(self, pieces: tuple[Piece, ...], width: int) -> Strip:
        strips = [self.strip(parts, ground) for parts, ground in pieces]
        length = sum(strip.cell_length for strip in strips)
        if length < width:
            strips.append(self.strip(((" " * (width - length), Tone.TEXT),), Ground.PLAIN))
            length = width
        # With its length told: a strip measures each of its segments again otherwise.
        return Strip([segment for strip in strips for segment in strip], length).crop(0, width)

    def _filtered(self, strip: Strip) -> Strip:
        """The strip in the colours this terminal has; a piece is filtered when it is made, not when it is shown."""
        for line_filter in self._widget.get_line_filters():
            strip = strip.apply_filter(line_filter, self._widget.background_colors[1])
        return strip

    def style(self, tone: Tone, ground: Ground) -> Style:
        """How a tone looks on a ground."""
        style = self._styles.get((tone, ground))
        if style is None:
            names = () if ground is Ground.PLAIN else (f"{self._prefix}--{ground.value}",)
            base = self._widget.get_visual_style(*names)
            if any(self._widget.get_component_styles(name).text_style.reverse for name in names):
                base += VisualStyle(reverse=True)  # get_visual_style leaves it out
            style = self._styles[tone, ground] = (base + VisualStyle.parse(f"$tone-{tone}")).rich_style
        return style
