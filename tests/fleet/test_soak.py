"""Soaking: settled and healthy, not yet for as long as the next stage requires."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import builders
import pytest

from sgm_tui.fleet.cell import Cell, CellFacts, Journey, Soak, Verdict
from sgm_tui.fleet.desired import Desired
from sgm_tui.fleet.facts import Alert, PendingVersion
from sgm_tui.fleet.gates.travel import running_since
from sgm_tui.fleet.join import join
from sgm_tui.fleet.model import CellKey, StageName, Version
from sgm_tui.fleet.policy import Policy, RuleSet
from sgm_tui.fleet.soak import required_soak
from sgm_tui.report.assertion import parse
from sgm_tui.report.status import cell_report

NOW = builders.NOW
STAGING = builders.key("cart", "staging-eu1")
FLEET = builders.snapshot([]).fleet
HOUR = timedelta(hours=1)
POLICY = Policy(stages={"prod": RuleSet(soak_seconds=1800.0)})


def facts(minutes: float, **changes: Any) -> CellFacts:
    """A staging cell whose newest deployment was so long ago; prod requires half an hour."""
    application = builders.application(STAGING, deployed_at=NOW - timedelta(minutes=minutes))
    cell = builders.cell("cart", "staging-eu1", "v2", application=application)
    return replace(cell.facts, soak=Soak(StageName("prod"), 1800.0), **changes)


def looked(of: CellFacts, previous: Cell | None = None, minutes: float = 0.0) -> Cell:
    return join(of, previous, NOW + timedelta(minutes=minutes))


def test_a_version_soaks_until_the_next_stage_has_what_it_requires() -> None:
    cell = looked(facts(10))
    assert (cell.journey, cell.verdict) == (Journey.SOAKING, Verdict.BUSY)
    assert (cell.since, cell.check_at) == (NOW - timedelta(minutes=10), NOW + timedelta(minutes=20))
    assert cell.reason == f"soaks for prod until {NOW + timedelta(minutes=20):%Y-%m-%dT%H:%M:%SZ}"
    assert not cell.moves
    later = looked(facts(10), cell, 20)
    assert (later.journey, later.verdict, later.since) == (Journey.SETTLED, Verdict.GOOD, cell.since)


def test_the_gate_counts_from_the_same_moment() -> None:
    cell = looked(facts(10))
    assert running_since(cell, Version("v2")) == NOW - timedelta(minutes=10)
    assert running_since(looked(facts(10), cell, 20), Version("v2")) == NOW - timedelta(minutes=10)


@pytest.mark.parametrize(
    ("changes", "journey"),
    [
        ({"soak": None}, Journey.SETTLED),
        ({"staged": Version("v3")}, Journey.STAGED),
        ({"pending": (PendingVersion(Version("v3"), 7, ""),)}, Journey.PROPOSED),
        ({"stale_since": NOW, "stale_reason": "git: silent"}, Journey.UNKNOWN),
        ({"rollout": builders.rolling(STAGING, "v1", "v2")}, Journey.ROLLING),
        ({"application": builders.application(STAGING, detailed=False, deployed_at=None)}, Journey.SETTLED),
    ],
)
def test_only_a_settled_cell_soaks_and_only_where_it_is_known_since_when(
    changes: dict[str, Any], journey: Journey
) -> None:
    assert looked(replace(facts(10), **changes)).journey is journey


def test_an_alert_that_fires_wants_attention_while_it_soaks() -> None:
    alert = Alert("HighErrorRate", "page", "firing", STAGING.cluster, "cart")
    cell = looked(facts(10, alerts=(alert,)))
    assert (cell.journey, cell.verdict) == (Journey.SOAKING, Verdict.ATTENTION)


@pytest.mark.parametrize(
    ("claim", "true"),
    [
        ("journey==settled", True),
        ("journey==soaking", True),
        ("journey!=settled", False),
        ("journey!=soaking", False),
        ("journey in settled,proposed", True),
        ("journey in rolling,soaking", True),
        ("journey in rolling,paused", False),
        ("journey==rolling", False),
        ("verdict==busy", True),
    ],
)
def test_who_asks_for_a_settled_cell_has_it_while_it_soaks(claim: str, true: bool) -> None:
    assert parse(claim).holds(cell_report(looked(facts(10)))) is true


def test_a_settled_cell_is_not_soaking() -> None:
    assert not parse("journey==soaking").holds(cell_report(looked(facts(90))))


def wanted(**versions: str) -> dict[CellKey, Desired]:
    keys = {name.replace("_", "-"): version for name, version in versions.items()}
    return {builders.key("cart", name): Desired("f", "k", Version(version)) for name, version in keys.items()}


@pytest.mark.parametrize(
    ("policy", "cells", "key", "seconds"),
    [
        (POLICY, wanted(staging_eu1="v2", prod_eu1="v1"), STAGING, 1800),
        (POLICY, wanted(staging_eu1="v2", prod_eu1="v2", prod_us1="v1"), STAGING, 1800),
        (POLICY, wanted(staging_eu1="v2", prod_eu1="v2"), STAGING, None),
        (POLICY, wanted(staging_eu1="v2"), STAGING, None),
        (POLICY, wanted(prod_eu1="v1"), STAGING, None),
        (POLICY, wanted(dev_eu1="v2", staging_eu1="v1"), builders.key("cart", "dev-eu1"), None),
        (POLICY, wanted(staging_eu1="v2", prod_eu1="v1"), builders.key("cart", "prod-eu1"), None),
        (Policy(), wanted(staging_eu1="v2", prod_eu1="v1"), STAGING, None),
        (
            Policy(stages={"prod": RuleSet(soak_seconds=60.0, levels={"soak": "off"})}),
            wanted(staging_eu1="v2", prod_eu1="v1"),
            STAGING,
            None,
        ),
        (
            Policy(stages=POLICY.stages, services={"cart": {"prod": RuleSet(soak_seconds=60.0)}}),
            wanted(staging_eu1="v2", prod_eu1="v1"),
            STAGING,
            60,
        ),
    ],
)
def test_a_version_soaks_only_for_a_stage_that_requires_it_and_has_another(
    policy: Policy, cells: dict[CellKey, Desired], key: CellKey, seconds: float | None
) -> None:
    found = required_soak(FLEET, policy, cells, key)
    assert (found.seconds if found is not None else None) == seconds
