"""`--assert` says yes only to what is known and true."""

from __future__ import annotations

import pytest

from sgm_tui.errors import UsageError
from sgm_tui.report.assertion import parse

CELL = {
    "service": "checkout",
    "desired": "v1.10",
    "live": "v1.10",
    "canary": None,
    "journey": "settled",
    "verdict": "good",
    "metrics": {"error_ratio": 0.002, "latency_p99_seconds": None},
    "rollout": None,
    "since": "2026-11-23T14:03:00Z",
    "alerts": [{"name": "HighErrorRate"}],
    "pending": [],
    "replicas": {"ready": 6},
    "stale": ["github"],
}


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        ("journey==settled", True),
        ("journey=settled", True),
        ("journey != settled", False),
        ("journey in settled,rolling", True),
        ("journey in failed,drifted", False),
        ("live==desired", True),
        ("live==v1.10", True),
        ("live=='v1.10'", True),
        ("live==v1.1", False),
        ("metrics.error_ratio<0.01", True),
        ("metrics.error_ratio>=0.01", False),
        ("metrics.latency_p99_seconds<1", False),
        ("canary==v2", False),
        ("canary!=v2", False),
        ("live==canary", False),
        ("rollout.step==3", False),
        ("metrics.error_ratio<1%", True),
        ("metrics.error_ratio<0.1%", False),
        ("replicas.ready>=6", True),
        ("live>=v1.9", True),
        ("live<v1.9", False),
        ("live>=desired", True),
        ("since<2027-01-01", True),
        ("since>2026-11-23T15:00:00+01:00", True),
        ("alerts==1", True),
        ("alerts==0", False),
        ("alerts<2", True),
        ("pending==0", False),  # its source is silent: nobody knows
        ("canary<3", False),
        ("service<v2.0", False),
    ],
)
def test_a_claim_about_a_cell(claim: str, *, holds: bool) -> None:
    assert parse(claim).holds(CELL) is holds


@pytest.mark.parametrize("text", ["", "journey", "==settled", "journey settled", "journey=="])
def test_what_is_not_a_claim_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not understood"):
        parse(text)


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ("metrics.error_ratio<abc", "abc is no number, time or version"),
        ("canary<abc", "abc is no number, time or version"),
        ("live<12%", "12% cannot be compared with v1.10"),
        ("journey<3%", "3% cannot be compared with settled"),
        ("replicas.ready<v2.0", "v2.0 cannot be compared with 6"),
        ("since<3%", "3% cannot be compared with"),
        ("metrics<1", "metrics is several fields"),
    ],
)
def test_a_comparison_that_can_hold_of_no_cell_is_a_usage_error(claim: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(claim).holds(CELL)


def test_an_unknown_field_names_the_ones_there_are() -> None:
    with pytest.raises(UsageError, match="no field journy") as caught:
        parse("journy==settled").holds(CELL)
    assert "metrics.error_ratio" in caught.value.hint


@pytest.mark.parametrize(
    ("claim", "says", "hint"),
    [
        ("journey==setled", "no journey is called setled", "settled"),
        ("journey!=fialed", "no journey is called fialed", "failed"),
        ("journey in settled, rollling", "no journey is called rollling", "rolling"),
        ("verdict=='green'", "no verdict is called green", "good, busy, attention, bad, unknown"),
        ("verdict!=Good", "no verdict is called Good", "good"),
    ],
)
def test_a_mistyped_word_is_a_usage_error_that_names_the_nearest(claim: str, says: str, hint: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse(claim).holds(CELL)
    assert hint in caught.value.hint


@pytest.mark.parametrize("claim", ["journey!=verdict", "verdict!='bad'", "journey in failed,'settled'"])
def test_a_word_may_be_quoted_listed_or_another_field(claim: str) -> None:
    assert parse(claim).holds(CELL)
