"""What the parts of the simulated Argo CD share: the hub, the clusters, git and the agenda."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.argocd.applications import Applications
from sgm_tui.sandbox.argocd.manifests import Manifests, Repository
from sgm_tui.sandbox.argocd.windows import can_sync
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore

MOMENT = 0.02
"""Virtual seconds between two writes of one pass of the controller."""
IN_CLUSTER = "in-cluster"
IN_CLUSTER_SERVER = "https://kubernetes.default.svc"


@dataclass(slots=True)
class Target:
    """A cluster Argo CD deploys to."""

    name: str
    server: str
    store: ObjectStore
    labels: Mapping[str, str] = field(default_factory=dict)
    reachable: bool = True
    """False while its API server does not respond: Argo CD keeps the last state (protocols §J)."""


@dataclass(slots=True)
class Context:
    """Shared by the controller, its operations and its ApplicationSets."""

    applications: Applications
    targets: Mapping[str, Target]
    """Clusters by name; the hub itself is `in-cluster`."""
    repository: Repository
    manifests: Manifests
    clock: Clock
    agenda: Agenda
    random: random.Random
    head: str = ""
    """The newest commit Argo CD has fetched."""
    applied: dict[str, str] = field(default_factory=dict)
    """Application → the commit last applied: fields that git has removed since are drift."""

    @property
    def hub(self) -> ObjectStore:
        """The Kubernetes API with the Applications."""
        return self.applications.hub

    @property
    def servers(self) -> dict[str, str]:
        """Cluster → URL of its API server."""
        return {target.name: target.server for target in self.targets.values()}

    def project(self, spec: Mapping[str, Any]) -> KubeObject | None:
        """Return the AppProject of an Application; None if it does not exist."""
        return self.hub.get("AppProject", self.applications.namespace, spec.get("project", ""))

    def project_or_empty(self, spec: Mapping[str, Any]) -> KubeObject:
        """Return the AppProject of an Application; one that allows nothing if it does not exist."""
        return self.project(spec) or {"metadata": {"name": ""}, "spec": {}}

    def target(self, spec: Mapping[str, Any]) -> Target | None:
        """Return the cluster an Application deploys to; None if Argo CD does not have it."""
        destination = spec["destination"]
        if destination.get("name"):
            return self.targets.get(destination["name"])
        return next((target for target in self.targets.values() if target.server == destination.get("server")), None)

    def may_sync(self, application: KubeObject, *, manual: bool) -> bool:
        """Return whether the sync windows of its project allow the Application to sync now."""
        project = self.project(application["spec"])
        windows = (project or {}).get("spec", {}).get("syncWindows") or ()
        return can_sync(windows, application, self.clock.wall(), manual=manual)

    def jitter(self, low: float, high: float) -> float:
        """Return random seconds between two bounds, the same ones for the same seed."""
        return self.random.uniform(low, high)
