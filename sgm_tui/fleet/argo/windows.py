"""Sync windows and freezes: may a change be applied now, and when does that change? By Argo CD's rules (protocols A10).

No windows: yes. One that Argo CD cannot read: no, for `CanSync` returns an error, which counts as blocked. A deny
window that is open: no, unless the sync is manual and every such window lets manual syncs through. Otherwise an allow
window that is open: yes. Otherwise, where there are allow windows at all: no, unless the sync is manual and all of them
let it through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sgm_tui.fleet.argo.schedule import Schedule

_MOST_CHANGES = 200
"""So many openings and closings are looked through for a moment at which everything is open."""


@dataclass(frozen=True, slots=True)
class Window:
    """One sync window that speaks of a cell, or one freeze of the policy (which denies)."""

    allows: bool
    schedule: Schedule | None
    """None for one that Argo CD cannot read; `unreadable` then says why."""
    name: str = ""
    """How it is told: its description, the reason of a freeze, or its schedule."""
    manual_sync: bool = False
    """Manual syncs are let through."""
    freeze: bool = False
    """From our own policy: Argo CD knows nothing of it."""
    unreadable: str = ""
    """Why Argo CD cannot read it: it then blocks every sync of the Applications it applies to, manual ones too."""

    def is_open(self, now: datetime) -> bool:
        """Whether it is open; one that nobody can read never is."""
        return self.schedule is not None and self.schedule.is_open(now)

    def changes_at(self, now: datetime) -> datetime | None:
        """When it next opens or closes."""
        return None if self.schedule is None else self.schedule.changes_at(now)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the windows of a cell say at one moment."""

    opened: bool
    by: Window | None = None
    """The window that decides; when closed because no allow window is open, the first of those."""
    changes_at: datetime | None = None
    """When closed: when a change may be applied again; None when that is out of sight."""


def standing(windows: Sequence[Window], now: datetime, *, manual: bool = False) -> Standing:
    """What these windows say now, and when they next let a change through."""
    opened, by = _decided(windows, now, manual=manual)
    if opened:
        return Standing(True, by)
    return Standing(False, by, _next_opening(windows, now, manual=manual))


def _decided(windows: Iterable[Window], now: datetime, *, manual: bool) -> tuple[bool, Window | None]:
    listed = tuple(windows)
    unreadable = next((one for one in listed if one.unreadable), None)
    if unreadable is not None:
        return False, unreadable
    denying = [one for one in listed if not one.allows and one.is_open(now)]
    if denying:
        stopping = next((one for one in denying if not (manual and one.manual_sync)), None)
        # Argo CD: a manual sync that every open deny window lets through is not held to the allow windows either.
        return stopping is None, stopping
    allowing = [one for one in listed if one.allows]
    active = next((one for one in allowing if one.is_open(now)), None)
    if active is not None or not allowing:
        return True, active
    return manual and all(one.manual_sync for one in allowing), allowing[0]


def _next_opening(windows: Sequence[Window], now: datetime, *, manual: bool) -> datetime | None:
    moment, moving = now, list(windows)
    for _ in range(_MOST_CHANGES):
        changes = [(change, one) for one in moving if (change := one.changes_at(moment)) is not None]
        if not changes:
            return None
        # What does not change any more within sight is not asked again: that is the slowest answer there is.
        moving = [one for _, one in changes]
        moment = min(change for change, _ in changes)
        if _decided(windows, moment, manual=manual)[0]:
            return moment
    return None
