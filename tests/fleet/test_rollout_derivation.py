"""The rules a Rollout is read by, one by one; that they hold together is what the recordings show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sgm_tui.fleet.model import ClusterName
from sgm_tui.fleet.rollout import (
    Condition,
    ReplicaSetObject,
    RolloutObject,
    Step,
    derive,
    health_of,
    phase_of,
    seconds,
    set_weight,
    version_of,
)

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


def condition(type_: str, reason: str = "", message: str = "why") -> tuple[Condition, ...]:
    return (Condition(type_, "True", reason, message),)


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
        ({"paused": True}, "spec.paused", None),
        ({"step_index": 3, "pause_reasons": ("CanaryPauseStep",), "paused": True}, "spec.paused", None),
    ],
)
def test_a_pause_says_what_it_waits_for_and_how_long(
    changes: dict[str, Any], reason: str, length: float | None
) -> None:
    derived = derive(replace(ROLLING, **changes))
    assert (derived.pause_reason, derived.pause_seconds) == (reason, length)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("60", 60), ("30s", 30), ("1m30s", 90), ("1.5h", 5400), ("500ms", 0.5), ("", None), ("soon", None)],
)
def test_durations_are_read_as_rollouts_writes_them(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


def test_steps_read_as_people_write_them() -> None:
    assert [step.text for step in (*STEPS, Step("analysis"))] == [
        "setWeight: 20", "pause", "setWeight: 50", "pause: 10m", "analysis",
    ]  # fmt: skip
