"""What time alone proves of a rollout: nothing serves, or nothing works on it any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import builders
import pytest

from sgm_tui.fleet.cell import Cell, CellFacts, Journey, Verdict
from sgm_tui.fleet.facts import AnalysisRun, Rollout, Step
from sgm_tui.fleet.join import join
from sgm_tui.fleet.model import ClusterName, Version
from sgm_tui.fleet.rollouts.derivation import derive
from sgm_tui.fleet.rollouts.objects import ReplicaSetObject, RolloutCondition, RolloutObject
from sgm_tui.fleet.standstill import DOWN_AFTER, IDLE_AFTER

NOW = builders.NOW
WHERE = builders.key("cart", "prod-eu1")
CRASHED: dict[str, Any] = {
    "phase": "Progressing", "message": "updated replicas are still becoming available", "ready": 0, "available": 0,
}  # fmt: skip
MINUTE = timedelta(minutes=1)


def facts(rollout: Rollout, version: str = "v2") -> CellFacts:
    return builders.cell("cart", "prod-eu1", version, rollout=rollout).facts


def looked(rollout: Rollout, *moments: datetime, version: str = "v2") -> Cell:
    """The cell after it has been looked at several times."""
    cell: Cell | None = None
    for moment in moments:
        cell = join(facts(rollout, version), cell, moment)
    assert cell is not None
    return cell


def crashed(**changes: Any) -> Rollout:
    return builders.rollout(WHERE, "v2", **{**CRASHED, **changes})


def test_what_served_and_has_no_ready_pod_for_minutes_has_failed() -> None:
    early = looked(crashed(), NOW, NOW + DOWN_AFTER - timedelta(seconds=1))
    assert (early.journey, early.verdict) == (Journey.ROLLING, Verdict.BUSY)
    late = looked(crashed(), NOW, NOW + DOWN_AFTER)
    assert (late.journey, late.verdict, late.since) == (Journey.FAILED, Verdict.BAD, NOW)
    assert late.reason.startswith("nothing is serving: 0/4 ready")


@pytest.mark.parametrize(
    "changes",
    [
        {"unavailable_since": NOW - DOWN_AFTER},
        {"rolling_since": NOW - DOWN_AFTER},
        {"unavailable_since": NOW - DOWN_AFTER, "phase": "Paused", "pause_reason": "CanaryPauseStep"},
        {"unavailable_since": NOW - DOWN_AFTER, "current_hash": "42"},
    ],
)
def test_one_look_is_enough_where_the_controllers_times_say_so(changes: dict[str, Any]) -> None:
    assert looked(crashed(**changes), NOW).journey is Journey.FAILED


@pytest.mark.parametrize(
    "changes",
    [
        {"ready": 1},
        {"available": 1},
        {"desired": 0},
        {"stable_hash": "", "current_hash": "42"},
    ],
)
def test_what_serves_something_or_never_did_goes_on_rolling(changes: dict[str, Any]) -> None:
    assert looked(crashed(**changes), NOW, NOW + 9 * MINUTE).journey is Journey.ROLLING


def test_pods_that_came_back_start_the_clock_again() -> None:
    cell = join(facts(crashed()), None, NOW)
    cell = join(facts(crashed(ready=1)), cell, NOW + MINUTE)
    cell = join(facts(crashed(unavailable_since=NOW)), cell, NOW + 2 * MINUTE)
    assert cell.journey is Journey.ROLLING
    assert join(facts(crashed()), cell, NOW + 2 * MINUTE + DOWN_AFTER).journey is Journey.FAILED


def idle(cell: Cell) -> bool:
    return cell.verdict is Verdict.ATTENTION and "is the Argo Rollouts controller running?" in cell.reason


def test_a_spec_nobody_observes_wants_attention_after_a_while() -> None:
    unseen = builders.rollout(WHERE, "v2", phase="Progressing", observed=False, worked_at=NOW - 30 * MINUTE)
    early = looked(unseen, NOW, NOW + IDLE_AFTER - timedelta(seconds=1))
    assert (early.journey, early.verdict) == (Journey.ROLLING, Verdict.BUSY)
    late = looked(unseen, NOW, NOW + IDLE_AFTER)
    assert idle(late)
    assert late.journey is Journey.ROLLING
    assert "since 2026-" in late.reason
    assert not idle(join(facts(replace(unseen, observed=True)), late, NOW + 2 * IDLE_AFTER))


def test_one_look_proves_it_only_where_argo_cd_synced_another_template_long_ago() -> None:
    unseen = builders.rollout(WHERE, "v1", phase="Progressing", observed=False, spec_version=Version("v2"))
    synced = facts(unseen)
    assert idle(join(synced, None, NOW))
    assert not idle(join(replace(synced, deployed=False), None, NOW))
    same = facts(replace(unseen, spec_version=Version("v1")), "v1")
    assert not idle(join(same, None, NOW))


STEPS = (Step("setWeight", weight=20), Step("pause", duration="10m"), Step("analysis"), Step("setWeight", weight=60))
SEEN = NOW - 60 * MINUTE
ROLLING = RolloutObject(
    "cart", "app-cart", ClusterName("prod-eu1"), generation=3, observed_generation="3", strategy="Canary", steps=STEPS,
    replicas=4, images=("ghcr.io/acme/cart:v2",), phase="Progressing", current_hash="new", stable_hash="old",
    step_index=0, current=5, updated=1, ready=4, available=4,
    conditions=(RolloutCondition("Progressing", "True", "ReplicaSetUpdated", "", SEEN, SEEN),),
)  # fmt: skip
TIMED = replace(
    ROLLING, step_index=1, phase="Paused", pause_reasons=("CanaryPauseStep",), pause_starts=(SEEN,),
    controller_pause=True,
)  # fmt: skip
GREEN = replace(
    TIMED, strategy="BlueGreen", steps=(), step_index=None, pause_reasons=("BlueGreenPause",),
    auto_promotion_seconds=30, active_hash="old",
)  # fmt: skip


@pytest.mark.parametrize(
    ("rollout", "due"),
    [
        (TIMED, SEEN + 10 * MINUTE),
        (GREEN, SEEN + timedelta(seconds=30)),
        (ROLLING, SEEN + 10 * MINUTE),
        (replace(ROLLING, progress_deadline_seconds=60), SEEN + MINUTE),
        (replace(GREEN, auto_promotion_enabled=False), None),
        (replace(TIMED, paused=True), None),
        (replace(TIMED, pause_reasons=("CanaryPauseStep", "InconclusiveAnalysisRun")), None),
        (replace(TIMED, pause_starts=(None,)), None),
        (replace(ROLLING, step_index=2), None),
        (replace(ROLLING, step_index=1), None),
        (replace(ROLLING, aborted=True), None),
        (replace(ROLLING, phase="Degraded"), None),
        (replace(ROLLING, phase="Healthy"), None),
        (replace(ROLLING, conditions=()), None),
        (
            replace(ROLLING, conditions=(RolloutCondition("Progressing", "Unknown", "RolloutPaused", "", SEEN, SEEN),)),
            None,
        ),
        (replace(ROLLING, conditions=(RolloutCondition("Progressing", "True", "ReplicaSetUpdated", "", SEEN),)), None),
    ],
)
def test_only_what_a_controller_that_runs_had_to_do_by_then_is_due(
    rollout: RolloutObject, due: datetime | None
) -> None:
    assert derive(rollout).due_at == due
    cell = join(facts(derive(rollout)), None, NOW)
    assert idle(cell) is (due is not None)
    if due is not None:
        before = join(facts(derive(rollout)), None, due + IDLE_AFTER - timedelta(seconds=1))
        assert (before.journey, before.verdict) == (Journey.ROLLING, Verdict.BUSY)
        assert before.check_at == due + IDLE_AFTER


def test_an_analysis_that_runs_and_an_old_replica_set_that_is_kept_are_held_against_nobody() -> None:
    running = AnalysisRun("cart-new-2", "new", "Background", "Running")
    assert derive(ROLLING, (), [running]).due_at is None
    assert derive(ROLLING, (), [replace(running, hash="old")]).due_at is not None
    kept = ReplicaSetObject("cart-older", "older", 1, (), 1, 1, 2, 2, 2, 2)
    assert derive(ROLLING, [kept]).due_at is None
    assert derive(ROLLING, [replace(kept, current=0)]).due_at is not None
