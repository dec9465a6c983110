"""Schedules of sync windows and freezes: a cron expression, a duration and a time zone.

The arithmetic is Argo CD's (protocols A10): a moment becomes wall-clock time by the zone's offset *at that moment*, and
a window is open while a start lies less than its duration back on that clock. So a window does not shift when summer
time begins or ends, and a start in the skipped hour still opens it.

The grammar is what robfig/cron's parser accepts with the options Argo CD gives it (Minute | Hour | Dom | Month | Dow,
`SyncWindow.active` in pkg/apis/application/v1alpha1): five fields, weekdays 0–6, no descriptors like `@daily`. If both
day fields are restricted, a day has to match only one of them; a field with a step (`*/2`) is restricted. Freezes
follow the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sgm_tui.durations import DurationError, configured_seconds, go_seconds

HORIZON = timedelta(days=366 * 9)
"""How far ahead the next start is searched: 29 February comes after eight years at the latest."""
_MOST_STEPS = 5_000
"""The most windows without a gap between them that are searched for the end of the last one."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SMALL = re.compile(r"\+?[0-9]{1,9}")
"""Go's strconv.Atoi accepts a sign; a minus would be a range."""
_ZONED = re.compile(r"(?:CRON_)?TZ=(\S*)\s+(\S.*)")
_LONGEST_STEP = 999
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


class ScheduleError(ValueError):
    """A schedule, duration or time zone that cannot be read; its text is the reason."""


def seconds_of(text: str) -> float:
    """Return the seconds of a duration in sgm's configuration: `30m`, `2h`, `1h30m` (Go's grammar), `1d`.

    Raises:
        ScheduleError: it is not a duration, or longer than nine years.
    """
    try:
        seconds = configured_seconds(text)
    except DurationError as error:
        raise ScheduleError(str(error)) from None
    if seconds > HORIZON.total_seconds():
        raise ScheduleError(f"{text!r} is longer than nine years")
    return seconds


@dataclass(frozen=True, slots=True)
class Cron:
    """The five fields of a cron expression."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either_day: bool = False
    """Both day fields are restricted: a day has to match only one of them."""

    def starts_on(self, day: datetime) -> bool:
        """Return whether there are starts on a day."""
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (in_month or in_week) if self.either_day else (in_month and in_week)

    def first_after(self, moment: datetime) -> datetime | None:
        """Return the first start after a wall-clock moment; None if there is none before the horizon."""
        start = moment.replace(second=0, microsecond=0) + _MINUTE
        day = start.replace(hour=0, minute=0)
        while day - moment < HORIZON:
            if self.starts_on(day):
                first = self._first_in_day(max(start, day))
                if first is not None:
                    return first
            day += _DAY
        return None

    def last_until(self, moment: datetime, reach: timedelta) -> datetime | None:
        """Return the last start up to a wall-clock moment and less than `reach` before it; None if there is none."""
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        latest = (moment.hour, moment.minute)
        while moment - day < reach + _DAY:
            if self.starts_on(day):
                last = self._last_in_day(latest)
                if last is not None:
                    start = day.replace(hour=last[0], minute=last[1])
                    return start if moment - start < reach else None
            day, latest = day - _DAY, (23, 59)
        return None

    def _last_in_day(self, latest: tuple[int, int]) -> tuple[int, int] | None:
        """Return hour and minute of the last start of a day up to an hour and minute."""
        hour, minute = latest
        if hour in self.hours:
            minutes = [one for one in self.minutes if one <= minute]
            if minutes:
                return hour, max(minutes)
        hours = [one for one in self.hours if one < hour]
        return (max(hours), max(self.minutes)) if hours else None

    def _first_in_day(self, start: datetime) -> datetime | None:
        """Return the first start from `start` to the end of its day."""
        for hour in sorted(self.hours):
            if hour >= start.hour:
                for minute in sorted(self.minutes):
                    if hour > start.hour or minute >= start.minute:
                        return start.replace(hour=hour, minute=minute)
        return None


@lru_cache(maxsize=1024)
def cron(text: str) -> Cron:
    """Parse five fields with lists, ranges, steps and names; a `TZ=…` before them is ignored.

    Raises:
        ScheduleError: the text is not a cron expression; the reason names the field.
    """
    fields = _split_zone(text)[1].lower().split()
    if len(fields) != 5:
        hint = _DESCRIPTORS.get(text.strip().lower())
        instead = f"; instead of a descriptor write {hint!r}" if hint else ""
        raise ScheduleError(
            f"{text!r} is not a cron schedule, which has five fields, minute hour day month weekday{instead}"
        )
    minutes, _ = _parse_field("minute", fields[0], 0, 59)
    hours, _ = _parse_field("hour", fields[1], 0, 23)
    days, all_days = _parse_field("day", fields[2], 1, 31)
    months, _ = _parse_field("month", fields[3], 1, 12, _MONTHS)
    weekdays, all_weekdays = _parse_field("weekday", fields[4], 0, 6, _DAYS)
    return Cron(minutes, hours, days, months, weekdays, not all_days and not all_weekdays)


def _split_zone(text: str) -> tuple[str, str]:
    """Return the time zone written before the fields ("" if there is none), and the fields."""
    match = _ZONED.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)


def _parse_field(name: str, text: str, low: int, high: int, names: Sequence[str] = ()) -> tuple[frozenset[int], bool]:
    """Return the numbers of a field, and whether it is unrestricted: a star without a step.

    Empty parts are skipped, as robfig/cron does (`mon,`). A field of commas alone is refused here, though Argo CD
    accepts it: such a schedule has no start at all.
    """
    numbers: set[int] = set()
    star = False
    for part in [part for part in text.split(",") if part] or [""]:
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        every = _parse_number(name, step, text, 1, _LONGEST_STEP) if slash else 1
        if first in {"*", "?"}:
            start, end = low, high
            star = star or every == 1
        else:
            start = _parse_number(name, first, text, low, high, names)
            end = _parse_number(name, last, text, low, high, names) if dash else high if slash else start
        if start > end:
            raise ScheduleError(f"{name} {text!r}: {first} comes after {last}")
        numbers.update(range(start, end + 1, every))
    return frozenset(numbers), star


def _parse_number(name: str, word: str, text: str, low: int, high: int, names: Sequence[str] = ()) -> int:
    if word in names:
        return names.index(word) + low
    if not _SMALL.fullmatch(word) or not low <= int(word) <= high:
        sunday = "; Sunday is 0" if (name, word) == ("weekday", "7") else ""
        raise ScheduleError(f"{name} {text!r}: {word!r} is not between {low} and {high}{sunday}")
    return int(word)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """Return an IANA time zone; UTC for "".

    Raises:
        ScheduleError: there is no such zone.
    """
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"{name!r} is not a time zone: write it like Europe/Berlin") from None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Open for `seconds` from every start of a cron expression; `schedule` builds it."""

    text: str
    seconds: float
    time_zone: str = "UTC"

    def is_open(self, now: datetime) -> bool:
        """Return whether a start lies less than the duration back on the wall clock of the zone."""
        return _is_open(self, now)

    def changes_at(self, now: datetime) -> datetime | None:
        """Return when it next opens or, if it is open, closes (UTC); None if that is out of sight."""
        return _changes_at(self, now)


def schedule(text: str, duration: str, time_zone: str = "") -> Schedule:
    """Build a schedule.

    Raises:
        ScheduleError: a part of it cannot be read.
    """
    cron(text)
    written_zone = _split_zone(text)[0]
    if written_zone and time_zone not in {"", "UTC"}:
        raise ScheduleError(f"{text!r} names a time zone, and {time_zone} is another: give one of them")
    zone(written_zone or time_zone)
    seconds = seconds_of(duration)
    if seconds <= 0:
        raise ScheduleError(f"{duration!r} is zero")
    return Schedule(text, seconds, written_zone or time_zone or "UTC")


def check_sync_window(text: str, duration: str) -> None:
    """Check what Argo CD parses before every sync: an error blocks each sync the window applies to.

    Raises:
        ScheduleError: Argo CD cannot read the schedule or the duration; Go's durations have no days.
    """
    cron(text)
    try:
        go_seconds(duration)
    except DurationError as error:
        raise ScheduleError(f"duration {error}") from None


@lru_cache(maxsize=1024)
def _is_open(schedule: Schedule, now: datetime) -> bool:
    wall = now.astimezone(zone(schedule.time_zone)).replace(tzinfo=None)
    return cron(schedule.text).last_until(wall, timedelta(seconds=schedule.seconds)) is not None


@lru_cache(maxsize=1024)
def _changes_at(schedule: Schedule, now: datetime) -> datetime | None:
    before = _is_open(schedule, now)
    at = now.astimezone(UTC)
    for until, offset in _offsets(schedule.time_zone, at):
        change = _wall_change(schedule, (at + offset).replace(tzinfo=None), opened=before)
        if change is None:
            return None
        moment = change.replace(tzinfo=UTC) - offset
        if moment < until:
            return moment
        if until - now > HORIZON:
            return None
        if _is_open(schedule, until) != before:
            return until
        at = until
    return None


def _wall_change(schedule: Schedule, wall: datetime, *, opened: bool) -> datetime | None:
    """Return the next change on a wall clock with a constant offset."""
    starts, length = cron(schedule.text), timedelta(seconds=schedule.seconds)
    if not opened:
        return starts.first_after(wall)
    end = wall
    for _ in range(_MOST_STEPS):
        start = starts.last_until(end, length)
        if start is None:
            return end
        end = start + length
    return None


def _offsets(name: str, now: datetime) -> Iterator[tuple[datetime, timedelta]]:
    """Yield the offsets of a zone from `now` on, each with the moment until which it holds."""
    place = zone(name)

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(place).utcoffset() or timedelta()

    at, last = now, now + HORIZON + _DAY
    while at < last:
        current_offset, until = offset(at), at
        while until < last and offset(until) == current_offset:
            until += 7 * _DAY
        low, high = max(at, until - 7 * _DAY), until
        while high - low > timedelta(seconds=1) and until < last:
            middle = low + (high - low) / 2
            low, high = (middle, high) if offset(middle) == current_offset else (low, middle)
        at = high.replace(microsecond=0)
        yield at, current_offset
