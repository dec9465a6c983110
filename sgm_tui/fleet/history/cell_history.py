"""The past of a cell: which version git wanted when, who brought it, and how it fared."""

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
    """How long a version ran healthy while git wanted it."""

    seconds: float | None = None
    """None: nobody knows; `reason` says why."""
    whole: bool = False
    """All of that time was measured; otherwise it may have been healthy for longer."""
    reason: str = ""
    """Why it is not known, or not wholly."""

    @property
    def never(self) -> bool:
        """It is known that it never was."""
        return self.whole and self.seconds == 0

    @property
    def proven(self) -> bool:
        """It is known that it was, for however long."""
        return bool(self.seconds)


@dataclass(frozen=True, slots=True)
class PastVersion:
    """One version of a cell, from the commit that brought it to the one that took it away."""

    key: CellKey
    version: Version
    revision: str
    """The first-parent commit that brought it."""
    parent: str
    """The commit before: what git wanted until then."""
    path: str
    author: str
    subject: str
    at: datetime
    until: datetime | None
    """When the next version replaced it in git; None for the one git wants now."""
    kind: PastVersionKind = "edit"
    number: int = 0
    """The pull request that brought it, 0 when the commit names none."""
    known_bad: str = ""
    """Why it must not come back: it was reverted, or marked; "" when nothing is known against it."""
    healthy: HealthyTime | None = None
    """How long it ran healthy; None while nobody has looked."""

    @property
    def good(self) -> bool:
        """It ran healthy, and nothing is known against it."""
        return not self.known_bad and self.healthy is not None and self.healthy.proven

    @property
    def never_healthy(self) -> bool:
        """It is known that it never ran healthy."""
        return self.healthy is not None and self.healthy.never

    def healthy_text(self) -> str:
        """How long it ran healthy, in a word: "3h", "≥ 3h" (more was not measured), "never", "unknown"."""
        ran = self.healthy
        if ran is None or ran.seconds is None:
            return "unknown"
        if ran.never:
            return "never" if self.until else "not yet"
        return f"{'' if ran.whole else '≥ '}{age(timedelta(seconds=ran.seconds))}"

    def lasted(self, now: datetime) -> float:
        """Seconds git wanted it."""
        return ((self.until or now) - self.at).total_seconds()


@dataclass(frozen=True, slots=True)
class RevertForecast:
    """What will happen when a revert is merged, said beforehand (protocols §J)."""

    fast: bool | None
    """True: the pod template equals the stable one, the controller is back at once, without steps. False: the revert
    walks the whole canary again. None: it cannot be told."""
    reason: str
    faster: str = ""
    """Where it is not fast: what to change in git to get the fast way; "" when there is no such way."""

    @property
    def speed(self) -> str:
        """How fast, in words."""
        return {True: "at once", False: "step by step", None: "not known how fast"}[self.fast]
