"""Schedules: what cron fields mean, when a window is open, and when that changes, over summer time too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgm_tui.fleet.argo.schedule import Schedule, ScheduleError, check_sync_window, cron, schedule, seconds_of

WEEKEND = schedule("0 16 * * 5", "64h", "Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("0s", 0), ("0", 0), ("1.5h", 5400), ("250ms", 0.25)],
)
def test_a_duration_is_read_as_go_writes_it_and_with_days(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "-1h", "1 h", "h", "1w", "soon", "99999999999h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        seconds_of(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("* * * *", "five fields"),
        ("60 * * * *", "minute '60'"),
        ("* 24 * * *", "hour '24'"),
        ("* * 0 * *", "day '0'"),
        ("* * * 13 *", "month '13'"),
        ("* * * * fun", "weekday 'fun'"),
        ("5-1 * * * *", "5 comes after 1"),
        ("*/0 * * * *", "between 1 and 999"),
        (", * * * *", "minute ','"),
        ("a * * * *", "minute 'a'"),
        ("@never", "five fields"),
        ("² * * * *", "minute"),
    ],
)
def test_a_schedule_that_cannot_be_read_says_which_field(text: str, says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        cron(text)


def test_fields_know_names_lists_ranges_and_steps() -> None:
    found = cron("0,30 8-18/2 * jan-MAR MON-fri")
    assert sorted(found.minutes) == [0, 30]
    assert sorted(found.hours) == [8, 10, 12, 14, 16, 18]
    assert sorted(found.months) == [1, 2, 3]
    assert sorted(found.weekdays) == [1, 2, 3, 4, 5]
    assert cron("5/20 * * * *").minutes == {5, 25, 45}
    # strings.FieldsFunc skips empty parts, and strconv.Atoi accepts a sign.
    assert cron("+5 0 * * mon,") == cron("5 0 * * mon")
    assert cron("1,,2 0 * * *") == cron("1,2 0 * * *")
    assert cron("0 0 * * 0") == cron("0 0 * * sun") == cron("TZ=Europe/Berlin 0 0 ? * Sun")


def test_of_two_restricted_day_fields_either_is_enough() -> None:
    assert schedule("0 0 13 * 5", "1h").is_open(at("2026-11-20 00:30"))
    assert schedule("0 0 13 * 5", "1h").is_open(at("2026-12-13 00:30"))
    assert not schedule("0 0 13 * *", "1h").is_open(at("2026-11-20 00:30"))
    stepped = schedule("0 0 */2 * 5", "1h")
    assert [stepped.is_open(at(f"2026-11-{day} 00:30")) for day in (20, 21, 22)] == [True, True, False]
    plain = schedule("0 0 * * 5", "1h")
    assert [plain.is_open(at(f"2026-11-{day} 00:30")) for day in (20, 21, 22)] == [True, False, False]


def test_a_weekend_opens_on_friday_and_closes_on_monday_in_its_own_zone() -> None:
    assert not WEEKEND.is_open(at("2026-11-20 14:59"))
    assert WEEKEND.changes_at(at("2026-11-20 14:59")) == at("2026-11-20 15:00")
    assert WEEKEND.is_open(at("2026-11-20 15:00"))
    assert WEEKEND.changes_at(at("2026-11-22 08:00")) == at("2026-11-23 07:00")
    assert not WEEKEND.is_open(at("2026-11-23 07:00"))
    assert WEEKEND.changes_at(at("2026-11-23 07:00")) == at("2026-11-27 15:00")


def test_a_window_over_the_change_of_summer_time_keeps_its_wall_clock_as_argo_cd_does() -> None:
    """Clocks in Berlin go from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October."""
    assert WEEKEND.changes_at(at("2026-03-28 12:00")) == at("2026-03-30 06:00"), "08:00 on Monday, summer time"
    assert WEEKEND.changes_at(at("2026-10-24 12:00")) == at("2026-10-26 07:00"), "08:00 on Monday, winter time"


def test_a_start_in_the_hour_that_is_skipped_opens_when_the_clock_has_passed_it() -> None:
    night = schedule("30 2 * * *", "1h", "Europe/Berlin")
    assert night.changes_at(at("2026-03-29 00:00")) == at("2026-03-29 01:00")
    assert night.is_open(at("2026-03-29 01:00"))
    assert night.changes_at(at("2026-03-29 01:00")) == at("2026-03-29 01:30")


def test_a_start_in_the_hour_that_comes_twice_opens_twice() -> None:
    night = schedule("30 2 * * *", "30m", "Europe/Berlin")
    assert night.changes_at(at("2026-10-25 00:00")) == at("2026-10-25 00:30")
    assert night.changes_at(at("2026-10-25 00:40")) == at("2026-10-25 01:00")
    assert night.changes_at(at("2026-10-25 01:00")) == at("2026-10-25 01:30")


def test_windows_that_follow_one_another_without_a_gap_are_one() -> None:
    assert schedule("0 * * * *", "1h").changes_at(at("2026-11-23 12:30")) is None
    assert schedule("0 8-17 * * *", "1h").changes_at(at("2026-11-23 12:30")) == at("2026-11-23 18:00")


def test_the_next_leap_day_is_found_and_a_day_that_never_comes_is_not() -> None:
    assert schedule("0 0 29 2 *", "1h").changes_at(at("2096-03-01 00:00")) == at("2104-02-29 00:00")
    assert schedule("0 0 31 2 *", "1h").changes_at(at("2026-01-01 00:00")) is None


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Europe", "/etc/localtime"])
def test_a_time_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(ScheduleError, match="not a time zone"):
        schedule("* * * * *", "1h", zone)


def test_a_window_of_no_length_is_refused() -> None:
    with pytest.raises(ScheduleError, match="is zero"):
        schedule("* * * * *", "0s")


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}")
    stepped = st.tuples(st.one_of(span, st.just("*")), st.integers(1, 9)).map(lambda two: f"{two[0]}/{two[1]}")
    part = st.one_of(number.map(str), span, stepped)
    return st.one_of(st.just("*"), st.lists(part, min_size=1, max_size=3).map(",".join))


SCHEDULES = st.builds(
    Schedule,
    st.builds(
        lambda *fields: " ".join(fields), numbers(0, 59), numbers(0, 23), numbers(1, 31), numbers(1, 12), numbers(0, 6)
    ),
    st.integers(1, 3000).map(lambda minutes: minutes * 60.0),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
MOMENTS = st.integers(0, 3 * 366 * 1440).map(lambda minutes: at("2025-01-01") + timedelta(minutes=minutes))
NEAR_A_CHANGE = st.tuples(
    st.sampled_from(["2026-03-29 01:00", "2026-10-25 01:00", "2026-11-01 06:00", "2026-04-04 15:00"]),
    st.integers(-2000, 2000),
).map(lambda two: at(two[0]) + timedelta(minutes=two[1]))


def open_by_hand(one: Schedule, wall: datetime) -> bool:
    """Whether any minute within the duration before is a start, field by field."""
    fields = cron(one.text)
    minute = wall.replace(second=0, microsecond=0)
    while (wall - minute).total_seconds() < one.seconds:
        if minute.minute in fields.minutes and minute.hour in fields.hours and fields.starts_on(minute):
            return True
        minute -= timedelta(minutes=1)
    return False


def wall_of(one: Schedule, moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(one.time_zone)).replace(tzinfo=None)


@given(SCHEDULES, st.one_of(MOMENTS, NEAR_A_CHANGE))
def test_open_and_next_change_are_what_a_walk_over_every_minute_finds(one: Schedule, now: datetime) -> None:
    opened = open_by_hand(one, wall_of(one, now))
    assert one.is_open(now) == opened
    change = one.changes_at(now)
    ahead = 600
    for minutes in range(1, ahead):
        moment = now + timedelta(minutes=minutes)
        if one.is_open(moment) != opened:
            assert change == moment
            return
    assert change is None or change >= now + timedelta(minutes=ahead)


ARGO_CD_READS = (
    "0 22 * * *", "0 22 * * 0", "0 22 * * 6", "0 22 * * sun-sat", "0 22 * * SUN,TUE", "0 22 * * 1-5/2", "0 22 ? * ?",
    "*/15 0-6,22-23 1,15 jan,JUL *", "5/20 * * * *", "0  22\t* * *", "TZ=Europe/Berlin 0 22 * * *",
    "CRON_TZ=UTC 0 22 * * 1", "59 23 31 12 6", "0 0 1-31 1-12 0-6",
)  # fmt: skip
ARGO_CD_DOES_NOT_READ = (
    "0 22 * * 7", "0 22 * * 0-7", "0 22 * * 5-7", "0 22 * * 1,7", "0 22 * * */0", "0 22 * * fri-mon", "0 22 * * 5L",
    "0 22 L * *", "0 22 15W * *", "0 22 * * 5#2", "0 22 * * sunday", "0 22 32 * *", "0 22 0 * *", "0 22 * 0 *",
    "0 24 * * *", "60 22 * * *", "-1 22 * * *", "0 22 * *", "0 0 22 * * *", "0 22 * * * 2026", "", " ", "@daily",
    "@weekly", "@hourly", "@midnight", "@yearly", "@annually", "@monthly", "@every 1h", "@reboot", "TZ=Europe/Berlin",
    "TZ=Europe/Berlin @daily", "0 22 1-2-3 * *", "0 22 1/2/3 * *", "0 22 2-1 * *", "0 22 january * *",
)  # fmt: skip


@pytest.mark.parametrize("text", ARGO_CD_READS)
def test_what_argo_cd_reads_is_read(text: str) -> None:
    check_sync_window(text, "8h")


@pytest.mark.parametrize("text", ARGO_CD_DOES_NOT_READ)
def test_what_argo_cd_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        check_sync_window(text, "8h")


@pytest.mark.parametrize("duration", ["1d", "1w", "8", "8 hours", "", "h", "8H", "P1D", "1h 30m", "--1h"])
def test_the_duration_of_a_window_is_gos(duration: str) -> None:
    with pytest.raises(ScheduleError, match="duration"):
        check_sync_window("0 22 * * *", duration)


def test_a_descriptor_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(ScheduleError, match=r"write '0 0 \* \* \*'"):
        cron("@daily")
    with pytest.raises(ScheduleError, match="Sunday is 0"):
        cron("0 22 * * 7")


def test_a_zone_before_the_fields_is_that_of_the_schedule() -> None:
    zoned = schedule("TZ=Europe/Berlin 0 16 * * 5", "64h")
    assert zoned.is_open(at("2026-11-20 15:00"))
    assert not zoned.is_open(at("2026-11-20 14:59"))
    with pytest.raises(ScheduleError, match="names a time zone"):
        schedule("TZ=Europe/Berlin 0 16 * * 5", "64h", "America/New_York")
