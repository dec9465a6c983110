"""Times as people say them, always against the snapshot's own clock."""

from __future__ import annotations

from datetime import datetime

from sgm_tui.fleet.ages import age


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, or "" when it is not known when."""
    return "" if moment is None else age(now - moment)
