"""Which sources a configuration has, before any of them is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import SourceOff
from sgm_tui.wiring.clusters import hub_scopes

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config


def list_sources(config: Config) -> Iterator[SourceId]:
    """Yield every source that will report, in the order in which they are shown."""
    yield SourceId("git")
    yield from (SourceId("argocd", scope) for scope in hub_scopes(config))
    for cluster in config.clusters:
        yield SourceId("rollouts", cluster.name)
        yield SourceId("scaling", cluster.name)
        if cluster.prometheus:
            yield SourceId("metrics", cluster.name)
            yield SourceId("alerts", cluster.name)
    if config.github.repository:
        yield SourceId("forge")


def list_sources_off(config: Config) -> Iterator[SourceOff]:
    """Yield every source that is not configured."""
    if not config.argocd.hubs:
        yield SourceOff(SourceId("argocd"), "argocd.hubs is not configured")
    for cluster in config.clusters:
        if not cluster.prometheus:
            reason = f"no prometheus is configured for {cluster.name}"
            yield SourceOff(SourceId("metrics", cluster.name), reason)
            yield SourceOff(SourceId("alerts", cluster.name), reason)
    if not config.github.repository:
        yield SourceOff(SourceId("forge"), "github.repository is not configured")
