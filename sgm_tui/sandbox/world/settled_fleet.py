"""Lay out a fleet as if it had been deployed long ago: everything synced, healthy and with its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sgm_tui.sandbox.argocd.application_sets import SET_KIND
from sgm_tui.sandbox.argocd.controller import ArgoController
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.rollouts.controller import RolloutsController
from sgm_tui.sandbox.world.layout import (
    DeclaredCluster,
    Deployed,
    cluster_secret,
    create_namespaces,
    default_project,
    settled_status,
)
from sgm_tui.yaml_reader.nodes import load

_OLDEST = 30.0 * 86_400.0
"""Age in seconds of what has no history of its own."""


class SettledFleet:
    """The objects of the hub and of every cluster at the head of main."""

    def __init__(
        self,
        repository: Repository,
        argo: ArgoController,
        stores: Mapping[str, ObjectStore],
        rollouts: Mapping[str, RolloutsController],
        clock: Clock,
    ) -> None:
        self._repository = repository
        self._argo = argo
        self._stores = stores
        self._rollouts = rollouts
        self._clock = clock
        self._head = repository.head()

    def lay_out_hub(self, hub: ObjectStore, clusters: Iterable[DeclaredCluster]) -> None:
        """Create the declared clusters, the default project and the app of apps on the hub."""
        created = self._clock.stamp(-_OLDEST)
        create_namespaces(hub, ("default", "kube-system", "argocd"), created)
        for cluster in clusters:
            secret = cluster_secret(cluster)
            secret["metadata"]["creationTimestamp"] = created
            hub.create("Secret", secret)
        project = default_project("argocd")
        project["metadata"]["creationTimestamp"] = created
        hub.create("AppProject", project)
        data = self._repository.read(self._head, "argocd/root-apps.yaml")
        if data is None:
            return
        root: KubeObject = load(data)
        desired = self._argo.context.manifests.of(root, self._head)
        for obj in desired:
            metadata = {**obj["metadata"], "creationTimestamp": created}
            hub.create(obj["kind"], {**obj, "metadata": metadata})
        self._create_application(root, desired, [Deployed(self._head, self._clock.wall(-_OLDEST))])

    def lay_out_services(self, hub: ObjectStore) -> None:
        """Create every Application the ApplicationSets generate, and its objects in its cluster."""
        deployments = self._find_deployments()
        for application_set in hub.list(SET_KIND, "argocd"):
            for application in self._argo.sets.expanded(application_set):
                self._lay_out_service(application, deployments)

    def _lay_out_service(self, application: KubeObject, deployments: Mapping[str, list[Deployed]]) -> None:
        spec = application["spec"]
        cluster = spec["destination"]["name"]
        desired = self._argo.context.manifests.of(application, self._head)
        helm = spec["source"].get("helm") or {}
        paths = [path.lstrip("/") for path in helm.get("valueFiles") or ()] or [f"{spec['source']['path']}/values.yaml"]
        commits = [deployed for path in paths for deployed in deployments.get(path, ())]
        commits = commits or [Deployed(self._head, self._clock.wall(-_OLDEST))]
        create_namespaces(self._stores[cluster], [spec["destination"]["namespace"]], self._clock.stamp(-_OLDEST))
        if desired:
            self._rollouts[cluster].settle(desired, since=self._clock.virtual(commits[-1].at))
        self._create_application(application, desired, commits)

    def _create_application(
        self, application: KubeObject, desired: Sequence[KubeObject], commits: Sequence[Deployed]
    ) -> None:
        status = settled_status(application, desired, self._head, commits, self._clock)
        created = commits[0].at.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._argo.context.applications.create(application, status=status, created=created)

    def _find_deployments(self) -> dict[str, list[Deployed]]:
        """Return values file → the commits that changed it, oldest first: what Argo CD deployed and when."""
        deployments: dict[str, list[Deployed]] = {}
        for commit, at, paths in reversed(self._repository.log()):
            for path in paths:
                if path.endswith("values.yaml"):
                    deployments.setdefault(path, []).append(Deployed(commit, at))
        return deployments
