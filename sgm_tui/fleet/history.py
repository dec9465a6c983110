"""The past of a cell: which version git wanted when, who brought it, and how it fared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sgm_tui.fleet.model import CellKey, Version

PastKind = Literal["promotion", "revert", "edit"]
"""edit: a commit that changed the version and is neither a promotion nor a revert by its subject."""


@dataclass(frozen=True, slots=True)
class Past:
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
    kind: PastKind = "edit"
    number: int = 0
    """The pull request that brought it, 0 when the commit names none."""
    known_bad: str = ""
    """Why it must not come back: it was reverted, or marked; "" when nothing is known against it."""

    def lasted(self, now: datetime) -> float:
        """Seconds git wanted it."""
        return ((self.until or now) - self.at).total_seconds()


@dataclass(frozen=True, slots=True)
class WayBack:
    """What will happen when a revert is merged, said beforehand (protocols §J)."""

    fast: bool | None
    """True: the pod template equals the stable one, the controller is back at once, without steps. False: the revert
    walks the whole canary again. None: it cannot be told."""
    reason: str
    faster: str = ""
    """Where it is not fast: what to change in git to get the fast way; "" when there is no such way."""
