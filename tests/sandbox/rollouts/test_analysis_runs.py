"""Analysis runs: how they are named, what is measured when, and what the verdict does to the Rollout."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from rollout_lab import Lab, rollout, service

from sgm_tui.fleet.model import ClusterName
from sgm_tui.fleet.rollouts.actions import patches
from sgm_tui.live.rollout_wire import RolloutWire, to_rollout
from sgm_tui.sandbox.kubernetes.objects import KubeObject

QUERY = 'errors{service="cart"}'
GOOD, BAD = [0.99], [0.2]


def template(**metric: Any) -> dict[str, Any]:
    provider = {"prometheus": {"address": "http://prometheus", "query": 'errors{service="{{args.service}}"}'}}
    whole = {"name": "success-rate", "successCondition": "result[0] >= 0.95", "provider": provider, **metric}
    return {
        "kind": "AnalysisTemplate",
        "metadata": {"name": "success-rate", "namespace": "ns"},
        "spec": {"args": [{"name": "service"}], "metrics": [whole]},
    }


def analysis(**more: Any) -> dict[str, Any]:
    args = [{"name": "service", "value": "cart"}]
    return {"templates": [{"templateName": "success-rate"}], "args": args, **more}


def canary_lab(answers: list[list[float]], *, step: dict[str, Any] | None = None, **metric: Any) -> Lab:
    """A canary that has just begun to be analysed at its second step."""
    lab = Lab()
    lab.answers = {QUERY: answers}
    steps = [{"setWeight": 20}, {"analysis": step or analysis()}, {"setWeight": 60}]
    lab.create(template(**metric), rollout({"canary": {"steps": steps}}))
    lab.run(5.0)
    lab.set_image("v1.1.0")
    lab.run(2.5)
    return lab


def only_run(lab: Lab) -> KubeObject:
    (run,) = lab.store.list("AnalysisRun", "ns")
    return run


def result_of(run: KubeObject) -> dict[str, Any]:
    (result,) = run["status"]["metricResults"]
    found: dict[str, Any] = result
    return found


def test_a_run_is_named_labelled_and_owned_as_the_controller_does() -> None:
    lab = canary_lab([GOOD], count=3, interval="10s")
    run = only_run(lab)
    pod_hash = lab.status["currentPodHash"]
    assert run["metadata"]["name"] == f"app-{pod_hash}-2-1"
    assert run["metadata"]["labels"] == {
        "app": "app", "rollout-type": "Step", "rollouts-pod-template-hash": pod_hash, "step-index": "1",
    }  # fmt: skip
    assert run["metadata"]["annotations"] == {"rollout.argoproj.io/revision": "2"}
    assert run["metadata"]["ownerReferences"][0]["uid"] == lab.rollout["metadata"]["uid"]
    assert run["spec"]["args"] == [{"name": "service", "value": "cart"}]
    assert lab.status["canary"]["currentStepAnalysisRunStatus"] == {
        "name": run["metadata"]["name"], "status": "Running",
    }  # fmt: skip


def test_measurements_are_taken_at_the_interval_until_the_count() -> None:
    lab = canary_lab([GOOD], count=3, interval="10s")
    assert result_of(only_run(lab))["count"] == 1
    lab.run(10.0)
    assert result_of(only_run(lab))["count"] == 2
    lab.run(10.0)
    run = only_run(lab)
    assert run["status"]["phase"] == "Successful"
    assert result_of(run)["count"] == 3
    assert [one["value"] for one in result_of(run)["measurements"]] == ["[0.99]"] * 3
    assert result_of(run)["metadata"] == {"ResolvedPrometheusQuery": QUERY}
    assert run["status"]["runSummary"] == {"count": 1, "successful": 1}
    lab.run(20.0)
    assert lab.status["phase"] == "Healthy"
    assert lab.asked == [QUERY] * 3


def test_a_failed_run_aborts_and_says_which_metric() -> None:
    lab = canary_lab([GOOD, BAD, BAD], count=5, interval="5s", failureLimit=1)
    lab.run(30.0)
    said = 'Metric "success-rate" assessed Failed due to failed (2) > failureLimit (1)'
    assert only_run(lab)["status"]["message"] == said
    assert lab.status["phase"] == "Degraded"
    complaint = "Rollout aborted update to revision 2: Step-based analysis phase error/failed"
    assert lab.status["message"] == f"RolloutAborted: {complaint}: {said}"
    assert f"{complaint}: {said}" in lab.events("RolloutAborted")
    assert lab.replica_sets() == {"v1.0.0": 5, "v1.1.0": 0}
    assert lab.status["currentStepIndex"] == 0


def test_an_inconclusive_run_pauses_until_a_person_promotes() -> None:
    lab = canary_lab([[0.7]], failureCondition="result[0] < 0.5")
    lab.run(3.0)
    assert only_run(lab)["status"]["phase"] == "Inconclusive"
    assert [one["reason"] for one in lab.status["pauseConditions"]] == ["InconclusiveAnalysisRun"]
    assert (lab.status["phase"], lab.status["message"]) == ("Paused", "InconclusiveAnalysisRun")
    lab.run(60.0)
    assert lab.status["phase"] == "Paused"
    lab.plugin("promote")
    lab.run(30.0)
    assert lab.status["phase"] == "Healthy"
    assert len(lab.store.list("AnalysisRun", "ns")) == 1


def test_an_inconclusive_background_run_halts_a_timed_pause_and_promoting_skips_no_step() -> None:
    lab = Lab()
    lab.answers = {QUERY: [[0.7], GOOD]}
    steps = [{"setWeight": 20}, {"pause": {"duration": "30s"}}, {"setWeight": 60}, {"pause": {}}]
    lab.create(
        template(failureCondition="result[0] < 0.5", initialDelay="5s"),
        rollout({"canary": {"steps": steps, "analysis": analysis()}}),
    )
    lab.run(5.0)
    lab.set_image("v1.1.0")
    lab.run(10.0)
    seen = lab.seen[-1]
    assert {one["reason"] for one in lab.status["pauseConditions"]} == {"CanaryPauseStep", "InconclusiveAnalysisRun"}
    assert (seen.pause_reason, seen.pause_seconds, seen.due_at) == ("InconclusiveAnalysisRun", None, None)
    lab.run(60.0)
    # The step's own time is over, and nothing is scaled: the analysis halts it.
    assert (lab.status["phase"], lab.status["currentStepIndex"]) == ("Paused", 2)
    assert lab.replica_sets() == {"v1.0.0": 4, "v1.1.0": 1}

    wire = msgspec.json.decode(json.dumps(lab.rollout), type=RolloutWire)
    sent = patches(to_rollout(wire, ClusterName("c")), "promote", datetime.now(UTC))
    assert [(one.subresource, one.body) for one in sent] == [("status", {"status": {"pauseConditions": None}})]
    lab.patch(sent[0].body, subresource="status")
    lab.run(10.0)
    steps_seen = list(dict.fromkeys(one.step for one in lab.seen))
    assert steps_seen[-3:] == [1, 2, 3]
    assert lab.status["pauseConditions"][0]["reason"] == "CanaryPauseStep"
    assert len(lab.store.list("AnalysisRun", "ns")) == 2


def test_without_data_measurements_are_errors_retried_until_too_many_follow_each_other() -> None:
    lab = canary_lab([[]], count=2, interval="5s", consecutiveErrorLimit=2)
    first = result_of(only_run(lab))["measurements"][0]
    nothing = "metric result is nil or empty: no data returned from the metric provider"
    assert first["message"] == f'could not evaluate successCondition "result[0] >= 0.95": {nothing}'
    lab.run(11.0)
    assert only_run(lab)["status"]["phase"] == "Running"
    lab.run(11.0)
    run = only_run(lab)
    assert run["status"]["phase"] == "Error"
    assert "consecutiveErrors (3) > consecutiveErrorLimit (2)" in run["status"]["message"]
    assert "count" not in result_of(run)
    assert lab.status["phase"] == "Degraded"


@pytest.mark.parametrize(
    ("value", "written"),
    [(1.0, "[1]"), (math.nan, "[NaN]"), (math.inf, "[+Inf]"), (0.9699999999999825, "[0.9699999999999825]")],
)
def test_values_are_written_as_prometheus_writes_them(value: float, written: str) -> None:
    lab = canary_lab([[value]], successCondition="true")
    assert result_of(only_run(lab))["measurements"][0]["value"] == written


def test_a_dry_run_judges_but_spares_the_rollout() -> None:
    lab = canary_lab([BAD], step=analysis(dryRun=[{"metricName": "success-.*"}]), failureLimit=0)
    lab.run(20.0)
    run = only_run(lab)
    assert run["status"]["phase"] == "Successful"
    assert result_of(run)["phase"] == "Failed"
    assert result_of(run)["message"] == "Metric assessed Failed due to failed (1) > failureLimit (0)"
    assert run["status"]["dryRunSummary"] == {"count": 1, "failed": 1}
    assert lab.status["phase"] == "Healthy"


def test_an_initial_delay_is_waited_for() -> None:
    lab = canary_lab([GOOD], initialDelay="20s")
    assert "metricResults" not in only_run(lab)["status"]
    lab.run(15.0)
    assert lab.asked == []
    lab.run(10.0)
    assert lab.asked == [QUERY]


def test_only_the_newest_ten_measurements_are_kept() -> None:
    lab = canary_lab([GOOD], count=14, interval="1s")
    lab.run(16.0)
    result = result_of(only_run(lab))
    assert (result["count"], len(result["measurements"])) == (14, 10)


def test_a_terminated_run_is_successful_unless_it_was_worse() -> None:
    lab = canary_lab([GOOD], count=100, interval="10s")
    run = only_run(lab)
    lab.store.write("AnalysisRun", {**run, "spec": {**run["spec"], "terminate": True}})
    lab.run(1.0)
    assert only_run(lab)["status"]["phase"] == "Successful"
    assert only_run(lab)["status"]["message"] == "Run Terminated"


def test_an_abort_terminates_the_run_and_a_retry_makes_another() -> None:
    lab = canary_lab([GOOD], count=100, interval="10s")
    lab.plugin("abort")
    lab.run(1.0)
    assert only_run(lab)["spec"]["terminate"] is True
    assert "currentStepAnalysisRunStatus" not in lab.status["canary"]
    lab.run(5.0)
    lab.plugin("retry rollout")
    lab.run(3.0)
    first, second = [run["metadata"]["name"] for run in lab.store.list("AnalysisRun", "ns")]
    assert second == f"{first}.1"


def test_promoting_while_a_step_is_analysed_skips_the_rest_of_it() -> None:
    lab = canary_lab([GOOD], count=100, interval="10s")
    lab.plugin("promote")
    lab.run(20.0)
    assert lab.status["phase"] == "Healthy"
    assert only_run(lab)["status"]["phase"] == "Successful"


def test_a_background_run_begins_at_its_step_and_fails_the_update_later() -> None:
    lab = Lab()
    lab.answers = {QUERY: [GOOD, GOOD, BAD]}
    steps = [{"setWeight": 20}, {"pause": {"duration": "10s"}}, {"setWeight": 60}, {"pause": {}}]
    strategy = {"canary": {"steps": steps, "analysis": analysis(startingStep=2)}}
    lab.create(template(interval="5s"), rollout(strategy))
    lab.run(5.0)
    lab.set_image("v1.1.0")
    lab.run(8.0)
    assert lab.store.list("AnalysisRun", "ns") == []
    lab.run(12.0)
    run = only_run(lab)
    assert run["metadata"]["name"] == f"app-{lab.status['currentPodHash']}-2"
    assert run["metadata"]["labels"]["rollout-type"] == "Background"
    lab.run(20.0)
    assert "Background analysis phase error/failed: Metric" in lab.status["message"]


@pytest.mark.parametrize("when", ["pre", "post"])
def test_blue_green_heeds_the_analysis_before_and_after_the_switch(when: str) -> None:
    lab = Lab()
    lab.answers = {QUERY: [BAD]}
    colours = {"activeService": "active", "previewService": "preview", f"{when}PromotionAnalysis": analysis()}
    lab.create(template(), service("active"), service("preview"), rollout({"blueGreen": colours}, replicas=2))
    lab.run(5.0)
    before = lab.status["stableRS"]
    lab.set_image("v1.1.0")
    lab.run(10.0)
    assert only_run(lab)["metadata"]["name"].endswith(f"-2-{when}")
    assert f"Blue/green {when}-promotion analysis phase error/failed: Metric" in lab.status["message"]
    active = lab.store.get("Service", "ns", "active")
    assert active is not None
    assert active["spec"]["selector"]["rollouts-pod-template-hash"] == before
    assert lab.status["stableRS"] == before


def test_blue_green_is_stable_only_after_the_post_promotion_analysis() -> None:
    lab = Lab()
    lab.answers = {QUERY: [GOOD]}
    colours = {"activeService": "active", "postPromotionAnalysis": analysis()}
    lab.create(template(count=3, interval="5s"), service("active"), rollout({"blueGreen": colours}, replicas=2))
    lab.run(5.0)
    lab.set_image("v1.1.0")
    lab.run(5.0)
    assert lab.status["message"] == "waiting for analysis to complete"
    lab.run(20.0)
    assert lab.status["phase"] == "Healthy"


def test_a_missing_template_makes_the_spec_invalid_until_it_is_there() -> None:
    lab = Lab()
    lab.answers = {QUERY: [GOOD]}
    lab.create(rollout({"canary": {"steps": [{"analysis": analysis()}]}}))
    lab.run(2.0)
    refused = 'spec.strategy.canary.steps[0].analysis.templates: Invalid value: "success-rate"'
    said = f"InvalidSpec: The Rollout \"app\" is invalid: {refused}: AnalysisTemplate 'success-rate' not found"
    assert (lab.status["phase"], lab.status["message"]) == ("Degraded", said)
    lab.create(template())
    lab.run(10.0)
    assert lab.status["phase"] == "Healthy"


@pytest.mark.parametrize(
    ("metric", "complaint"),
    [
        ({"provider": {"web": {"url": "http://x"}}}, "only prometheus is measured here, not web"),
        ({"successCondition": "result >>"}, 'could not evaluate successCondition "result >>"'),
    ],
)
def test_what_cannot_be_measured_is_an_error_in_words(metric: dict[str, Any], complaint: str) -> None:
    lab = canary_lab([GOOD], **metric)
    assert complaint in result_of(only_run(lab))["measurements"][0]["message"]


@pytest.mark.parametrize(
    ("metric", "complaint"),
    [
        ({"interval": "abc"}, "metrics[0]: invalid interval string: "),
        ({"interval": "10", "count": 3}, "metrics[0]: invalid interval string: "),
        ({"interval": "1d"}, "metrics[0]: invalid interval string: "),
        ({"initialDelay": "soon"}, "metrics[0]: invalid startDelay string: "),
        ({"count": 3}, "metrics[0]: interval must be specified when count > 1"),
    ],
)
def test_times_that_cannot_be_read_are_an_error_of_the_run_and_abort(metric: dict[str, Any], complaint: str) -> None:
    lab = canary_lab([GOOD], **metric)
    status = only_run(lab)["status"]
    assert status["phase"] == "Error"
    assert status["message"].startswith(f"Analysis spec invalid: {complaint}")
    assert "metricResults" not in status
    lab.run(2.0)
    assert lab.status["abort"] is True


def test_an_unknown_argument_is_an_error_of_the_run() -> None:
    lab = canary_lab([GOOD], provider={"prometheus": {"query": "{{args.nobody}}"}})
    lab.run(2.0)
    assert only_run(lab)["status"]["message"] == "Unable to resolve metric arguments: failed to resolve {{args.nobody}}"
    assert lab.status["phase"] == "Degraded"


def test_arguments_come_from_hashes_and_fields_of_the_rollout() -> None:
    args = [
        {"name": "service", "valueFrom": {"podTemplateHashValue": "Latest"}},
        {"name": "unknown", "value": "is not asked for"},
    ]
    lab = canary_lab([GOOD], step=analysis() | {"args": args})
    assert only_run(lab)["spec"]["args"] == [{"name": "service", "value": lab.status["currentPodHash"]}]
    named = [{"name": "service", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    lab = canary_lab([GOOD], step=analysis() | {"args": named})
    assert only_run(lab)["spec"]["args"] == [{"name": "service", "value": "app"}]


def test_only_so_many_old_runs_are_kept() -> None:
    lab = Lab()
    lab.answers = {QUERY: [GOOD]}
    limits = {"analysis": {"successfulRunHistoryLimit": 2}}
    lab.create(template(), rollout({"canary": {"steps": [{"analysis": analysis()}]}}, replicas=1, **limits))
    for number in range(5):
        lab.run(15.0)
        lab.set_image(f"v1.{number + 1}.0")
    lab.run(15.0)
    assert 2 <= len(lab.store.list("AnalysisRun", "ns")) <= 3
