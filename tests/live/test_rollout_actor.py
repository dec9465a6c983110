"""A rollout is changed as it was seen, or not at all: over HTTP, against an API server that counts revisions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from test_sources_http import CHECKOUT, QUICK, connected, new_store, placed, served

from sgm_tui.errors import ConflictError, RefusedError, UnreachableError
from sgm_tui.fleet.facts import Rollout
from sgm_tui.fleet.model import ClusterName
from sgm_tui.fleet.rollouts.actions import Patch, RolloutAction
from sgm_tui.fleet.rollouts.derivation import derive
from sgm_tui.live.connection import ClusterConnection
from sgm_tui.live.rollout_actor import Current, RolloutActor
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.rollout_actions import RolloutActions
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.sandbox.kubernetes.objects import ObjectStore

EU = ClusterName("prod-eu1")
ACTIONS: tuple[RolloutAction, ...] = ("promote", "abort")
AT_A_GATE = {
    "phase": "Paused",
    "message": "CanaryPauseStep",
    "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-11-29T07:00:00Z"}],
    "controllerPause": True,
    "currentPodHash": "b2",
    "stableRS": "a1",
    "currentStepIndex": 1,
}


class Lab:
    """A cluster with one Rollout at a gate, and what acts on it."""

    def __init__(self, store: ObjectStore, actor: RolloutActor, directory: Path) -> None:
        self.store = store
        self.actor = actor
        self.audit = Audit(directory / "audit.jsonl")
        self.actions = RolloutActions({EU: actor}, self.audit)

    @property
    def status(self) -> dict[str, Any]:
        stored = self.store.get("Rollout", "app-checkout", "checkout")
        assert stored is not None
        status: dict[str, Any] = stored["status"]
        return status

    def write(self, **status: Any) -> None:
        stored = self.store.get("Rollout", "app-checkout", "checkout")
        assert stored is not None
        self.store.write("Rollout", {**stored, "status": {**stored.get("status", {}), **status}}, subresource="status")

    async def fetch(self) -> Rollout:
        return derive((await self.actor.read("app-checkout", "checkout")).rollout)

    async def act(self, action: RolloutAction, rollout: Rollout | None = None) -> str:
        return await self.actions.act(CHECKOUT, rollout or await self.fetch(), action, "because")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    store = new_store("app-checkout")
    placed(store, "checkout")
    async with connected(tmp_path, c=store) as (_, connection):
        lab = Lab(store, RolloutActor(connection, EU), tmp_path)
        lab.write(**AT_A_GATE)
        yield lab


async def test_a_gate_is_passed_once_and_kept_in_the_audit(lab: Lab) -> None:
    assert await lab.act("promote") == "checkout prod-eu1: resumed past step 1/2"
    assert "pauseConditions" not in lab.status
    records = lab.audit.records()
    assert [one["action"] for one in records] == ["rollout-promote"] * 2
    assert [one["title"].rpartition(": ")[2] for one in records] == ["asked for", "done"]
    assert {one["reason"] for one in records} == {"because"}


async def test_abort_and_retry_are_of_the_status_and_nothing_else(lab: Lab) -> None:
    before = lab.store.get("Rollout", "app-checkout", "checkout")
    assert before is not None
    await lab.act("abort")
    assert lab.status["abort"] is True
    await lab.act("retry")
    after = lab.store.get("Rollout", "app-checkout", "checkout")
    assert after is not None
    assert after["status"]["abort"] is False
    assert after["spec"] == before["spec"]


async def test_another_gate_than_the_one_asked_about_is_not_passed(lab: Lab) -> None:
    asked_about = await lab.fetch()
    lab.write(currentStepIndex=3)
    with pytest.raises(RefusedError, match="has changed meanwhile: nothing was done"):
        await lab.act("promote", asked_about)
    assert lab.status["pauseConditions"]
    assert "nothing was done" in lab.audit.records()[-1]["title"]


async def test_what_the_controller_writes_in_between_is_looked_at_and_tried_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, raced = lab.actor.patch, []

    async def patch(current: Current, change: Patch, consent: Consent) -> Current:
        if not raced:
            raced.append(current.version)
            lab.write(readyReplicas=3)
        return await real(current, change, consent)

    monkeypatch.setattr(lab.actor, "patch", patch)
    await lab.act("promote")
    assert raced
    assert "pauseConditions" not in lab.status


async def test_a_patch_of_an_old_revision_is_refused(lab: Lab) -> None:
    current = await lab.actor.read("app-checkout", "checkout")
    lab.write(readyReplicas=3)
    with pytest.raises(ConflictError, match="has been modified"):
        await lab.actor.patch(current, Patch("status", {"status": {"abort": True}}))
    assert "abort" not in lab.status


async def test_both_halves_of_a_promotion_are_sent_whoever_writes_in_between(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = lab.store.get("Rollout", "app-checkout", "checkout")
    assert stored is not None
    lab.store.write("Rollout", {**stored, "spec": {**stored["spec"], "paused": True}})
    real, sent = lab.actor.patch, 0

    async def patch(current: Current, change: Patch, consent: Consent) -> Current:
        nonlocal sent
        sent += 1
        if sent == 2:
            lab.write(readyReplicas=3)
        return await real(current, change, consent)

    monkeypatch.setattr(lab.actor, "patch", patch)
    await lab.act("promote")
    after = lab.store.get("Rollout", "app-checkout", "checkout")
    assert after is not None
    assert (after["spec"]["paused"], "pauseConditions" in after["status"]) == (False, False)


async def test_what_nobody_answered_may_have_been_done_and_is_told_so(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def patch(current: Current, change: Patch, consent: Consent) -> Current:
        raise UnreachableError("prod-eu1 did not answer within 10 s")

    monkeypatch.setattr(lab.actor, "patch", patch)
    with pytest.raises(UnreachableError, match="did not answer") as caught:
        await lab.act("promote")
    assert "may still have been applied" in caught.value.hint
    assert "may still have been applied" in lab.audit.records()[-1]["title"]


async def test_a_rollout_that_is_gone_is_told_so(lab: Lab) -> None:
    rollout = await lab.fetch()
    lab.store.delete("Rollout", "app-checkout", "checkout")
    with pytest.raises(RefusedError, match="has no Rollout app-checkout/checkout any more: nothing was done"):
        await lab.act("abort", rollout)


async def test_nothing_under_way_is_not_aborted(lab: Lab) -> None:
    lab.write(currentPodHash="a1")
    with pytest.raises(RefusedError, match="no update is in progress"):
        await lab.act("abort")
    assert json.dumps(lab.status).count("abort") == 0


async def test_a_rollout_of_a_protected_stage_is_patched_only_with_consent_to_it(tmp_path: Path) -> None:
    store = new_store("app-checkout")
    placed(store, "checkout")
    async with served(c=store) as server:
        connection = ClusterConnection("c", server.write_kubeconfig(tmp_path, "c"), QUICK, protected=("prod",))
        lab = Lab(store, RolloutActor(connection, EU), tmp_path)
        lab.write(**AT_A_GATE)
        for consent in (NO_CONSENT, Consent.to(["staging"])):
            for action in ACTIONS:
                with pytest.raises(RefusedError, match="prod is protected: nothing is written to c") as refused:
                    await lab.actions.act(CHECKOUT, await lab.fetch(), action, consent=consent)
                assert refused.value.exit_code == 4
        assert "pauseConditions" in lab.status
        await lab.actions.act(CHECKOUT, await lab.fetch(), "promote", consent=Consent.to(["prod"]))
        assert "pauseConditions" not in lab.status
        await connection.close()
