"""What the load model shows: requests split by pods, defects where they show, alerts in Prometheus' order."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from load_lab import STARTED, LoadLab

from sgm_tui.sandbox.load.split import split
from sgm_tui.sandbox.prometheus.alerts import scientific
from sgm_tui.sandbox.prometheus.server import Defect
from sgm_tui.sandbox.promql import engine as promql

REQUESTS = "sum(rate(http_requests_total{service='cart'}[5m]))"
OF_HASH = "sum(rate(http_requests_total{{rollouts_pod_template_hash='{}',code=~'{}'}}[1m]))"
BURN = {
    "alert": "ErrorBudgetBurn", "expr": "sgm:errors:ratio5m{namespace='app-cart'} > 0.02", "for": "2m",
    "labels": {"severity": "page"},
    "annotations": {"summary": "{{ $labels.service }} at {{ $value | humanizePercentage }}"},
}  # fmt: skip


def part_of(lab: LoadLab, version: str) -> float:
    (part,) = lab.ask(f"sum(rate(http_requests_total{{rollouts_pod_template_hash='{version}'}}[1m]))")
    (whole,) = lab.ask("sum(rate(http_requests_total[1m]))")
    return part / whole


@pytest.mark.parametrize(
    ("routing", "weight", "share"), [({"maxTrafficWeight": 1000}, 250, 0.25), ({}, 25, 0.25), ({"nginx": {}}, 60, 0.6)]
)
def test_a_router_shares_the_requests_out_by_the_weight_it_counts_to(
    routing: dict[str, Any], weight: int, share: float
) -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4, "v2": 1}, currentPodHash="v2", stableRS="v1")
    rollout = lab.store.get("Rollout", "app-cart", "cart")
    assert rollout is not None
    replica_sets = lab.store.list("ReplicaSet", "app-cart")
    routed = {
        **rollout,
        "spec": {**rollout["spec"], "strategy": {"canary": {"trafficRouting": routing}}},
        "status": {**rollout["status"], "canary": {"weights": {"canary": {"weight": weight}}}},
    }
    shares = split(routed, replica_sets, lambda _version, _share: (0.0, 0.1))
    assert {name: one.share for name, one in shares.items()} == {"v2": share, "v1": pytest.approx(1 - share)}


def test_the_past_is_there_as_soon_as_a_world_begins() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, currentPodHash="v1", stableRS="v1")
    lab.load.step()
    now = STARTED.timestamp()
    answer = promql.evaluate_range(lab.cluster.series, "sgm:requests:rate5m", now - 1800, now, 112.5)
    ((labels, points),) = answer.matrix
    assert dict(labels) == {"__name__": "sgm:requests:rate5m", "namespace": "app-cart", "service": "cart"}
    assert len(points) == 17
    assert len({value for _, value in points}) > 10
    assert all(value > 1 for _, value in points)


@pytest.mark.parametrize(
    ("rule", "expression"),
    [
        ("sgm:requests:rate5m", "sum by (namespace, service) (rate(http_requests_total[5m]))"),
        ("sgm:errors:ratio5m", ("sum by (namespace, service) (rate(http_requests_total{code=~'5..'}[5m])) / "
                               "sum by (namespace, service) (rate(http_requests_total[5m]))")),
        ("sgm:latency:p99_5m", ("histogram_quantile(0.99, sum by (namespace, service, le) "
                               "(rate(http_request_duration_seconds_bucket[5m])))")),
    ],
)  # fmt: skip
def test_recording_rules_say_what_their_expressions_say(rule: str, expression: str) -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, currentPodHash="v1", stableRS="v1")
    lab.service("search", {"v1": 2, "v2": 1}, currentPodHash="v2", stableRS="v1")
    lab.pass_time(600)
    assert lab.ask(rule) == pytest.approx(lab.ask(expression), rel=1e-6)


def test_counters_only_rise_and_have_no_jumps() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, stableRS="v1")
    seen: list[float] = []
    for pods in (4, 2, 7, 4):
        lab.service("cart", {"v1": pods, "v2": 3}, stableRS="v1", currentPodHash="v2")
        for _ in range(40):
            lab.pass_time(5)
            seen.append(sum(lab.ask("http_requests_total{rollouts_pod_template_hash='v1',code='200'}")))
    steps = [after - before for before, after in itertools.pairwise(seen)]
    assert min(steps) >= 0
    assert max(steps) < 16 * 500


def test_requests_spread_over_the_available_pods() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 10}, stableRS="v1", currentPodHash="v1")
    lab.pass_time(60)
    lab.service("cart", {"v1": 9, "v2": 1}, stableRS="v1", currentPodHash="v2")
    lab.pass_time(120)
    assert part_of(lab, "v2") == pytest.approx(0.1, rel=0.01)
    lab.service("cart", {"v1": 5, "v2": 5}, stableRS="v1", currentPodHash="v2")
    lab.pass_time(120)
    assert part_of(lab, "v2") == pytest.approx(0.5, rel=0.01)
    lab.service("cart", {"v1": 0, "v2": 10}, stableRS="v2", currentPodHash="v2")
    lab.pass_time(120)
    assert lab.ask("count by (rollouts_pod_template_hash) (http_requests_total)") == [3.0]


def test_a_router_s_weight_decides_where_there_is_one() -> None:
    lab = LoadLab()
    weights = {"canary": {"weight": 25}, "stable": {"weight": 75}}
    lab.service("cart", {"v1": 4, "v2": 4}, stableRS="v1", currentPodHash="v2", canary={"weights": weights})
    lab.pass_time(120)
    assert part_of(lab, "v2") == pytest.approx(0.25, rel=0.01)


def test_a_preview_gets_a_trickle_and_the_active_colour_everything() -> None:
    lab = LoadLab()
    colours = {"activeSelector": "v1", "previewSelector": "v2"}
    lab.service("cart", {"v1": 4, "v2": 4}, strategy="blueGreen", stableRS="v1", currentPodHash="v2", blueGreen=colours)
    lab.pass_time(120)
    assert 0.001 < part_of(lab, "v2") < 0.05
    lab.service(
        "cart", {}, strategy="blueGreen", stableRS="v1", blueGreen={"activeSelector": "v2", "previewSelector": "v2"}
    )
    lab.pass_time(120)
    assert part_of(lab, "v2") == pytest.approx(1.0)


def test_nothing_available_answers_nothing() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, stableRS="v1")
    lab.pass_time(60)
    lab.service("cart", {"v1": 0}, stableRS="v1")
    lab.pass_time(30)
    assert lab.ask("http_requests_total") == []
    lab.pass_time(400)
    assert lab.ask("sgm:requests:rate5m") == []


@pytest.mark.parametrize(("stage", "shows"), [("dev", False), ("prod", True)])
def test_a_bad_version_shows_only_where_there_is_traffic(stage: str, shows: bool) -> None:
    lab = LoadLab(stage=stage)
    lab.defects["cart", "v2"] = Defect(frozenset({"staging", "prod"}), error_ratio=0.3, latency_factor=3.0)
    lab.service("cart", {"v1": 4, "v2": 1}, stableRS="v1", currentPodHash="v2")
    lab.pass_time(180)
    bad, good = (
        lab.ask(f"{OF_HASH.format(version, '5..')} / {OF_HASH.format(version, '...')}")[0] for version in ("v2", "v1")
    )
    assert good < 0.003
    assert (0.25 < bad < 0.35) if shows else bad < 0.003
    slow, usual = (
        lab.ask(
            "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket"
            f"{{rollouts_pod_template_hash='{version}'}}[1m])))"
        )[0]
        for version in ("v2", "v1")
    )
    assert (slow > 2 * usual) == shows


def test_healthy_versions_stay_within_the_charts_thresholds() -> None:
    lab = LoadLab()
    for name in ("cart", "catalog", "checkout", "search", "payments", "reviews", "gateway", "identity"):
        lab.service(name, {"v1": 3}, stableRS="v1")
    lab.pass_time(900, step=60)
    assert max(lab.ask("sgm:errors:ratio5m")) < 0.004
    assert max(lab.ask("sgm:latency:p99_5m")) < 0.5
    assert len({round(value, 3) for value in lab.ask("sgm:requests:rate5m")}) == 8


def test_more_pods_answer_faster() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 1}, stableRS="v1")
    lab.pass_time(600)
    (few,) = lab.ask("sgm:latency:p99_5m")
    lab.service("cart", {"v1": 8}, stableRS="v1")
    lab.pass_time(600)
    (many,) = lab.ask("sgm:latency:p99_5m")
    assert many < few


def test_the_same_seed_gives_the_same_numbers() -> None:
    def numbers(seed: str) -> list[float]:
        lab = LoadLab(seed=seed)
        lab.service("cart", {"v1": 4}, stableRS="v1")
        lab.pass_time(300)
        return lab.ask("sgm:requests:rate5m")

    assert numbers("one") == numbers("one") != numbers("two")


def test_a_sped_up_world_measures_in_its_own_time() -> None:
    lab = LoadLab(speed=10.0)
    lab.service("cart", {"v1": 4}, stableRS="v1")
    lab.pass_time(600)
    series = lab.cluster.series
    now = lab.clock.wall().timestamp()
    assert now == STARTED.timestamp() + 60
    (_, points), = promql.evaluate_instant(series, "http_requests_total{code='200'}[1m]", now).matrix  # fmt: skip
    assert [round(after[0] - before[0], 6) for before, after in itertools.pairwise(points)] == [1.5] * 4
    per_second = [value for _, value in promql.evaluate_instant(series, REQUESTS, now).vector]
    assert per_second == pytest.approx(lab.ask("sgm:requests:rate5m"))


def test_nobody_can_ask_about_the_future() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, stableRS="v1")
    lab.pass_time(60)
    later = STARTED.timestamp() + 60
    series = lab.cluster.series
    present = promql.evaluate_instant(series, "http_requests_total", later).vector
    assert promql.evaluate_instant(series, "http_requests_total", later + 200).vector == present
    assert promql.evaluate_instant(series, "http_requests_total", later + 4000).vector == []


def test_an_alert_is_pending_before_it_fires_and_ends_with_its_cause() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, stableRS="v1")
    lab.rules("cart", BURN)
    lab.pass_time(60)
    assert lab.cluster.alerts.active == []
    lab.defects["cart", "v2"] = Defect(frozenset({"prod"}), error_ratio=0.4)
    lab.service("cart", {"v1": 0, "v2": 4}, stableRS="v2")
    states: list[str] = []
    for _ in range(80):
        lab.pass_time(5)
        states += [one.state for one in lab.cluster.alerts.active if not states or states[-1] != one.state]
    assert states == ["pending", "firing"]
    (alert,) = lab.cluster.alerts.active
    assert alert.fired == alert.since + 120
    assert dict(alert.labels) == {
        "alertname": "ErrorBudgetBurn", "namespace": "app-cart", "service": "cart", "severity": "page",
    }  # fmt: skip
    assert alert.annotations["summary"].startswith("cart at ")
    assert lab.ask("ALERTS{alertstate='firing'}") == [1.0]
    assert lab.ask("ALERTS_FOR_STATE") == [STARTED.timestamp() + alert.since]
    lab.service("cart", {"v2": 0, "v1": 4}, stableRS="v1")
    lab.pass_time(600)
    assert lab.cluster.alerts.active == []
    assert lab.ask("ALERTS") == []
    past = promql.evaluate_range(lab.cluster.series, "ALERTS", STARTED.timestamp(), lab.clock.wall().timestamp(), 15)
    assert [dict(labels)["alertstate"] for labels, _ in past.matrix] == ["firing", "pending"]


def test_what_has_long_been_wrong_fires_from_the_beginning() -> None:
    lab = LoadLab()
    lab.defects["cart", "v1"] = Defect(frozenset({"prod"}), error_ratio=0.1)
    lab.service("cart", {"v1": 4}, stableRS="v1")
    lab.rules("cart", BURN)
    lab.load.step()
    (alert,) = lab.cluster.alerts.active
    assert alert.state == "firing"
    assert alert.since < -3600


def test_a_rule_that_cannot_be_evaluated_says_so_and_harms_nothing() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, stableRS="v1")
    lab.rules("cart", {**BURN, "expr": "sum("}, {**BURN, "alert": "Other", "expr": "up * on () up", "for": "nonsense"})
    lab.pass_time(30)
    (group,) = lab.cluster.alerts.groups
    assert "unclosed left parenthesis" in group.rules[0].error


def test_an_analysis_is_told_why_its_query_is_refused() -> None:
    lab = LoadLab()
    with pytest.raises(
        ValueError, match='bad_data: invalid parameter "query": 1:5: parse error: unclosed left parenth'
    ):
        lab.ask("sum(")


def test_a_service_that_is_gone_leaves_its_past() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, stableRS="v1")
    lab.pass_time(300)
    lab.store.delete("Rollout", "app-cart", "cart")
    lab.pass_time(60)
    assert lab.ask("http_requests_total") == []
    now = lab.clock.wall().timestamp()
    assert promql.evaluate_range(lab.cluster.series, REQUESTS, now - 300, now, 60).matrix[0][1]
    assert lab.cluster.requests_per_second("app-cart", "cart") >= 0.0
    lab.pass_time(3 * 3600, step=600)
    assert lab.cluster.requests_per_second("app-cart", "cart") == 0.0


def test_memory_does_not_grow_with_the_number_of_rollouts() -> None:
    lab = LoadLab()
    for number in range(60):
        lab.service("cart", {f"v{number}": 4, **({f"v{number - 1}": 0} if number else {})}, stableRS=f"v{number}")
        lab.pass_time(600, step=60)
    assert len(lab.ask("count by (rollouts_pod_template_hash) (max_over_time(http_requests_total[1d]))")) < 20


def test_objects_of_the_cluster_are_exported() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, stableRS="v1", phase="Paused", availableReplicas=4)
    lab.load.step()
    assert lab.ask("rollout_info{name='cart',phase='Paused',strategy='canary'}") == [1.0]
    assert lab.ask("rollout_info_replicas_available") == [4.0]
    assert lab.ask("kube_replicaset_owner{owner_kind='Rollout',owner_name='cart'}") == [1.0]


def test_the_phases_a_rollout_went_through_are_remembered() -> None:
    lab = LoadLab()
    lab.service("cart", {"v1": 4}, stableRS="v1", phase="Healthy")
    lab.pass_time(600)
    lab.service("cart", {"v2": 4}, stableRS="v1", phase="Progressing")
    lab.pass_time(300)
    lab.service("cart", {"v2": 4}, stableRS="v2", phase="Healthy")
    lab.pass_time(600)
    healthy = 'max_over_time(rollout_info{phase="Completed"}[1m] offset %s)'
    assert [lab.ask(healthy % back) for back in ("1m", "12m", "20m", "14d")] == [[1.0], [], [1.0], [1.0]]
    assert lab.ask(healthy % "16d") == []
    assert lab.ask('count_over_time(rollout_info{phase="Progressing"}[25m])') == [20.0]


@pytest.mark.parametrize(
    ("value", "text"), [(0.4, "4e-01"), (50.0, "5e+01"), (0.07, "7e-02"), (1234.5, "1.2345e+03"), (math.nan, "NaN")]
)
def test_alert_values_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert scientific(value) == text
