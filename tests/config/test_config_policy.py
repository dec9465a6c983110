"""`policy:` in sgm.yaml: what is read, what goes over what, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from sgm_tui.config.file import load
from sgm_tui.errors import ConfigError
from sgm_tui.fleet.gates.table import gate_level
from sgm_tui.fleet.policy import Policy, Rules, RuleSet

TEAM = """\
repository: {url: https://github.com/acme/gitops.git}
stages:
  - name: dev
    clusters: [{name: dev-eu1}]
  - name: prod
    protected: true
    clusters: [{name: prod-eu1}, {name: prod-us1}]
policy:
"""
FULL = """\
  group_by: cluster
  direct: [dev]
  travels: [env.FEATURE_X]
  protected: [autoscaling, slo]
  required_checks: [lint]
  strategies:
    careful: {rollout.strategy: canary, rollout.steps: [{setWeight: 5}, {pause: {}}]}
  defaults: {soak: 1m, severities: [page], gates: {downgrade: block}}
  stages:
    prod:
      soak: 30m
      error_ratio_max: 0.01
      latency_p99_max: 1s
      error_budget_min: 0.1
      waves: [[prod-eu1], [prod-us1]]
      wave_soak: 15m
      gates: {soak: never, downgrade: off}
      freezes: [{cron: "0 16 * * 5", duration: 64h, time_zone: Europe/Berlin, reason: weekend}]
  services:
    checkout: {stages: {prod: {soak: 2h, freezes: [{cron: "0 0 * * *", duration: 1h}], gates: {alerts: warn}}}}
"""


def policy(directory: Path, text: str, environ: dict[str, str] | None = None) -> Policy:
    file = directory / "sgm.yaml"
    file.write_text(TEAM + text)
    return load(file, flags={}, environ={"HOME": str(directory), **(environ or {})}).policy


def test_everything_is_read(tmp_path: Path) -> None:
    rules = policy(tmp_path, FULL)
    assert rules.group_by == "cluster"
    assert rules.direct == ("dev",)
    assert rules.travels == ("env.FEATURE_X",)
    assert rules.protected == ("autoscaling", "slo")
    assert rules.required_checks == ("lint",)
    assert rules.strategies == {
        "careful": {"rollout.strategy": '"canary"', "rollout.steps": '[{"setWeight": 5}, {"pause": {}}]'}
    }
    rules = rules.rules("prod", "cart")
    assert (rules.soak_seconds, rules.error_ratio_max, rules.latency_p99_max) == (1800, 0.01, 1)
    assert (rules.waves, rules.wave_soak_seconds) == ((("prod-eu1",), ("prod-us1",)), 900)
    assert rules.error_budget_min == 0.1
    assert rules.severities == ("page",)
    assert [one.reason for one in rules.freezes] == ["weekend"]


def test_a_services_own_rules_go_over_its_stages_which_go_over_the_defaults(tmp_path: Path) -> None:
    rules = policy(tmp_path, FULL)
    assert rules.rules("dev", "checkout").soak_seconds == 60
    checkout = rules.rules("prod", "checkout")
    assert checkout.soak_seconds == 7200
    assert checkout.error_ratio_max == 0.01
    assert [gate_level(checkout, gate) for gate in ("soak", "downgrade", "alerts")] == ["never", "off", "warn"]
    assert gate_level(rules.rules("dev", "checkout"), "downgrade") == "block"


def test_a_service_adds_freezes_and_takes_none_of_its_stage_away(tmp_path: Path) -> None:
    freezes = policy(tmp_path, FULL).rules("prod", "checkout").freezes
    assert [(one.schedule.text, one.reason) for one in freezes] == [("0 16 * * 5", "weekend"), ("0 0 * * *", "")]


def test_without_a_policy_protected_stages_block_and_others_warn(tmp_path: Path) -> None:
    rules = policy(tmp_path, "  {}\n")
    assert rules.rules("prod", "cart").soak_seconds == 0
    warning, blocking = rules.rules("dev", "cart"), rules.rules("prod", "cart")
    assert [gate_level(warning, gate) for gate in ("soak", "alerts", "in-flight")] == ["warn"] * 3
    assert [gate_level(blocking, gate) for gate in ("soak", "alerts", "in-flight")] == ["block"] * 3
    for gate in ("image", "project", "window", "pull-request", "held"):
        assert gate_level(warning, gate) == gate_level(blocking, gate) == "block"
    assert (gate_level(warning, "downgrade"), gate_level(blocking, "downgrade")) == ("warn", "block")
    assert gate_level(warning, "owners") == gate_level(blocking, "owners") == "warn"
    assert gate_level(Rules(), "soak") == "warn"


def test_the_environment_outranks_a_rule(tmp_path: Path) -> None:
    rules = policy(tmp_path, FULL, {"SGM_POLICY_STAGES_PROD_SOAK": "5m"})
    assert rules.rules("prod", "cart").soak_seconds == 300


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("  stages: {prd: {}}\n", ":9: unknown stage policy.stages.prd\nDid you mean prod?"),
        (
            "  stages:\n    prod:\n      gates:\n        sok: warn\n",
            ":12: unknown gate policy.stages.prod.gates.sok\nDid",
        ),
        ("  stages: {prod: {gates: {soak: maybe}}}\n", "maybe is not one of off, warn, block, never"),
        ("  stages: {prod: {soak: soon}}\n", 'policy.stages.prod.soak: "soon" is not a duration'),
        ("  stages: {prod: {soke: 1h}}\n", "unknown key policy.stages.prod.soke\nDid you mean soak?"),
        ("  stages: {prod: {error_ratio_max: 5}}\n", "a number from 0 to 1"),
        ("  stages: {prod: {error_ratio_max: high}}\n", "a number from 0 to 1"),
        ("  stages: {prod: {waves: [[prod-eu2]]}}\n", "prod-eu2 is not a cluster of this stage"),
        ("  stages: {prod: {waves: [[prod-eu1], [prod-eu1]]}}\n", "named twice"),
        ("  stages: {prod: {waves: [prod-eu1]}}\n", "a list of lists"),
        ("  defaults: {waves: [[prod-eu1]]}\n", "unknown key policy.defaults.waves"),
        ("  stages: {prod: {freezes: [{cron: '0 25 * * *', duration: 1h}]}}\n", "hour '25'"),
        ("  stages: {prod: {freezes: [{cron: '0 0 * * *', duration: 1h, time_zone: Berlin}]}}\n", "not a time zone"),
        ("  stages: {prod: {freezes: [{cron: '@daily', duration: 1h}]}}\n", "write '0 0 * * *'"),
        ("  stages: {prod: {freezes: [{cron: '0 22 * * 7', duration: 1h}]}}\n", "Sunday is 0"),
        ("  stages: {prod: {freezes: [{duration: 1h}]}}\n", "policy.stages.prod.freezes[0].cron is missing"),
        ("  stages: {prod: soon}\n", "policy.stages.prod: it must be a mapping"),
        ("  services: {cart: {soak: 1h}}\n", "unknown key policy.services.cart.soak"),
        ("  services: {cart: {stages: {prd: {}}}}\n", "unknown stage policy.services.cart.stages.prd"),
        ("  direct: [test]\n", "policy.direct: test is not a stage"),
        ("  group_by: team\n", "team is not one of stage, cluster, service"),
        ("  strategies: {x: {rollout.steps: [2026-01-01]}}\n", "plain text, numbers, lists and mappings"),
        ("  gates: {}\n", ":9: unknown key policy.gates"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_may_be_meant(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, text)
    assert says in str(caught.value)
    assert str(tmp_path / "sgm.yaml") in str(caught.value)


@pytest.mark.parametrize("own", [None, 0.3])
@pytest.mark.parametrize("stage", [None, 0.2])
@pytest.mark.parametrize("default", [None, 0.1])
def test_the_bound_of_errors_is_that_of_the_rules(
    own: float | None, stage: float | None, default: float | None
) -> None:
    policy = Policy(
        defaults=RuleSet(error_ratio_max=default),
        stages={"prod": RuleSet(error_ratio_max=stage)},
        services={"cart": {"prod": RuleSet(error_ratio_max=own)}},
    )
    for place in (("prod", "cart"), ("prod", "search"), ("dev", "cart")):
        assert policy.error_ratio_max(*place) == policy.rules(*place).error_ratio_max
