"""Our derivation equals what the controllers' own tools said, on every line of every recording."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sgm_tui.fleet.facts import AnalysisRun, ReplicaSet, Rollout
from sgm_tui.fleet.model import ClusterName
from sgm_tui.fleet.rollouts.derivation import derive
from sgm_tui.fleet.rollouts.objects import ReplicaSetObject, RolloutObject
from sgm_tui.live.rollout_wire import (
    AnalysisRunWire,
    Owned,
    ReplicaSetWire,
    RolloutWire,
    to_analysis_run,
    to_replica_set,
    to_rollout,
)

EXCERPTS = Path(__file__).parent.parent / "data" / "rollouts"
SHARED = Path(__file__).parents[3] / "shared" / "fixtures" / "rollouts"


def recordings(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.jsonl") if not path.name.endswith(".expected.jsonl"))


class Replay:
    """What has been seen of a namespace up to a line."""

    def __init__(self) -> None:
        self.rollouts: dict[str, RolloutObject] = {}
        self.replica_sets: dict[str, Owned[ReplicaSetObject]] = {}
        self.runs: dict[str, Owned[AnalysisRun]] = {}

    def see(self, event: dict[str, Any]) -> str:
        """Take in one event; the uid of its object."""
        uid: str = event["object"]["metadata"]["uid"]
        kind, raw = event["resource"], json.dumps(event["object"]).encode()
        values: dict[str, dict[str, Any]] = {
            "rollouts": self.rollouts,
            "replicasets": self.replica_sets,
            "analysisruns": self.runs,
        }
        if kind not in values:
            return uid
        if event["type"] == "DELETED":
            values[kind].pop(uid, None)
        elif kind == "rollouts":
            self.rollouts[uid] = to_rollout(msgspec.json.decode(raw, type=RolloutWire), ClusterName("c"))
        elif kind == "replicasets":
            self.replica_sets[uid] = to_replica_set(msgspec.json.decode(raw, type=ReplicaSetWire))
        else:
            self.runs[uid] = to_analysis_run(msgspec.json.decode(raw, type=AnalysisRunWire))
        return uid

    def derived(self, uid: str) -> Rollout:
        return derive(
            self.rollouts[uid],
            [one.value for one in self.replica_sets.values() if one.owner == uid],
            [one.value for one in self.runs.values() if one.owner == uid],
        )


def ours(rollout: Rollout) -> dict[str, Any]:
    return {
        "strategy": rollout.strategy,
        "status": rollout.phase,
        "message": rollout.message,
        "step": f"{rollout.step}/{rollout.steps}" if rollout.steps is not None else "",
        "setWeight": "" if rollout.set_weight is None else str(rollout.set_weight),
        "actualWeight": "" if rollout.actual_weight is None else str(rollout.actual_weight),
        "ready": rollout.ready,
        "current": rollout.current,
        "desired": rollout.desired,
        "updated": rollout.updated,
        "available": rollout.available,
        "health": rollout.health,
        "healthMessage": rollout.health_message,
        "replicaSets": {one.name: role(one) for one in rollout.replica_sets},
        "analysisRuns": {one.name: run(one) for one in rollout.analysis_runs},
    }


def role(one: ReplicaSet) -> dict[str, Any]:
    names = ("active", "available", "canary", "preview", "revision", "stable", "status")
    return {name: getattr(one, name) for name in names} | {"images": list(one.images), "replicas": one.current}


def run(one: AnalysisRun) -> dict[str, Any]:
    counts = {name: getattr(one, name) for name in ("error", "failed", "inconclusive", "successful")}
    return counts | {"revision": one.revision, "status": one.phase}


def theirs(expected: dict[str, Any]) -> dict[str, Any]:
    """The expected line without what belongs to pods, which the matrix does not watch."""
    values = {
        key: expected[key] or "" for key in ("strategy", "status", "message", "step", "setWeight", "actualWeight")
    }
    values |= {key: expected[key] for key in ("ready", "current", "desired", "updated", "available", "health")}
    values["healthMessage"] = expected["healthMessage"] or ""
    for key, fields in (("replicaSets", ("pods", "name")), ("analysisRuns", ("name",))):
        rows = expected[key] or []
        values[key] = {one["name"]: {name: one[name] for name in one if name not in fields} for one in rows}
    return values


def lines(recording: Path) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    expected = {}
    for line in recording.with_suffix(".expected.jsonl").read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        expected[document["line"]] = document
    replay = Replay()
    for number, line in enumerate(recording.read_text(encoding="utf-8").splitlines(), 1):
        uid = replay.see(json.loads(line))
        if number in expected:
            yield number, ours(replay.derived(uid)), theirs(expected[number])


def differences(recording: Path) -> list[tuple[int, dict[str, Any], dict[str, Any]]]:
    """The lines at which ours is not what the tools said; a recording without a line to compare is no proof."""
    compared = list(lines(recording))
    assert compared
    return [(number, derived, expected) for number, derived, expected in compared if derived != expected]


@pytest.mark.parametrize("recording", recordings(EXCERPTS), ids=lambda path: path.stem)
def test_a_recording_of_ours_comes_out_as_the_tools_said(recording: Path) -> None:
    assert differences(recording) == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared recordings are not beside this checkout")
@pytest.mark.parametrize("recording", recordings(SHARED) if SHARED.is_dir() else [], ids=lambda path: path.stem)
def test_every_shared_recording_comes_out_as_the_tools_said(recording: Path) -> None:
    assert differences(recording) == []


@pytest.mark.parametrize("recording", recordings(EXCERPTS), ids=lambda path: path.stem)
def test_no_controller_that_works_is_ever_behind_what_it_had_to_do(recording: Path) -> None:
    """A pause or a deadline is over no longer than it takes a controller to notice: half its second, and rounding."""
    replay, began = Replay(), None
    for line in recording.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        replay.see(event)
        created = datetime.fromisoformat(event["object"]["metadata"]["creationTimestamp"])
        began = began or created - timedelta(seconds=event["t"])
        now = began + timedelta(seconds=event["t"])
        for uid in replay.rollouts:
            due = replay.derived(uid).due_at
            assert due is None or now - due < timedelta(seconds=2), f"{recording.stem} at {event['t']}"


def test_steps_are_called_as_the_plugin_calls_them() -> None:
    steps = [
        {"pause": {}, "setWeight": 20}, {"setCanaryScale": {"weight": 25}}, {"setCanaryScale": {"replicas": 0}},
        {"setCanaryScale": {"matchTrafficWeight": True}}, {"setHeaderRoute": {"name": "beta"}},
        {"plugin": {"name": "p"}}, {"analysis": {"templates": []}}, {"pause": {"duration": 30}},
    ]  # fmt: skip
    document = {"metadata": {"name": "a"}, "spec": {"strategy": {"canary": {"steps": steps}}}}
    wire = msgspec.json.decode(json.dumps(document).encode(), type=RolloutWire)
    assert [step.text for step in to_rollout(wire, ClusterName("c")).steps] == [
        "setWeight: 20", "setCanaryScale{weight: 25}", "setCanaryScale{replicas: 0}",
        "setCanaryScale{matchTrafficWeight: true}", "setHeaderRoute: beta", "plugin: p", "analysis", "pause: 30",
    ]  # fmt: skip
