"""Every recorded list of actions, played on the simulated controller, gives the recorded states in their order.

A state is what the kubectl plugin and Argo CD say of a Rollout: status, message, step, set weight, health. The
recordings were made with a pretend kubelet as quick as ours, so nothing has to be skipped: the lists are equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rollout_lab import Lab, with_tag

REPLAYS = sorted((Path(__file__).parents[2] / "data" / "rollouts" / "replays").glob("*.json"))
AFTERWARDS = 60.0
"""Virtual seconds given to what the last action set going."""


def do(lab: Lab, action: str) -> None:
    verb, _, rest = action.partition(" ")
    if verb == "image":
        lab.set_image(rest)
    elif verb == "plugin":
        lab.plugin(rest.replace(" app", ""))
    elif verb == "patch":
        lab.patch(json.loads(rest))
    elif verb == "deployment":
        found = lab.store.get("Deployment", lab.namespace, "app")
        assert found is not None
        template = with_tag(found["spec"]["template"], rest.rpartition(" ")[2])
        lab.store.write("Deployment", {**found, "spec": {**found["spec"], "template": template}})
    else:
        assert verb == "metric", action  # the recorded measurements are given back as they were taken


def replayed(recording: dict[str, Any]) -> Lab:
    lab = Lab(recording["objects"][0]["metadata"]["namespace"])
    lab.answers = dict(recording["measurements"])
    lab.run_until(recording["begins"])
    lab.create(*recording["objects"])
    for moment, action in recording["actions"]:
        lab.run_until(moment)
        do(lab, action)
    lab.run(AFTERWARDS)
    return lab


@pytest.mark.parametrize("path", REPLAYS, ids=lambda path: path.stem)
def test_the_recorded_actions_give_the_recorded_states_in_their_order(path: Path) -> None:
    recording = json.loads(path.read_text(encoding="utf-8"))
    assert replayed(recording).states == [tuple(state) for state in recording["states"]]


def test_the_same_seed_gives_the_same_history() -> None:
    recording = json.loads(REPLAYS[0].read_text(encoding="utf-8"))
    first, second = replayed(recording), replayed(recording)
    for kind in ("Rollout", "ReplicaSet", "Pod", "Event"):
        assert first.store.list(kind) == second.store.list(kind)
