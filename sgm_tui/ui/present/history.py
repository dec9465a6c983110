"""The history of a cell as text: versions, times, people, and what speaks against reverting to one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sgm_tui.fleet.ages import age, format_span
from sgm_tui.ui.present.fit import hung
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.history.cell_history import HealthyTime, PastVersion, RevertForecast

HEADINGS = ("version", "", "since", "for", "healthy", "how", "by", "what")
FLEXIBLE = 7
"""The column that is cut if there is too little room."""
_SPEED: dict[bool | None, Part] = {
    True: ("✓ immediate: ", Tone.GOOD),
    False: ("▲ step by step: ", Tone.ATTENTION),
    None: ("? speed unknown: ", Tone.UNKNOWN),
}


def past_row(past: PastVersion, now: datetime, *, current: bool) -> tuple[Part, ...]:
    """Return one version as a row under `HEADINGS`."""
    return (
        (past.version, Tone.STRONG if not past.known_bad else Tone.BAD),
        ("now", Tone.GOOD) if current else _mark(past),
        (f"{age(now - past.at)} ago", Tone.QUIET),
        (age(timedelta(seconds=past.seconds_desired(now))), Tone.TEXT),
        _healthy(past),
        (past.kind, Tone.QUIET),
        (past.author, Tone.QUIET),
        (past.subject, Tone.TEXT),
    )


def _mark(past: PastVersion) -> Part:
    if past.known_bad:
        return "✖ bad", Tone.BAD
    if past.never_healthy:
        return "✖ never", Tone.BAD
    return ("✓ good", Tone.GOOD) if past.good else ("", Tone.TEXT)


def _healthy(past: PastVersion) -> Part:
    if past.healthy is None:
        return "…", Tone.BUSY
    if past.healthy.proven:
        return past.healthy_text(), Tone.TEXT
    return past.healthy_text(), Tone.BAD if past.never_healthy else Tone.UNKNOWN


def past_lines(past: PastVersion) -> list[Line]:
    """Return what a row has no room for."""
    number = f"  pull request #{past.number}" if past.number else ""
    lines: list[Line] = [
        ((f"{past.version}  ", Tone.STRONG), (past.subject, Tone.TEXT)),
        ((f"{past.revision[:12]} by {past.author}{number}", Tone.QUIET),),
    ]
    if past.known_bad:
        lines.append((("✖ ", Tone.BAD), (past.known_bad, Tone.BAD)))
    if past.healthy is not None:
        lines.append(_fared(past, past.healthy))
    return lines


def _fared(past: PastVersion, ran: HealthyTime) -> Line:
    why = f" ({ran.reason})" if ran.reason else ""
    if ran.seconds is None:
        return (("? ", Tone.UNKNOWN), (f"time healthy is unknown{why}", Tone.QUIET))
    if ran.never and past.until is None:
        return (("· ", Tone.QUIET), (f"not healthy yet{why}", Tone.TEXT))
    if ran.never:
        return (("✖ ", Tone.BAD), (f"never healthy{why}", Tone.BAD))
    least = "" if ran.whole else "at least "
    return (("✓ ", Tone.GOOD), (f"healthy for {least}{format_span(ran.seconds)}{why}", Tone.TEXT))


def way_lines(way: RevertForecast, width: int) -> list[Line]:
    """Return how fast a revert is, in `width` cells: the difference is minutes in an incident."""
    lines = hung((_SPEED[way.fast],), way.reason, Tone.TEXT, width)
    if way.faster:
        lines += hung((("  faster: ", Tone.STRONG),), way.faster, Tone.TEXT, width)
    return lines
