"""What the controller does with what people ask of it, beyond the recorded stories."""

from __future__ import annotations

from typing import Any

import pytest
from rollout_lab import Lab, rollout, service, watched

GATES = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]}}
COLOURS = {"blueGreen": {"activeService": "active", "previewService": "preview", "autoPromotionEnabled": False}}


def deployed(strategy: dict[str, Any], *, speed: float = 1.0, **spec: Any) -> Lab:
    lab = Lab(speed=speed)
    lab.create(service("active"), service("preview"), rollout(strategy, **spec))
    lab.run(5.0)
    assert lab.status["phase"] == "Healthy"
    return lab


def at_gate(strategy: dict[str, Any] | None = None, **more: Any) -> Lab:
    lab = deployed(strategy or GATES, **more)
    lab.set_image("v1.1.0")
    lab.run(6.0)
    assert lab.status["phase"] == "Paused"
    return lab


def selected(lab: Lab, name: str) -> str:
    found = lab.store.get("Service", "ns", name)
    assert found is not None
    return str(found["spec"]["selector"].get("rollouts-pod-template-hash", ""))


def hash_of(lab: Lab, tag: str) -> str:
    found = [
        one["metadata"]["labels"]["rollouts-pod-template-hash"]
        for one in lab.store.list("ReplicaSet", "ns")
        if one["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{tag}")
    ]
    return str(found[0])


def test_a_replica_set_has_the_name_the_labels_and_the_owner_a_real_one_has() -> None:
    lab = deployed(GATES)
    (found,) = lab.store.list("ReplicaSet", "ns")
    assert found["metadata"]["name"] == "app-845d967794"  # what the real controller calls this very template
    assert found["metadata"]["labels"] == {"app": "app", "rollouts-pod-template-hash": "845d967794"}
    assert found["spec"]["selector"]["matchLabels"] == found["metadata"]["labels"]
    notes = {"rollout.argoproj.io/desired-replicas": "5", "rollout.argoproj.io/revision": "1"}
    assert found["metadata"]["annotations"] == notes
    owner = found["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Rollout", lab.rollout["metadata"]["uid"], True)


def test_an_abort_keeps_the_hash_drops_the_pauses_and_goes_back_to_the_first_step() -> None:
    lab = at_gate()
    lab.plugin("promote")
    lab.run(5.0)
    assert lab.status["currentStepIndex"] == 3
    lab.plugin("abort")
    lab.run(10.0)
    status = lab.status
    assert (status["abort"], status["currentStepIndex"]) == (True, 0)
    assert "pauseConditions" not in status
    assert "abortedAt" in status
    assert status["currentPodHash"] != status["stableRS"]
    assert lab.replica_sets() == {"v1.0.0": 5, "v1.1.0": 0}
    assert status["message"] == "RolloutAborted: Rollout aborted update to revision 2"


def test_a_version_applied_over_an_abort_starts_anew() -> None:
    lab = at_gate()
    lab.plugin("abort")
    lab.run(5.0)
    lab.set_image("v1.2.0")
    lab.run(6.0)
    assert "abort" not in lab.status
    assert (lab.status["phase"], lab.status["currentStepIndex"]) == ("Paused", 1)
    assert lab.replica_sets() == {"v1.0.0": 4, "v1.1.0": 0, "v1.2.0": 1}


def test_a_version_applied_in_flight_replaces_the_one_before() -> None:
    lab = at_gate()
    lab.set_image("v1.2.0")
    lab.run(6.0)
    assert lab.replica_sets() == {"v1.0.0": 4, "v1.1.0": 0, "v1.2.0": 1}
    assert lab.rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "3"
    assert lab.status["duration"]["rolloutStartedAt"]


def test_other_steps_in_flight_begin_at_the_first() -> None:
    lab = at_gate()
    lab.plugin("promote")
    lab.run(5.0)
    lab.patch({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 40}, {"pause": {}}]}}}})
    lab.run(6.0)
    assert (lab.status["currentStepIndex"], lab.status["phase"]) == (1, "Paused")


def test_an_abort_of_what_is_promoted_is_taken_back() -> None:
    lab = deployed(GATES)
    lab.plugin("abort")
    lab.run(2.0)
    assert "abort" not in lab.status
    assert lab.status["phase"] == "Healthy"


def test_a_full_promotion_skips_gates_but_waits_for_the_pods() -> None:
    lab = at_gate()
    lab.plugin("promote --full")
    lab.run(0.5)
    assert lab.status["phase"] == "Progressing"
    lab.run(10.0)
    assert lab.status["phase"] == "Healthy"
    assert "promoteFull" not in lab.status
    assert lab.status["duration"]["completionStatus"] == "FastPromoted"
    assert any("Full promotion requested" in message for message in lab.events("RolloutCompleted"))


@pytest.mark.parametrize("speed", [1.0, 10.0], ids=["speed 1", "speed 10"])
def test_a_timed_pause_lasts_its_virtual_seconds_at_every_speed(speed: float) -> None:
    steps = [{"setWeight": 20}, {"pause": {"duration": "20s"}}, {"setWeight": 60}, {"pause": {}}]
    lab = at_gate({"canary": {"steps": steps}}, speed=speed)
    lab.run(14.0)
    assert lab.status["currentStepIndex"] == 1
    lab.run(5.0)
    assert lab.status["currentStepIndex"] >= 2


def test_stamps_stay_on_the_wall_clock_at_every_speed() -> None:
    lab = at_gate(speed=10.0)
    assert lab.status["pauseConditions"][0]["startTime"] in {"2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z"}


def test_a_stuck_update_is_degraded_after_its_deadline_and_keeps_its_step() -> None:
    lab = deployed(GATES, progressDeadlineSeconds=30)
    lab.set_image("v1.1.0-nopull")
    lab.run(28.0)
    assert lab.status["phase"] == "Progressing"
    lab.run(6.0)
    said = f'ProgressDeadlineExceeded: ReplicaSet "app-{hash_of(lab, "v1.1.0-nopull")}" has timed out progressing.'
    assert (lab.status["phase"], lab.status["message"], lab.status["currentStepIndex"]) == ("Degraded", said, 0)
    assert "abort" not in lab.status


def test_a_stuck_update_aborts_itself_where_that_is_asked_for() -> None:
    lab = deployed(GATES, progressDeadlineSeconds=30, progressDeadlineAbort=True)
    lab.set_image("v1.1.0-nopull")
    lab.run(40.0)
    assert lab.status["abort"] is True
    assert "has timed out progressing." in lab.status["message"]
    assert lab.replica_sets()["v1.1.0-nopull"] == 0


def test_a_manual_gate_never_counts_as_stuck() -> None:
    lab = at_gate(progressDeadlineSeconds=30)
    lab.run(200.0)
    assert lab.status["phase"] == "Paused"


def test_scaling_while_paused_resizes_both_sides_and_stays_paused() -> None:
    lab = at_gate()
    lab.patch({"spec": {"replicas": 10}})
    lab.run(6.0)
    assert lab.replica_sets() == {"v1.0.0": 8, "v1.1.0": 2}
    assert lab.status["phase"] == "Paused"
    lab.patch({"spec": {"replicas": 0}})
    lab.run(6.0)
    assert lab.replica_sets() == {"v1.0.0": 0, "v1.1.0": 0}


def test_old_replica_sets_are_kept_up_to_the_limit() -> None:
    lab = deployed({"canary": {}}, replicas=1, revisionHistoryLimit=2)
    for number in range(1, 6):
        lab.set_image(f"v1.{number}.0")
        lab.run(6.0)
    assert lab.replica_sets() == {"v1.3.0": 0, "v1.4.0": 0, "v1.5.0": 1}


def test_going_back_to_an_old_version_reuses_its_replica_set() -> None:
    lab = deployed({"canary": {"steps": [{"setWeight": 50}]}}, replicas=2)
    lab.set_image("v1.1.0")
    lab.run(10.0)
    lab.set_image("v1.0.0")
    lab.run(10.0)
    assert lab.replica_sets() == {"v1.0.0": 2, "v1.1.0": 0}
    (found,) = [one for one in lab.store.list("ReplicaSet", "ns") if one["spec"]["replicas"]]
    notes = found["metadata"]["annotations"]
    assert (notes["rollout.argoproj.io/revision"], notes["rollout.argoproj.io/revision-history"]) == ("3", "1")


def test_within_the_rollback_window_the_steps_are_skipped() -> None:
    lab = deployed(GATES, rollbackWindow={"revisions": 2})
    lab.set_image("v1.1.0")
    lab.run(6.0)
    lab.plugin("promote --full")
    lab.run(10.0)
    lab.set_image("v1.0.0")
    lab.run(15.0)
    assert lab.status["phase"] == "Healthy"
    assert any("Rollback within window" in message for message in lab.events("RolloutCompleted"))


def test_services_of_a_canary_follow_stable_and_new_and_return_after_an_abort() -> None:
    strategy = {"canary": {**GATES["canary"], "stableService": "active", "canaryService": "preview"}}
    lab = at_gate(strategy)
    assert selected(lab, "active") == hash_of(lab, "v1.0.0")
    assert selected(lab, "preview") == hash_of(lab, "v1.1.0")
    lab.plugin("abort")
    lab.run(5.0)
    assert selected(lab, "preview") == hash_of(lab, "v1.0.0")
    found = lab.store.get("Service", "ns", "active")
    assert found is not None
    assert found["metadata"]["annotations"] == {"argo-rollouts.argoproj.io/managed-by-rollouts": "app"}


def test_blue_green_waits_with_the_active_service_until_it_is_promoted() -> None:
    lab = at_gate(COLOURS, replicas=2)
    assert selected(lab, "active") == hash_of(lab, "v1.0.0")
    assert selected(lab, "preview") == hash_of(lab, "v1.1.0")
    assert lab.status["blueGreen"] == {
        "activeSelector": hash_of(lab, "v1.0.0"), "previewSelector": hash_of(lab, "v1.1.0"),
    }  # fmt: skip
    lab.run(600.0)
    assert lab.status["phase"] == "Paused"
    lab.plugin("promote")
    lab.run(2.0)
    assert selected(lab, "active") == hash_of(lab, "v1.1.0")
    assert lab.status["phase"] == "Healthy"
    assert lab.replica_sets() == {"v1.0.0": 2, "v1.1.0": 2}
    lab.run(32.0)
    assert lab.replica_sets() == {"v1.0.0": 0, "v1.1.0": 2}


def test_an_aborted_blue_green_scales_the_preview_down_after_its_delay() -> None:
    strategy = {"blueGreen": {**COLOURS["blueGreen"], "abortScaleDownDelaySeconds": 10}}
    lab = at_gate(strategy, replicas=2)
    lab.plugin("abort")
    lab.run(5.0)
    assert lab.replica_sets() == {"v1.0.0": 2, "v1.1.0": 2}
    (waiting,) = [one for one in lab.store.list("ReplicaSet", "ns") if "v1.1.0" in str(one["spec"]["template"])]
    assert "scale-down-deadline" in waiting["metadata"]["annotations"]
    lab.run(8.0)
    assert lab.replica_sets() == {"v1.0.0": 2, "v1.1.0": 0}


def test_a_rollout_without_replicas_gets_one() -> None:
    lab = Lab()
    asked = rollout(GATES)
    del asked["spec"]["replicas"]
    lab.create(asked)
    lab.run(5.0)
    assert (lab.rollout["spec"]["replicas"], lab.status["phase"]) == (1, "Healthy")


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"strategy": {}}, "spec.strategy.strategy: Required value: Rollout has missing field"),
        ({"selector": None}, "spec.selector: Required value: Rollout has missing field '.spec.selector'"),
        ({"selector": {"matchLabels": {"app": "x"}}}, "`selector` does not match template `labels`"),
        ({"strategy": {"canary": {"maxSurge": 0, "maxUnavailable": 0}}}, "MaxSurge and MaxUnavailable both can not be"),
        ({"strategy": {"canary": {"steps": [{}]}}}, "Step must have one of the following set"),
        ({"strategy": {"canary": {"steps": [{"setWeight": -1}]}}}, "steps[0].setWeight: Invalid value: -1: SetWeight"),
        (
            {"strategy": {"canary": {"steps": [{"setCanaryScale": {"replicas": 1}}]}}},
            "spec.strategy.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set",
        ),
        (
            {"strategy": {"blueGreen": {"activeService": "nowhere"}}},
            'spec.strategy.blueGreen.activeService: Invalid value: "nowhere": service "nowhere" not found',
        ),
        (
            {"strategy": {"blueGreen": {"activeService": "active", "previewService": "active"}}},
            "the same service for the active and preview services, but two different services are required.",
        ),
        *(
            ({"strategy": {"canary": {"steps": [{"pause": {"duration": one}}]}}}, "Duration needs to be greater than 0")
            for one in ("soon", "1d", "abc5s", "", "1m 30s", -5, "-5s")
        ),
        ({"progressDeadlineSeconds": 5, "minReadySeconds": 9}, "must be greater than minReadySeconds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_invalid_spec_is_refused_in_words_and_changes_nothing(spec: dict[str, Any], complaint: str) -> None:
    lab = deployed(GATES)
    lab.store.write("Rollout", {**lab.rollout, "spec": {**lab.rollout["spec"], **spec}})
    lab.run(1.0)
    assert lab.status["phase"] == "Degraded"
    assert lab.status["message"].startswith('InvalidSpec: The Rollout "app" is invalid: ')
    assert complaint in lab.status["message"]
    assert lab.replica_sets() == {"v1.0.0": 5}


def test_events_are_complete_counted_and_bounded() -> None:
    lab = deployed(GATES, replicas=8)
    for number in range(1, 8):
        lab.set_image(f"v1.{number}.0")
        lab.run(5.0)
        lab.plugin("promote --full")
        lab.run(10.0)
    found = lab.store.list("Event", "ns")
    assert len(found) <= 40
    for event in found:
        assert event["involvedObject"]["uid"]
        assert event["type"] in {"Normal", "Warning"}
        assert event["lastTimestamp"] >= event["firstTimestamp"]
    assert max(event["count"] for event in found) > 1


def test_a_rollout_that_is_deleted_takes_its_pods_along_and_is_forgotten() -> None:
    lab = at_gate()
    lab.store.delete("Rollout", "ns", "app")
    lab.run(60.0)
    for kind in ("Rollout", "ReplicaSet", "Pod"):
        assert lab.store.list(kind, "ns") == []


def test_an_odd_object_does_not_stop_the_others() -> None:
    lab = deployed(GATES)
    odd = rollout({"canary": {"steps": "none"}})
    lab.create({**odd, "metadata": {"name": "odd", "namespace": "ns"}, "spec": {**odd["spec"], "template": 7}})
    lab.set_image("v1.1.0")
    with watched() as complaints:
        lab.clock.advance(6.0)
        lab.controller.step()
    assert lab.status["currentStepIndex"] == 1
    assert any("cannot reconcile rollout ns/odd" in one for one in complaints)
