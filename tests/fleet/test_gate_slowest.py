"""The slowest cell counts for a soak, the longest soak for a wave; and every gate a policy may name is evaluated."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOW, ago, application, cell, key, pull_request, rollout, snapshot

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.facts import Metrics
from sgm_tui.fleet.gates.evaluation import Evidence, evaluate_gates, evaluate_required_checks
from sgm_tui.fleet.gates.table import GATE_NAMES
from sgm_tui.fleet.model import Cluster, ClusterName, StageName, Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.waves import WavePlan, next_step, wave_soak_seconds
from sgm_tui.fleet.policy import Policy, RuleSet
from sgm_tui.fleet.snapshot import FleetSnapshot

OLD, NEW = Version("v2.8.0"), Version("v2.8.1")
EU, US, AP = (key("cart", f"prod-{where}") for where in ("eu1", "us1", "ap1"))


def change(where: str = "prod-eu1", service: str = "cart") -> Change:
    at = key(service, where)
    return Change("promotion", at.service, at.stage, at.cluster, f"{where}.yaml", "image.tag", OLD, NEW, (at,))


def healthy(cluster: str, since: float, version: str = NEW) -> Cell:
    where = key("cart", cluster)
    facts = {
        "application": application(where, deployed_at=ago(since), health_since=ago(since)),
        "rollout": rollout(where, version, updated_at=ago(since)),
    }
    return cell("cart", cluster, version, since=since, **facts)


def two_staging_clusters(*cells: Cell) -> FleetSnapshot:
    shown = snapshot((*cells, cell("cart", "prod-eu1", OLD)))
    second = Cluster(ClusterName("staging-us1"), StageName("staging"), "us1")
    return replace(shown, fleet=replace(shown.fleet, clusters=(*shown.fleet.clusters, second)))


@pytest.mark.parametrize(("first", "second"), [(86_400, 600), (600, 86_400)])
def test_a_version_has_soaked_when_it_has_in_the_cluster_that_got_it_last(first: float, second: float) -> None:
    shown = two_staging_clusters(healthy("staging-eu1", first), healthy("staging-us1", second))
    policy = Policy(stages={"prod": RuleSet(soak_seconds=3600)}, guarded=frozenset({"prod"}))
    (gate,) = [one for one in evaluate_gates(change(), shown, policy, Evidence(), NOW) if one.gate == "soak"]
    assert (gate.result, gate.reason) == ("block", "healthy in staging for 10m of 1h")
    assert gate.eta == NOW + timedelta(minutes=50)


@pytest.mark.parametrize(("first", "second"), [(86_400, 600), (600, 86_400)])
def test_a_wave_waits_for_the_cluster_of_earlier_waves_that_got_it_last(first: float, second: float) -> None:
    cells = [healthy("prod-eu1", first), healthy("prod-us1", second), cell("cart", "prod-ap1", OLD)]
    waves = (("prod-eu1",), ("prod-us1",), ("prod-ap1",))
    policy = Policy(stages={"prod": RuleSet(waves=waves, wave_soak_seconds=3600)}, guarded=frozenset({"prod"}))
    gates = evaluate_gates(change("prod-ap1"), snapshot(cells), policy, Evidence(), NOW)
    (gate,) = [one for one in gates if one.gate == "wave"]
    assert (gate.result, gate.eta) == ("block", NOW + timedelta(minutes=50))


@pytest.mark.parametrize(("first", "second"), [(86_400, 600), (600, 86_400)])
def test_the_next_wave_opens_when_the_slowest_cell_of_the_opened_ones_has_soaked(first: float, second: float) -> None:
    plan = WavePlan("id", ((change("prod-eu1"), change("prod-us1")), (change("prod-ap1"),)), ago(99_999), 3600)
    cells = [
        cell("cart", where, NEW, Journey.SETTLED, since=since)
        for where, since in (("prod-eu1", first), ("prod-us1", second))
    ]
    step = next_step(plan, snapshot(cells), NOW)
    assert (step.do, step.eta) == ("wait", NOW + timedelta(minutes=50))


def test_the_longest_soak_any_service_of_a_wave_requires_counts() -> None:
    services = {"catalog": {"prod": RuleSet(wave_soak_seconds=7200)}}
    policy = Policy(stages={"prod": RuleSet(wave_soak_seconds=600)}, services=services)
    assert wave_soak_seconds([change(), change(service="catalog")], policy) == 7200
    assert wave_soak_seconds([change()], policy) == 600


def test_every_gate_a_policy_may_name_is_evaluated_for_a_promotion_or_its_pull_request() -> None:
    """A gate that `policy.gates` accepts and nothing evaluates would be a promise nobody keeps."""
    measured = Metrics(error_ratio=0.001, latency_p99_seconds=0.1, error_budget_remaining=0.9)
    rules = RuleSet(
        soak_seconds=60, error_ratio_max=0.01, latency_p99_max=1.0, error_budget_min=0.5,
        waves=(("prod-us1",), ("prod-eu1",)), wave_soak_seconds=60, levels=dict.fromkeys(GATE_NAMES, "block"),
    )  # fmt: skip
    policy = Policy(stages={"prod": rules}, guarded=frozenset({"prod"}), required_checks=("lint",))
    cells = [
        cell("cart", "staging-eu1", NEW, metrics=measured),
        cell("cart", "prod-us1", NEW, metrics=measured),
        cell("cart", "prod-eu1", OLD, metrics=measured),
    ]
    request = pull_request(7, "feat(cart): prod-eu1 -> v2.8.1", proposes=((EU, NEW),))
    gates = [
        *evaluate_gates(change(), snapshot(cells), policy, Evidence(), NOW),
        *evaluate_required_checks(request, policy),
    ]
    assert {gate.gate for gate in gates} == set(GATE_NAMES)


def test_one_cluster_that_cannot_be_seen_makes_the_soak_unknown_however_long_the_other_has_soaked() -> None:
    unseen = replace(healthy("staging-us1", 86_400), journey=Journey.UNKNOWN, reason="timed out")
    shown = two_staging_clusters(healthy("staging-eu1", 86_400), unseen)
    policy = Policy(stages={"prod": RuleSet(soak_seconds=3600)}, guarded=frozenset({"prod"}))
    (gate,) = [one for one in evaluate_gates(change(), shown, policy, Evidence(), NOW) if one.gate == "soak"]
    assert gate.result == "unknown"
