"""Which cell an observed object belongs to, by its name, labels and place, as the configuration says they are built."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sgm_tui.config.schema import ClusterConfig, Config
from sgm_tui.fleet.git_urls import same_repository
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName

IsService = Callable[[str], bool]
_ITSELF = frozenset({"in-cluster", "https://kubernetes.default.svc"})
"""What Argo CD calls the cluster it runs in; every hub means another one by it."""


@dataclass(frozen=True, slots=True)
class Naming:
    """The configured templates, ready to match."""

    config: Config
    application: re.Pattern[str] = field(init=False)
    clusters: dict[str, ClusterConfig] = field(init=False)
    _keys: dict[tuple[str, str], CellKey] = field(init=False, default_factory=dict, repr=False, compare=False)
    """One key serves all that is said of a cell."""

    def __post_init__(self) -> None:
        clusters = {cluster.name: cluster for cluster in self.config.clusters}
        object.__setattr__(self, "clusters", clusters)
        object.__setattr__(self, "application", _pattern(self.config.argocd.application, list(clusters)))

    def of_application(
        self, name: str, *, service: str = "", destination: str = "", namespace: str | None = None, hub: str = ""
    ) -> CellKey | None:
        """The cell of an Application; None when it belongs to none (the platform, the root).

        Args:
            name: of the Application.
            service: its label `service`, which outranks the name.
            destination: cluster name or server URL it deploys to; "" when not known (a Table row).
            namespace: it deploys to; None when not known.
            hub: context of the hub that has it: a destination may be the hub itself.
        """
        match = self.application.fullmatch(name)
        named = match.groupdict() if match else {}
        cluster = self._cluster(destination, hub) or self.clusters.get(named.get("cluster", ""))
        found = service or named.get("service", "")
        if cluster is None or not found:
            return None
        if not service and namespace is not None and namespace != self.namespace_of(found):
            return None
        return self._key(found, cluster)

    def is_called_after(self, name: str, key: CellKey) -> bool:
        """Whether an Application's name alone says that it is of that service (and, where it tells, cluster)."""
        match = self.application.fullmatch(name)
        return match is not None and match["service"] == key.service and match["cluster"] in {"", key.cluster}

    def of_rollout(self, cluster: str, namespace: str, name: str, application: str = "") -> CellKey | None:
        """The cell of a Rollout in a cluster: by the Application that owns it, else by its namespace and name.

        A name alone is no service: anybody may have a Rollout of the same name in a namespace of their own.
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
        """The cell whose service lives in a namespace of a cluster."""
        service = self.service_in(namespace)
        return None if service is None else self._key(service, self.clusters[cluster])

    def is_repository(self, url: str) -> bool:
        """Whether a source is the GitOps repository, however its URL is spelled."""
        return any(same_repository(url, one) for one in self.config.repository_urls)

    def service_in(self, namespace: str) -> str | None:
        """The service a namespace is for."""
        return _extract(self.config.rollouts.namespace, namespace)

    def namespace_of(self, service: str) -> str:
        """The namespace of a service."""
        return self.config.rollouts.namespace.replace("{service}", service)

    def rollout_of(self, service: str) -> str:
        """The name of a service's Rollout."""
        return self.config.rollouts.name.replace("{service}", service)

    def _cluster(self, destination: str, hub: str) -> ClusterConfig | None:
        if destination in self.clusters:
            return self.clusters[destination]
        place = destination.rstrip("/")
        itself = [one for one in self.clusters.values() if place in _ITSELF and one.context == hub]
        by_url = (one for one in self.clusters.values() if place and one.server.rstrip("/") == place)
        return next(iter((*itself, *by_url)), None)

    def _key(self, service: str, cluster: ClusterConfig) -> CellKey:
        found = self._keys.get((service, cluster.name))
        if found is None:
            found = CellKey(ServiceName(service), StageName(cluster.stage), ClusterName(cluster.name))
            self._keys[service, cluster.name] = found
        return found


def _pattern(template: str, clusters: list[str]) -> re.Pattern[str]:
    """The template as a pattern; clusters are alternatives, the longest first, so that names may contain dashes."""
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
    before, marker, after = template.partition("{service}")
    if not marker or not text.startswith(before) or not text.endswith(after):
        return None
    return text[len(before) : len(text) - len(after)] or None
