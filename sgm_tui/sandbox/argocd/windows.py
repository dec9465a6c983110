"""The sync windows of an AppProject as the simulated Argo CD applies them (protocols §A10).

The rules are those of `fleet.argo.windows`. Argo CD differs from sgm where a window cannot be understood: sgm reports
that it does not know, while Argo CD has to decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sgm_tui.fleet.argo.objects import MalformedError, SyncWindow, read_sync_window
from sgm_tui.fleet.argo.schedule import Schedule, ScheduleError, check_sync_window, schedule, zone
from sgm_tui.fleet.argo.windows import Window, applies_to, is_sync_allowed

_PATH = "AppProject"
"""Stands for a file name in errors: the project is read from the hub."""


def can_sync(
    windows: Sequence[Mapping[str, Any]], application: Mapping[str, Any], moment: datetime, *, manual: bool
) -> bool:
    """Return whether the windows that apply to an Application allow a sync; an unreadable one blocks every sync."""
    name, destination = application["metadata"]["name"], application["spec"]["destination"]
    cluster = (destination.get("name", ""), destination.get("server", ""))
    try:
        declared = [read_sync_window(window, _PATH) for window in windows]
    except MalformedError:
        return False
    applicable = [window for window in declared if applies_to(window, name, destination.get("namespace", ""), cluster)]
    return is_sync_allowed(map(as_argo_cd_reads_it, applicable), moment, manual=manual)


def as_argo_cd_reads_it(window: SyncWindow) -> Window:
    """Return a window with the defaults Argo CD falls back on.

    An unknown time zone counts as UTC, like an unset one. A window without a length, or that neither allows nor
    denies, never opens.
    """
    allows = window.kind == "allow"
    try:
        check_sync_window(window.schedule, window.duration)
    except ScheduleError as error:
        return Window(allows, None, unreadable=str(error))
    return Window(allows, _schedule(window), manual_sync=window.manual_sync)


def _schedule(window: SyncWindow) -> Schedule | None:
    if window.kind not in {"allow", "deny"}:
        return None
    try:
        zone(window.time_zone)
        time_zone = window.time_zone
    except ScheduleError:
        time_zone = "UTC"
    try:
        return schedule(window.schedule, window.duration, time_zone)
    except ScheduleError:
        return None
