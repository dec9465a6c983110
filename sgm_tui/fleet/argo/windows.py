"""Sync windows and freezes: whether a change may be applied now, and when that changes, by Argo CD's rules.

The rules (protocols A10), in order:

1. No windows: allowed.
2. A window that Argo CD cannot read: blocked, because `CanSync` returns an error.
3. An open deny window: blocked, unless the sync is manual and every open deny window has `manualSync`.
4. An open allow window: allowed.
5. Allow windows, none of them open: blocked, unless the sync is manual and all of them have `manualSync`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sgm_tui.fleet.argo.globs import matches
from sgm_tui.fleet.argo.objects import SyncWindow
from sgm_tui.fleet.argo.schedule import Schedule, ScheduleError, check_sync_window, schedule
from sgm_tui.untrusted_text import clean

_MOST_CHANGES = 200
"""The most openings and closings searched for a moment at which a change is allowed."""


@dataclass(frozen=True, slots=True)
class Window:
    """A sync window that applies to a cell, or a freeze of the policy (which denies)."""

    allows: bool
    schedule: Schedule | None
    """None if Argo CD cannot read it (`unreadable` says why), or if it never opens."""
    name: str = ""
    """Its description, the reason of a freeze, or its schedule."""
    manual_sync: bool = False
    """Manual syncs are allowed."""
    freeze: bool = False
    """It is part of sgm's policy: Argo CD does not know it."""
    unreadable: str = ""
    """Why Argo CD cannot read it: it then blocks every sync of the Applications it applies to, manual ones too."""

    def is_open(self, now: datetime) -> bool:
        """Return whether the window is open; False if it has no schedule."""
        return self.schedule is not None and self.schedule.is_open(now)

    def changes_at(self, now: datetime) -> datetime | None:
        """Return when the window next opens or closes; None if that is out of sight."""
        return None if self.schedule is None else self.schedule.changes_at(now)


@dataclass(frozen=True, slots=True)
class Standing:
    """The decision of a cell's windows at one moment."""

    opened: bool
    by: Window | None = None
    """The window that decides; the first allow window if the reason is that none of them is open."""
    changes_at: datetime | None = None
    """If blocked: when a change may be applied again; None if that is out of sight."""


def applies_to(window: SyncWindow, application: str, namespace: str, cluster: Iterable[str]) -> bool:
    """Return whether a window applies to an Application.

    Args:
        window: one list that matches is enough, unless `andOperator` requires all of them.
        application: its name.
        namespace: its destination namespace.
        cluster: name and server of its destination; "" if unknown.
    """
    lists = ((window.applications, (application,)), (window.namespaces, (namespace,)), (window.clusters, cluster))
    matching = [
        any(value and matches(glob, value) for glob in globs for value in values) for globs, values in lists if globs
    ]
    return bool(matching) and (all(matching) if window.and_operator else any(matching))


def read_window(window: SyncWindow) -> Window:
    """Read the schedule of a window.

    Raises:
        ScheduleError: its kind, time zone or length is not understood; what Argo CD itself cannot read does not raise
            but is `unreadable`.
    """
    if window.kind not in {"allow", "deny"}:
        raise ScheduleError(f"{window.kind!r} is neither allow nor deny")
    name = clean(window.description or window.schedule)
    try:
        check_sync_window(window.schedule, window.duration)
    except ScheduleError as error:
        return Window(window.kind == "allow", None, name, unreadable=clean(error))
    opens = schedule(window.schedule, window.duration, "UTC" if window.time_zone == "Local" else window.time_zone)
    return Window(window.kind == "allow", opens, name, window.manual_sync)


def is_sync_allowed(windows: Iterable[Window], now: datetime, *, manual: bool = False) -> bool:
    """Return whether the windows allow a sync now."""
    return _decide(windows, now, manual=manual)[0]


def standing(windows: Sequence[Window], now: datetime, *, manual: bool = False) -> Standing:
    """Return the decision of the windows now and, if they block a change, when they next allow it."""
    opened, by = _decide(windows, now, manual=manual)
    if opened:
        return Standing(True, by)
    return Standing(False, by, _next_opening(windows, now, manual=manual))


def _decide(windows: Iterable[Window], now: datetime, *, manual: bool) -> tuple[bool, Window | None]:
    """Return whether a sync is allowed, and the window that decides."""
    every = tuple(windows)
    unreadable = next((window for window in every if window.unreadable), None)
    if unreadable is not None:
        return False, unreadable
    denying = [window for window in every if not window.allows and window.is_open(now)]
    if denying:
        blocking = next((window for window in denying if not (manual and window.manual_sync)), None)
        # Argo CD does not check the allow windows for a manual sync that every open deny window permits.
        return blocking is None, blocking
    allowing = [window for window in every if window.allows]
    active = next((window for window in allowing if window.is_open(now)), None)
    if active is not None or not allowing:
        return True, active
    return manual and all(window.manual_sync for window in allowing), allowing[0]


def _next_opening(windows: Sequence[Window], now: datetime, *, manual: bool) -> datetime | None:
    moment, changing = now, list(windows)
    for _ in range(_MOST_CHANGES):
        changes = [(change, window) for window in changing if (change := window.changes_at(moment)) is not None]
        if not changes:
            return None
        # A window without a change in sight is not evaluated again: that is the slowest answer of all.
        changing = [window for _, window in changes]
        moment = min(change for change, _ in changes)
        if is_sync_allowed(windows, moment, manual=manual):
            return moment
    return None
