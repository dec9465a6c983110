"""Rollouts as API servers of many years write them: old controllers, half a status, what cannot be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sgm_tui.fleet.cell import CellFacts, Journey, Verdict
from sgm_tui.fleet.desired import Desired
from sgm_tui.fleet.facts import Application, Rollout
from sgm_tui.fleet.join import join
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.fleet.rollouts.derivation import derive
from sgm_tui.live.rollout_wire import RolloutWire, to_rollout

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
KEY = CellKey(ServiceName("web"), StageName("prod"), ClusterName("prod-eu1"))
DESIRED = Desired("prod/web.yaml", "image.tag", Version("v2"), revision="a" * 40)
TEMPLATE = {"spec": {"containers": [{"name": "web", "image": "ghcr.io/acme/web:v2"}]}}
FULL = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3}


def read(spec: dict[str, Any], status: Any, generation: int = 4, annotations: Any = None) -> Rollout:
    document = {
        "metadata": {"name": "web", "namespace": "shop", "generation": generation, "annotations": annotations},
        "spec": {"replicas": 3, "template": TEMPLATE, **spec},
        "status": status,
    }
    wire = msgspec.json.decode(json.dumps(document).encode(), type=RolloutWire, strict=False)
    return derive(to_rollout(wire, ClusterName("prod-eu1")))


def journey(rollout: Rollout) -> Journey:
    application = Application("web", "argocd", "Synced", rollout.health, detailed=True)
    return join(
        CellFacts(KEY, desired=DESIRED, synced=True, application=application, rollout=rollout), None, NOW
    ).journey


CANARY = {"strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}}
PLAIN_CANARY: dict[str, Any] = {"strategy": {"canary": {}}}
BLUE_GREEN = {"strategy": {"blueGreen": {"activeService": "web"}}}
CURRENT = {"currentPodHash": "h2", "observedGeneration": "8d5f"}
ACTIVE = {"blueGreen": {"activeSelector": "h2"}}

OLD: dict[str, tuple[dict[str, Any], dict[str, Any], str, Journey]] = {
    "canary of before 0.8, its stable hash below status.canary": (
        CANARY, {**CURRENT, **FULL, "currentStepIndex": 2, "canary": {"stableRS": "h2"}}, "Healthy", Journey.SETTLED,
    ),
    "canary of before 0.8 in the middle": (
        CANARY, {**CURRENT, **FULL, "currentStepIndex": 1, "canary": {"stableRS": "h1"}},
        "Progressing", Journey.ROLLING,
    ),
    "canary without steps of before 0.8": (
        PLAIN_CANARY, {**CURRENT, **FULL, "canary": {"stableRS": "h2"}}, "Healthy", Journey.SETTLED,
    ),
    "status.stableRS outranks the older field": (
        CANARY, {**CURRENT, **FULL, "stableRS": "h1", "canary": {"stableRS": "h2"}}, "Progressing", Journey.ROLLING,
    ),
    "canary that names no stable hash at all": (CANARY, {**CURRENT, **FULL}, "Progressing", Journey.ROLLING),
    "blue-green without a stable hash": (BLUE_GREEN, {**CURRENT, **FULL, **ACTIVE}, "Healthy", Journey.SETTLED),
    "blue-green without a stable hash that has not switched": (
        BLUE_GREEN, {**CURRENT, **FULL, "blueGreen": {"activeSelector": "h1"}}, "Progressing", Journey.ROLLING,
    ),
    "blue-green without a stable hash, pods missing": (
        BLUE_GREEN, {**CURRENT, **FULL, **ACTIVE, "availableReplicas": 1}, "Progressing", Journey.ROLLING,
    ),
    "blue-green paused by a person": (
        {**BLUE_GREEN, "paused": True}, {**CURRENT, **FULL, **ACTIVE}, "Suspended", Journey.PAUSED,
    ),
    "an aborted canary without a phase": (
        CANARY,
        {**CURRENT, **FULL, "stableRS": "h1", "abort": True,
         "conditions": [{"type": "Progressing", "status": "False", "reason": "RolloutAborted", "message": "why"}]},
        "Degraded", Journey.FAILED,
    ),
    "an observed generation that is a number of an older kind": (
        CANARY, {**FULL, "currentPodHash": "h2", "stableRS": "h2", "observedGeneration": "8575574967"},
        "Healthy", Journey.SETTLED,
    ),
    "nothing reconciled yet": (CANARY, {}, "Progressing", Journey.ROLLING),
    "a phase beside conditions that are an empty object": (
        CANARY, {**CURRENT, **FULL, "phase": "Degraded", "message": "InvalidSpec", "conditions": {}},
        "Degraded", Journey.FAILED,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "status", "health", "where"), OLD.values(), ids=OLD.keys())
def test_an_old_controllers_rollout_is_what_argo_cd_says_of_it(
    spec: dict[str, Any], status: dict[str, Any], health: str, where: Journey
) -> None:
    rollout = read(spec, status)
    assert (rollout.health, journey(rollout)) == (health, where)
    if where is Journey.SETTLED:
        assert (rollout.live_version, rollout.new_version) == ("v2", None)


@pytest.mark.parametrize(
    ("strategy", "pauses", "where"),
    [
        ({"blueGreen": {"autoPromotionEnabled": False, "autoPromotionSeconds": 120}}, ["BlueGreenPause"], "paused"),
        ({"blueGreen": {"autoPromotionSeconds": 120}}, ["BlueGreenPause"], "rolling"),
        ({"blueGreen": {"autoPromotionEnabled": True, "autoPromotionSeconds": 120}}, ["BlueGreenPause"], "rolling"),
        ({"canary": {"steps": [{"pause": {"duration": "10m"}}]}}, ["CanaryPauseStep"], "rolling"),
        (
            {"canary": {"steps": [{"pause": {"duration": "10m"}}]}},
            ["CanaryPauseStep", "InconclusiveAnalysisRun"],
            "paused",
        ),
        ({"canary": {"steps": [{"pause": {"duration": 0}}]}}, ["CanaryPauseStep"], "rolling"),
        ({"canary": {"steps": [{"pause": {"duration": None}}]}}, ["CanaryPauseStep"], "paused"),
        ({"canary": {"steps": [{"pause": {"duration": "1d"}}]}}, ["CanaryPauseStep"], "failed"),
        ({"canary": {"steps": [{"pause": {"duration": ""}}]}}, ["CanaryPauseStep"], "failed"),
    ],
)
def test_a_pause_needs_a_person_where_the_controller_says_so(
    strategy: dict[str, Any], pauses: list[str], where: str
) -> None:
    started = [{"reason": one, "startTime": "2026-11-23T13:59:30Z"} for one in pauses]
    status = {
        **CURRENT,
        **FULL,
        "stableRS": "h1",
        "phase": "Paused",
        "pauseConditions": started,
        "controllerPause": True,
    }
    cell = join(CellFacts(KEY, desired=DESIRED, rollout=read({"strategy": strategy}, status)), None, NOW)
    assert cell.journey == where
    assert cell.verdict is {"paused": Verdict.ATTENTION, "rolling": Verdict.BUSY, "failed": Verdict.BAD}[where]


@pytest.mark.parametrize(
    ("routing", "weight", "percent"),
    [
        ({"maxTrafficWeight": 1000}, 5, 0.5),
        ({"maxTrafficWeight": 1000}, 500, 50),
        ({}, 5, 5),
        ({"maxTrafficWeight": 0}, 5, 5),
    ],
)
def test_the_weight_of_a_router_is_read_as_percent(routing: dict[str, int], weight: int, percent: float) -> None:
    spec = {"strategy": {"canary": {"trafficRouting": routing, "steps": [{"setWeight": weight}, {"pause": {}}]}}}
    weights = {"canary": {"weights": {"canary": {"weight": weight}}}}
    status = {**CURRENT, **FULL, **weights, "stableRS": "h1", "phase": "Paused", "currentStepIndex": 1}
    rollout = read(spec, status)
    assert (rollout.set_weight, rollout.actual_weight) == (percent, percent)
