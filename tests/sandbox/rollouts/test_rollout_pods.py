"""Pods and autoscalers: whole objects for every client, and the ways pods fail."""

from __future__ import annotations

import json
from typing import Any

from kubernetes.client import ApiClient
from rollout_lab import Lab, rollout

from sgm_tui.sandbox.kubernetes.objects import KubeObject

CANARY = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}


class Answer:
    """What the Python client decodes."""

    def __init__(self, obj: KubeObject) -> None:
        self.data = json.dumps(obj)


def decoded(obj: KubeObject, kind: str) -> Any:
    return ApiClient().deserialize(Answer(obj).data, kind, "application/json")


def running(tag: str = "v1.0.0", *, replicas: int = 2, seconds: float = 5.0, **spec: Any) -> Lab:
    lab = Lab()
    lab.create(rollout(CANARY, replicas=replicas, tag=tag, **spec))
    lab.run(seconds)
    return lab


def autoscaler(least: int, most: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 70}
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "app", "namespace": "ns"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "app"},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }


def test_every_object_decodes_in_the_official_client() -> None:
    lab = running()
    lab.create(autoscaler(2, 6))
    lab.run(5.0)
    for kind, name in (
        ("Pod", "V1Pod"),
        ("ReplicaSet", "V1ReplicaSet"),
        ("Event", "CoreV1Event"),
        ("HorizontalPodAutoscaler", "V2HorizontalPodAutoscaler"),
    ):
        found = lab.store.list(kind, "ns")
        assert found
        for obj in found:
            assert decoded(obj, name).metadata.uid == obj["metadata"]["uid"]


def test_a_pod_starts_after_a_while_on_a_node() -> None:
    lab = running(seconds=0.5)
    pods = lab.store.list("Pod", "ns")
    assert [pod["status"]["phase"] for pod in pods] == ["Pending", "Pending"]
    assert all(pod["spec"]["nodeName"] for pod in pods)
    lab.run(2.0)
    pod = decoded(lab.store.list("Pod", "ns")[0], "V1Pod")
    assert pod.status.phase == "Running"
    assert pod.status.container_statuses[0].ready
    assert pod.status.pod_ip
    assert pod.metadata.owner_references[0].kind == "ReplicaSet"


def test_a_pod_people_delete_is_made_again() -> None:
    lab = running()
    name = lab.store.list("Pod", "ns")[0]["metadata"]["name"]
    lab.store.delete("Pod", "ns", name)
    lab.run(0.5)
    assert len(lab.store.list("Pod", "ns")) == 2
    assert lab.status["phase"] == "Progressing"
    lab.run(3.0)
    assert lab.status["phase"] == "Healthy"


def test_an_image_that_cannot_be_pulled_shows_why() -> None:
    lab = running("v1.0.0-nopull", seconds=2.5)

    def reason() -> str:
        return str(lab.store.list("Pod", "ns")[0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"])

    assert reason() == "ErrImagePull"
    lab.run(5.0)
    assert reason() == "ImagePullBackOff"
    assert decoded(lab.store.list("Pod", "ns")[0], "V1Pod").status.phase == "Pending"
    assert lab.status["phase"] == "Progressing"


def test_a_crashing_container_restarts_ever_more_rarely() -> None:
    lab = running("v1.0.0-crash")
    counts = []
    for _ in range(3):
        lab.run(30.0)
        counts.append(lab.store.list("Pod", "ns")[0]["status"]["containerStatuses"][0]["restartCount"])
    assert counts == sorted(counts)
    assert 2 <= counts[-1] <= 5
    status = decoded(lab.store.list("Pod", "ns")[0], "V1Pod").status.container_statuses[0]
    assert status.state.waiting.reason == "CrashLoopBackOff"
    assert status.last_state.terminated.exit_code == 1


def test_min_ready_seconds_keep_a_ready_pod_from_counting_as_available() -> None:
    lab = running(minReadySeconds=10)
    (found,) = lab.store.list("ReplicaSet", "ns")
    assert found["status"]["readyReplicas"] == 2
    assert "availableReplicas" not in found["status"]
    lab.run(12.0)
    assert lab.status["phase"] == "Healthy"


def test_an_autoscaler_keeps_a_rollout_within_its_limits() -> None:
    lab = running(replicas=1)
    lab.create(autoscaler(3, 6))
    lab.run(20.0)
    assert lab.rollout["spec"]["replicas"] == 3
    lab.patch({"spec": {"replicas": 9}})
    lab.run(40.0)
    assert lab.rollout["spec"]["replicas"] == 6
    scaler = decoded(lab.store.list("HorizontalPodAutoscaler", "ns")[0], "V2HorizontalPodAutoscaler")
    assert (scaler.status.current_replicas, scaler.status.desired_replicas) == (6, 6)
    conditions = {one.type: (one.status, one.reason) for one in scaler.status.conditions}
    assert conditions == {
        "AbleToScale": ("True", "ReadyForNewScale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("True", "TooManyReplicas"),
    }


def test_an_autoscaler_follows_the_load_there_is() -> None:
    lab = running(replicas=2)
    load = 2.0
    lab.controller.demand = lambda _namespace, _name: load
    lab.create(autoscaler(2, 8))
    lab.run(10.0)
    assert lab.rollout["spec"]["replicas"] == 2
    load = 5.3
    lab.run(150.0)
    assert lab.rollout["spec"]["replicas"] == 6
    load = 1.0
    lab.run(150.0)
    assert lab.rollout["spec"]["replicas"] == 2
    used = lab.store.list("HorizontalPodAutoscaler", "ns")[0]["status"]["currentMetrics"][0]["resource"]["current"]
    assert used["averageUtilization"] == 35
