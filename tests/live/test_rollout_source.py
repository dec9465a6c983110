"""One cluster's Rollouts when only a part of the cluster's API works, or one object cannot be read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sgm_tui.config.schema import ClusterConfig, Config, RepositoryConfig, StageConfig
from sgm_tui.fleet.cell import CellFacts, Journey, Verdict
from sgm_tui.fleet.facts import Application
from sgm_tui.fleet.join import join
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName
from sgm_tui.fleet.updates import (
    RolloutChanged,
    RolloutDeleted,
    RolloutsListed,
    SourceAnswered,
    SourceOff,
    SourceUnreachable,
    SourceUpdate,
)
from sgm_tui.live.connection import ClusterConnection, Pace
from sgm_tui.live.naming import Naming
from sgm_tui.live.rollouts import RolloutSource
from sgm_tui.live.wire import parse_time

CONFIG = Config(
    RepositoryConfig("https://github.com/acme/gitops.git"),
    (StageConfig("prod", (ClusterConfig("prod-eu1", "prod", "eu1"),)),),
)
CHECKOUT = CellKey(ServiceName("checkout"), StageName("prod"), ClusterName("prod-eu1"))
CART = CellKey(ServiceName("cart"), StageName("prod"), ClusterName("prod-eu1"))
QUICK = Pace(connect=1.0, unary=1.0, list_page=1.0, idle=30.0, probe=0.05, retry_first=0.02, retry_most=0.05)


class Api:
    """What each collection holds, or the status it is refused with; news go into every open watch of it."""

    def __init__(self) -> None:
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.refused: dict[str, int] = {}
        self.beats = 200
        """How it answers when it is asked for one name only, to see whether it can read at all."""
        self.watches: dict[str, list[web.StreamResponse]] = {}
        self.queries: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        what = request.path.rsplit("/", 1)[-1]
        self.queries.append((what, request.query.get("labelSelector", "")))
        if request.query.get("limit") == "1" and self.beats != 200:
            return web.json_response({}, status=self.beats)
        if what in self.refused:
            return web.json_response({"message": "denied"}, status=self.refused[what])
        if not request.query.get("watch"):
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": self.items.get(what, [])})
        response = web.StreamResponse()
        await response.prepare(request)
        self.watches.setdefault(what, []).append(response)
        await asyncio.Event().wait()
        return response

    async def tell(self, what: str, kind: str, obj: dict[str, Any]) -> None:
        for response in self.watches[what]:
            await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")


def rollout(name: str, uid: str = "", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": f"app-{name}", "uid": uid or name, "generation": 1, "resourceVersion": "2"}
    status = {"phase": "Healthy", "observedGeneration": "1"}
    return {"metadata": metadata, "spec": {"strategy": {"canary": {}}}, "status": status, **fields}


@asynccontextmanager
async def following(api: Api, folder: Path) -> AsyncIterator[Seen]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    file = folder / "kubeconfig"
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}],
        "users": [{"name": "u", "user": {"token": "an-open-secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    file.write_text(json.dumps(config))
    connection = ClusterConnection("c", file, QUICK)
    updates = Seen()
    task = asyncio.create_task(RolloutSource(connection, "prod-eu1", Naming(CONFIG)).run(updates.queue.put_nowait))
    try:
        yield updates
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()
        await runner.cleanup()


class Seen:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[SourceUpdate] = asyncio.Queue()

    async def next(self, kind: type[Any], which: Callable[[Any], bool] = lambda _: True) -> Any:
        async with asyncio.timeout(60):
            while not (isinstance(update := await self.queue.get(), kind) and which(update)):
                pass
        return update

    async def several(self, kind: type[Any], number: int) -> list[SourceUpdate]:
        """What came until `number` of a kind had."""
        update: list[SourceUpdate] = []
        async with asyncio.timeout(60):
            while sum(isinstance(one, kind) for one in update) < number:
                update.append(await self.queue.get())
        return update


async def test_forbidden_analysis_runs_blind_nothing_else(tmp_path: Path) -> None:
    api = Api()
    api.items["rollouts"] = [rollout("checkout")]
    api.refused["analysisruns"] = 403
    async with following(api, tmp_path) as updates:
        before = await updates.several(RolloutsListed, 1) + await updates.several(SourceAnswered, 2)
        answered = await updates.next(SourceAnswered)
        del api.refused["analysisruns"]
        assert await updates.next(SourceAnswered, lambda one: not one.missing)
    assert any(isinstance(one, RolloutsListed) and CHECKOUT in one.rollouts for one in before)
    assert not any(isinstance(one, SourceUnreachable) for one in before)
    assert "no access to analysisruns" in answered.missing


async def test_what_is_forbidden_is_told_before_the_first_rollout(tmp_path: Path) -> None:
    api = Api()
    api.items["rollouts"] = [rollout("checkout")]
    api.refused["analysisruns"] = 403
    async with following(api, tmp_path) as updates:
        first = await updates.several(RolloutsListed, 1)
    assert any(isinstance(one, SourceAnswered) and one.missing for one in first)


async def test_a_worker_beside_a_service_never_takes_its_cell(tmp_path: Path) -> None:
    api = Api()
    worker = rollout("worker")
    for one in (owned := [rollout("checkout"), worker]):
        one["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "prod-eu1-checkout:argoproj.io/Rollout:a/b"}
    api.items["rollouts"] = owned
    async with following(api, tmp_path) as updates:
        assert (await updates.next(RolloutsListed)).rollouts[CHECKOUT].name == "checkout"
        await updates.next(SourceAnswered, lambda _: "rollouts" in api.watches)
        await api.tell("rollouts", "MODIFIED", worker)
        assert (await updates.next(RolloutChanged)).rollout.name == "checkout"
        await api.tell("rollouts", "DELETED", owned[0])
        assert (await updates.next(RolloutChanged)).rollout.name == "worker"
        await api.tell("rollouts", "DELETED", worker)
        assert (await updates.next(RolloutDeleted)).key == CHECKOUT


async def test_forbidden_replica_sets_are_lost_and_never_alive(tmp_path: Path) -> None:
    api = Api()
    api.items["rollouts"] = [rollout("checkout")]
    api.refused["replicasets"] = 403
    async with following(api, tmp_path) as updates:
        before = await updates.several(SourceUnreachable, 5)
        assert not any(isinstance(one, SourceAnswered | RolloutsListed) for one in before)
        assert "no access to replicasets" in (await updates.next(SourceUnreachable)).reason
        del api.refused["replicasets"]
        assert CHECKOUT in (await updates.next(RolloutsListed)).rollouts


async def test_a_cluster_whose_rollouts_vanish_is_off_until_they_are_back(tmp_path: Path) -> None:
    api = Api()
    api.refused["rollouts"] = 404
    async with following(api, tmp_path) as updates:
        before = await updates.several(SourceOff, 4)
        assert not any(isinstance(one, SourceAnswered) for one in before)
        del api.refused["rollouts"]
        await updates.next(RolloutsListed)
        await updates.next(SourceAnswered)


async def test_a_missed_beat_is_lost_and_the_next_one_alive_again(tmp_path: Path) -> None:
    api = Api()
    async with following(api, tmp_path) as updates:
        await updates.next(RolloutsListed)
        api.beats = 500
        assert isinstance(await updates.next(SourceUnreachable), SourceUnreachable)
        api.beats = 200
        assert isinstance(await updates.next(SourceAnswered), SourceAnswered)


async def test_a_bookmark_of_a_server_that_cannot_read_is_no_sign_of_life(tmp_path: Path) -> None:
    api = Api()
    async with following(api, tmp_path) as updates:
        await updates.next(RolloutsListed)
        await updates.next(SourceAnswered)
        api.beats = 500
        await updates.next(SourceUnreachable)
        for _ in range(3):
            await api.tell("rollouts", "BOOKMARK", {"metadata": {"resourceVersion": "9"}})
        since = await updates.several(SourceUnreachable, 3)
        assert not [one for one in since if isinstance(one, SourceAnswered)]
        await api.tell("rollouts", "ADDED", rollout("cart"))
        await updates.next(RolloutChanged)


async def test_only_replica_sets_of_rollouts_are_asked_for(tmp_path: Path) -> None:
    api = Api()
    async with following(api, tmp_path) as updates:
        await updates.next(RolloutsListed)
        await updates.next(SourceAnswered)
    assert {selector for what, selector in api.queries if what == "replicasets"} == {"rollouts-pod-template-hash"}


async def test_a_rollout_that_cannot_be_read_is_unknown_in_its_own_cell_only(tmp_path: Path) -> None:
    api = Api()
    api.items["rollouts"] = [rollout("checkout", status="what?"), rollout("cart")]
    async with following(api, tmp_path) as updates:
        rollouts = (await updates.next(RolloutsListed)).rollouts
    assert rollouts[CART].phase == "Healthy"
    now = parse_time("2026-11-23T09:00:00Z")
    assert now is not None
    cell = join(CellFacts(CHECKOUT, rollout=rollouts[CHECKOUT]), None, now)
    assert cell.verdict is Verdict.UNKNOWN
    assert "status" in rollouts[CHECKOUT].message


UNREADABLE: dict[str, dict[str, Any]] = {
    "conditions": {"status": {"phase": "Healthy", "observedGeneration": "1", "conditions": "none"}},
    "conditions by name": {"status": {"phase": "Healthy", "conditions": {"Available": {"status": "True"}}}},
    "one condition": {"status": {"phase": "Healthy", "conditions": [7]}},
    "pause conditions": {"status": {"phase": "Paused", "pauseConditions": {"reason": "CanaryPauseStep"}}},
    "steps": {"spec": {"strategy": {"canary": {"steps": {"setWeight": 20}}}}},
    "replicas": {"spec": {"replicas": "many", "strategy": {"canary": {}}}},
}


@pytest.mark.parametrize("fields", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_the_cell_says_why_its_rollout_cannot_be_read(tmp_path: Path, fields: dict[str, Any]) -> None:
    api = Api()
    api.items["rollouts"] = [rollout("checkout", **fields)]
    async with following(api, tmp_path) as updates:
        update = (await updates.next(RolloutsListed)).rollouts[CHECKOUT]
    now = parse_time("2026-11-23T09:00:00Z")
    assert now is not None
    cell = join(CellFacts(CHECKOUT, rollout=update), None, now)
    assert (cell.journey, cell.verdict) == (Journey.UNKNOWN, Verdict.UNKNOWN)
    assert cell.reason.startswith("the Rollout cannot be read: ")
    assert "$." in cell.reason
    assert "phase" not in cell.reason
    degraded = Application("checkout", "argocd", "Synced", "Degraded", detailed=True)
    assert join(CellFacts(CHECKOUT, application=degraded, rollout=update), None, now).journey is Journey.FAILED


async def test_a_change_that_cannot_be_read_does_not_leave_what_was_before(tmp_path: Path) -> None:
    api = Api()
    api.items["rollouts"] = [rollout("checkout")]
    async with following(api, tmp_path) as updates:
        await updates.next(RolloutsListed)
        await updates.next(SourceAnswered, lambda _: "rollouts" in api.watches)
        await api.tell("rollouts", "MODIFIED", rollout("checkout", spec=[]))
        assert (await updates.next(RolloutChanged)).rollout.phase == "Unreadable"


async def test_a_rollout_made_anew_is_another_one_under_the_same_name(tmp_path: Path) -> None:
    api = Api()
    api.items["rollouts"] = [rollout("checkout", uid="first")]
    async with following(api, tmp_path) as updates:
        await updates.next(RolloutsListed)
        await updates.next(SourceAnswered, lambda _: "rollouts" in api.watches)
        await api.tell("rollouts", "DELETED", rollout("checkout", uid="first"))
        await updates.next(RolloutDeleted)
        await api.tell("rollouts", "ADDED", rollout("checkout", uid="second"))
        assert (await updates.next(RolloutChanged)).rollout.uid == "second"


async def test_a_rollout_that_leaves_its_cell_is_gone_from_it(tmp_path: Path) -> None:
    api = Api()
    api.items["rollouts"] = [rollout("checkout")]
    async with following(api, tmp_path) as updates:
        await updates.next(RolloutsListed)
        await updates.next(SourceAnswered, lambda _: "rollouts" in api.watches)
        moved = rollout("checkout")
        moved["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "prod-eu1-cart:argoproj.io/Rollout:a/b"}
        await api.tell("rollouts", "MODIFIED", moved)
        assert (await updates.next(RolloutDeleted)).key == CHECKOUT
        assert (await updates.next(RolloutChanged)).key == CART
