"""The past of a cell in words: which version when, by whom, and what is known against it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sgm_tui.fleet.tables import age
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.history import Past, WayBack

HEADINGS = ("version", "since", "for", "how", "by", "what", "")
_SPEED: dict[bool | None, Part] = {
    True: ("✓ at once: ", Tone.GOOD),
    False: ("▲ step by step: ", Tone.ATTENTION),
    None: ("? not known how fast: ", Tone.UNKNOWN),
}


def past_row(past: Past, now: datetime, *, current: bool) -> tuple[Part, ...]:
    """One version as a row under `HEADINGS`."""
    number = f" #{past.number}" if past.number else ""
    mark = ("now", Tone.GOOD) if current else (f"✖ {past.known_bad}" if past.known_bad else "", Tone.BAD)
    return (
        (past.version, Tone.STRONG if not past.known_bad else Tone.BAD),
        (f"{age(now - past.at)} ago", Tone.QUIET),
        (age(timedelta(seconds=past.lasted(now))), Tone.TEXT),
        (past.kind, Tone.QUIET),
        (past.author, Tone.QUIET),
        (f"{past.revision[:8]}{number} {past.subject}", Tone.TEXT),
        mark,
    )


def way_lines(way: WayBack) -> list[Line]:
    """Which of two things will happen, because the difference is minutes at night."""
    lines: list[Line] = [(_SPEED[way.fast], (way.reason, Tone.TEXT))]
    if way.faster:
        lines.append((("  faster: ", Tone.STRONG), (way.faster, Tone.TEXT)))
    return lines
