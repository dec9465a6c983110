"""Looking up what the gates need and no source watches: images, projects, windows, owners, what is held.

Everything is asked side by side, and one thing that cannot be learned is unknown with its reason; nothing here
raises, for a plan has to be shown whatever is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.errors import SgmError
from sgm_tui.fleet.gates.evidence import Evidence, image_of
from sgm_tui.fleet.images import parse_image
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.versions import is_same_image
from sgm_tui.gitops.yaml.image_values import image_in
from sgm_tui.gitops.yaml.values import UnreadableError, read_string
from sgm_tui.operations.commit_reader import CommitReader, Trees
from sgm_tui.operations.effective_projects import Hubs, find_effective_projects
from sgm_tui.operations.platform import Platform
from sgm_tui.threads import Lane, run_in

_AT_ONCE = 8
"""Images asked about at the same time."""


class Files(Trees, Protocol):
    """The repository, as far as evidence needs it."""

    async def fetch(self) -> str:
        """Bring everything here; the head of the branch."""
        ...

    def head(self) -> str:
        """The head of the branch as last fetched."""
        ...


class Images(Protocol):
    """Where images are looked up."""

    async def has(self, image: str, version: str) -> bool | str:
        """Whether it is there, or why nobody knows."""
        ...


class Investigator:
    """Gathers evidence; what a commit says is read once."""

    def __init__(
        self,
        config: Config,
        repository: Files,
        registry: Images | None,
        hubs: Hubs | None = None,
        commits: CommitReader | None = None,
    ) -> None:
        """`registry` and `hubs` are None where none is configured; `commits` where nobody else reads them."""
        self._hubs = hubs
        self._config = config
        self._repository = repository
        self._registry = registry
        self._commits = commits or CommitReader(config, repository)

    async def gather(self, plan: Plan, snapshot: FleetSnapshot) -> Evidence:
        """What can be learned now about the changes of a plan."""
        try:
            head = await self._head()
            read = await run_in(Lane.GIT_READS, self._commits.read, head)
            values = await run_in(Lane.GIT_READS, self._values, head, {change.path for change in plan.changes})
        except SgmError as error:
            return Evidence(images=dict.fromkeys(map(image_of, plan.changes), f"git cannot be read: {error.message}"))
        cells = [key for change in plan.changes for key in change.cells]
        images, evidence = await asyncio.gather(
            self._images(plan.changes, values, snapshot), self._of_platform(read.platform, cells, snapshot)
        )
        evidence = replace(evidence, images=images or {})
        evidence = replace(evidence, owners={change.path: read.owners.of(change.path) for change in plan.changes})
        if images is None:
            evidence = replace(
                evidence,
                off={**evidence.off, "image": "registry.url is not configured: image existence is not checked"},
            )
        return evidence

    async def _head(self) -> str:
        """The head as it was last fetched, which is what the snapshot shows; fetched where nobody has yet."""
        try:
            return await run_in(Lane.GIT_READS, self._repository.head)
        except SgmError:
            return await self._repository.fetch()

    def _values(self, head: str, paths: Iterable[str]) -> dict[str, bytes]:
        """The files that are to be changed."""
        tree = self._repository.tree(head)
        present = {path: tree[path] for path in paths if path in tree}
        blobs = self._repository.read_blobs(sorted(set(present.values())))
        return {path: blobs[blob] for path, blob in present.items() if blob in blobs}

    async def _images(
        self, changes: Sequence[Change], values: Mapping[str, bytes], snapshot: FleetSnapshot
    ) -> dict[str, bool | str] | None:
        registry = self._registry
        if registry is None:
            return None
        few = asyncio.Semaphore(_AT_ONCE)

        async def has_image(change: Change) -> bool | str:
            named = await run_in(Lane.GIT_READS, self._image_in, values.get(change.path))
            image = named or _image_seen(change, snapshot)
            if not image:
                return f"the image cannot be derived from {change.path}"
            async with few:
                return await registry.has(image, change.to_version)

        answers = await asyncio.gather(*(has_image(change) for change in changes))
        return {image_of(change): one for change, one in zip(changes, answers, strict=True)}

    async def _of_platform(
        self, platform: Platform | str, cells: Sequence[CellKey], snapshot: FleetSnapshot
    ) -> Evidence:
        """What the AppProjects say: the hub's where it can be asked, else git's."""
        if isinstance(platform, str):
            return Evidence(windows=dict.fromkeys(cells, platform))
        lives = {key: cell.facts.application for key in cells if (cell := snapshot.cells.get(key)) is not None}
        contexts = {hub.context for hub in self._config.argocd.hubs}
        only = contexts.pop() if len(contexts) == 1 else ""
        projects = await find_effective_projects(platform, cells, lives, self._hubs, only)
        if not platform.projects and not any(one.project.value for one in projects.values()):
            silent = next((f", and {one.read.why}" for one in projects.values() if one.read and one.read.why), "")
            why = f"no AppProject is in git{silent}: its permissions and sync windows are not checked"
            return Evidence(off={"project": why, "window": why})
        return Evidence(
            projects={key: platform.admission(key, one.project) for key, one in projects.items()},
            windows=await run_in(
                Lane.GIT_READS,
                lambda: {key: platform.windows(key, one.project, lives.get(key)) for key, one in projects.items()},
            ),
            read={key: one.read for key, one in projects.items() if one.read is not None},
        )

    def _image_in(self, data: bytes | None) -> str:
        """The image a values file names beside its version: Helm's `repository` (and `registry`), or Kustomize's."""
        key = self._config.layout.image_key
        parent, _, last = key.rpartition(".")
        if data is None:
            return ""
        if name := image_in(_text(data, key), key):
            return name
        if not parent:
            return ""
        if last == "newTag":
            return _text(data, f"{parent}.newName") or parent.partition("=")[2].rstrip("]")
        registry, name = _text(data, f"{parent}.registry"), _text(data, f"{parent}.repository")
        return f"{registry}/{name}" if registry and name else name


def _text(data: bytes, key: str) -> str:
    try:
        return read_string(data, key)
    except UnreadableError:
        return ""


def _image_seen(change: Change, snapshot: FleetSnapshot) -> str:
    """The image that runs in the change's cells in the version it had."""
    for key in change.cells:
        cell = snapshot.cells.get(key)
        rollout = cell.facts.rollout if cell else None
        for one in rollout.replica_sets if rollout else ():
            for image in map(parse_image, one.images):
                if is_same_image(image.version, change.from_version):
                    return image.name
    return ""
