"""The journey that a rule of the join decides on, and how long apparent drift is tolerated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sgm_tui.fleet.cell import CellFacts, Journey

DRIFT_GRACE_SECONDS = 10.0
"""How long a cell may look drifted before it counts as drifted: an automated sync takes about one second of it."""
UNSEEN_GRACE_SECONDS = 90.0
"""The same where Argo CD compares with a commit that our clone does not have.

Argo CD sees a merge at once, and our next fetch may be late. Once git has not responded for that long, git's part of
the cell is unknown anyway.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """A journey and its reason."""

    journey: Journey
    reason: str = ""
    since: datetime | None = None
    first_seen: datetime | None = None
    """When it began, for a cell that is joined the first time; others count from their first join in this journey."""
    grace: float | None = None
    """Seconds for which it has to look drifted before it counts as drifted; None where it does not look drifted."""
    needs_person: bool = False
    """Whether a person has to act, even if the journey usually needs nobody."""


def drift_grace(facts: CellFacts) -> float:
    """Return the seconds for which apparent drift may only mean that our clone is behind Argo CD."""
    unseen = facts.application is not None and bool(facts.application.revision) and facts.synced is None
    return UNSEEN_GRACE_SECONDS if unseen and "git" not in facts.unavailable_kinds else DRIFT_GRACE_SECONDS
