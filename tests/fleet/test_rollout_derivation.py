"""The rules a Rollout is read by, one by one; that they hold together is what the recordings show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sgm_tui.fleet.facts import Step
from sgm_tui.fleet.model import ClusterName
from sgm_tui.fleet.rollouts.derivation import derive, set_weight, version_of
from sgm_tui.fleet.rollouts.objects import ReplicaSetObject, RolloutCondition, RolloutObject
from sgm_tui.fleet.rollouts.phase import health_of, phase_of
from sgm_tui.fleet.rollouts.weights import percent_text

STEPS = (Step("setWeight", weight=20), Step("pause"), Step("setWeight", weight=50), Step("pause", duration="10m"))
SETTLED = RolloutObject(
    "checkout",
    "app-checkout",
    ClusterName("prod-eu1"),
    generation=3,
    observed_generation="3",
    strategy="Canary",
    steps=STEPS,
    replicas=4,
    images=("ghcr.io/acme/checkout:v2",),
    current_hash="new",
    stable_hash="new",
    step_index=4,
    current=4,
    updated=4,
    ready=4,
    available=4,
)
"""Finished, and of a controller that writes no phase."""
ROLLING = replace(SETTLED, stable_hash="old", step_index=1, updated=1, phase="Progressing")
UNSEEN = "waiting for rollout spec update to be observed"


def replica_set(hash_: str, **changes: Any) -> ReplicaSetObject:
    whole = ReplicaSetObject(
        name=f"checkout-{hash_}",
        hash=hash_,
        revision=1,
        images=(f"ghcr.io/acme/checkout:{hash_}",),
        generation=1,
        observed_generation=1,
        desired=2,
        current=2,
        ready=2,
        available=2,
    )
    return replace(whole, **changes)


def condition(type_: str, reason: str = "", message: str = "why") -> tuple[RolloutCondition, ...]:
    return (RolloutCondition(type_, "True", reason, message),)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"observed_generation": "2", "phase": "Healthy"}, ("Progressing", UNSEEN)),
        ({"observed_generation": "9", "phase": "Healthy"}, ("Healthy", "")),
        ({"observed_generation": "7d9f", "phase": "Healthy"}, ("Healthy", "")),
        ({"controller_pause": True, "phase": "Paused"}, ("Progressing", "waiting for rollout to unpause")),
        ({"phase": "Sleeping", "message": "new word"}, ("Sleeping", "new word")),
        ({"conditions": condition("InvalidSpec")}, ("Degraded", "InvalidSpec: why")),
        (
            {"conditions": condition("Progressing", "RolloutAborted"), "paused": True},
            ("Degraded", "RolloutAborted: why"),
        ),
        (
            {"conditions": condition("Progressing", "ProgressDeadlineExceeded")},
            ("Degraded", "ProgressDeadlineExceeded: why"),
        ),
        ({"paused": True}, ("Paused", "manually paused")),
        ({"pause_reasons": ("CanaryPauseStep",)}, ("Paused", "CanaryPauseStep")),
        ({"restart_at": "2026-11-23T09:00:00Z"}, ("Progressing", "rollout is restarting")),
        ({"updated": 3}, ("Progressing", "more replicas need to be updated")),
        ({"available": 3}, ("Progressing", "updated replicas are still becoming available")),
        ({"current": 5}, ("Progressing", "old replicas are pending termination")),
        ({"current": 5, "traffic_routed": True}, ("Healthy", "")),
        ({"stable_hash": "old"}, ("Progressing", "waiting for all steps to complete")),
        ({"stable_hash": "", "current_hash": ""}, ("Progressing", "waiting for all steps to complete")),
        ({"strategy": "BlueGreen"}, ("Progressing", "active service cutover pending")),
        (
            {"strategy": "BlueGreen", "active_hash": "new", "stable_hash": "old", "post_promotion_analysis": True},
            ("Progressing", "waiting for analysis to complete"),
        ),
        (
            {"strategy": "BlueGreen", "active_hash": "new", "stable_hash": "old"},
            ("Progressing", "waiting for post-promotion verification to complete"),
        ),
        ({"strategy": "BlueGreen", "active_hash": "new"}, ("Healthy", "")),
        ({}, ("Healthy", "")),
    ],
)
def test_the_phase_is_the_first_rule_that_applies(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert phase_of(replace(SETTLED, **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "health"),
    [
        ({"has_status": False}, "Progressing"),
        ({"phase": "Paused"}, "Suspended"),
        ({"phase": "Degraded"}, "Degraded"),
        ({"phase": "Healthy", "observed_generation": "2"}, "Progressing"),
        (
            {"phase": "Healthy", "workload_ref": True, "workload_generation": "4", "workload_observed_generation": "3"},
            "Progressing",
        ),
        (
            {"phase": "Healthy", "workload_ref": True, "workload_generation": "3", "workload_observed_generation": "3"},
            "Healthy",
        ),
        ({"phase": "Healthy", "workload_ref": True}, "Healthy"),
        (
            {"phase": "Healthy", "workload_ref": True, "workload_observed_generation": "3", "annotated": False},
            "Healthy",
        ),
        ({"conditions": condition("InvalidSpec")}, "Degraded"),
        ({"conditions": condition("Progressing", "RolloutAborted")}, "Degraded"),
        ({"paused": True}, "Suspended"),
        ({"current_hash": ""}, "Progressing"),
        ({"updated": 1}, "Progressing"),
        ({}, "Healthy"),
    ],
)
def test_health_is_what_argo_cds_check_says(changes: dict[str, Any], health: str) -> None:
    assert health_of(replace(SETTLED, **changes))[0] == health


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"updated": 3}, "Waiting for roll out to finish: More replicas need to be updated"),
        ({"restart_at": "2026-11-23T09:00:00Z", "stable_hash": "old"}, "Waiting for rollout to finish steps"),
        (
            {"current": 5, "traffic_routed": True},
            "Waiting for roll out to finish: old replicas are pending termination",
        ),
        ({"strategy": "BlueGreen"}, "active service cutover pending"),
        ({"strategy": "BlueGreen", "active_hash": "new", "stable_hash": "old"}, "waiting for analysis to complete"),
        ({"strategy": "BlueGreen", "active_hash": "new", "stable_hash": ""}, ""),
    ],
)
def test_the_health_of_an_older_controllers_rollout_is_in_argo_cds_words(
    changes: dict[str, Any], expected: str
) -> None:
    assert health_of(replace(SETTLED, **changes)) == ("Progressing" if expected else "Healthy", expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"step_index": None}, 20),
        ({"step_index": 1}, 20),
        ({"step_index": 3}, 50),
        ({"step_index": 4}, 100),
        ({"step_index": 4, "full_weight": 1000}, 1000),
        ({"steps": ()}, 100),
        ({"steps": STEPS[1:], "step_index": 0}, 0),
        ({"step_index": 3, "aborted": True}, 0),
    ],
)
def test_the_weight_asked_for_is_the_last_one_up_to_the_step_under_way(changes: dict[str, Any], expected: int) -> None:
    assert set_weight(replace(ROLLING, **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 33),
        ({"available": 0}, 0),
        ({"step_index": 4}, 100),
        ({"traffic_routed": True}, 20),
        ({"traffic_routed": True, "canary_weight": 7}, 7),
        ({"traffic_routed": True, "canary_weight": 0}, 0),
        ({"current_hash": "unheard"}, 0),
    ],
)
def test_the_weight_there_is_counts_pods_unless_a_router_tells(changes: dict[str, Any], expected: int) -> None:
    rollout = replace(ROLLING, available=3, **{key: value for key, value in changes.items() if key != "available"})
    rollout = replace(rollout, available=changes.get("available", 3))
    sets = [replica_set("old"), replica_set("new", available=1)]
    assert derive(rollout, sets).actual_weight == expected


def test_a_canarys_replica_sets_are_stable_canary_or_old() -> None:
    sets = derive(ROLLING, [replica_set("old"), replica_set("new", revision=3), replica_set("older")]).replica_sets
    assert [(one.hash, one.stable, one.canary) for one in sets] == [
        ("new", False, True),
        ("old", True, False),
        ("older", False, False),
    ]


def test_a_blue_greens_replica_sets_are_active_or_preview_and_the_active_one_is_no_preview() -> None:
    rollout = replace(ROLLING, strategy="BlueGreen", steps=(), active_hash="old", preview_hash="new")
    sets = {one.hash: one for one in derive(rollout, [replica_set("old"), replica_set("new")]).replica_sets}
    assert (sets["old"].stable, sets["old"].active, sets["old"].preview) == (True, True, False)
    assert (sets["new"].stable, sets["new"].active, sets["new"].preview) == (False, False, True)
    promoted = derive(replace(rollout, preview_hash="old"), [replica_set("old")])
    assert not promoted.replica_sets[0].preview
    assert (promoted.step, promoted.set_weight, promoted.actual_weight) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "Healthy"),
        ({"generation": 2}, "Progressing"),
        ({"generation": 2, "failing": True}, "Progressing"),
        ({"failing": True}, "ReplicaFailure"),
        ({"failing": True, "desired": 0}, "ReplicaFailure"),
        ({"available": 1}, "Progressing"),
        ({"desired": 0, "available": 0}, "ScaledDown"),
        ({"desired": None, "available": 0}, "Healthy"),
    ],
)
def test_a_replica_set_is_what_its_counts_and_conditions_say(changes: dict[str, Any], status: str) -> None:
    assert derive(ROLLING, [replica_set("new", **changes)]).replica_sets[0].status == status


def test_versions_are_the_replica_sets_and_the_new_one_is_none_when_promoted() -> None:
    rolling = derive(ROLLING, [replica_set("old"), replica_set("new")])
    assert (rolling.stable_version, rolling.new_version, rolling.spec_version) == ("old", "new", "v2")
    settled = derive(SETTLED, [replica_set("new")])
    assert (settled.stable_version, settled.new_version) == ("new", None)


def test_a_blue_green_serves_what_its_active_service_selects_before_that_is_stable() -> None:
    switched = replace(ROLLING, strategy="BlueGreen", active_hash="new")
    derived = derive(switched, [replica_set("old"), replica_set("new")])
    assert (derived.live_version, derived.stable_version) == ("new", "old")
    assert derive(ROLLING, [replica_set("old")]).live_version == "old"


def test_a_proxy_that_comes_first_in_the_pod_is_not_the_service() -> None:
    images = ("ghcr.io/acme/envoy:1.30", "ghcr.io/acme/checkout:v1")
    stable = replica_set("new", images=images, containers=("proxy", "checkout"))
    assert derive(SETTLED, [stable]).stable_version == "v1"
    assert derive(SETTLED, [replace(stable, containers=("proxy", "main"))]).stable_version == "1.30"


@pytest.mark.parametrize(
    ("images", "version"),
    [
        ((), None),
        (("checkout",), "latest"),
        (("registry:5000/checkout",), "latest"),
        (("registry:5000/checkout:v1.10",), "v1.10"),
        (("acme/checkout@sha256:ab",), "sha256:ab"),
        (("acme/checkout:1.0@sha256:ab", "sidecar:v9"), "1.0@sha256:ab"),
    ],
)
def test_the_version_is_the_tag_the_digest_or_both_of_the_services_image(images: tuple[str, ...], version: str) -> None:
    assert version_of(images) == version


@pytest.mark.parametrize(
    ("changes", "reason", "length"),
    [
        ({"step_index": 1, "pause_reasons": ("CanaryPauseStep",)}, "CanaryPauseStep", None),
        ({"step_index": 3, "pause_reasons": ("CanaryPauseStep",)}, "CanaryPauseStep", 600.0),
        ({"step_index": 3, "pause_reasons": ("InconclusiveAnalysisRun",)}, "InconclusiveAnalysisRun", None),
        ({"pause_reasons": ("BlueGreenPause",), "auto_promotion_seconds": 30}, "BlueGreenPause", 30.0),
        ({"pause_reasons": ("BlueGreenPause",)}, "BlueGreenPause", None),
        (
            {"pause_reasons": ("BlueGreenPause",), "auto_promotion_seconds": 120, "auto_promotion_enabled": False},
            "BlueGreenPause",
            None,
        ),
        (
            {"step_index": 3, "pause_reasons": ("CanaryPauseStep", "InconclusiveAnalysisRun")},
            "InconclusiveAnalysisRun",
            None,
        ),
        (
            {"step_index": 3, "pause_reasons": ("InconclusiveExperiment", "CanaryPauseStep")},
            "InconclusiveExperiment",
            None,
        ),
        (
            {"pause_reasons": ("BlueGreenPause", "InconclusiveAnalysisRun"), "auto_promotion_seconds": 30},
            "InconclusiveAnalysisRun",
            None,
        ),
        ({"step_index": 3, "pause_reasons": ("CanaryPauseStep", "TomorrowsReason")}, "TomorrowsReason", None),
        ({"paused": True}, "spec.paused", None),
        ({"step_index": 3, "pause_reasons": ("CanaryPauseStep",), "paused": True}, "spec.paused", None),
    ],
)
def test_a_pause_says_what_it_waits_for_and_how_long(
    changes: dict[str, Any], reason: str, length: float | None
) -> None:
    derived = derive(replace(ROLLING, **changes))
    assert (derived.pause_reason, derived.pause_seconds) == (reason, length)


def test_the_pause_that_decides_says_since_when() -> None:
    first, second = datetime(2026, 11, 23, 9, 0, tzinfo=UTC), datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
    reasons = ("CanaryPauseStep", "InconclusiveAnalysisRun")
    paused = replace(ROLLING, step_index=3, pause_reasons=reasons, pause_starts=(first, second))
    assert derive(paused).paused_since == second
    assert derive(replace(paused, pause_reasons=reasons[:1])).paused_since == first


@pytest.mark.parametrize("duration", ["1d", "abc5s", "", "-5s", "1m 30s"])
def test_a_pause_whose_length_the_controller_refuses_says_so_and_is_no_gate(duration: str) -> None:
    steps = (*STEPS[:3], Step("pause", duration=duration))
    derived = derive(replace(ROLLING, steps=steps, step_index=3, pause_reasons=("CanaryPauseStep",), phase="Paused"))
    assert derived.pause_seconds is None
    assert f'"{duration}" is ' in derived.pause_error


@pytest.mark.parametrize(
    ("weight", "full", "percent", "text"),
    [
        (5, 1000, 0.5, "0.5%"),
        (5, 100, 5, "5%"),
        (333, 1000, 33.3, "33.3%"),
        (1, 3, 100 / 3, "33.33%"),
        (500, 1000, 50, "50%"),
        (1, 1_000_000, 0.0001, "<0.01%"),
        (999_999, 1_000_000, 99.9999, ">99.99%"),
        (0, 1000, 0, "0%"),
        (1000, 1000, 100, "100%"),
    ],
)
def test_weights_are_percent_of_what_the_router_counts_to(weight: int, full: int, percent: float, text: str) -> None:
    steps = (Step("setWeight", weight=weight), Step("pause"))
    routed = replace(ROLLING, steps=steps, traffic_routed=True, full_weight=full, canary_weight=weight, available=3)
    derived = derive(routed)
    assert derived.set_weight == pytest.approx(percent)
    assert derived.actual_weight == pytest.approx(percent)
    assert derived.actual_weight is not None
    assert isinstance(derived.actual_weight, int) is (derived.actual_weight == int(percent))
    assert percent_text(derived.actual_weight) == text


def test_a_blue_green_of_a_controller_that_knew_no_stable_hash_is_settled_as_argo_cd_has_it() -> None:
    old = replace(SETTLED, strategy="BlueGreen", steps=(), step_index=None, stable_hash="", active_hash="new")
    derived = derive(old)
    assert (derived.phase, derived.health) == ("Healthy", "Healthy")
    assert (derived.live_version, derived.new_version) == ("v2", None)
    assert derive(replace(old, active_hash="old")).phase == "Progressing"
    assert derive(replace(old, phase="Progressing", message="why")).phase == "Progressing"
    assert derive(replace(old, available=3)).phase == "Progressing"


def test_without_its_replica_sets_a_rollout_runs_what_its_template_says_where_that_is_the_current_one() -> None:
    blue_green = replace(SETTLED, strategy="BlueGreen", steps=(), active_hash="new", phase="Healthy")
    for settled in (replace(SETTLED, phase="Healthy"), blue_green):
        assert (derive(settled).live_version, derive(settled).new_version) == ("v2", None)
    unseen = replace(SETTLED, phase="Healthy", generation=4)
    assert derive(unseen).live_version is None
    assert (derive(ROLLING).live_version, derive(ROLLING).new_version) == (None, "v2")


def test_steps_read_as_people_write_them() -> None:
    assert [step.text for step in (*STEPS, Step("analysis"))] == [
        "setWeight: 20", "pause", "setWeight: 50", "pause: 10m", "analysis",
    ]  # fmt: skip
