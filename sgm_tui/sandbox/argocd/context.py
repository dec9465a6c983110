"""What every part of the simulated Argo CD works with: the hub, the clusters, git, and when to do what."""

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
    """False while its API server does not answer: then Argo CD keeps what it knew (protocols §J)."""


@dataclass(slots=True)
class Context:
    """Shared by the controller, its operations and its ApplicationSets."""

    applications: Applications
    targets: Mapping[str, Target]
    """By name, the hub itself as `in-cluster`."""
    repository: Repository
    manifests: Manifests
    clock: Clock
    agenda: Agenda
    random: random.Random
    head: str = ""
    """The newest commit Argo CD has noticed."""
    applied: dict[str, str] = field(default_factory=dict)
    """Application → a commit that says what was last applied: fields git has given up since are drift."""

    @property
    def hub(self) -> ObjectStore:
        """Where the Applications are."""
        return self.applications.hub

    @property
    def servers(self) -> dict[str, str]:
        """The API server of every cluster, by its name."""
        return {target.name: target.server for target in self.targets.values()}

    def project(self, spec: Mapping[str, Any]) -> KubeObject | None:
        """The AppProject an Application refers to."""
        return self.hub.get("AppProject", self.applications.namespace, spec.get("project", ""))

    def target(self, spec: Mapping[str, Any]) -> Target | None:
        """The cluster an Application is for."""
        destination = spec["destination"]
        if destination.get("name"):
            return self.targets.get(destination["name"])
        return next((one for one in self.targets.values() if one.server == destination.get("server")), None)

    def may_sync(self, application: KubeObject, *, manual: bool) -> bool:
        """Whether the sync windows of its project let the Application sync now."""
        project = self.project(application["spec"])
        windows = (project or {}).get("spec", {}).get("syncWindows") or ()
        return can_sync(windows, application, self.clock.wall(), manual=manual)

    def jitter(self, low: float, high: float) -> float:
        """Seconds between two bounds; the same seed gives the same ones."""
        return self.random.uniform(low, high)
