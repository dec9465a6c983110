"""The embedded fleet: every simulated part, wired together and moved through virtual time.

Nothing here knows HTTP. Months of history are laid out and not simulated; only the events of a scenario are simulated,
in the virtual minutes before the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from sgm_tui.sandbox.agenda import Agenda, Script
from sgm_tui.sandbox.argocd.context import IN_CLUSTER, IN_CLUSTER_SERVER, Target
from sgm_tui.sandbox.argocd.controller import ArgoController
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.git.history import history
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.git.seed import seed as seeded_files
from sgm_tui.sandbox.github.state import GitHub
from sgm_tui.sandbox.kubernetes.faults import KubeFaults
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.prometheus.server import Defect, Load
from sgm_tui.sandbox.ready import HUB
from sgm_tui.sandbox.rollouts.controller import RolloutsController
from sgm_tui.sandbox.world.layout import DeclaredCluster, declared_clusters
from sgm_tui.sandbox.world.people import People
from sgm_tui.sandbox.world.settled_fleet import SettledFleet

STEP_SECONDS = 0.25
"""Virtual seconds of one step, short enough that a cluster's controllers react between two writes of Argo CD."""
_STEPS_PER_REF_CHECK = 4
"""Checking the refs of the repository costs more than a step in which nothing happens."""


class Story(Protocol):
    """What happens in a world: changes of the files it starts from, and a script of events."""

    @property
    def warm_up(self) -> float:
        """Virtual seconds to simulate before the start."""
        ...

    def shape(self, world: World) -> None:
        """Change the files before they are committed."""
        ...

    def play(self, world: World) -> Script:
        """Run the events over virtual time."""
        ...


class World:
    """An embedded fleet and its virtual time."""

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
        self.targets = {cluster.name: self._build_target(cluster) for cluster in self.clusters}
        hub = Target(IN_CLUSTER, IN_CLUSTER_SERVER, self.hub)
        self.argo = ArgoController(self.hub, {**self.targets, IN_CLUSTER: hub}, self.repository, self.clock, seed=seed)
        self.defects: dict[tuple[str, str], Defect] = {}
        """(service, version) → its defect, as the scenario defines it."""
        stages = {cluster.name: cluster.stage for cluster in self.clusters}
        self.load = Load(self.stores, stages, self.clock, seed=seed, defects=self.defects)
        self.rollouts = {
            name: RolloutsController(store, self.clock, measure=self.load.measure(name), seed=f"{seed}:{name}")
            for name, store in self.stores.items()
        }
        self.github = GitHub(self.repository, self.clock, seed=seed)
        self.agenda = Agenda(self.clock)
        self.people = People(self.repository, self.github, self.clusters, self.stores, self.clock, seed)
        self._head = ""
        self._steps = 0

    def _build_target(self, cluster: DeclaredCluster) -> Target:
        return Target(cluster.name, cluster.server, self.stores[cluster.name], cluster.labels)

    @property
    def api_servers(self) -> Mapping[str, ObjectStore]:
        """Context → Kubernetes API."""
        return {HUB: self.hub, **self.stores}

    def start(self) -> None:
        """Lay out the settled fleet, then simulate the scenario up to the present."""
        if self._new:
            self.scenario.shape(self)
            self.repository.seed(history(self.files, self.seed), self.clock.started_at)
        self._head = self.repository.head()
        self.argo.prepare()
        self.github.begin()
        fleet = SettledFleet(self.repository, self.argo, self.stores, self.rollouts, self.clock)
        fleet.lay_out_hub(self.hub, self.clusters)
        fleet.lay_out_services(self.hub)
        self.argo.begin()
        if self._new:
            self.agenda.start(self.scenario.play(self))
        self.load.step()
        while self.clock.now < 0.0:
            self.step()

    def step(self, seconds: float = STEP_SECONDS) -> None:
        """Advance by some virtual seconds at once."""
        self.clock.advance(seconds)
        self.agenda.run()
        self._steps += 1
        if self._steps % _STEPS_PER_REF_CHECK == 0:
            self._check_for_push()
        for name, controller in self.rollouts.items():
            if self.targets[name].reachable:
                controller.step()
        self.argo.step()
        self.load.step()
        self.github.step()

    def _check_for_push(self) -> None:
        """Stand in for the web hook: clients push straight into the repository."""
        head = self.repository.head()
        if head != self._head:
            self._head = head
            self.argo.on_push()

    def cut_off(self, cluster: str) -> None:
        """Make the API server of a cluster unreachable."""
        self.faults[cluster].hang = True
        self.targets[cluster].reachable = False

    def reconnect(self, cluster: str) -> None:
        """Make the API server of a cluster reachable again."""
        self.faults[cluster].hang = False
        self.targets[cluster].reachable = True

    def close(self) -> None:
        """End the git process."""
        self.repository.close()
