"""One session on hubs of every shape, over real connections: what each of them has ends in its own cell."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kube_server import new_store, served
from origin import config_of, origin_in

from sgm_tui.config.schema import ArgoConfig, HubConfig
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.session import LiveSession
from sgm_tui.wiring import open_session

pytestmark = pytest.mark.xdist_group("hubs")
SOON = 90.0


def application(namespace: str, service: str, destination: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": f"dev-eu1-{service}", "namespace": namespace, "labels": {"service": service}},
        "spec": {"project": "acme", "destination": {"namespace": f"app-{service}", **destination}},
        "status": {"sync": {"status": "Synced", "revision": "a" * 40}, "health": {"status": "Healthy"}},
    }


async def until_placed(session: LiveSession) -> FleetSnapshot:
    async with asyncio.timeout(SOON):
        async for snapshot in session.snapshots():
            if len(places(snapshot)) == 2:
                return snapshot
    raise AssertionError("no snapshot came any more")


def places(snapshot: FleetSnapshot) -> dict[str, str]:
    found = ((key, cell.facts.application) for key, cell in snapshot.cells.items())
    return {f"{key.service}@{key.cluster}": one.namespace for key, one in found if one is not None and one.detailed}


async def test_a_hub_that_is_a_cluster_too_and_has_applications_in_several_namespaces(tmp_path: Path) -> None:
    store = new_store("argocd", "team-a")
    store.create("Application", application("argocd", "cart", {"server": "https://kubernetes.default.svc"}))
    store.create("Application", application("team-a", "catalog", {"name": "in-cluster"}))
    async with served(**{"dev-eu1": store}) as server:
        config = replace(
            config_of(origin_in(tmp_path), tmp_path),
            argocd=ArgoConfig((HubConfig("dev-eu1"), HubConfig("dev-eu1", "team-a")), application="none-{service}"),
            kubeconfig=server.write_kubeconfig(tmp_path, "dev-eu1"),
            state_directory=tmp_path / "state",
        )

        async def load() -> Any:
            return config

        async with open_session(load) as session:
            snapshot = await until_placed(session)
    assert places(snapshot) == {"cart@dev-eu1": "argocd", "catalog@dev-eu1": "team-a"}
    names = [one.name for one in snapshot.sources if one.source.kind == "argocd"]
    assert names == ["argocd dev-eu1", "argocd dev-eu1/team-a"]
