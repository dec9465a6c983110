"""The connections to hubs and workload clusters, and the sources that read them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sgm_tui.config.schema import ClusterConfig, Config
    from sgm_tui.live.connection import ClusterConnection
    from sgm_tui.permission import WritePermission
    from sgm_tui.sources import Source
    from sgm_tui.store.fleet_store import Store


@dataclass(frozen=True, slots=True)
class ClusterConnections:
    """One connection to each hub and to each workload cluster."""

    hubs: Sequence[tuple[ClusterConnection, str]]
    """The connection to each hub, and the namespace of its Argo CD."""
    clusters: Mapping[str, ClusterConnection]
    """The connection to each workload cluster, by its name."""


def connect_clusters(
    config: Config, permission: WritePermission, stack: contextlib.AsyncExitStack
) -> ClusterConnections:
    """Return connections that sign in with their first request; `stack` closes them."""
    from sgm_tui.live.connection import ClusterConnection

    def connect(context: str, protected: Sequence[str] = ()) -> ClusterConnection:
        connection = ClusterConnection(context, config.kubeconfig, permission=permission, protected=protected)
        stack.push_async_callback(connection.close)
        return connection

    protected_stages = {stage.name for stage in config.stages if stage.protected}
    return ClusterConnections(
        [(connect(hub.context), hub.namespace) for hub in config.argocd.hubs],
        {one.name: connect(one.context, sorted({one.stage} & protected_stages)) for one in config.clusters},
    )


def hub_scopes(config: Config) -> list[str]:
    """Return the name of each hub's source: its context, with the namespace where that context has a hub already."""
    scopes: list[str] = []
    contexts: set[str] = set()
    for hub in config.argocd.hubs:
        scopes.append(f"{hub.context}/{hub.namespace}" if hub.context in contexts else hub.context)
        contexts.add(hub.context)
    return scopes


def cluster_sources(
    config: Config, connections: ClusterConnections, is_service: Callable[[str], bool], store: Store
) -> Iterator[Source]:
    """Yield the sources of Applications, rollouts and autoscalers."""
    from sgm_tui.live.argocd import ApplicationSource
    from sgm_tui.live.naming import Naming
    from sgm_tui.live.rollouts import RolloutSource
    from sgm_tui.live.scaling import ScalingSource

    naming = Naming(config)
    for (connection, namespace), scope in zip(connections.hubs, hub_scopes(config), strict=True):
        yield ApplicationSource(connection, namespace, naming, is_service=is_service, scope=scope)
    for cluster in config.clusters:
        connection = connections.clusters[cluster.name]
        yield RolloutSource(connection, cluster.name, naming)
        yield ScalingSource(connection, cluster.name, naming, _activity(store, cluster))


def metrics_sources(config: Config, store: Store) -> Iterator[Source]:
    """Yield the source of metrics and alerts of every cluster that has a Prometheus."""
    from sgm_tui.live.metrics import MetricsSource
    from sgm_tui.live.naming import Naming

    naming = Naming(config)
    for cluster in config.clusters:
        if cluster.prometheus:
            yield MetricsSource(cluster.prometheus, cluster.name, config.metrics, naming, _activity(store, cluster))


def _activity(store: Store, cluster: ClusterConfig) -> Callable[[], bool]:
    """Return what says whether a change is in progress or in trouble in a cluster: it is then read more often."""
    return functools.partial(store.has_activity, cluster.name)
