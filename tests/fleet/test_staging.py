"""What a wish means: which changes it stages, and why not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from builders import calm, cell, key, snapshot

from sgm_tui.fleet.gate import Gate, GateLevel, GateResult
from sgm_tui.fleet.model import ServiceName, StageName, Version
from sgm_tui.fleet.plans.document import document_of, plan_of
from sgm_tui.fleet.plans.plan import Change, Extra, Plan, Refusal
from sgm_tui.fleet.plans.proposal import Override
from sgm_tui.fleet.plans.staging import cells_of, find_cells_behind, plan_promotion, plan_promotions, promotable_cells
from sgm_tui.fleet.plans.strategy import extras_of
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.versions import newest_first

PROD, STAGING = StageName("prod"), StageName("staging")


def wanting(**versions: str) -> FleetSnapshot:
    """PlanFile wants these versions: cluster name with _ for - → version."""
    cells = [cell("cart", cluster.replace("_", "-"), version) for cluster, version in versions.items()]
    return snapshot(cells)


@pytest.fixture
def skewed() -> FleetSnapshot:
    return wanting(dev_eu1="v3", staging_eu1="v2", prod_eu1="v1", prod_us1="v2", prod_ap1="v1")


def test_a_promotion_takes_what_git_wants_in_the_stage_before(skewed: FleetSnapshot) -> None:
    change = plan_promotion(skewed, key("cart", "prod-eu1"))
    assert isinstance(change, Change)
    assert (change.from_version, change.to_version, change.cluster) == ("v1", "v2", "prod-eu1")


def test_a_promotion_can_take_its_version_from_any_stage(skewed: FleetSnapshot) -> None:
    change = plan_promotion(skewed, key("cart", "prod-eu1"), source=StageName("dev"))
    assert isinstance(change, Change)
    assert change.to_version == "v3"


def test_what_git_wants_already_is_nothing_to_do_and_no_failure(skewed: FleetSnapshot) -> None:
    refusal = plan_promotion(skewed, key("cart", "prod-us1"))
    assert isinstance(refusal, Refusal)
    assert refusal.nothing


def test_the_first_stage_has_nothing_before_it(skewed: FleetSnapshot) -> None:
    refusal = plan_promotion(skewed, key("cart", "dev-eu1"))
    assert isinstance(refusal, Refusal)
    assert "first stage" in refusal.reason


def test_a_whole_stage_is_promoted_where_it_is_behind(skewed: FleetSnapshot) -> None:
    assert [one.cluster for one in find_cells_behind(skewed, PROD)] == ["prod-eu1", "prod-ap1"]


def test_a_row_is_promoted_along_all_its_stages(skewed: FleetSnapshot) -> None:
    staged = plan_promotions(skewed, promotable_cells(skewed, ServiceName("cart")))
    assert [(one.place, one.to_version) for one in staged.changes] == [
        ("staging", "v3"),
        ("prod-eu1", "v2"),
        ("prod-ap1", "v2"),
    ]
    assert [one.nothing for one in staged.refusals] == [True]


def test_a_location_narrows_the_cells_of_a_stage(skewed: FleetSnapshot) -> None:
    assert [one.cluster for one in cells_of(skewed, PROD, location="us1")] == ["prod-us1"]


def test_two_versions_in_the_stage_before_ask_for_a_choice() -> None:
    torn = wanting(prod_eu1="v1", prod_us1="v2", staging_eu1="v3")
    refusal = plan_promotion(torn, key("cart", "staging-eu1"), source=PROD)
    assert isinstance(refusal, Refusal)
    assert "choose one" in refusal.reason


def test_one_undo_takes_back_what_one_key_press_staged(skewed: FleetSnapshot) -> None:
    first = plan_promotions(skewed, [key("cart", "prod-eu1")]).changes
    many = plan_promotions(skewed, promotable_cells(skewed, ServiceName("cart"))).changes
    plan = Plan().with_change(*first).with_change(*many)
    assert len(plan.changes) == 3
    assert [one.place for one in plan.before_last_step().changes] == ["prod-eu1"]
    two = Plan().with_change(*first).with_change(*(one for one in many if one.stage == STAGING))
    assert [one.place for one in two.before_last_step().changes] == ["prod-eu1"]


def test_an_undo_takes_back_an_edit_and_a_drop_as_well(skewed: FleetSnapshot) -> None:
    staged = plan_promotion(skewed, key("cart", "prod-eu1"))
    assert isinstance(staged, Change)
    other = replace(staged, to_version=Version("v9"))
    plan = Plan().with_change(staged).with_replacement(staged, other)
    assert plan.before_last_step().changes == (staged,)
    dropped = plan.without(other)
    assert (dropped.changes, dropped.before_last_step().changes) == ((), (other,))
    assert dropped.before_last_step().before_last_step().before_last_step().before_last_step() == Plan()


def test_a_revert_in_the_place_of_a_promotion_gives_it_back_on_undo(skewed: FleetSnapshot) -> None:
    staged = plan_promotion(skewed, key("cart", "prod-eu1"))
    assert isinstance(staged, Change)
    back = replace(staged, kind="revert", to_version=Version("v0"))
    plan = Plan().with_change(staged).with_change(back)
    assert plan.changes == (back,)
    assert plan.before_last_step().changes == (staged,)


def test_no_undo_brings_back_what_was_written(skewed: FleetSnapshot) -> None:
    first = plan_promotion(skewed, key("cart", "prod-eu1"))
    second = plan_promotion(skewed, key("cart", "prod-ap1"))
    assert isinstance(first, Change)
    assert isinstance(second, Change)
    plan = Plan().with_change(first).with_change(second).without_written(first)
    assert plan.changes == (second,)
    assert plan.before_last_step() == Plan()
    assert Plan().with_change(first).without(first).without_written(first) == Plan()


def test_a_plan_and_its_steps_survive_a_restart(skewed: FleetSnapshot) -> None:
    staged = plan_promotion(skewed, key("cart", "prod-eu1"))
    assert isinstance(staged, Change)
    plan = Plan().with_change(staged).without(staged)
    assert plan_of(json.loads(json.dumps(document_of(plan)))) == plan


def test_every_service_of_a_calm_fleet_has_cells_in_every_stage() -> None:
    shown = calm()
    assert {one.service for one in cells_of(shown, PROD)} == set(shown.services)


def test_a_canary_by_name_becomes_its_steps() -> None:
    extras = extras_of("canary10-30-60")
    assert not isinstance(extras, Refusal)
    values = {one.key: one.value for one in extras}
    assert values["rollout.strategy"] == '"canary"'
    assert values["rollout.steps"].count("setWeight") == 3


def test_strategy_keys_follow_the_image_key_of_a_helm_release() -> None:
    extras = extras_of("bluegreen", "spec.values.image.tag")
    assert not isinstance(extras, Refusal)
    assert [one.key for one in extras] == ["spec.values.rollout.strategy"]


def test_the_steps_themselves_can_be_given() -> None:
    extras = extras_of('[{"setWeight": 5}, {"pause": {}}]')
    assert not isinstance(extras, Refusal)
    assert extras[1].value == '[{"setWeight": 5}, {"pause": {}}]'


@pytest.mark.parametrize("name", ["canary", "canary30-10", "canary0", "canary10-200", "[1]", "[", '[{"rm": 1}]', ""])
def test_what_is_no_strategy_is_refused_with_its_reason(name: str) -> None:
    assert isinstance(extras_of(name), Refusal)


def test_a_team_names_its_own_strategies() -> None:
    extras = extras_of("careful", named={"careful": {"rollout.steps": '[{"setWeight": 1}]'}})
    assert not isinstance(extras, Refusal)
    assert [(one.key, one.value) for one in extras] == [("rollout.steps", '[{"setWeight": 1}]')]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nope", "there is no strategy nope: use careful, fast (policy.strategies), canary10-30-60, bluegreen, or "),
        ("carefull", "did you mean careful? "),
    ],
)
def test_a_strategy_that_does_not_exist_names_those_that_do(name: str, says: str) -> None:
    refused = extras_of(name, named={"careful": {}, "fast": {}})
    assert isinstance(refused, Refusal)
    assert says in refused.reason


def test_versions_to_choose_from_are_newest_first_and_each_there_once() -> None:
    versions = [Version(one) for one in ("v1.9.0", "main-3f2a", "v1.10.0", "v1.10.0-rc.1", "v1.9.0")]
    assert newest_first(versions) == ("v1.10.0", "v1.10.0-rc.1", "v1.9.0", "main-3f2a")


def test_what_was_written_leaves_the_plan_even_when_more_travelled_with_it(skewed: FleetSnapshot) -> None:
    changes = plan_promotions(skewed, promotable_cells(skewed, ServiceName("cart"))).changes
    whole = replace(changes[0], extras=(Extra("env.A", '"1"', "travels with the version"),))
    assert Plan(changes).without_written(whole).changes == changes[1:]


def gate(name: str, level: GateLevel, result: GateResult = "block") -> Gate:
    return Gate(key("cart", "prod-eu1"), name, result, "because", level=level)


def test_an_override_is_written_down_by_the_names_of_what_it_went_over() -> None:
    gates = [gate("soak", "block"), gate("sli", "block", "unknown"), gate("held", "never"), gate("alerts", "warn")]
    assert Override("why").narrow_to(gates) == Override("why", ("soak", "sli"))
    assert Override("why", ("soak",)).narrow_to(gates) == Override("why", ("soak",))
    assert Override("why").narrow_to([gate("alerts", "warn", "warn")]) is None


def test_what_is_ahead_of_the_stage_before_is_not_behind_it() -> None:
    hotfixed = wanting(dev_eu1="v1.4.2", staging_eu1="v1.4.2", prod_eu1="v1.4.1", prod_us1="v1.4.3", prod_ap1="v1.4.2")
    assert find_cells_behind(hotfixed, PROD) == (key("cart", "prod-eu1"),)


def test_versions_without_an_order_are_behind_where_they_differ() -> None:
    digests = wanting(dev_eu1="main", staging_eu1="sha256:bb", prod_eu1="sha256:aa", prod_us1="sha256:bb")
    assert find_cells_behind(digests, PROD) == (key("cart", "prod-eu1"),)


@pytest.mark.parametrize("version", ["", "{{ .Values.x }}", "a b", "-x", "v1\n", "v1+x", "v1@", "x" * 129])
def test_what_no_image_can_be_named_is_never_staged(skewed: FleetSnapshot, version: str) -> None:
    refused = plan_promotion(skewed, key("cart", "prod-eu1"), Version(version))
    assert isinstance(refused, Refusal)
    assert "is not an image tag or digest" in refused.reason


@pytest.mark.parametrize("version", ["v2.0.0", "1.10", "latest_2", "sha256:" + "a" * 64, "v2@sha256:" + "b" * 64])
def test_tags_and_digests_are_staged_as_they_are(skewed: FleetSnapshot, version: str) -> None:
    change = plan_promotion(skewed, key("cart", "prod-eu1"), Version(version))
    assert isinstance(change, Change)
    assert change.to_version == version


@pytest.mark.parametrize(
    "pause", ['{"duration": "xx"}', '{"duration": true}', '{"for": "1m"}', '"1m"', '{"duration": -1}']
)
def test_a_pause_that_argo_rollouts_would_not_take_is_refused(pause: str) -> None:
    assert isinstance(extras_of(f'[{{"setWeight": 10}}, {{"pause": {pause}}}]'), Refusal)


@pytest.mark.parametrize("pause", ["{}", '{"duration": 30}', '{"duration": "30"}', '{"duration": "1h30m"}'])
def test_a_pause_as_argo_rollouts_writes_it_is_kept(pause: str) -> None:
    extras = extras_of(f'[{{"pause": {pause}}}]')
    assert not isinstance(extras, Refusal)
    assert extras[1].value == f'[{{"pause": {pause}}}]'


def test_an_undo_leaves_what_an_earlier_key_press_had_staged_just_so(skewed: FleetSnapshot) -> None:
    first = plan_promotion(skewed, key("cart", "prod-eu1"))
    second = plan_promotion(skewed, key("cart", "prod-ap1"))
    assert isinstance(first, Change)
    assert isinstance(second, Change)
    plan = Plan().with_change(first).with_change(first, second)
    assert [one.place for one in plan.changes] == ["prod-eu1", "prod-ap1"]
    assert [one.place for one in plan.before_last_step().changes] == ["prod-eu1"]
