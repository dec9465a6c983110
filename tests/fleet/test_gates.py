"""The gates of a change, judged from the snapshot: what stops it, why, and when time clears it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from builders import NOW, ago, application, cell, key, pull_request, rolling, rollout, snapshot, source, sources

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.facts import Alert, Metrics, Operation, PullRequest
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.gates.evaluation import Evidence, evaluate_gates, evaluate_required_checks
from sgm_tui.fleet.model import CellKey, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, ChangeKind
from sgm_tui.fleet.plans.superseding import find_replaceable
from sgm_tui.fleet.policy import Policy, Rules, RuleSet
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.versions import order_of

OLD, NEW = "v2.8.0", "v2.8.1"
PROD = key("cart", "prod-eu1")
STAGING = key("cart", "staging-eu1")
SOAK = Policy(stages={"prod": RuleSet(soak_seconds=1800)})


def change(cells: Iterable[CellKey] = (PROD,), to: str = NEW, old: str = OLD, kind: ChangeKind = "promotion") -> Change:
    keys = tuple(cells)
    path = f"prod/{keys[0].cluster}/app-service/cart/values.yaml"
    where = keys[0].cluster if len(keys) == 1 else None
    return Change(kind, keys[0].service, keys[0].stage, where, path, "image.tag", Version(old), Version(to), keys)


def staging(version: str = NEW, since: float = 3600, **facts: Any) -> Cell:
    """Staging has settled so many seconds ago."""
    deployed = application(STAGING, deployed_at=ago(since))
    running = rollout(STAGING, version, updated_at=ago(since))
    return cell("cart", "staging-eu1", version, since=since, **{"application": deployed, "rollout": running, **facts})


def prod(**facts: Any) -> Cell:
    return cell("cart", "prod-eu1", OLD, **facts)


def fleet_of(*cells: Cell, **facts: Any) -> FleetSnapshot:
    return snapshot(cells or (staging(), prod()), **facts)


def gate_of(
    name: str,
    shown: FleetSnapshot | None = None,
    policy: Policy | None = None,
    one: Change | None = None,
    evidence: Evidence | None = None,
) -> Gate:
    found = evaluate_gates(one or change(), shown or fleet_of(), policy or Policy(), evidence or Evidence(), NOW)
    return next(gate for gate in found if gate.gate == name)


def names_of(one: Change, policy: Policy | None = None, shown: FleetSnapshot | None = None) -> set[str]:
    return {gate.gate for gate in evaluate_gates(one, shown or fleet_of(), policy or Policy(), Evidence(), NOW)}


REVERT = change(to="v2.7.0", kind="revert")


# healthy-before


def test_a_version_that_is_healthy_in_the_stage_before_may_go_on() -> None:
    gate = gate_of("healthy-before")
    assert (gate.result, gate.reason) == ("pass", "v2.8.1 is healthy in staging")


@pytest.mark.parametrize(
    ("before", "result", "says"),
    [
        (staging("v2.9.0"), "block", "git has v2.9.0 in staging-eu1, not v2.8.1"),
        (
            cell("cart", "staging-eu1", NEW, Journey.ROLLING, rollout=rolling(STAGING, OLD, NEW), reason="step 3/8"),
            "block",
            "staging-eu1 is rolling: step 3/8",
        ),
        (cell("cart", "staging-eu1", NEW, Journey.FAILED), "block", "staging-eu1 is failed"),
        (cell("cart", "staging-eu1", NEW, Journey.DRIFTED), "block", "staging-eu1 is drifted"),
        (staging(rollout=rollout(STAGING, OLD)), "block", "staging-eu1 runs v2.8.0"),
        (cell("cart", "staging-eu1", NEW, Journey.UNKNOWN, reason="timed out"), "unknown", "unknown: timed out"),
        (cell("cart", "staging-eu1", NEW, Journey.PROPOSED, reason="#9 wants v3"), "pass", "is healthy in staging"),
    ],
)
def test_a_version_that_has_not_settled_in_the_stage_before_is_stopped(before: Cell, result: str, says: str) -> None:
    gate = gate_of("healthy-before", fleet_of(before, prod()))
    assert gate.result == result
    assert says in gate.reason


def test_every_cell_of_the_stage_before_counts() -> None:
    prod_before = replace(fleet_of().fleet, stages=tuple(reversed(fleet_of().fleet.stages)))
    cells = [cell("cart", f"prod-{at}", NEW) for at in ("eu1", "us1")]
    broken = cell("cart", "prod-ap1", NEW, Journey.FAILED)
    shown = fleet_of(*cells, broken, cell("cart", "staging-eu1", OLD), fleet=prod_before)
    gate = gate_of("healthy-before", shown, one=change([STAGING]))
    assert gate.reason == "prod-ap1 is failed"


def test_a_service_that_is_not_in_the_stage_before_has_been_seen_by_nobody() -> None:
    assert gate_of("healthy-before", fleet_of(prod())).reason.startswith("cart is not deployed in staging")


def test_the_first_stage_and_a_revert_need_no_stage_before() -> None:
    first = Change(
        "promotion", ServiceName("cart"), StageName("dev"), None, "dev/values.yaml", "image.tag", Version(OLD),
        Version(NEW), (key("cart", "dev-eu1"),),
    )  # fmt: skip
    for one in (first, REVERT):
        assert not {"healthy-before", "soak"} & names_of(one, SOAK)


# wave

WAVES = Policy(
    stages={"prod": RuleSet(waves=(("prod-eu1",), ("prod-us1",), ("prod-ap1",)), wave_soak_seconds=600)},
    guarded=frozenset({"prod"}),
)
LATER = change([key("cart", "prod-us1")])


def earlier(journey: Journey = Journey.SETTLED, version: str = NEW, since: float = 3600, **facts: Any) -> FleetSnapshot:
    first = cell("cart", "prod-eu1", version, journey, since=since, **facts)
    return fleet_of(staging(), first, cell("cart", "prod-us1", OLD), cell("cart", "prod-ap1", OLD))


@pytest.mark.parametrize(
    ("journey", "result", "says"),
    [
        (Journey.ROLLING, "block", "an earlier wave: prod-eu1 is rolling: step 4/8"),
        (Journey.PAUSED, "block", "an earlier wave: prod-eu1 is paused: step 4/8"),
        (Journey.FAILED, "block", "an earlier wave: prod-eu1 is failed: step 4/8"),
        (Journey.UNKNOWN, "unknown", "an earlier wave: prod-eu1 is unknown: step 4/8"),
        (Journey.SETTLED, "pass", "v2.8.1 is healthy in earlier waves"),
        (Journey.PROPOSED, "pass", "v2.8.1 is healthy in earlier waves"),
    ],
)
def test_a_wave_opens_when_the_one_before_is_well_whoever_opens_it(journey: Journey, result: str, says: str) -> None:
    settled = {"application": application(PROD, deployed_at=ago(3600)), "rollout": rollout(PROD, NEW)}
    gate = gate_of("wave", earlier(journey, reason="step 4/8", **settled), WAVES, LATER)
    assert (gate.result, gate.reason, gate.level) == (result, says, "block")


def test_a_wave_waits_for_the_one_before_to_soak_and_says_until_when() -> None:
    gate = gate_of("wave", earlier(since=240), WAVES, LATER)
    assert (gate.result, gate.reason) == ("block", "an earlier wave has been healthy for 4m of 10m")
    assert gate.eta == NOW + timedelta(seconds=360)


@pytest.mark.parametrize(
    ("shown", "policy", "one"),
    [
        (earlier(Journey.ROLLING), Policy(), LATER),
        (earlier(Journey.ROLLING), WAVES, change([key("cart", "prod-us1")], to=OLD, old=NEW, kind="revert")),
        (earlier(Journey.ROLLING, version="v2.7.0"), WAVES, LATER),
        (earlier(Journey.ROLLING), WAVES, change([PROD], to="v2.9.0", old=NEW)),
    ],
    ids=["no waves", "the way back", "another version is there", "the first wave"],
)
def test_a_change_that_follows_nothing_waits_for_nothing(shown: FleetSnapshot, policy: Policy, one: Change) -> None:
    assert "wave" not in names_of(one, policy, shown)


# soak


def test_a_version_soaks_from_the_newest_thing_that_happened_to_it_and_says_until_when() -> None:
    gate = gate_of("soak", fleet_of(staging(since=720), prod()), SOAK)
    assert (gate.result, gate.level) == ("block", "block")
    assert gate.reason == "healthy in staging for 12m of 30m"
    assert gate.eta == NOW + timedelta(seconds=1080)
    assert gate.stops


@pytest.mark.parametrize(
    "facts",
    [
        {"application": application(STAGING, deployed_at=ago(60))},
        {"rollout": rollout(STAGING, NEW, updated_at=ago(60))},
    ],
)
def test_a_redeploy_starts_the_soak_again(facts: dict[str, Any]) -> None:
    gate = gate_of("soak", fleet_of(staging(since=90_000, **facts), prod()), SOAK)
    assert gate.eta == NOW + timedelta(seconds=1740)


def test_what_has_soaked_for_long_enough_passes() -> None:
    gate = gate_of("soak", fleet_of(staging(since=1800), prod()), SOAK)
    assert (gate.result, gate.reason, gate.eta) == ("pass", "healthy in staging for 30m; 30m required", None)
    assert gate_of("soak", fleet_of(staging(since=1799.5), prod()), SOAK).result == "block"


def test_a_proposed_next_version_does_not_start_the_soak_again() -> None:
    proposed = replace(staging(since=3600), journey=Journey.PROPOSED, since=ago(5))
    assert gate_of("soak", fleet_of(proposed, prod()), SOAK).result == "pass"


def test_what_is_not_healthy_does_not_soak() -> None:
    gate = gate_of("soak", fleet_of(staging("v2.9.0"), prod()), SOAK)
    assert (gate.result, gate.eta) == ("block", None)
    assert "not healthy in staging yet" in gate.reason


def test_what_nobody_sees_is_not_said_to_be_unhealthy() -> None:
    unseen = replace(staging(), journey=Journey.UNKNOWN, reason="argocd hub: there is no kubeconfig")
    gate = gate_of("soak", fleet_of(unseen, prod()), SOAK)
    assert (gate.result, gate.stops) == ("unknown", True)
    assert gate.reason == "cannot tell whether it has been healthy in staging for 30m"


def test_a_soak_nobody_can_time_is_unknown() -> None:
    row_only = application(STAGING, detailed=False, deployed_at=None)
    gate = gate_of("soak", fleet_of(staging(application=row_only), prod()), SOAK)
    assert gate.result == "unknown"
    assert gate.stops


def test_without_a_duration_nothing_soaks() -> None:
    assert gate_of("soak").result == "pass"


# in-flight


@pytest.mark.parametrize("journey", [Journey.MERGED, Journey.SYNCING, Journey.ROLLING, Journey.PAUSED])
def test_a_change_into_a_cell_that_moves_is_stopped_but_a_revert_is_not(journey: Journey) -> None:
    shown = fleet_of(staging(), cell("cart", "prod-eu1", OLD, journey, reason="step 3/8"))
    assert gate_of("in-flight", shown).result == "block"
    assert "step 3/8" in gate_of("in-flight", shown).reason
    back = gate_of("in-flight", shown, one=REVERT)
    assert back.result == "pass"
    assert "the revert supersedes it" in back.reason


def test_a_failed_rollout_may_be_rolled_forward_but_not_while_it_still_moves() -> None:
    failed = cell("cart", "prod-eu1", OLD, Journey.FAILED, rollout=rollout(PROD, OLD, phase="Degraded"))
    assert gate_of("in-flight", fleet_of(staging(), failed)).result == "pass"
    moving = cell("cart", "prod-eu1", OLD, Journey.FAILED, rollout=rolling(PROD, OLD, NEW))
    assert gate_of("in-flight", fleet_of(staging(), moving)).result == "block"
    retrying = application(PROD, operation=Operation("Running", retry_count=2))
    syncing = cell("cart", "prod-eu1", OLD, Journey.FAILED, application=retrying)
    assert gate_of("in-flight", fleet_of(staging(), syncing)).reason == "a sync is in progress"


def test_a_cell_nobody_hears_of_is_unknown_and_stops() -> None:
    silent = cell("cart", "prod-eu1", OLD, Journey.UNKNOWN, reason="timed out")
    for shown in (fleet_of(staging(), silent), fleet_of(staging())):
        gate = gate_of("in-flight", shown)
        assert gate.result == "unknown"
        assert gate.stops


# alerts


def alert(**facts: Any) -> Alert:
    plain = Alert("HighErrorRatio", "page", "firing", PROD.cluster, "cart")
    return replace(plain, **facts)


@pytest.mark.parametrize(
    ("one", "result"),
    [
        (alert(), "block"),
        (alert(service=""), "block"),
        (alert(severity="critical"), "block"),
        (alert(service="checkout"), "pass"),
        (alert(cluster=key("cart", "prod-us1").cluster), "pass"),
        (alert(state="pending"), "pass"),
        (alert(severity="ticket"), "pass"),
    ],
)
def test_an_alert_of_the_cell_or_its_cluster_that_counts_stops_a_promotion(one: Alert, result: str) -> None:
    assert gate_of("alerts", fleet_of(alerts=(one,))).result == result
    assert gate_of("alerts", fleet_of(alerts=(one,)), one=REVERT).result == "pass"


def test_the_severities_that_count_are_the_policys() -> None:
    policy = Policy(defaults=RuleSet(severities=("ticket",)))
    assert gate_of("alerts", fleet_of(alerts=(alert(),)), policy).result == "pass"
    assert gate_of("alerts", fleet_of(alerts=(alert(severity="ticket"),)), policy).result == "block"


def test_alerts_nobody_tells_are_unknown_and_alerts_nobody_configured_only_warn() -> None:
    stale = fleet_of(sources=sources(source("alerts", "prod-eu1", "stale", 90, "timed out")))
    assert gate_of("alerts", stale).result == "unknown"
    assert gate_of("alerts", fleet_of(sources=())).result == "unknown"
    off = fleet_of(sources=sources(source("alerts", "prod-eu1", "off", 0, "no prometheus is configured")))
    assert gate_of("alerts", off).result == "warn"
    asked = Policy(stages={"prod": RuleSet(levels={"alerts": "block"})})
    assert gate_of("alerts", off, asked).result == "unknown"


def test_no_alert_in_an_answer_that_may_be_incomplete_is_no_pass() -> None:
    partial = replace(source("alerts", "prod-eu1", "fresh", 1), note="may be incomplete: partial response")
    shown = fleet_of(sources=sources(partial))
    assert gate_of("alerts", shown).result == "unknown"
    assert "may be incomplete" in gate_of("alerts", shown).reason


# pull-request


def test_another_pull_request_for_the_cell_is_adopted_or_refused() -> None:
    same = pull_request(42, "feat", proposes=((PROD, Version(NEW)),))
    gate = gate_of("pull-request", fleet_of(pull_requests=(same,)))
    assert (gate.result, gate.stops) == ("warn", False)
    assert gate.reason == "#42 by mia already proposes v2.8.1; sgm adopts it"
    other = pull_request(43, "feat", author="jo", proposes=((PROD, Version("v3.0.0")),))
    gate = gate_of("pull-request", fleet_of(pull_requests=(same, other)))
    assert gate.result == "block"
    assert "#43 by jo proposes v3.0.0 here" in gate.reason
    merged = replace(other, state="merged")
    elsewhere = replace(other, proposes=((STAGING, Version(NEW)),))
    assert gate_of("pull-request", fleet_of(pull_requests=(merged, elsewhere))).result == "pass"


def in_the_way(**facts: Any) -> PullRequest:
    return pull_request(43, "feat", **{"author": "jo", "proposes": ((PROD, Version("v3.0.0")),), "ours": True, **facts})


def pull_gate(request: PullRequest, **facts: Any) -> Gate:
    found = evaluate_gates(change(), fleet_of(pull_requests=(request,)), Policy(), Evidence(), NOW, **facts)
    return next(one for one in found if one.gate == "pull-request")


def test_a_pull_request_of_ours_in_the_way_may_be_superseded_and_says_how() -> None:
    gate = pull_gate(in_the_way())
    assert (gate.result, gate.reason) == (
        "block",
        (
            "#43 by jo proposes v3.0.0 here and was opened by sgm: "
            "supersede it (S in the plan, --supersede), merge it or close it"
        ),
    )


def test_a_pull_request_of_others_in_the_way_is_refused_with_its_number_author_and_address() -> None:
    gate = pull_gate(in_the_way(ours=False))
    assert (gate.result, gate.reason) == (
        "block",
        f"#43 by jo proposes v3.0.0 here, and it is not sgm's alone: merge or close it: {in_the_way().url}",
    )


def test_one_that_changes_more_than_this_is_not_superseded_unless_all_of_it_moves_together() -> None:
    us1 = key("cart", "prod-us1")
    both = in_the_way(proposes=((PROD, Version("v3.0.0")), (us1, Version("v3.0.0"))))
    assert "it also changes cart@prod-us1: merge or close it" in pull_gate(both).reason
    assert "supersede it" in pull_gate(both, together=(PROD, us1)).reason
    assert find_replaceable([change()], [both]) == ()
    (found,) = find_replaceable([change([PROD, us1])], [both])
    assert (found.number, found.head) == (43, both.head)


def test_superseding_passes_for_exactly_what_was_seen() -> None:
    seen = in_the_way()
    (old,) = find_replaceable([change()], [seen])
    gate = pull_gate(seen, supersedes=(old,))
    assert (gate.result, gate.stops, gate.reason) == (
        "warn",
        False,
        "superseded: #43 will be closed in favour of v2.8.1",
    )
    assert pull_gate(replace(seen, head="99" * 20), supersedes=(old,)).stops


def test_what_wants_the_same_is_adopted_and_never_superseded() -> None:
    assert find_replaceable([change()], [in_the_way(proposes=((PROD, Version(NEW)),))]) == ()


# downgrade


@pytest.mark.parametrize(
    ("old", "new", "older"),
    [
        ("v1.9.0", "v1.10.0", False),
        ("v1.10.0", "v1.9.0", True),
        ("1.2", "1.2.0", False),
        ("v2.0.0", "v2.0.0-rc.1", True),
        ("v2.0.0-rc.2", "v2.0.0-rc.10", False),
        ("v2.0.0-rc.2", "v2.0.0-rc.alpha", False),
        ("v2.0.0-rc", "v2.0.0-rc.1", False),
    ],
)
def test_an_older_version_is_said_to_be_older(old: str, new: str, older: bool) -> None:
    gate = gate_of("downgrade", one=change(to=new, old=old))
    assert gate.result == ("block" if older else "pass")


def test_what_cannot_be_compared_is_not_and_a_revert_goes_back_on_purpose() -> None:
    assert "downgrade" not in names_of(change(to="sha256:" + "a" * 64))
    assert order_of("main") is None
    assert gate_of("downgrade", one=REVERT).result == "pass"


# sli and error budget

BOUNDS = Policy(stages={"prod": RuleSet(error_ratio_max=0.01, latency_p99_max=0.5)})


@pytest.mark.parametrize(
    ("before", "here", "result", "says"),
    [
        (Metrics(9, 0.001, 0.1), Metrics(9, 0.001, 0.1), "pass", "within bounds in staging-eu1, prod-eu1"),
        (Metrics(9, 0.02, 0.1), Metrics(9, 0.001, 0.1), "block", "2 % of requests fail in staging-eu1; at most 1 %"),
        (Metrics(9, 0.001, 0.1), Metrics(9, 0.001, 0.9), "block", "p99 is 900 ms in prod-eu1; at most 500 ms"),
        (Metrics(9, None, 0.1), Metrics(9, 0.02, 0.1), "block", "2 % of requests fail in prod-eu1"),
        (Metrics(9, None, 0.1), Metrics(9, 0.001, 0.1), "unknown", "no metric for the error ratio in staging-eu1"),
        (None, Metrics(9, 0.001, 0.1), "unknown", "no metric for"),
    ],
)
def test_slis_of_the_stage_before_and_of_the_cell_itself_have_to_be_within_bounds(
    before: Metrics | None, here: Metrics, result: str, says: str
) -> None:
    gate = gate_of("sli", fleet_of(staging(metrics=before), prod(metrics=here)), BOUNDS)
    assert gate.result == result
    assert says in gate.reason


def test_stale_metrics_are_not_known_metrics() -> None:
    stale = sources(source("metrics", "prod-eu1", "stale", 90, "timed out"))
    assert gate_of("sli", fleet_of(sources=stale), BOUNDS).result == "unknown"
    never_came = gate_of("sli", fleet_of(staging(), prod(metrics=None), sources=stale), BOUNDS)
    assert never_came.reason == (
        "the error ratio in prod-eu1 is unknown: metrics prod-eu1 is not responding: timed out"
    )


def test_without_bounds_there_is_no_sli_gate() -> None:
    assert not {"sli", "error-budget"} & names_of(change())
    assert not {"sli", "error-budget"} & names_of(REVERT, BOUNDS)


@pytest.mark.parametrize(
    ("metrics", "result", "says"),
    [
        (Metrics(error_budget_remaining=0.5), "pass", "50 % of the error budget is left"),
        (Metrics(error_budget_remaining=0.05), "block", "5 % of the error budget is left; 20 % required"),
        (Metrics(error_budget_remaining=-0.3), "block", "exhausted"),
        (
            Metrics(error_ratio=0.005),
            "pass",
            "50 % of the error budget is left, estimated from the current error ratio",
        ),
        (Metrics(error_ratio=0.02), "block", "exhausted, estimated from the current error ratio"),
        (Metrics(), "unknown", "no metric for"),
    ],
)
def test_enough_of_the_error_budget_has_to_be_left(metrics: Metrics, result: str, says: str) -> None:
    policy = Policy(stages={"prod": RuleSet(error_ratio_max=0.01, error_budget_min=0.2)})
    gate = gate_of("error-budget", fleet_of(staging(), prod(metrics=metrics)), policy)
    assert gate.result == result
    assert says in gate.reason


def test_a_measured_error_budget_counts_unasked() -> None:
    shown = fleet_of(staging(), prod(metrics=Metrics(error_budget_remaining=0.0)))
    assert gate_of("error-budget", shown).result == "block"


# levels, order


def test_what_was_not_looked_up_is_unknown_and_never_passes() -> None:
    for name in ("image", "project", "window", "held", "owners"):
        gate = gate_of(name)
        assert (gate.result, gate.reason) == ("unknown", "not checked yet")
        assert gate.stops == (name != "owners")


@pytest.mark.parametrize(
    ("level", "result", "stops"), [("warn", "warn", False), ("block", "block", True), ("never", "block", True)]
)
def test_the_level_says_what_a_gate_that_fails_means(level: Any, result: str, stops: bool) -> None:
    policy = Policy(stages={"prod": RuleSet(soak_seconds=90_000, levels={"soak": level})})
    gate = gate_of("soak", policy=policy)
    assert (gate.result, gate.level, gate.stops) == (result, level, stops)


def test_a_gate_that_is_off_is_not_there() -> None:
    assert "soak" not in names_of(change(), Policy(stages={"prod": RuleSet(levels={"soak": "off"})}))


def test_an_unprotected_stage_is_only_warned_of_what_the_cluster_does() -> None:
    moving = fleet_of(cell("cart", "staging-eu1", OLD, Journey.ROLLING), cell("cart", "dev-eu1", NEW))
    gate = gate_of("in-flight", moving, one=change([STAGING]))
    assert (gate.result, gate.stops) == ("warn", False)


def test_the_way_back_does_not_wait_for_what_nobody_knows() -> None:
    for gate in evaluate_gates(REVERT, fleet_of(), Policy(), Evidence(), NOW):
        assert not gate.stops, gate
    never = Policy(stages={"prod": RuleSet(levels={"image": "never"})})
    assert gate_of("image", policy=never, one=REVERT).stops


def test_the_worst_comes_first_and_then_cell_by_cell() -> None:
    us1 = key("cart", "prod-us1")
    shown = fleet_of(staging(), prod(), cell("cart", "prod-us1", OLD, Journey.ROLLING))
    known = Evidence(images={NEW: True}, quarantined={})
    found = evaluate_gates(change([PROD, us1]), shown, SOAK, known, NOW)
    assert {gate.cell for gate in found} == {PROD, us1}
    kinds = [gate.result for gate in found]
    order = ["block", "unknown", "warn", "pass"]
    stopping = [gate for gate in found if gate.stops]
    assert list(found[: len(stopping)]) == stopping
    assert kinds[0] == "block"
    assert [order.index(one) for one in kinds[: len(stopping)]] == sorted(
        order.index(one) for one in kinds[: len(stopping)]
    )
    assert kinds[-1] == "pass"


def test_a_held_version_does_not_come_back() -> None:
    evidence = Evidence(quarantined={PROD: {Version(NEW): "reverted by mia yesterday"}})
    gate = gate_of("held", evidence=evidence)
    assert (gate.result, gate.reason) == ("block", "v2.8.1 is quarantined: reverted by mia yesterday")
    assert gate_of("held", evidence=evidence, one=change(to="v2.8.2")).result == "pass"
    bad = Evidence(quarantined={PROD: {Version("v2.7.0"): "known bad"}})
    assert gate_of("held", evidence=bad, one=REVERT).stops


# a pull request's own gate


REQUIRED = Policy(required_checks=("lint", "render"), stages={"prod": RuleSet(levels={"checks": "block"})})


def checks_gate(*results: tuple[str, str], overall: str = "passing") -> Gate:
    request = pull_request(42, "feat", proposes=((PROD, Version(NEW)),))
    (gate,) = evaluate_required_checks(replace(request, checks=overall, results=results), REQUIRED)
    return gate


@pytest.mark.parametrize(
    ("word", "result", "reason"),
    [
        ("success", "pass", "#42: lint, render passed"),
        ("failure", "block", "#42: lint has failed"),
        ("error", "block", "#42: lint has failed"),
        ("cancelled", "block", "#42: lint was cancelled"),
        ("timed_out", "block", "#42: lint timed out"),
        ("action_required", "block", "#42: lint requires manual action"),
        ("startup_failure", "block", "#42: lint could not start"),
        ("stale", "block", "#42: lint was given up"),
        ("queued", "block", "#42: lint is still running (queued)"),
        ("in_progress", "block", "#42: lint is still running (in progress)"),
        ("pending", "block", "#42: lint is still running (pending)"),
        ("neutral", "unknown", "#42: lint ended neutral, which does not count as success"),
        ("skipped", "unknown", "#42: lint was skipped, which does not count as success"),
        ("wonderful", "unknown", "#42: lint says wonderful, which does not count as success"),
    ],
)
def test_a_required_check_is_judged_by_its_own_result(word: str, result: str, reason: str) -> None:
    gate = checks_gate(("lint", word), ("render", "success"))
    assert (gate.result, gate.reason) == (result, reason)
    assert gate.stops is (word != "success")


def test_a_required_check_that_never_began_is_no_pass_however_many_others_have_passed() -> None:
    gate = checks_gate(("unit", "success"), ("render", "success"), overall="passing")
    assert (gate.result, gate.reason) == ("unknown", "#42: lint has not reported")


def test_a_check_nobody_requires_stops_nothing() -> None:
    gate = checks_gate(("lint", "success"), ("render", "success"), ("nightly", "failure"), overall="failing")
    assert gate.result == "pass"


def test_the_worst_of_what_reports_under_one_name_counts_and_each_missing_one_is_named() -> None:
    gate = checks_gate(("lint", "success"), ("lint", "failure"))
    assert (gate.result, gate.reason) == ("block", "#42: lint has failed; render has not reported")


def test_without_required_checks_nothing_is_asked_of_a_pull_request() -> None:
    assert evaluate_required_checks(pull_request(42, "feat", proposes=((PROD, Version(NEW)),)), Policy()) == ()


def test_rules_are_the_same_whoever_asks() -> None:
    assert Policy().rules("prod", "cart") == Rules()
