"""What became of a pull request after it was opened: merged, arrived, failed, closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import builders
import pytest

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.desired import Desired
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.following import Outcome, outcome_of
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import FileEdit, Progress, ProgressStep, Proposal
from sgm_tui.fleet.snapshot import FleetSnapshot

EU, US = builders.key("cart", "prod-eu1"), builders.key("cart", "prod-us1")
MERGED_AT = builders.ago(300)


def written(step: ProgressStep = "opened", number: int = 57) -> Progress:
    edits = tuple(
        FileEdit(
            Change("promotion", key.service, key.stage, key.cluster, key.cluster, "image.tag", Version("v1"),
                   Version("v2"), (key,)),
            "",
        )
        for key in (EU, US)
    )  # fmt: skip
    return Progress(step, Proposal(EU.stage, "branch", "feat(cart): prod -> v2", "", edits), number=number)


def cell(name: str, version: str, journey: Journey = Journey.SETTLED, at: datetime = MERGED_AT, **facts: Any) -> Cell:
    desired = Desired(name, "image.tag", Version(version), committed_at=at)
    return builders.cell("cart", name, facts.pop("live", version), journey, desired=desired, **facts)


def fleet(state: str, *cells: Cell) -> FleetSnapshot:
    merged_at = MERGED_AT if state == "merged" else None
    request: PullRequest = replace(builders.pull_request(57, "t"), state=state, merged_at=merged_at)
    return replace(builders.snapshot(cells), pull_requests=(request,))


def cells(eu: tuple[Any, ...], us: tuple[Any, ...] = ("v2",)) -> tuple[Cell, ...]:
    return cell("prod-eu1", *eu), cell("prod-us1", *us)


EARLIER, LATER = MERGED_AT - timedelta(hours=1), MERGED_AT + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("state", "of_cells", "word"),
    [
        ("open", cells(("v1",)), None),
        ("closed", cells(("v1",)), "closed"),
        ("merged", cells(("v1", Journey.SETTLED, EARLIER)), "merged"),
        ("merged", cells(("v2", Journey.SYNCING)), "merged"),
        ("merged", cells(("v2", Journey.PAUSED)), "merged"),
        ("merged", cells(("v2",)), "arrived"),
        ("merged", cells(("v2", Journey.FAILED)), "failed"),
        ("merged", cells(("v2", Journey.FAILED), ("v2", Journey.ROLLING)), "failed"),
        ("merged", cells(("v2", Journey.UNKNOWN)), "unknown"),
        ("merged", cells(("v3", Journey.SETTLED, LATER)), "replaced"),
        ("merged", cells(("v1", Journey.SETTLED, LATER)), "replaced"),
        ("merged", (cell("prod-us1", "v2"),), "unknown"),
    ],
)
def test_the_outcome_follows_the_pull_request_into_its_cells(
    state: str, of_cells: tuple[Cell, ...], word: str | None
) -> None:
    outcome = outcome_of(written(), fleet(state, *of_cells))
    assert (outcome.word if outcome else None) == word


def test_what_github_has_not_listed_yet_stays_as_it_was_said() -> None:
    assert outcome_of(written(number=99), fleet("merged", *cells(("v2",)))) is None


def test_a_push_without_a_pull_request_is_followed_too() -> None:
    pushed = written("pushed", 0)
    assert outcome_of(pushed, fleet("open", *cells(("v2",)))) == Outcome("arrived")
    assert outcome_of(pushed, fleet("open", *cells(("v1",)))) == Outcome(
        "merged", "prod-eu1: git has not been read since the merge"
    )
