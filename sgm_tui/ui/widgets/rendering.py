"""Lines of toned parts as content that Textual can show."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from sgm_tui.ui.present.tones import Part


def render_line(parts: Iterable[Part]) -> Content:
    """Return the parts as Textual content; text is taken literally."""
    return Content.assemble(*((text, f"$tone-{tone}") for text, tone in parts if text))


def render_page(lines: Iterable[Iterable[Part]]) -> Content:
    """Return several lines as one content."""
    return Content("\n").join([render_line(line) for line in lines])
