"""The cell of an observed object, found by its name, labels and namespace as the configuration defines them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sgm_tui.config.schema import ClusterConfig, Config
from sgm_tui.fleet.git_urls import is_same_repository
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName

IsService = Callable[[str], bool]
"""Returns whether git has a service of that name."""
_IN_CLUSTER = frozenset({"in-cluster", "https://kubernetes.default.svc"})
"""Argo CD's names for the cluster it runs in, which differs from hub to hub."""


@dataclass(frozen=True, slots=True)
class Naming:
    """The configured naming templates, compiled."""

    config: Config
    application: re.Pattern[str] = field(init=False)
    clusters: dict[str, ClusterConfig] = field(init=False)
    _keys: dict[tuple[str, str], CellKey] = field(init=False, default_factory=dict, repr=False, compare=False)
    """Service and cluster → the one key object that every observation of the cell shares."""

    def __post_init__(self) -> None:
        clusters = {cluster.name: cluster for cluster in self.config.clusters}
        object.__setattr__(self, "clusters", clusters)
        object.__setattr__(self, "application", _pattern(self.config.argocd.application, list(clusters)))

    def of_application(
        self, name: str, *, service: str = "", destination: str = "", namespace: str | None = None, hub: str = ""
    ) -> CellKey | None:
        """Return the cell of an Application; None where it belongs to none (the platform, the root).

        Args:
            name: of the Application.
            service: its label `service`, which outranks the name.
            destination: cluster name or server URL it deploys to; "" when unknown (a Table row).
            namespace: it deploys to; None when unknown.
            hub: context of the hub that has it: a destination may be the hub itself.
        """
        match = self.application.fullmatch(name)
        parts = match.groupdict() if match else {}
        cluster = self._cluster(destination, hub) or self.clusters.get(parts.get("cluster", ""))
        service_name = service or parts.get("service", "")
        if cluster is None or not service_name:
            return None
        if not service and namespace is not None and namespace != self.namespace_of(service_name):
            return None
        return self._key(service_name, cluster)

    def is_called_after(self, name: str, key: CellKey) -> bool:
        """Return whether an Application is named after the service of a cell and, if it names one, the cluster."""
        match = self.application.fullmatch(name)
        return match is not None and match["service"] == key.service and match["cluster"] in {"", key.cluster}

    def of_rollout(self, cluster: str, namespace: str, name: str, application: str = "") -> CellKey | None:
        """Return the cell of a Rollout: by the Application that owns it, else by its namespace and name.

        The name alone does not decide: anybody may have a Rollout of the same name in another namespace.
        """
        match = self.application.fullmatch(application) if application else None
        here = self.clusters[cluster]
        if match is not None and match["cluster"] in {"", cluster}:
            return self._key(match["service"], here)
        service = self.service_in(namespace) or _extract(self.config.rollouts.name, name)
        if service is None or (self.namespace_of(service), self.rollout_of(service)) != (namespace, name):
            return None
        return self._key(service, here)

    def of_namespace(self, cluster: str, namespace: str) -> CellKey | None:
        """Return the cell whose service has that namespace of a cluster; None where there is none."""
        service = self.service_in(namespace)
        return None if service is None else self._key(service, self.clusters[cluster])

    def is_repository(self, url: str) -> bool:
        """Return whether the URL of a source is the GitOps repository's, in any spelling."""
        return any(is_same_repository(url, own) for own in self.config.repository_urls)

    def service_in(self, namespace: str) -> str | None:
        """Return the service that a namespace is for; None where its name does not match the template."""
        return _extract(self.config.rollouts.namespace, namespace)

    def namespace_of(self, service: str) -> str:
        """Return the namespace of a service."""
        return self.config.rollouts.namespace.replace("{service}", service)

    def rollout_of(self, service: str) -> str:
        """Return the name of a service's Rollout."""
        return self.config.rollouts.name.replace("{service}", service)

    def _cluster(self, destination: str, hub: str) -> ClusterConfig | None:
        """Return the cluster of a destination, given by name, by URL, or as the hub itself."""
        if destination in self.clusters:
            return self.clusters[destination]
        address = destination.rstrip("/")
        own = [cluster for cluster in self.clusters.values() if address in _IN_CLUSTER and cluster.context == hub]
        by_url = (cluster for cluster in self.clusters.values() if address and cluster.server.rstrip("/") == address)
        return next(iter((*own, *by_url)), None)

    def _key(self, service: str, cluster: ClusterConfig) -> CellKey:
        key = self._keys.get((service, cluster.name))
        if key is None:
            key = CellKey(ServiceName(service), StageName(cluster.stage), ClusterName(cluster.name))
            self._keys[service, cluster.name] = key
        return key


def _pattern(template: str, clusters: list[str]) -> re.Pattern[str]:
    """Compile a template; clusters are alternatives, the longest first, so that their names may contain dashes."""
    names = "|".join(re.escape(name) for name in sorted(clusters, key=len, reverse=True)) or "(?!)"
    pattern = re.escape(template)
    pattern = pattern.replace(re.escape("{cluster}"), f"(?P<cluster>{names})", 1)
    pattern = pattern.replace(re.escape("{service}"), r"(?P<service>[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)", 1)
    if "(?P<cluster>" not in pattern:
        pattern = f"(?P<cluster>){pattern}"
    if "(?P<service>" not in pattern:
        pattern = f"{pattern}(?P<service>)"
    return re.compile(pattern)


def _extract(template: str, text: str) -> str | None:
    """Return the part of a text that stands for `{service}` in a template; None where they do not match."""
    before, marker, after = template.partition("{service}")
    if not marker or not text.startswith(before) or not text.endswith(after):
        return None
    return text[len(before) : len(text) - len(after)] or None
