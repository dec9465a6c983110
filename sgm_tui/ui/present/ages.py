"""Ages as text, relative to the snapshot's own clock."""

from __future__ import annotations

from datetime import datetime

from sgm_tui.fleet.ages import age


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was; "" if it is unknown."""
    return "" if moment is None else age(now - moment)
