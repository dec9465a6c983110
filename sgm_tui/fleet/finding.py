"""What one rung of the join's ladder finds out, and which sources it had to do without."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sgm_tui.fleet.cell import CellFacts, Journey

DRIFT_GRACE_SECONDS = 10.0
"""How long a cell may look drifted before it is called so: an automated sync needs about one second of it."""
UNSEEN_GRACE_SECONDS = 90.0
"""The same where Argo CD compares with a commit our clone does not have: it sees a merge at once, our next fetch may be
late, and when git does not respond for that long only git's part of the cell is unknown anyway."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A journey, and why it is that."""

    journey: Journey
    reason: str = ""
    since: datetime | None = None
    first_seen: datetime | None = None
    """When it began, for a cell that nobody watched until now; a watched cell counts from the first look."""
    grace: float | None = None
    """Seconds for which it has to look drifted before it is called drifted; None where it does not look drifted."""
    needs_person: bool = False
    """It does not go on by itself, whatever the journey usually does."""


def drift_grace(facts: CellFacts) -> float:
    """Seconds for which what looks like drift may be our clone that is behind Argo CD."""
    unseen = facts.application is not None and bool(facts.application.revision) and facts.synced is None
    return UNSEEN_GRACE_SECONDS if unseen and "git" not in facts.unavailable_kinds else DRIFT_GRACE_SECONDS
