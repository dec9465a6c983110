"""Lengths of time as text: an age in one unit, a span in at most two, the seconds an answer took."""

from __future__ import annotations

from datetime import timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(span: timedelta) -> str:
    """Return a time span as kubectl writes it: 42s, 5m, 3h, 12d."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds}s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    return f"{seconds // _DAY}d"


def age_changes_in(span: timedelta) -> float:
    """Return the seconds until `age` of a growing span reads differently."""
    seconds = max(0.0, span.total_seconds())
    unit = 1 if seconds < _MINUTE else _MINUTE if seconds < _HOUR else _HOUR if seconds < 2 * _DAY else _DAY
    return unit - seconds % unit


def format_span(seconds: float) -> str:
    """Return a length of time in at most two units: "45s", "12m", "1h 5m", "2d 3h".

    It is rounded up, so that "0s left" means now.
    """
    whole = max(0, int(-(-seconds // 1)))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        minutes, rest = divmod(whole, _MINUTE)
        return f"{minutes}m {rest}s" if rest and minutes < 10 else f"{minutes}m"
    hours, minutes = divmod(whole // _MINUTE, 60)
    if hours < 24:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h" if hours else f"{days}d"


def seconds_waited(seconds: float) -> str:
    """Return how long an answer took: "5 s", "0.4 s"."""
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"
