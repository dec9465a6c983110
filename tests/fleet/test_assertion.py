"""`--assert` says yes only to what is known and true."""

from __future__ import annotations

import pytest

from sgm_tui.errors import UsageError
from sgm_tui.fleet.assertion import parse

CELL = {
    "service": "checkout",
    "desired": "v1.10",
    "live": "v1.10",
    "canary": None,
    "journey": "settled",
    "metrics": {"error_ratio": 0.002, "latency_p99_seconds": None},
    "rollout": None,
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
        ("journey<3", False),
    ],
)
def test_a_claim_about_a_cell(claim: str, *, holds: bool) -> None:
    assert parse(claim).holds(CELL) is holds


@pytest.mark.parametrize("text", ["", "journey", "==settled", "journey settled", "journey=="])
def test_what_is_not_a_claim_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not understood"):
        parse(text)


def test_an_unknown_field_names_the_ones_there_are() -> None:
    with pytest.raises(UsageError, match="no field journy") as caught:
        parse("journy==settled").holds(CELL)
    assert "metrics.error_ratio" in caught.value.hint
