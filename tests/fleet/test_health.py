"""How long a version ran healthy: what was measured, joined with what git wanted when; unknown is never zero."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import builders
import pytest

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.history.cell_history import HealthyTime, PastVersion
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.reverts.health import Samples, add_healthy_time, find_revert_target

WHERE = builders.key("cart", "prod-eu1")
HOUR = 3600.0
MINUTE = 60.0


def past(version: str, since: float, until: float | None = None, bad: str = "") -> PastVersion:
    """A version git wanted from so many hours ago until so many hours ago."""
    end = None if until is None else builders.ago(until * HOUR)
    return PastVersion(
        WHERE, Version(version), version * 20, "", "", "mia", "", builders.ago(since * HOUR), end, known_bad=bad
    )


PASTS = (past("v3", 1), past("v2", 3, 1), past("v1", 8, 3))


def samples(*spans: tuple[float, bool | None], step: float = MINUTE) -> Samples:
    """So many hours of each, the last one ending now."""
    values = [value for hours, value in spans for _ in range(round(hours * HOUR / step))]
    return Samples(builders.NOW.timestamp() - len(values) * step, step, tuple(values))


def fared(
    measured: Samples | str, cell: Cell | None = None, pasts: tuple[PastVersion, ...] = PASTS
) -> list[HealthyTime]:
    found = [one.healthy for one in add_healthy_time(pasts, measured, cell, builders.NOW)]
    return [one for one in found if one is not None]


def texts(measured: Samples | str, cell: Cell | None = None, pasts: tuple[PastVersion, ...] = PASTS) -> list[str]:
    return [one.healthy_text() for one in add_healthy_time(pasts, measured, cell, builders.NOW)]


def test_a_version_is_healthy_for_as_long_as_it_was_measured_to_be_and_not_for_as_long_as_git_wanted_it() -> None:
    # v1 for 5 h; v2 walks its canary for half an hour; v3 is never healthy.
    measured = samples((5, True), (0.5, False), (1.5, True), (1, False))
    assert texts(measured) == ["not yet", "1h", "5h"]
    assert [one.seconds for one in fared(measured)] == [0.0, 1.5 * HOUR, 5 * HOUR]
    assert all(one.whole for one in fared(measured))


def test_the_health_of_the_version_before_is_not_credited_to_the_next_one() -> None:
    # v2 is merged, v1 runs on for five minutes, then v2's canary fails until v3 takes its place.
    measured = samples((5, True), (5 / 60, True), (2 - 5 / 60, False), (1, True))
    found = add_healthy_time(PASTS, measured, None, builders.NOW)
    assert [one.never_healthy for one in found] == [False, True, False]
    assert found[1].healthy_text() == "never"


def test_a_version_that_was_disturbed_long_after_it_came_keeps_its_hours() -> None:
    measured = samples((5, True), (1.5, True), (0.25, False), (0.25, True), (1, True))
    assert fared(measured)[1].seconds == 1.75 * HOUR


def test_what_prometheus_no_longer_keeps_is_unknown_and_what_it_keeps_of_a_version_is_said_as_a_part() -> None:
    measured = samples((2, None), (4, True), (1, True))
    newest, second, oldest = fared(measured)
    assert (newest.seconds, second.seconds) == (HOUR, 2 * HOUR)
    assert (oldest.seconds, oldest.whole) == (2 * HOUR, False)
    assert oldest.reason == "Prometheus has 2h of 5h"
    assert texts(measured)[2] == "≥ 2h"
    assert texts(samples((1, True)))[1:] == ["unknown", "unknown"]


def test_a_part_in_which_it_was_not_healthy_says_nothing_of_the_rest() -> None:
    _, second, _ = fared(samples((1, None), (1, False), (1, True)))
    assert second.seconds is None
    assert "in which it was not healthy" in second.reason
    assert not second.never


def test_a_version_that_was_there_for_less_than_the_time_between_two_points_is_unknown() -> None:
    pasts = (past("v3", 1), past("v2", 1.1, 1), past("v1", 8, 1.1))
    measured = Samples(builders.ago(8 * HOUR).timestamp(), HOUR, (True,) * 9)
    assert "too short to measure" in fared(measured, pasts=pasts)[1].reason


def test_where_nobody_measures_the_version_live_now_has_what_the_soak_gate_knows_and_no_other_has_anything() -> None:
    cell = builders.cell("cart", "prod-eu1", "v3", since=1800, application=None)
    newest, second, _ = fared("no prometheus is configured for prod-eu1", cell)
    assert (newest.seconds, newest.whole) == (1800.0, False)
    assert second.seconds is None
    assert second.reason == "no prometheus is configured for prod-eu1"


@pytest.mark.parametrize("journey", [Journey.ROLLING, Journey.PAUSED, Journey.FAILED, Journey.MERGED])
def test_a_version_on_its_way_has_not_been_healthy_whatever_the_one_before_was(journey: Journey) -> None:
    cell = builders.cell("cart", "prod-eu1", "v3", journey, rollout=builders.rolling(WHERE, "v2", "v3"))
    newest = fared(samples((8, True)), cell)[0]
    assert newest.never
    assert newest.reason == "v2 is the stable version still"


def test_a_stale_cell_tells_nothing_of_the_version_live_now() -> None:
    plain = builders.cell("cart", "prod-eu1", "v3", Journey.UNKNOWN, rollout=builders.rolling(WHERE, "v2", "v3"))
    cell = replace(plain, facts=replace(plain.facts, stale=("rollouts prod-eu1",)))
    assert fared("Prometheus is down", cell)[0].seconds is None


def test_the_way_back_passes_over_what_never_was_healthy_unless_there_is_nothing_else() -> None:
    never, ran = HealthyTime(0.0, whole=True), HealthyTime(HOUR, whole=True)
    now, bad, sick, good = past("v4", 1), past("v3", 2, bad="reverted"), past("v2", 3), past("v1", 4)
    judged = (now, bad, replace(sick, healthy=never), replace(good, healthy=ran))
    assert find_revert_target(judged) == judged[3]
    assert find_revert_target(judged[:3]) == judged[2]
    assert find_revert_target((now, bad, sick, good)) == sick
    assert find_revert_target((now, bad)) is None


def test_a_future_start_of_the_samples_and_no_past_at_all_are_no_trouble() -> None:
    assert add_healthy_time((), samples((1, True)), None, builders.NOW) == ()
    late = Samples((builders.NOW + timedelta(hours=1)).timestamp(), MINUTE, (True,))
    assert [one.seconds for one in fared(late)] == [None, None, None]
