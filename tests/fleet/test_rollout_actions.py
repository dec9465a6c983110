"""What can be done to a rollout, why not, and that the patches are those of `kubectl argo rollouts` (protocols B5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sgm_tui.fleet.facts import Rollout, Step
from sgm_tui.fleet.model import ClusterName, Version
from sgm_tui.fleet.rollouts.actions import RolloutAction, consequence, has_moved, patches, refusal_reason
from sgm_tui.fleet.rollouts.objects import RolloutObject

EU = ClusterName("prod-eu1")
NOW = datetime(2026, 11, 29, 7, 30, 5, tzinfo=UTC)
PAUSED = Rollout(
    "cart",
    "app-cart",
    EU,
    "Canary",
    "Paused",
    uid="u1",
    step=1,
    steps=4,
    stable_version=Version("v1"),
    new_version=Version("v2"),
    spec_version=Version("v2"),
    pause_reason="CanaryPauseStep",
    current_hash="b2",
    stable_hash="a1",
)
ROLLING = replace(PAUSED, phase="Progressing", pause_reason="")
ABORTED = replace(PAUSED, phase="Degraded", aborted=True, pause_reason="")
HEALTHY = replace(PAUSED, phase="Healthy", new_version=None, stable_hash="b2", pause_reason="")

POSSIBLE: dict[str, tuple[Rollout, set[RolloutAction]]] = {
    "at a gate": (PAUSED, {"promote", "abort", "restart"}),
    "rolling": (ROLLING, {"abort", "pause", "restart"}),
    "aborted": (ABORTED, {"retry", "restart"}),
    "healthy": (HEALTHY, {"restart"}),
}


@pytest.mark.parametrize(("rollout", "possible"), POSSIBLE.values(), ids=POSSIBLE.keys())
def test_only_what_would_do_something_is_possible(rollout: Rollout, possible: set[RolloutAction]) -> None:
    actions: tuple[RolloutAction, ...] = ("promote", "abort", "retry", "pause", "restart")
    assert {action for action in actions if not refusal_reason(rollout, action)} == possible
    assert refusal_reason(None, "promote") == "there is no Rollout here"


GATE = RolloutObject(
    "cart",
    "app-cart",
    EU,
    strategy="Canary",
    steps=(Step("setWeight", 10), Step("pause"), Step("setWeight", 50), Step("pause")),
    step_index=1,
    pause_reasons=("CanaryPauseStep",),
    controller_pause=True,
)
INCONCLUSIVE = replace(
    GATE, step_index=3, pause_reasons=("InconclusiveAnalysisRun",), step_analysis_phase="Inconclusive"
)

SENT: dict[str, tuple[RolloutObject, RolloutAction, list[tuple[str, Any]]]] = {
    "a gate": (GATE, "promote", [("status", {"status": {"pauseConditions": None}})]),
    "an inconclusive analysis goes to the step after it, never past the last": (
        INCONCLUSIVE,
        "promote",
        [("status", {"status": {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 4}})],
    ),
    "an inconclusive background analysis moves no index": (
        replace(INCONCLUSIVE, step_analysis_phase=""),
        "promote",
        [("status", {"status": {"pauseConditions": None}})],
    ),
    "an inconclusive background analysis at a step whose own analysis runs": (
        replace(INCONCLUSIVE, step_analysis_phase="Running"),
        "promote",
        [("status", {"status": {"pauseConditions": None}})],
    ),
    "an inconclusive experiment": (
        replace(INCONCLUSIVE, step_analysis_phase="", pause_reasons=("InconclusiveExperiment",)),
        "promote",
        [("status", {"status": {"pauseConditions": None}})],
    ),
    "an inconclusive step analysis the controller has not paused for": (
        replace(INCONCLUSIVE, controller_pause=False),
        "promote",
        [("status", {"status": {"pauseConditions": None}})],
    ),
    "an inconclusive analysis of a blue-green": (
        replace(
            INCONCLUSIVE,
            strategy="BlueGreen",
            steps=(),
            step_index=None,
            pause_reasons=("BlueGreenPause", "InconclusiveAnalysisRun"),
        ),
        "promote",
        [("status", {"status": {"pauseConditions": None}})],
    ),
    "held by a person, and at a gate": (
        replace(GATE, paused=True),
        "promote",
        [("status", {"status": {"pauseConditions": None}}), ("", {"spec": {"paused": False}})],
    ),
    "held by a person": (
        replace(GATE, paused=True, pause_reasons=(), controller_pause=False),
        "promote",
        [("", {"spec": {"paused": False}})],
    ),
    "blue-green": (
        replace(GATE, strategy="BlueGreen", steps=(), step_index=None, pause_reasons=("BlueGreenPause",)),
        "promote",
        [("status", {"status": {"pauseConditions": None}})],
    ),
    "abort": (GATE, "abort", [("status", {"status": {"abort": True}})]),
    "retry": (GATE, "retry", [("status", {"status": {"abort": False}})]),
    "pause": (GATE, "pause", [("", {"spec": {"paused": True}})]),
    "restart": (GATE, "restart", [("", {"spec": {"restartAt": "2026-11-29T07:30:05Z"}})]),
}


@pytest.mark.parametrize(("seen", "action", "sent"), SENT.values(), ids=SENT.keys())
def test_the_patches_are_those_of_the_plugin(
    seen: RolloutObject, action: RolloutAction, sent: list[tuple[str, Any]]
) -> None:
    assert [(patch.subresource, patch.body) for patch in patches(seen, action, NOW)] == sent


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ({}, False),
        ({"uid": "u2"}, True),
        ({"spec_version": Version("v3")}, True),
        ({"step": 3}, True),
        ({"pause_reason": "InconclusiveAnalysisRun"}, True),
        ({"aborted": True, "phase": "Degraded"}, True),
        ({"spec_version": None}, False),
        ({"spec_version": Version("v2@sha256:" + "a" * 64)}, False),
        ({"spec_version": Version("v3@sha256:" + "a" * 64)}, True),
        ({"spec_version": None, "current_hash": "c3"}, True),
    ],
)
def test_a_yes_is_given_to_one_update_at_one_gate(change: dict[str, Any], is_another: bool) -> None:
    assert has_moved(PAUSED, replace(PAUSED, **change)) is is_another


def test_a_rolling_one_may_have_gone_a_step_further_when_it_is_aborted() -> None:
    assert not has_moved(ROLLING, replace(ROLLING, step=2))


def test_an_update_of_the_same_version_can_be_aborted() -> None:
    assert refusal_reason(replace(PAUSED, new_version=PAUSED.stable_version), "abort") == ""


def test_what_follows_is_said() -> None:
    assert "git still has v2" in consequence(PAUSED, "abort", "v2")
    assert consequence(PAUSED, "abort", "v1") == ""
    assert consequence(replace(PAUSED, pause_seconds=60.0), "promote", "v2") == "It resumes automatically after 60 s."
