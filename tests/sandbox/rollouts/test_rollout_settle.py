"""A service laid out as it stands after months is what the controllers leave alone."""

from __future__ import annotations

from typing import Any

import pytest
from rollout_lab import Lab, rollout, service
from test_rollout_pods import autoscaler

from sgm_tui.sandbox.kubernetes.objects import KubeObject

MONTH = 30 * 86_400.0
STRATEGIES: dict[str, dict[str, Any]] = {
    "canary": {
        "canary": {"steps": [{"setWeight": 10}, {"pause": {}}], "stableService": "app", "canaryService": "app-canary"}
    },
    "no steps": {"canary": {}},
    "routed": {
        "canary": {
            "steps": [{"setWeight": 10}],
            "stableService": "app",
            "canaryService": "app-canary",
            "trafficRouting": {"nginx": {"stableIngress": "app"}},
        }
    },
    "blue-green": {"blueGreen": {"activeService": "app", "previewService": "app-canary"}},
}


def settled(strategy: dict[str, Any], *, scaled: bool = False) -> Lab:
    lab = Lab()
    asked = rollout(strategy, replicas=3)
    if scaled:
        del asked["spec"]["replicas"]
    manifests = [service("app"), service("app-canary"), asked, *([autoscaler(2, 6)] if scaled else [])]
    lab.controller.settle(manifests, since=-MONTH)
    return lab


def everything(lab: Lab) -> list[KubeObject]:
    kinds = ("Rollout", "ReplicaSet", "Pod", "Service", "HorizontalPodAutoscaler", "Event")
    return [obj for kind in kinds for obj in lab.store.list(kind)]


def touch(lab: Lab) -> None:
    """Have every controller look at everything."""
    for kind in ("Rollout", "ReplicaSet", "Pod"):
        for obj in lab.store.list(kind, "ns"):
            labels = {**(obj["metadata"].get("labels") or {}), "touched": "yes"}
            lab.store.write(kind, {**obj, "metadata": {**obj["metadata"], "labels": labels}})


@pytest.mark.parametrize("scaled", [False, True], ids=["fixed size", "autoscaled"])
@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES.keys())
def test_a_settled_service_is_healthy_and_nothing_moves_when_it_is_looked_at(
    strategy: dict[str, Any], scaled: bool
) -> None:
    lab = settled(strategy, scaled=scaled)
    assert lab.seen[-1].phase == "Healthy"
    assert lab.seen[-1].health == "Healthy"
    assert lab.seen[-1].stable_version == "v1.0.0"
    assert all(obj["metadata"]["creationTimestamp"].startswith("2026-10-24") for obj in everything(lab))
    touch(lab)
    before = everything(lab)
    lab.run(120.0)
    assert everything(lab) == before


def test_laying_out_wakes_no_controller() -> None:
    lab = settled(STRATEGIES["canary"], scaled=True)
    revision = lab.store.revision
    lab.run(3600.0)
    assert lab.store.revision == revision


def test_a_settled_service_has_pods_within_its_autoscalers_limits() -> None:
    lab = settled(STRATEGIES["canary"], scaled=True)
    size = lab.rollout["spec"]["replicas"]
    assert 2 <= size <= 6
    assert len(lab.store.list("Pod", "ns")) == size
    (scaler,) = lab.store.list("HorizontalPodAutoscaler", "ns")
    assert scaler["status"]["currentReplicas"] == size
    selected = lab.store.list("Service", "ns")[0]["spec"]["selector"]["rollouts-pod-template-hash"]
    assert selected == lab.status["stableRS"]


def test_a_settled_service_takes_its_next_version_like_any_other() -> None:
    lab = settled(STRATEGIES["canary"])
    before = int(lab.rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"])
    lab.set_image("v1.1.0")
    lab.run(6.0)
    assert (lab.status["phase"], lab.status["message"]) == ("Paused", "CanaryPauseStep")
    lab.plugin("promote")
    lab.run(10.0)
    assert lab.status["phase"] == "Healthy"
    assert int(lab.rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"]) == before + 1
    lab.set_image("v1.0.0")
    lab.run(0.5)
    assert lab.status["currentStepIndex"] == 0  # an older version is no rollback to stable: it walks the steps again


def test_other_objects_are_created_as_they_are() -> None:
    lab = Lab()
    config = {"kind": "ConfigMap", "metadata": {"name": "board", "namespace": "ns"}, "data": {"a": "b"}}
    lab.controller.settle([config], since=-MONTH)
    (found,) = lab.store.list("ConfigMap", "ns")
    assert found["data"] == {"a": "b"}
