"""How long ago, in one unit."""

from __future__ import annotations

from datetime import timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(span: timedelta) -> str:
    """A span as kubectl would write it: 42s, 5m, 3h, 12d."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds}s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    return f"{seconds // _DAY}d"


def age_changes_in(span: timedelta) -> float:
    """Seconds until `age` of a growing span reads differently."""
    seconds = max(0.0, span.total_seconds())
    unit = 1 if seconds < _MINUTE else _MINUTE if seconds < _HOUR else _HOUR if seconds < 2 * _DAY else _DAY
    return unit - seconds % unit


def seconds_waited(seconds: float) -> str:
    """Return how long an answer was waited for: "5 s", "0.4 s"."""
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"
