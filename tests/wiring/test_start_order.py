"""Each source starts as soon as its own library is there: what a later one needs is not loaded before."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest

from sgm_tui.config.schema import (
    ArgoConfig,
    ClusterConfig,
    Config,
    GithubConfig,
    HubConfig,
    RepositoryConfig,
    StageConfig,
)
from sgm_tui.permission import WritePermission
from sgm_tui.store.fleet_store import Store
from sgm_tui.wiring.clusters import cluster_sources, connect_clusters, metrics_sources
from sgm_tui.wiring.connection import _CLUSTER_MODULES, _DEFERRED_PACKAGES, _GIT_MODULES
from sgm_tui.wiring.source_names import list_sources, list_sources_off


def loaded_after(*modules: str) -> set[str]:
    """Return every module that a fresh Python has loaded after importing these, the deferred packages deferred."""
    program = (
        "import sys, importlib; from sgm_tui.wiring.deferred_package import defer_package;"
        f"[defer_package(name) for name in {_DEFERRED_PACKAGES}];"
        f"[importlib.import_module(name) for name in {modules}];"
        "print(*sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(shown.stdout.split())


def test_git_waits_for_no_library_of_clusters_or_github() -> None:
    assert not loaded_after(*_GIT_MODULES) & {"aiohttp", "kubernetes.aio.client", "requests", "github"}


def test_clusters_wait_for_no_library_of_github_or_prometheus_and_no_kubernetes_models() -> None:
    loaded = loaded_after(*_GIT_MODULES, *_CLUSTER_MODULES)
    assert "kubernetes.aio.client.api_client" in loaded
    assert not loaded & {"github", "prometheus_api_client", "requests", "kubernetes.client", "kubernetes.watch"}


HUBS = (HubConfig("hub", "argocd"), HubConfig("hub", "argocd-2"), HubConfig("other", "argocd"))
STAGES = (
    StageConfig("dev", (ClusterConfig("dev-eu1", "dev", context="dev", prometheus="http://127.0.0.1:1"),)),
    StageConfig("prod", (ClusterConfig("prod-eu1", "prod", context="prod"),), protected=True),
)


@pytest.mark.parametrize("hubs", [HUBS, ()])
@pytest.mark.parametrize("github", ["acme/gitops", ""])
async def test_every_source_that_starts_was_announced_and_the_others_are_off(
    hubs: tuple[HubConfig, ...], github: str
) -> None:
    config = Config(
        RepositoryConfig("https://github.com/acme/gitops.git"),
        STAGES,
        argocd=ArgoConfig(hubs),
        github=GithubConfig(repository=github),
    )
    store = Store()
    async with contextlib.AsyncExitStack() as stack:
        connections = connect_clusters(config, WritePermission(), stack)
        sources = [
            *cluster_sources(config, connections, lambda _: True, store),
            *metrics_sources(config, store),
        ]
        started = [source.source for source in sources]
    announced = list(list_sources(config))
    others = {identity for identity in announced if identity.kind in {"git", "alerts", "forge"}}
    assert set(announced) - others == set(started)
    assert len(set(announced)) == len(announced)
    off = {update.source.kind for update in list_sources_off(config)}
    assert off == {"metrics", "alerts"} | ({"argocd"} if not hubs else set()) | ({"forge"} if not github else set())
