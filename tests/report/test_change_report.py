"""What is told of a plan on the command line: to people as text, to machines as one document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import builders
import pytest

from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.history.cell_history import RevertForecast
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import FileEdit, Preview, Progress, Proposal
from sgm_tui.report.changes import document, gate_lines, text, why

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
WHERE = builders.key("cart", "prod-eu1")


def revert(way: RevertForecast | None, bad: str = "") -> FileEdit:
    change = Change(
        "revert", WHERE.service, WHERE.stage, WHERE.cluster, "values.yaml", "image.tag", Version("v2"), Version("v1"),
        (WHERE,), marks_bad=bad,
    )  # fmt: skip
    return FileEdit(change, "-v2\n+v1", forecast=way)


def preview(edit: FileEdit) -> Preview:
    proposal = Proposal(WHERE.stage, "sgm/prod/x", "revert(cart): prod-eu1 -> v1", "", (edit,))
    return Preview("a" * 40, (proposal,))


def test_how_fast_a_way_back_is_can_be_read_by_people_and_by_machines() -> None:
    slow = preview(
        revert(RevertForecast(False, "it walks all 8 steps again", "leave the steps out"), bad="it loses orders")
    )
    said = text(slow, builders.NOW)
    assert "revert: cart prod-eu1: step by step: it walks all 8 steps again" in said
    assert "faster: leave the steps out" in said
    assert "known bad: cart v2, in every cell once this merges: it loses orders" in said
    (change,) = document("planned", slow)["changes"]
    assert change["way_back"] == {
        "fast": False,
        "reason": "it walks all 8 steps again",
        "faster": "leave the steps out",
    }
    assert change["known_bad"] == "it loses orders"


def test_where_nobody_looked_nothing_is_foretold() -> None:
    assert document("planned", preview(revert(None)))["changes"][0]["way_back"] is None
    assert "way back" not in text(preview(revert(None)), builders.NOW)


@pytest.mark.parametrize(
    ("gate", "hours", "says"),
    [
        ("window", 2.5, "frozen: sat UTC; opens in 2h 30m (16:30Z)"),
        ("soak", 1 / 15, "frozen: sat UTC; soaked in 4m (14:04Z)"),
        ("other", 48, "frozen: sat UTC; clears in 2d (2026-11-25 14:00Z)"),
        ("window", -1, "frozen: sat UTC"),
    ],
)
def test_a_gate_says_when_time_alone_clears_it(gate: str, hours: float, says: str) -> None:
    blocking = Gate(WHERE, gate, "block", "frozen: sat UTC", eta=NOW + timedelta(hours=hours))
    assert why(blocking, NOW) == says
    assert gate_lines([blocking], NOW)[0].endswith(says)


def test_a_gate_that_needs_a_person_promises_no_time() -> None:
    assert why(Gate(WHERE, "image", "block", "no such image"), NOW) == "no such image"


def test_what_came_in_between_is_told_to_programs_too() -> None:
    made = preview(revert(None))
    proposal = made.proposals[0]
    told = [Progress("blocked", proposal, "#9 by mia wants v3 here"), Progress("opened", proposal, number=8, url="u")]
    report = document("refused", made, told)
    assert report["refusals"][-1] == {
        "path": proposal.edits[0].change.path,
        "reason": "#9 by mia wants v3 here",
        "number": None,
    }
    assert [one["number"] for one in report["pull_requests"]] == [8]
