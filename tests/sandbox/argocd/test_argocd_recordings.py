"""The order of states our Argo CD writes, held against what the real one was recorded to write.

States that hang on timing may be skipped; none may be added or come in another order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from argocd_lab import AUTOMATED, PROJECT, Lab, application, files

RECORDED: dict[str, dict[str, list[list[Any]]]] = json.loads(
    (Path(__file__).parents[2] / "data/argocd/recorded-orders.json").read_text()
)
SEEDS = ("a", "b", "c", "d")


def assert_in_order(ours: list[list[Any]], recorded: list[list[Any]]) -> None:
    at = 0
    for number, state in enumerate(ours):
        while at < len(recorded) and not same(state, recorded[at]):
            at += 1
        assert at < len(recorded), f"state {number} {state} is not in the recording after {ours[:number]}"


def same(ours: list[Any], recorded: list[Any]) -> bool:
    """Equal, or what is recorded during the second look of a sync, which is not always taken."""
    if ours == recorded:
        return True
    looking = recorded[0] == "Synced" and recorded[3:5] == ["Running", ""]
    return looking and ours == [*recorded[:3], "Succeeded", "successfully synced", *recorded[5:7], False]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_canary_with_a_gate_walks_as_recorded(seed: str) -> None:
    lab = Lab(seed)
    lab.begin()
    name = lab.service()
    lab.push(**files("checkout", "v1.1.0"))
    lab.until(lambda: lab.state(name)[2] == "Suspended")
    lab.run(2.0)
    lab.patch_status(pauseConditions=None)
    lab.until(lambda: lab.state(name)[2] == "Healthy")
    assert_in_order(lab.states[name], RECORDED["promote-canary-with-gate"]["prod-eu1-checkout"])


@pytest.mark.parametrize("seed", SEEDS)
def test_an_abort_and_its_revert_walk_as_recorded(seed: str) -> None:
    lab = Lab(seed)
    lab.begin()
    name = lab.service()
    lab.push(**files("checkout", "v1.3.0"))
    lab.until(lambda: lab.state(name)[2] == "Suspended")
    lab.patch_status(abort=True)
    lab.until(lambda: lab.state(name)[2] == "Degraded")
    lab.run(4.0)
    lab.push(**files("checkout", "v1.0.0"))
    lab.until(lambda: lab.state(name)[:3] == ["Synced", 2, "Healthy"])
    lab.run(3.0)
    assert_in_order(lab.states[name], RECORDED["abort-then-revert"]["prod-eu1-checkout"])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_revert_while_paused_walks_as_recorded(seed: str) -> None:
    lab = Lab(seed)
    lab.begin()
    name = lab.service()
    lab.push(**files("checkout", "v1.2.0"))
    lab.until(lambda: lab.state(name)[2] == "Suspended")
    lab.run(2.0)
    lab.push(**files("checkout", "v1.0.0"))
    lab.until(lambda: lab.state(name)[:3] == ["Synced", 2, "Healthy"])
    lab.run(3.0)
    # The first sync of this recording had no second look, that of the other has.
    first = RECORDED["promote-canary-with-gate"]["prod-eu1-checkout"][:10]
    rest = RECORDED["revert-while-paused"]["prod-eu1-checkout"]
    reverted = rest[rest.index(["Synced", 1, "Suspended", "", "", 0, [], True]) :]
    assert_in_order(lab.states[name], first + reverted)


@pytest.mark.parametrize("seed", SEEDS)
def test_drift_is_healed_as_recorded(seed: str) -> None:
    lab = Lab(seed)
    lab.begin()
    name = lab.service()
    history = lab.app(name)["status"]["history"]
    lab.patch_live(replicas=7)
    lab.until(lambda: lab.state(name)[0] == "OutOfSync")
    lab.until(lambda: lab.state(name)[:3] == ["Synced", 0, "Healthy"])
    lab.run(3.0)
    assert_in_order(lab.states[name], RECORDED["drift-self-heal"]["staging-eu1-checkout"])
    assert lab.app(name)["status"]["history"] == history
    live = lab.cluster.get("Rollout", "app-checkout", "checkout")
    assert live is not None
    assert live["spec"]["replicas"] == 4


def test_without_self_heal_drift_stays_and_people_sync() -> None:
    lab = Lab()
    lab.begin()
    lab.deploy(**files("hand", "v1.0.0", "[]"))
    lab.hub.create("Application", application("hand-made", "prod-eu1", "hand", "hand"))
    lab.until(lambda: lab.state("hand-made")[0] == "OutOfSync")
    lab.operate("hand-made", syncOptions=["CreateNamespace=true"])
    lab.until(lambda: lab.state("hand-made")[2] == "Healthy")
    lab.run(2.0)
    live = lab.cluster.get("Rollout", "app-hand", "hand")
    assert live is not None
    template = live["spec"]["template"]
    changed = {**template, "spec": {"containers": [{"name": "main", "image": "ghcr.io/acme/hand:v9"}]}}
    lab.patch_live("hand", template=changed)
    lab.until(lambda: lab.state("hand-made")[:3] == ["OutOfSync", 0, "Healthy"])
    lab.run(2.0)
    lab.operate("hand-made", dryRun=True, syncOptions=["CreateNamespace=true"])
    lab.run(4.0)
    lab.operate("hand-made", revision="0" * 40)
    lab.until(lambda: lab.state("hand-made")[3] == "Error")
    lab.run(2.0)
    assert_in_order(lab.states["hand-made"], RECORDED["drift-without-self-heal"]["hand-made"])
    message = lab.app("hand-made")["status"]["operationState"]["message"]
    assert "git upload-pack: not our ref 0000" in message


def test_a_manifest_that_does_not_parse_makes_it_unknown_and_leaves_its_health() -> None:
    lab = Lab()
    lab.begin()
    name = lab.service()
    lab.push(checkout__rollout="{: nothing")
    lab.annotate(name, refresh="hard")
    lab.until(lambda: lab.state(name)[0] == "Unknown")
    condition = lab.app(name)["status"]["conditions"][0]["message"]
    assert condition.startswith("Failed to load target state: failed to generate manifest for source 1 of 1: rpc error")
    assert {one["status"] for one in lab.app(name)["status"]["resources"]} == {"Unknown"}
    lab.push(**files("checkout", "v1.0.0"))
    lab.until(lambda: lab.state(name)[0] == "Synced")
    lab.run(3.0)
    assert_in_order(lab.states[name], RECORDED["helm-error"]["staging-eu1-cart"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"destination": {"name": "prod-eu1", "namespace": "kube-system"}},
            (
                "application destination server 'prod-eu1' and namespace 'kube-system' do not match any of the "
                "allowed destinations in project 'acme'"
            ),
        ),
        ({"destination": {"name": "nowhere", "namespace": "app-x"}}, "there are no clusters with this name: nowhere"),
        ({"project": "nope"}, "Application referencing project nope which does not exist"),
    ],
)
def test_what_the_project_forbids_is_refused_in_the_recorded_words(change: dict[str, Any], message: str) -> None:
    lab = Lab()
    lab.repository.commit(**files("x", "v1"))
    lab.begin()
    wanted = application("violator", "prod-eu1", "x", "x")
    lab.hub.create("Application", {**wanted, "spec": {**wanted["spec"], **change}})
    lab.until(lambda: lab.state("violator")[0] == "Unknown")
    assert lab.app("violator")["status"]["conditions"][0]["message"] == message
    assert set(lab.app("violator")["status"]) == {"conditions", "health", "sync"}
    lab.hub.delete("Application", "argocd", "violator")
    lab.run(2.0)
    ours = [one for one in lab.states["violator"] if one != lab.states["violator"][0]]
    assert_in_order(ours, RECORDED["project-violation"]["violator"])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_closed_window_holds_a_sync_until_it_opens(seed: str) -> None:
    lab = Lab(seed)
    lab.begin()
    name = lab.service()
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "24h", "applications": ["prod-*"]}
    _windows(lab, [window])
    lab.push(**files("checkout", "v1.1.0"))
    lab.until(lambda: lab.state(name)[0] == "OutOfSync")
    lab.run(5.0)
    lab.operate(name)
    lab.until(lambda: lab.state(name)[4] == "Sync operation blocked")
    lab.run(10.0)
    _windows(lab, [])
    lab.until(lambda: lab.state(name)[2] == "Suspended")
    assert_in_order(lab.states[name], RECORDED["sync-window-denies"]["prod-us1-checkout"])


def _windows(lab: Lab, windows: list[dict[str, Any]]) -> None:
    project = lab.hub.get("AppProject", "argocd", "acme")
    assert project is not None
    lab.hub.write("AppProject", {**project, "spec": {**PROJECT["spec"], "syncWindows": windows}})


def test_a_refused_object_keeps_the_operation_running_through_its_retries() -> None:
    lab = Lab()
    lab.begin()
    name = lab.service()
    bad = files("Bad_Name", "v1")["Bad_Name__service"]
    lab.push(checkout__bad=bad)
    lab.until(lambda: lab.state(name)[5] == 4, 200.0)
    lab.run(1.0)
    lab.push(checkout__bad=None)
    lab.until(lambda: lab.state(name)[0] == "Synced")
    assert_in_order(lab.states[name], RECORDED["sync-fails"]["staging-eu1-cart"])
    message = lab.app(name)["status"]["operationState"]["message"]
    assert 'Service "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name"' in message
    assert "Retrying attempt #4 at 10:" in message


@pytest.mark.parametrize("seed", SEEDS)
def test_a_service_comes_and_goes_as_recorded(seed: str) -> None:
    lab = Lab(seed)
    lab.begin()
    lab.deploy(**files("search", "v0.1.0"))
    lab.hub.create("Application", application("dev-eu1-search", "prod-eu1", "search", "search", **AUTOMATED))
    lab.until(lambda: lab.state("dev-eu1-search")[:3] == ["Synced", 0, "Healthy"])
    lab.run(2.0)
    lab.hub.delete("Application", "argocd", "dev-eu1-search")
    lab.until(lambda: lab.state("dev-eu1-search") == ["DELETED"])
    assert_in_order(lab.states["dev-eu1-search"][1:], RECORDED["service-added-and-removed"]["dev-eu1-search"])
    assert lab.cluster.list("Rollout") == []


def test_fields_git_does_not_set_are_nobodys_drift() -> None:
    lab = Lab()
    lab.begin()
    name = lab.service()
    lab.patch_live(paused=True)
    lab.until(lambda: lab.state(name)[2] == "Suspended")
    lab.run(14.0)
    live = lab.cluster.get("Rollout", "app-checkout", "checkout")
    assert live is not None
    assert live["spec"]["paused"] is True
    assert_in_order(lab.states[name], RECORDED["live-only-fields"]["staging-eu1-checkout"])


def test_a_commit_elsewhere_only_moves_the_revision() -> None:
    lab = Lab()
    lab.begin()
    name = lab.service()
    before = lab.app(name)["status"]
    lab.push(other__file="a: 1")
    lab.until(lambda: lab.state(name)[1] == 1, 6.0)
    assert_in_order(lab.states[name], RECORDED["promote-canary-with-gate"]["staging-eu1-cart"])
    after = lab.app(name)["status"]
    assert after["history"] == before["history"]
    assert after["operationState"] == before["operationState"]
