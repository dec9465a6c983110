"""The sources against an embedded API server over real HTTPS: first answers, changes, and every way a server fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kube_server import Served, new_store, owned_by, rollout, served

from sgm_tui.config.schema import ArgoConfig, ClusterConfig, Config, HubConfig, RepositoryConfig, StageConfig
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName
from sgm_tui.fleet.updates import (
    ApplicationChanged,
    ApplicationDeleted,
    ApplicationsListed,
    RolloutChanged,
    RolloutDeleted,
    RolloutsListed,
    ScalingListed,
    SourceAnswered,
    SourceOff,
    SourceUnreachable,
    SourceUpdate,
)
from sgm_tui.live.argocd import ApplicationSource
from sgm_tui.live.connection import ClusterConnection, Pace
from sgm_tui.live.naming import Naming
from sgm_tui.live.rollouts import RolloutSource
from sgm_tui.live.scaling import ScalingSource
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore

CONFIG = Config(
    RepositoryConfig("https://github.com/acme/gitops.git"),
    (StageConfig("prod", (ClusterConfig("prod-eu1", "prod", "eu1"),)),),
    argocd=ArgoConfig((HubConfig("hub"),)),
)
NAMING = Naming(CONFIG)
CHECKOUT = CellKey(ServiceName("checkout"), StageName("prod"), ClusterName("prod-eu1"))
CART = CellKey(ServiceName("cart"), StageName("prod"), ClusterName("prod-eu1"))
QUICK = Pace(connect=2.0, unary=2.0, list_page=5.0, idle=1.0, watch=30, probe=0.2, retry_first=0.02, retry_most=0.1)
PATIENT = 90.0


class Seen:
    """Everything a source published, and a way to wait for something."""

    def __init__(self) -> None:
        self.all: list[SourceUpdate] = []
        self._changed = asyncio.Event()

    def __call__(self, observation: SourceUpdate) -> None:
        self.all.append(observation)
        self._changed.set()

    async def until(self, condition: Callable[[list[SourceUpdate]], Any]) -> Any:
        async with asyncio.timeout(PATIENT):
            while not (result := condition(self.all)):
                self._changed.clear()
                await self._changed.wait()
        return result

    async def first(self, kind: type[Any], after: int = 0) -> Any:
        return await self.until(lambda all_: next((one for one in all_[after:] if isinstance(one, kind)), None))


@asynccontextmanager
async def running(source: Any) -> AsyncIterator[Seen]:
    updates = Seen()
    task = asyncio.create_task(source.run(updates))
    try:
        yield updates
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def connected(
    folder: Path, pace: Pace = QUICK, **stores: ObjectStore
) -> AsyncIterator[tuple[Served, ClusterConnection]]:
    async with served(**stores) as server:
        name = next(iter(stores))
        connection = ClusterConnection(name, server.write_kubeconfig(folder, name), pace)
        try:
            yield server, connection
        finally:
            await connection.close()


def application(name: str, *, sync: str = "Synced", **labels: str) -> KubeObject:
    return {
        "metadata": {"name": name, "namespace": "argocd", "labels": labels},
        "spec": {
            "project": "acme",
            "destination": {"name": "prod-eu1", "namespace": f"app-{labels.get('service', 'none')}"},
            "syncPolicy": {"automated": {"selfHeal": True}},
        },
        "status": {"sync": {"status": sync, "revision": "a" * 40}, "health": {"status": "Healthy"}},
    }


def application_source(connection: ClusterConnection) -> ApplicationSource:
    return ApplicationSource(connection, "argocd", NAMING, is_service=lambda name: name in {"checkout", "cart"})


async def test_applications_come_as_rows_first_and_in_detail_behind(tmp_path: Path) -> None:
    store = new_store("argocd")
    store.create("Application", application("prod-eu1-checkout", service="checkout"))
    store.create("Application", application("prod-eu1-platform-argo-rollouts"))
    async with connected(tmp_path, hub=store) as (_, connection), running(application_source(connection)) as updates:
        rows = await updates.first(ApplicationsListed)
        assert [(key, one.sync, one.detailed) for key, one in rows.applications.items()] == [
            (CHECKOUT, "Synced", False)
        ]
        listed = await updates.until(
            lambda all_: [
                one
                for one in all_
                if isinstance(one, ApplicationsListed) and all(app.detailed for app in one.applications.values())
            ]
        )
        assert set(listed[0].applications) == {CHECKOUT}
        assert listed[0].applications[CHECKOUT].self_heal


async def test_a_change_of_an_application_arrives_and_so_does_its_end(tmp_path: Path) -> None:
    store = new_store("argocd")
    created = store.create("Application", application("prod-eu1-checkout", service="checkout"))
    async with connected(tmp_path, hub=store) as (_, connection), running(application_source(connection)) as updates:
        await updates.first(ApplicationsListed)
        await updates.until(lambda all_: sum(isinstance(one, ApplicationsListed) for one in all_) == 2)
        store.write("Application", {**created, "operation": {"sync": {}}})
        changed = await updates.first(ApplicationChanged)
        assert (changed.key, changed.application.requested) == (CHECKOUT, True)
        store.delete("Application", "argocd", "prod-eu1-checkout")
        assert (await updates.first(ApplicationDeleted)).key == CHECKOUT


async def test_another_application_with_a_services_label_neither_takes_its_cell_nor_empties_it(tmp_path: Path) -> None:
    store = new_store("argocd")
    store.create("Application", application("a-database", sync="OutOfSync", service="checkout"))
    store.create("Application", application("prod-eu1-checkout", service="checkout"))
    store.create("Application", application("zoo", service="checkout"))
    async with connected(tmp_path, hub=store) as (_, connection), running(application_source(connection)) as updates:

        def detailed(all_: list[SourceUpdate]) -> Any:
            lists = [one for one in all_ if isinstance(one, ApplicationsListed)]
            return next((one for one in lists if one.applications[CHECKOUT].detailed), None)

        assert (await updates.until(detailed)).applications[CHECKOUT].name == "prod-eu1-checkout"
        store.delete("Application", "argocd", "zoo")
        changed = await updates.first(ApplicationChanged)
        assert (changed.key, changed.application.name) == (CHECKOUT, "prod-eu1-checkout")
        store.delete("Application", "argocd", "prod-eu1-checkout")
        successor = await updates.first(ApplicationChanged, after=updates.all.index(changed) + 1)
        assert successor.application.name == "a-database"
        store.delete("Application", "argocd", "a-database")
        assert (await updates.first(ApplicationDeleted)).key == CHECKOUT


async def test_one_unreadable_application_says_so_and_costs_itself_only(tmp_path: Path) -> None:
    store = new_store("argocd")
    store.create("Application", application("prod-eu1-checkout", service="checkout"))
    broken = application("prod-eu1-cart", service="cart")
    store.create("Application", {**broken, "status": ["not", "a", "mapping"]})
    async with connected(tmp_path, hub=store) as (_, connection), running(application_source(connection)) as updates:
        await updates.until(lambda all_: sum(isinstance(one, ApplicationsListed) for one in all_) == 2)
        listed = [one for one in updates.all if isinstance(one, ApplicationsListed)][1]
        assert {key: one.sync for key, one in listed.applications.items()} == {CHECKOUT: "Synced", CART: "Unreadable"}
        assert "array" in listed.applications[CART].health_message


def placed(store: ObjectStore, service: str) -> KubeObject:
    strategy = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}
    template = {"spec": {"containers": [{"name": service, "image": f"ghcr.io/acme/{service}:v1.0.0"}]}}
    return store.create("Rollout", rollout(service, f"app-{service}", strategy=strategy, template=template))


def with_set(store: ObjectStore, created: KubeObject, image: str = "v1.0.0") -> None:
    name = created["metadata"]["name"]
    template = {"spec": {"containers": [{"name": name, "image": f"ghcr.io/acme/{name}:{image}"}]}}
    metadata = owned_by(created, f"{name}-abc", labels={"rollouts-pod-template-hash": "abc"})
    store.create("ReplicaSet", {"metadata": metadata, "spec": {"replicas": 2, "template": template}})
    status = {"phase": "Healthy", "stableRS": "abc", "currentPodHash": "abc", "observedGeneration": "1"}
    store.write("Rollout", {**created, "status": status}, subresource="status")


async def test_a_rollout_is_published_with_what_it_owns(tmp_path: Path) -> None:
    store = new_store("app-checkout")
    with_set(store, placed(store, "checkout"))
    async with connected(tmp_path, c=store) as (_, connection), running(source(connection)) as updates:
        listed = await updates.first(RolloutsListed)
        assert listed.rollouts[CHECKOUT].stable_version == "v1.0.0"
        assert listed.rollouts[CHECKOUT].phase == "Healthy"


def source(connection: ClusterConnection) -> RolloutSource:
    return RolloutSource(connection, "prod-eu1", NAMING)


async def test_a_new_replica_set_changes_its_rollout_and_a_deleted_rollout_is_gone(tmp_path: Path) -> None:
    store = new_store("app-checkout")
    created = placed(store, "checkout")
    async with connected(tmp_path, c=store) as (_, connection), running(source(connection)) as updates:
        await updates.first(RolloutsListed)
        with_set(store, created)
        await updates.until(
            lambda all_: [
                one for one in all_ if isinstance(one, RolloutChanged) and one.rollout.stable_version == "v1.0.0"
            ]
        )
        store.delete("Rollout", "app-checkout", "checkout")
        assert (await updates.first(RolloutDeleted)).key == CHECKOUT


async def test_a_hanging_server_is_lost_with_its_reason_and_heals(tmp_path: Path) -> None:
    store = new_store("app-checkout")
    placed(store, "checkout")
    async with connected(tmp_path, c=store) as (server, connection), running(source(connection)) as updates:
        await updates.first(RolloutsListed)
        server.faults["c"].hang = True
        lost = await updates.first(SourceUnreachable)
        assert "did not answer within" in lost.reason
        at = len(updates.all)
        server.faults["c"].hang = False
        await updates.until(lambda all_: any(isinstance(one, RolloutsListed | SourceAnswered) for one in all_[at:]))


async def test_a_server_that_is_not_there_is_lost_with_its_reason(tmp_path: Path) -> None:
    store = new_store("app-checkout")
    async with served(c=store) as server:
        kubeconfig = server.write_kubeconfig(tmp_path, "c")
    connection = ClusterConnection("c", kubeconfig, QUICK)
    async with running(source(connection)) as updates:
        lost = await updates.first(SourceUnreachable)
        assert lost.reason.endswith(": Connection refused")
        assert "(" not in lost.reason  # no tuple of Python's
    await connection.close()


async def test_an_unknown_context_says_where_to_look(tmp_path: Path) -> None:
    async with connected(tmp_path, c=new_store()) as (_, connection):
        other = ClusterConnection("nowhere", tmp_path / "kubeconfig", QUICK)
        async with running(source(other)) as updates:
            assert "context nowhere" in (await updates.first(SourceUnreachable)).reason
        del connection


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("", "there is no kubeconfig: KUBECONFIG is not set, and ~/.kube/config is not there"),
        ("gone/config", "there is no kubeconfig: KUBECONFIG=gone/config is not there"),
    ],
)
async def test_without_any_kubeconfig_it_says_so(
    named: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", named)
    async with running(source(ClusterConnection("hub", None, QUICK))) as updates:
        assert (await updates.first(SourceUnreachable)).reason == f"context hub: {says}"


async def test_a_refused_token_is_told(tmp_path: Path) -> None:
    async with connected(tmp_path, c=new_store()) as (server, connection):
        kubeconfig = server.write_kubeconfig(tmp_path, "c")
        kubeconfig.write_text(kubeconfig.read_text().replace("an-open-secret", "guessed"))
        async with running(source(connection)) as updates:
            assert "not signed in" in (await updates.first(SourceUnreachable)).reason


async def test_a_cluster_without_rollouts_is_off_not_broken(tmp_path: Path) -> None:
    async with connected(tmp_path, c=new_store()) as (server, connection):
        server.faults["c"].status = 404
        async with running(source(connection)) as updates:
            assert "not installed" in (await updates.first(SourceOff)).reason


@pytest.mark.parametrize("fault", ["expire", "drop", "both"])
async def test_after_any_number_of_lost_watches_the_source_knows_what_the_server_knows(
    tmp_path: Path, fault: str
) -> None:
    store = new_store("app-checkout", "app-cart")
    created = placed(store, "checkout")
    with_set(store, created)
    chance = random.Random(fault)
    replicas_by_cell: dict[CellKey, int] = {}

    def replicas(updates: list[SourceUpdate]) -> None:
        replicas_by_cell.clear()
        for one in updates:
            if isinstance(one, RolloutsListed):
                replicas_by_cell.clear()
                replicas_by_cell.update({key: value.desired for key, value in one.rollouts.items()})
            elif isinstance(one, RolloutChanged):
                replicas_by_cell[one.key] = one.rollout.desired
            elif isinstance(one, RolloutDeleted):
                replicas_by_cell.pop(one.key, None)

    async with connected(tmp_path, c=store) as (server, connection), running(source(connection)) as updates:
        await updates.first(RolloutsListed)
        for number in range(30):
            await disturb(server, chance, fault)
            current = store.get("Rollout", "app-checkout", "checkout")
            assert current is not None
            store.write("Rollout", {**current, "spec": {**current["spec"], "replicas": number}})
        placed(store, "cart")

        def agrees(all_: list[SourceUpdate]) -> bool:
            replicas(all_)
            return replicas_by_cell == {CHECKOUT: 29, CART: 2}

        await updates.until(agrees)


async def disturb(server: Served, chance: random.Random, fault: str) -> None:
    faults = server.faults["c"]
    actions: dict[str, list[Callable[[], None]]] = {
        "expire": [faults.expire_watches],
        "drop": [faults.drop_watches],
        "both": [faults.expire_watches, faults.drop_watches],
    }
    chance.choice(actions[fault])()
    for _ in range(chance.randint(0, 20)):
        await cooperate()


def cooperate() -> Awaitable[None]:
    """Let the other side run; how often is part of the test's chance, no time is waited for."""
    return asyncio.sleep(0)


async def test_autoscalers_come_with_their_bounds(tmp_path: Path) -> None:
    store = new_store("app-checkout")
    reference = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "checkout"}
    spec = {"scaleTargetRef": reference, "minReplicas": 3, "maxReplicas": 9, "metrics": []}
    metadata = {"name": "checkout", "namespace": "app-checkout"}
    blind = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetResourceMetric",
        "message": "no cpu\x1b[2J",
    }
    status = {"desiredReplicas": 4, "conditions": [{"type": "AbleToScale", "status": "True"}, blind]}
    store.create("HorizontalPodAutoscaler", {"metadata": metadata, "spec": spec, "status": status})
    async with connected(tmp_path, c=store) as (_, connection):
        scaling = ScalingSource(connection, "prod-eu1", NAMING)
        async with running(scaling) as updates:
            listed = await updates.first(ScalingListed)
    assert (listed.scaling[CHECKOUT].minimum, listed.scaling[CHECKOUT].maximum) == (3, 9)
    assert listed.scaling[CHECKOUT].trouble.startswith("no")
    assert "\x1b" not in listed.scaling[CHECKOUT].trouble


async def test_an_autoscaler_elsewhere_is_that_of_the_cell_whose_application_owns_it(tmp_path: Path) -> None:
    store = new_store("elsewhere")
    for name, owner in (("checkout", "prod-eu1-checkout"), ("theirs", "another-team")):
        tracked = {"argocd.argoproj.io/tracking-id": f"{owner}:autoscaling/HorizontalPodAutoscaler:elsewhere/{name}"}
        reference = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": name}
        spec = {"scaleTargetRef": reference, "minReplicas": 3, "maxReplicas": 9, "metrics": []}
        metadata = {"name": name, "namespace": "elsewhere", "annotations": tracked}
        store.create("HorizontalPodAutoscaler", {"metadata": metadata, "spec": spec})
    async with (
        connected(tmp_path, c=store) as (_, connection),
        running(ScalingSource(connection, "prod-eu1", NAMING)) as updates,
    ):
        listed = await updates.first(ScalingListed)
    assert listed.scaling.keys() == {CHECKOUT}
