"""The past of a cell in words: which version when, by whom, and what is known against it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sgm_tui.fleet.tables import age
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.history import Past, WayBack

HEADINGS = ("version", "", "since", "for", "how", "by", "what")
_SPEED: dict[bool | None, Part] = {
    True: ("✓ at once: ", Tone.GOOD),
    False: ("▲ step by step: ", Tone.ATTENTION),
    None: ("? not known how fast: ", Tone.UNKNOWN),
}


def past_row(past: Past, now: datetime, *, current: bool) -> tuple[Part, ...]:
    """One version as a row under `HEADINGS`."""
    mark = ("now", Tone.GOOD) if current else ("✖ held" if past.known_bad else "", Tone.BAD)
    return (
        (past.version, Tone.STRONG if not past.known_bad else Tone.BAD),
        mark,
        (f"{age(now - past.at)} ago", Tone.QUIET),
        (age(timedelta(seconds=past.lasted(now))), Tone.TEXT),
        (past.kind, Tone.QUIET),
        (past.author, Tone.QUIET),
        (past.subject, Tone.TEXT),
    )


def past_lines(past: Past) -> list[Line]:
    """What a row has no room for."""
    number = f"  pull request #{past.number}" if past.number else ""
    lines: list[Line] = [
        ((f"{past.version}  ", Tone.STRONG), (past.subject, Tone.TEXT)),
        ((f"{past.revision[:12]} by {past.author}{number}", Tone.QUIET),),
    ]
    if past.known_bad:
        lines.append((("✖ ", Tone.BAD), (past.known_bad, Tone.BAD)))
    return lines


def way_lines(way: WayBack) -> list[Line]:
    """Which of two things will happen, because the difference is minutes at night."""
    lines: list[Line] = [(_SPEED[way.fast], (way.reason, Tone.TEXT))]
    if way.faster:
        lines.append((("  faster: ", Tone.STRONG), (way.faster, Tone.TEXT)))
    return lines
