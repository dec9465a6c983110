"""Sync windows of an AppProject: when Argo CD lets an automated or a manual sync through (protocols §A10)."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sgm_tui.durations import DurationError, go_seconds

Window = Mapping[str, Any]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def can_sync(windows: Sequence[Window], application: Mapping[str, Any], moment: datetime, *, manual: bool) -> bool:
    """Whether the windows that speak of this Application let it sync now; one that cannot be read blocks every sync."""
    mine = [window for window in windows if _concerns(window, application)]
    if not all(map(_is_readable, mine)):
        return False
    denying = [window for window in mine if window["kind"] == "deny" and is_active(window, moment)]
    allowing = [window for window in mine if window["kind"] == "allow"]
    if denying:
        return manual and all(window.get("manualSync") for window in denying)
    if any(is_active(window, moment) for window in allowing):
        return True
    return not allowing or (manual and all(window.get("manualSync") for window in allowing))


def _is_readable(window: Window) -> bool:
    try:
        go_seconds(str(window["duration"]))
    except DurationError:
        return False
    return True


def is_active(window: Window, moment: datetime) -> bool:
    """Return whether a start of the schedule lies less than the duration back.

    Raises:
        DurationError: Argo CD could not read the duration.
    """
    seconds = go_seconds(str(window["duration"]))
    local = moment.astimezone(_zone(str(window.get("timeZone") or "UTC")))
    minute = local.replace(second=0, microsecond=0)
    schedule = _fields(str(window["schedule"]))
    while (local - minute).total_seconds() < seconds:
        if _starts(schedule, minute):
            return True
        minute -= timedelta(minutes=1)
    return False


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC  # a window nobody can place in time counts in UTC, as an unset one does


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


def _fields(schedule: str) -> tuple[frozenset[int], ...]:
    """The five fields of a cron schedule: minute, hour, day of month, month, day of week."""
    minute, hour, day, month, weekday = schedule.split()
    weekdays = frozenset(number % 7 for number in _numbers(weekday, 0, 7, _DAYS))
    return (
        _numbers(minute, 0, 59),
        _numbers(hour, 0, 23),
        _numbers(day, 1, 31),
        _numbers(month, 1, 12, _MONTHS),
        weekdays,
    )


def _numbers(text: str, low: int, high: int, names: Sequence[str] = ()) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if first in {"*", "?"}:
            start, end = low, high
        else:
            start = names.index(first) + low if first in names else int(first)
            end = (names.index(last) + low if last in names else int(last)) if dash else (high if step else start)
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _starts(schedule: tuple[frozenset[int], ...], moment: datetime) -> bool:
    minutes, hours, days, months, weekdays = schedule
    if moment.minute not in minutes or moment.hour not in hours or moment.month not in months:
        return False
    day, weekday = moment.day in days, moment.isoweekday() % 7 in weekdays
    # Cron: when both day fields are restricted, either is enough.
    restricted = len(days) < 31 and len(weekdays) < 7
    return (day or weekday) if restricted else (day and weekday)
