"""The way back: which change it is, and which of two things will happen (protocols §J)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.facts import PendingVersion, Step
from sgm_tui.fleet.history.cell_history import PastVersion
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.strategy import extras_of
from sgm_tui.fleet.reverts.targets import (
    TemplateComparison,
    find_affected_cells,
    find_past_version,
    forecast_revert,
    revert_change,
)
from sgm_tui.fleet.snapshot import FleetSnapshot

WHERE = builders.key("cart", "prod-eu1")


def past(version: str, at: int, bad: str = "") -> PastVersion:
    revision = f"{at:x}" * 40
    return PastVersion(
        WHERE, Version(version), revision, "", "", "mia", "", builders.ago(at * 3600), None, "promotion", 0, bad
    )


PASTS = (past("v3", 1), past("v2", 2, "reverted by jo"), past("v1", 3), past("v0", 4))


def fleet(*cells: Cell) -> FleetSnapshot:
    return builders.snapshot(cells or (builders.cell("cart", "prod-eu1", "v3"),))


def change(**facts: Any) -> Change:
    made = revert_change(fleet(), WHERE, PASTS)
    assert isinstance(made, Change)
    return replace(made, **facts)


def test_the_last_version_nothing_is_known_against_is_where_it_goes_back_to() -> None:
    made = change()
    assert (made.kind, made.from_version, made.to_version) == ("revert", "v3", "v1")
    assert made.undoes == (PASTS[0].revision, PASTS[1].revision)


def test_any_version_of_the_past_can_be_chosen() -> None:
    made = revert_change(fleet(), WHERE, PASTS, find_past_version(PASTS, "v0"))
    assert isinstance(made, Change)
    assert made.to_version == "v0"
    assert len(made.undoes) == 3


@pytest.mark.parametrize(
    ("pasts", "says"),
    [(PASTS[:1], "no earlier version"), (PASTS[:2], "no earlier version"), (PASTS[1:], "history is not read yet")],
)
def test_where_there_is_no_way_back_it_says_why(pasts: tuple[PastVersion, ...], says: str) -> None:
    made = revert_change(fleet(), WHERE, pasts)
    assert isinstance(made, Refusal)
    assert says in made.reason


def test_a_canary_in_flight_goes_back_at_once_when_the_pods_become_the_stable_ones() -> None:
    cell = builders.cell("cart", "prod-eu1", "v3", rollout=builders.rolling(WHERE, "v1", "v3"))
    assert forecast_revert(cell, change(), TemplateComparison(True)).fast is True
    assert forecast_revert(cell, change(), TemplateComparison(None)).fast is None
    slow = forecast_revert(cell, change(), TemplateComparison(False, ("env.A",)))
    assert slow.fast is False
    assert "env.A" in slow.reason
    assert "env.A" in slow.faster


def test_an_aborted_canary_goes_back_at_once_too() -> None:
    rollout = replace(builders.rollout(WHERE, "v1"), aborted=True, phase="Degraded", new_version=Version("v3"))
    way = forecast_revert(builders.cell("cart", "prod-eu1", "v3", rollout=rollout), change(), TemplateComparison(True))
    assert way.fast is True
    assert "aborted" in way.reason


def test_a_version_that_is_stable_already_walks_the_whole_canary_and_says_how_long() -> None:
    way = forecast_revert(builders.cell("cart", "prod-eu1", "v3"), change(), TemplateComparison(True))
    assert way.fast is False
    assert "v3 is the stable one" in way.reason
    assert "8 steps" in way.reason
    assert "1 manual gate" in way.reason


def test_going_further_back_than_the_stable_one_names_what_is_stable() -> None:
    cell = builders.cell("cart", "prod-eu1", "v3", rollout=builders.rolling(WHERE, "v2", "v3"))
    assert "v2 is the stable one" in forecast_revert(cell, change(), TemplateComparison(True)).reason


def test_blue_green_goes_back_at_once_while_the_old_pods_are_up() -> None:
    up = builders.replica_set(WHERE, "v1", 4)
    rollout = replace(builders.rollout(WHERE, "v3"), strategy="BlueGreen", replica_sets=(up,))
    assert (
        forecast_revert(
            builders.cell("cart", "prod-eu1", "v3", rollout=rollout), change(), TemplateComparison(True)
        ).fast
        is True
    )
    gone = replace(rollout, replica_sets=(replace(up, current=0),))
    assert (
        forecast_revert(builders.cell("cart", "prod-eu1", "v3", rollout=gone), change(), TemplateComparison(True)).fast
        is False
    )


def test_without_a_rollout_nobody_knows() -> None:
    assert (
        forecast_revert(builders.cell("cart", "prod-eu1", "v3", rollout=None), change(), TemplateComparison(True)).fast
        is None
    )


def test_a_cluster_that_cannot_be_seen_is_not_said_to_have_no_rollout() -> None:
    cell = builders.cell("cart", "prod-eu1", "v3", Journey.UNKNOWN, reason="there is no kubeconfig", rollout=None)
    way = forecast_revert(cell, change(), TemplateComparison(True))
    assert (way.fast, way.reason) == (None, "the running version is unknown: there is no kubeconfig")


def test_a_bad_version_is_found_wherever_it_runs_or_is_about_to_prod_first() -> None:
    found = find_affected_cells(
        fleet(
            builders.cell("cart", "dev-eu1", "v3"),
            builders.cell("cart", "staging-eu1", "v1", pending=(PendingVersion(Version("v3"), 7, ""),)),
            builders.cell("cart", "prod-us1", "v1"),
            builders.cell("cart", "prod-eu1", "v3"),
        ),
        ServiceName("cart"),
        Version("v3"),
    )
    assert [key.cluster for key in found] == ["prod-eu1", "staging-eu1", "dev-eu1"]


def with_steps(text: str) -> Change:
    extras = extras_of(text)
    assert not isinstance(extras, Refusal)
    return change(strategy=text, extras=extras)


@pytest.mark.parametrize("template", [TemplateComparison(False, ("env.A",)), TemplateComparison(None)])
def test_without_steps_there_is_nothing_to_walk_and_it_is_foretold_so(template: TemplateComparison) -> None:
    settled = builders.cell("cart", "prod-eu1", "v3", rollout=builders.rollout(WHERE, "v3"))
    slow = forecast_revert(settled, change(), template)
    assert (slow.fast, "--strategy '[]'" in slow.faster) == (False, True)
    rolling = builders.cell("cart", "prod-eu1", "v3", rollout=builders.rolling(WHERE, "v1", "v3"))
    for cell in (settled, rolling):
        way = forecast_revert(cell, with_steps("[]"), template)
        assert (way.fast, "no steps" in way.reason, way.faster) == (True, True, "")


def test_steps_that_come_with_it_are_the_ones_that_are_walked() -> None:
    settled = builders.cell("cart", "prod-eu1", "v3", rollout=builders.rollout(WHERE, "v3"))
    steps = '[{"setWeight": 5}, {"pause": {"duration": "1h30m"}}, {"pause": {"duration": 60}}, {"pause": {}}]'
    way = forecast_revert(settled, with_steps(steps), TemplateComparison(True))
    assert "walks the 4 steps that come with it, at least 91 min and 1 manual gate" in way.reason


def test_blue_green_that_is_to_become_a_canary_is_promised_nothing() -> None:
    rollout = replace(builders.rollout(WHERE, "v3"), strategy="BlueGreen")
    cell = builders.cell("cart", "prod-eu1", "v3", rollout=rollout)
    assert forecast_revert(cell, with_steps("[]"), TemplateComparison(True)).fast is None


DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "to_version", "fast"),
    [
        (f"localhost:5000/acme/cart:v1@{DIGEST}", "v1", True),
        (f"localhost:5000/acme/cart:v1@{DIGEST}", f"v1@{DIGEST}", True),
        (f"localhost:5000/acme/cart@{DIGEST}", DIGEST, True),
        ("localhost:5000/acme/cart:v1", f"v1@{DIGEST}", True),
        ("localhost:5000/acme/cart:v10", "v1", False),
        ("localhost:5000/acme/cart:v1-arm", "arm", False),
    ],
)
def test_blue_green_goes_back_at_once_to_pods_that_are_up_however_their_image_is_pinned(
    image: str, to_version: str, fast: bool
) -> None:
    old = builders.replica_set(WHERE, "v1", 41, 3, images=(image,))
    rollout = replace(builders.rollout(WHERE, "v3"), strategy="BlueGreen", replica_sets=(old,))
    cell = builders.cell("cart", "prod-eu1", "v3", rollout=rollout)
    assert forecast_revert(cell, change(to_version=Version(to_version)), TemplateComparison(True)).fast is fast


def test_a_canary_in_flight_goes_back_at_once_to_a_stable_version_that_is_pinned() -> None:
    rolling = builders.rolling(WHERE, f"v1@{DIGEST}", "v3")
    cell = builders.cell("cart", "prod-eu1", "v3", rollout=rolling)
    assert forecast_revert(cell, change(), TemplateComparison(True)).fast is True


@pytest.mark.parametrize("duration", ['"1d"', '"abc5s"', "-5"])
def test_steps_the_controller_would_refuse_promise_no_time(duration: str) -> None:
    settled = builders.cell(
        "cart", "prod-eu1", "v3", rollout=builders.rollout(WHERE, "v3", canary_steps=(Step("pause", duration="1d"),))
    )
    assert "Argo Rollouts refuses its steps" in forecast_revert(settled, change(), TemplateComparison(True)).reason
    refused = extras_of(f'[{{"pause": {{"duration": {duration}}}}}]')
    assert isinstance(refused, Refusal)
    assert "duration" in refused.reason
