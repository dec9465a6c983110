"""The versions a cell had in git: when, by whom, and how long each ran healthy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sgm_tui.fleet.ages import age
from sgm_tui.fleet.model import CellKey, Version

PastVersionKind = Literal["promotion", "revert", "edit"]
"""edit: a commit that changed the version and is neither a promotion nor a revert by its subject."""


@dataclass(frozen=True, slots=True)
class HealthyTime:
    """How long a version ran healthy while it was the desired one."""

    seconds: float | None = None
    """None where it is unknown; `reason` says why."""
    whole: bool = False
    """Whether all of the time was measured; otherwise it may have been healthy for longer."""
    reason: str = ""
    """Why it is unknown, or measured only in part."""

    @property
    def never(self) -> bool:
        """Whether it certainly never ran healthy."""
        return self.whole and self.seconds == 0

    @property
    def proven(self) -> bool:
        """Whether it certainly ran healthy, for any length of time."""
        return bool(self.seconds)


@dataclass(frozen=True, slots=True)
class PastVersion:
    """One version of a cell in git, from the commit that set it to the one that replaced it."""

    key: CellKey
    version: Version
    revision: str
    """The first-parent commit that set it."""
    parent: str
    """The commit before, which had the previous version."""
    path: str
    author: str
    subject: str
    at: datetime
    until: datetime | None
    """When the next version replaced it in git; None for the present one."""
    kind: PastVersionKind = "edit"
    number: int = 0
    """The pull request that set it; 0 when the commit names none."""
    known_bad: str = ""
    """Why it is quarantined: it was reverted, or marked as known bad; "" when it is not."""
    healthy: HealthyTime | None = None
    """How long it ran healthy; None before that was measured."""

    @property
    def good(self) -> bool:
        """Whether it ran healthy and is not quarantined."""
        return not self.known_bad and self.healthy is not None and self.healthy.proven

    @property
    def never_healthy(self) -> bool:
        """Whether it certainly never ran healthy."""
        return self.healthy is not None and self.healthy.never

    def healthy_text(self) -> str:
        """Return how long it ran healthy, as text: "3h", "≥ 3h" (more was not measured), "never", "unknown"."""
        ran = self.healthy
        if ran is None or ran.seconds is None:
            return "unknown"
        if ran.never:
            return "never" if self.until else "not yet"
        return f"{'' if ran.whole else '≥ '}{age(timedelta(seconds=ran.seconds))}"

    def seconds_desired(self, now: datetime) -> float:
        """Return for how many seconds it was the desired version."""
        return ((self.until or now) - self.at).total_seconds()


@dataclass(frozen=True, slots=True)
class RevertForecast:
    """The predicted behaviour of the controller when a revert is merged (protocols §J)."""

    fast: bool | None
    """True: the controller is back at once, without steps. False: the revert walks the whole canary. None: unknown."""
    reason: str
    faster: str = ""
    """What to change in git to make a slow revert fast; "" when nothing can."""

    @property
    def speed(self) -> str:
        """How fast the revert is, in words."""
        return {True: "at once", False: "step by step", None: "not known how fast"}[self.fast]
