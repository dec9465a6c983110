"""What people do to a fleet: commit versions, open pull requests, and edit clusters by hand."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

from sgm_tui.fleet.images import parse_image
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.git.fleet_files import Place, with_version
from sgm_tui.sandbox.git.history import people
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.github.state import GitHub
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.world.layout import DeclaredCluster


class People:
    """The authors of changes; the same seed chooses the same ones."""

    def __init__(
        self,
        repository: Repository,
        github: GitHub,
        clusters: Iterable[DeclaredCluster],
        stores: Mapping[str, ObjectStore],
        clock: Clock,
        seed: str,
    ) -> None:
        self._repository = repository
        self._github = github
        self._clusters = clusters
        self._stores = stores
        self._clock = clock
        self._random = random.Random(f"{seed}:people")

    def deliver(self, *changes: tuple[Place, str] | None) -> None:
        """Commit versions of places to main, in one commit; None is no change."""
        chosen = [change for change in changes if change is not None]
        if not chosen:
            return
        self._repository.commit("main", *self._build_commit(chosen), at=self._clock.wall(), author=self._pick_author())

    def propose(self, change: tuple[Place, str] | None) -> None:
        """Open a pull request with the version of a place; None is no change."""
        if change is None:
            return
        place, version = change
        writes, message = self._build_commit([change])
        branch = f"sgm/{place.service}-{place.where}-{version}"
        self._repository.commit(branch, writes, message, at=self._clock.wall(), author=self._pick_author())
        self._github.pulls.open(branch, message.partition("\n")[0])

    def edit_scaling(self, place: Place, more: int) -> None:
        """Raise the limits of an autoscaler in the clusters of a place."""
        for store in self._stores_of(place):
            live = store.get("HorizontalPodAutoscaler", f"app-{place.service}", place.service)
            if live is not None:
                spec = live["spec"]
                raised = {**spec, "minReplicas": spec["minReplicas"] + more, "maxReplicas": spec["maxReplicas"] + more}
                store.write("HorizontalPodAutoscaler", {**live, "spec": raised})

    def edit_image(self, place: Place, version: str) -> None:
        """Set another image in the clusters of a place."""
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
        return [
            self._stores[cluster.name] for cluster in self._clusters if place.where in {cluster.name, cluster.stage}
        ]

    def _build_commit(self, changes: Sequence[tuple[Place, str]]) -> tuple[dict[str, bytes | None], str]:
        """Return the files and the message of a commit that changes versions."""
        head = self._repository.head()
        writes: dict[str, bytes | None] = {}
        for place, version in changes:
            data = self._repository.read(head, place.path)
            writes[place.path] = with_version(data or b"", version)
        place, version = changes[0]
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        return writes, f"feat({place.service}): {place.where} -> {version}{more}\n\nSgm-To: {version}\n"

    def _pick_author(self) -> str:
        return self._random.choice([name for name, _ in people()])
