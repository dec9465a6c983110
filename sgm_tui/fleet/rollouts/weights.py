"""Traffic weights as percent: the full weight of a router may not be 100 (`trafficRouting.maxTrafficWeight`)."""

from __future__ import annotations

_SMALLEST_SHOWN = 0.01


def percent_of(weight: int, full: int) -> float:
    """Return a weight as percent of the full weight; a whole percentage is an int, as JSON shows it."""
    if full == 100 or full <= 0:
        return weight
    percent = weight * 100 / full
    return int(percent) if percent.is_integer() else percent


def percent_text(percent: float) -> str:
    """Return a percentage as text with at most two decimals; only exact values read as 0% and 100%."""
    if 0 < percent < _SMALLEST_SHOWN:
        return f"<{_SMALLEST_SHOWN}%"
    if 100 - _SMALLEST_SHOWN < percent < 100:
        return f">{100 - _SMALLEST_SHOWN}%"
    return f"{round(percent, 2):g}%"
