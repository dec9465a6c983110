"""Sync windows of an AppProject: when Argo CD lets an automated or a manual sync through (protocols §A10)."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sgm_tui.fleet.argo.schedule import ScheduleError, check_sync_window, schedule, zone

Window = Mapping[str, Any]


def can_sync(windows: Sequence[Window], application: Mapping[str, Any], moment: datetime, *, manual: bool) -> bool:
    """Whether the windows that speak of this Application let it sync now; one that cannot be read blocks every sync."""
    mine = [window for window in windows if _concerns(window, application)]
    try:
        active = [window for window in mine if is_active(window, moment)]
    except ScheduleError:
        return False  # one that cannot be read blocks every sync, manual ones too
    denying = [window for window in active if window["kind"] == "deny"]
    allowing = [window for window in mine if window["kind"] == "allow"]
    if denying:
        return manual and all(window.get("manualSync") for window in denying)
    if any(window in active for window in allowing):
        return True
    return not allowing or (manual and all(window.get("manualSync") for window in allowing))


def is_active(window: Window, moment: datetime) -> bool:
    """Whether a start of the schedule lies less than the duration back.

    Raises:
        ScheduleError: the schedule or the duration cannot be read.
    """
    written, duration = str(window["schedule"]), str(window["duration"])
    check_sync_window(written, duration)
    try:
        opens = schedule(written, duration, _zone(str(window.get("timeZone") or "UTC")))
    except ScheduleError:
        return False  # no time at all: it never opens
    return opens.is_open(moment)


def _zone(name: str) -> str:
    """The zone, where there is one of that name: a window nobody can place in time counts in UTC, as an unset one."""
    try:
        zone(name)
    except ScheduleError:
        return "UTC"
    return name


def _concerns(window: Window, application: Mapping[str, Any]) -> bool:
    destination = application["spec"]["destination"]
    facts = (
        ("applications", (application["metadata"]["name"],)),
        ("namespaces", (destination.get("namespace", ""),)),
        ("clusters", (destination.get("name", ""), destination.get("server", ""))),
    )
    matches = [
        any(value and fnmatch.fnmatchcase(value, glob) for glob in window[part] for value in values)
        for part, values in facts
        if window.get(part)
    ]
    return bool(matches) and (all(matches) if window.get("andOperator") else any(matches))
