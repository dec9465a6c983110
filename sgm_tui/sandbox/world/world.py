"""The embedded fleet itself: every simulated part put together, laid out settled, and moved through virtual time.

Nothing here knows HTTP. Months are not simulated: what has long been settled is laid out as it stands; only what a
scenario has going on is played, in the virtual minutes before the start.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from sgm_tui.fleet.images import parse_image
from sgm_tui.sandbox.agenda import Agenda, Script
from sgm_tui.sandbox.argocd.application_sets import SET_KIND
from sgm_tui.sandbox.argocd.context import IN_CLUSTER, IN_CLUSTER_SERVER, Target
from sgm_tui.sandbox.argocd.controller import ArgoController
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.git.fleet_files import Place, with_version
from sgm_tui.sandbox.git.history import history, people
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.git.seed import seed as seeded_files
from sgm_tui.sandbox.github.state import GitHub
from sgm_tui.sandbox.kubernetes.faults import KubeFaults
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.prometheus.server import Defect, Load
from sgm_tui.sandbox.ready import HUB
from sgm_tui.sandbox.rollouts.controller import RolloutsController
from sgm_tui.sandbox.world.layout import (
    DeclaredCluster,
    Deployed,
    cluster_secret,
    declared_clusters,
    default_project,
    namespaces,
    settled_status,
)
from sgm_tui.yaml_reader.nodes import load

STEP_SECONDS = 0.25
"""Virtual seconds of one step: short enough that a cluster's controllers answer between two acts of Argo CD."""
_STEPS_A_LOOK = 4
"""Looking at the refs of a repository costs more than a step in which nothing happens."""
_LONGEST_AGO = 30.0 * 86_400.0


class Story(Protocol):
    """What happens in a world: the files it starts from, and a script of events."""

    @property
    def warm_up(self) -> float:
        """Virtual seconds to play before the start."""
        ...

    def shape(self, world: World) -> None:
        """Change the files before they become history."""
        ...

    def play(self, world: World) -> Script:
        """Make things happen over virtual time."""
        ...


class World:
    """One embedded fleet."""

    def __init__(
        self,
        *,
        services: int | None = None,
        clusters: int | None = None,
        seed: str = "sgm",
        speed: float = 10.0,
        scenario: Story,
        directory: Path,
        started_at: datetime | None = None,
    ) -> None:
        self.seed = seed
        self.clock = Clock(started_at or datetime.now(UTC).replace(microsecond=0), speed)
        self.scenario = scenario
        self.files = seeded_files(services, clusters, seed)
        self.repository = Repository(directory / "gitops.git")
        self._new = not self.repository.head()
        self.clock.now = -self.scenario.warm_up if self._new else 0.0
        self.clusters: list[DeclaredCluster] = declared_clusters(self.files)
        self.hub = ObjectStore(self.clock, seed=f"{seed}:{HUB}")
        names = [cluster.name for cluster in self.clusters]
        self.stores = {name: ObjectStore(self.clock, seed=f"{seed}:{name}") for name in names}
        self.faults: dict[str, KubeFaults] = {name: KubeFaults() for name in (HUB, *self.stores)}
        self.targets = {cluster.name: self._target(cluster) for cluster in self.clusters}
        hub = Target(IN_CLUSTER, IN_CLUSTER_SERVER, self.hub)
        self.argo = ArgoController(self.hub, {**self.targets, IN_CLUSTER: hub}, self.repository, self.clock, seed=seed)
        self.defects: dict[tuple[str, str], Defect] = {}
        """Service and version → what is wrong with it; scenarios fill this in."""
        stages = {cluster.name: cluster.stage for cluster in self.clusters}
        self.load = Load(self.stores, stages, self.clock, seed=seed, defects=self.defects)
        self.rollouts = {
            name: RolloutsController(store, self.clock, measure=self.load.measure(name), seed=f"{seed}:{name}")
            for name, store in self.stores.items()
        }
        self.github = GitHub(self.repository, self.clock, seed=seed)
        self.agenda = Agenda(self.clock)
        self._random = random.Random(f"{seed}:people")
        self._head = ""
        self._steps = 0

    def _target(self, cluster: DeclaredCluster) -> Target:
        return Target(cluster.name, cluster.server, self.stores[cluster.name], cluster.labels)

    @property
    def api_servers(self) -> Mapping[str, ObjectStore]:
        """Every Kubernetes API by the name of its context."""
        return {HUB: self.hub, **self.stores}

    def start(self) -> None:
        """Lay everything out settled, then play what the scenario has going on up to the present."""
        if self._new:
            self.scenario.shape(self)
            self.repository.seed(history(self.files, self.seed), self.clock.started_at)
        self._head = self.repository.head()
        self.argo.prepare()
        self.github.begin()
        self._lay_out_hub()
        self._lay_out_services()
        self.argo.begin()
        if self._new:
            self.agenda.start(self.scenario.play(self))
        self.load.step()
        while self.clock.now < 0.0:
            self.step()

    def step(self, seconds: float = STEP_SECONDS) -> None:
        """Move on by so many virtual seconds, in one go."""
        self.clock.advance(seconds)
        self.agenda.run()
        self._steps += 1
        if self._steps % _STEPS_A_LOOK == 0:
            self._notice_push()
        for name, controller in self.rollouts.items():
            if self.targets[name].reachable:
                controller.step()
        self.argo.step()
        self.load.step()
        self.github.step()

    def _notice_push(self) -> None:
        """Pushes come from outside and straight into the repository: its web hook is us looking at the branch."""
        head = self.repository.head()
        if head != self._head:
            self._head = head
            self.argo.on_push()

    def cut_off(self, cluster: str) -> None:
        """From now on the cluster's API server does not answer, to nobody."""
        self.faults[cluster].hang = True
        self.targets[cluster].reachable = False

    def reconnect(self, cluster: str) -> None:
        """The cluster's API server answers again."""
        self.faults[cluster].hang = False
        self.targets[cluster].reachable = True

    def deliver(self, *changes: tuple[Place, str] | None) -> None:
        """One commit on main that lets these places ask for these versions."""
        chosen = [one for one in changes if one is not None]
        if not chosen:
            return
        self.repository.commit("main", *self._change(chosen), at=self.clock.wall(), author=self._somebody())

    def propose(self, change: tuple[Place, str] | None) -> None:
        """A pull request that asks for the same."""
        if change is None:
            return
        place, version = change
        writes, message = self._change([change])
        branch = f"sgm/{place.service}-{place.where}-{version}"
        self.repository.commit(branch, writes, message, at=self.clock.wall(), author=self._somebody())
        self.github.open(branch, message.partition("\n")[0])

    def edit_scaling(self, place: Place, more: int) -> None:
        """Somebody raises the autoscaler's limits by hand."""
        for store in self._stores_of(place):
            live = store.get("HorizontalPodAutoscaler", f"app-{place.service}", place.service)
            if live is not None:
                spec = live["spec"]
                raised = {**spec, "minReplicas": spec["minReplicas"] + more, "maxReplicas": spec["maxReplicas"] + more}
                store.write("HorizontalPodAutoscaler", {**live, "spec": raised})

    def edit_image(self, place: Place, version: str) -> None:
        """Somebody sets another image by hand."""
        for store in self._stores_of(place):
            live = store.get("Rollout", f"app-{place.service}", place.service)
            if live is not None:
                template = live["spec"]["template"]
                containers = [
                    {**container, "image": parse_image(container["image"]).with_version(version)}
                    for container in template["spec"]["containers"]
                ]
                changed = {**template, "spec": {**template["spec"], "containers": containers}}
                store.write("Rollout", {**live, "spec": {**live["spec"], "template": changed}})

    def _stores_of(self, place: Place) -> list[ObjectStore]:
        return [self.stores[one.name] for one in self.clusters if place.where in {one.name, one.stage}]

    def _change(self, changes: Sequence[tuple[Place, str]]) -> tuple[dict[str, bytes | None], str]:
        """The files and the message of a commit that changes versions."""
        head = self.repository.head()
        writes: dict[str, bytes | None] = {}
        for place, version in changes:
            data = self.repository.read(head, place.path)
            writes[place.path] = with_version(data or b"", version)
        place, version = changes[0]
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        return writes, f"feat({place.service}): {place.where} -> {version}{more}\n\nSgm-To: {version}\n"

    def _somebody(self) -> str:
        return self._random.choice([name for name, _ in people()])

    def close(self) -> None:
        """End what runs beside this process."""
        self.repository.close()

    def _lay_out_hub(self) -> None:
        created = self.clock.stamp(-_LONGEST_AGO)
        namespaces(self.hub, ("default", "kube-system", "argocd"), created)
        for cluster in self.clusters:
            secret = cluster_secret(cluster)
            secret["metadata"]["creationTimestamp"] = created
            self.hub.create("Secret", secret)
        project = default_project("argocd")
        project["metadata"]["creationTimestamp"] = created
        self.hub.create("AppProject", project)
        data = self.repository.read(self._head, "argocd/root-apps.yaml")
        if data is None:
            return
        root: KubeObject = load(data)
        desired = self.argo.context.manifests.of(root, self._head)
        for obj in desired:
            metadata = {**obj["metadata"], "creationTimestamp": created}
            self.hub.create(obj["kind"], {**obj, "metadata": metadata})
        self._adopt(root, desired, [Deployed(self._head, self.clock.wall(-_LONGEST_AGO))])

    def _lay_out_services(self) -> None:
        deployed = self._deployments()
        for application_set in self.hub.list(SET_KIND, "argocd"):
            for application in self.argo.sets.expanded(application_set):
                self._lay_out_service(application, deployed)

    def _lay_out_service(self, application: KubeObject, deployed: Mapping[str, list[Deployed]]) -> None:
        spec = application["spec"]
        cluster = spec["destination"]["name"]
        desired = self.argo.context.manifests.of(application, self._head)
        helm = spec["source"].get("helm") or {}
        paths = [path.lstrip("/") for path in helm.get("valueFiles") or ()] or [f"{spec['source']['path']}/values.yaml"]
        commits = [one for path in paths for one in deployed.get(path, ())]
        commits = commits or [Deployed(self._head, self.clock.wall(-_LONGEST_AGO))]
        store = self.stores[cluster]
        namespaces(store, [spec["destination"]["namespace"]], self.clock.stamp(-_LONGEST_AGO))
        if desired:
            self.rollouts[cluster].settle(desired, since=self.clock.virtual(commits[-1].at))
        self._adopt(application, desired, commits)

    def _adopt(self, application: KubeObject, desired: Sequence[KubeObject], commits: Sequence[Deployed]) -> None:
        status = settled_status(application, desired, self._head, commits, self.clock)
        created = commits[0].at.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.argo.context.applications.create(application, status=status, created=created)

    def _deployments(self) -> dict[str, list[Deployed]]:
        """Which commits changed a file, oldest first: what Argo CD deployed and when."""
        deployments: dict[str, list[Deployed]] = {}
        for commit, at, paths in reversed(self.repository.log()):
            for path in paths:
                if path.endswith("values.yaml"):
                    deployments.setdefault(path, []).append(Deployed(commit, at))
        return deployments
