"""The composition root: the one module that knows every adapter, and the session the front ends are given.

A session exists at once and empty; the configuration, the client libraries and every connection come behind it in
the background, so that the first frame never waits. Lifetimes nest: sources end before their connections close, and
all of it ends with the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.model import CellKey, Cluster, ClusterName, Fleet, Stage, StageName
from sgm_tui.fleet.observation import Lost, Observation, Off, SourceId
from sgm_tui.fleet.plan import Change, Plan, Preview, Progress, Refusal
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.staging import promotion_into
from sgm_tui.store import Store

if TYPE_CHECKING:
    from sgm_tui.config import Config
    from sgm_tui.gitops.repository import Repository
    from sgm_tui.gitops.source import GitSource
    from sgm_tui.gitops.tree import Tree
    from sgm_tui.operations.promote import Promoter

logger = logging.getLogger("sgm")

_ADAPTERS = (
    "sgm_tui.gitops.source",
    "sgm_tui.live.argocd",
    "sgm_tui.live.rollouts",
    "sgm_tui.live.scaling",
    "sgm_tui.live.metrics",
    "sgm_tui.forge.source",
    "sgm_tui.operations.promote",
)
"""What brings the client libraries with it: imported in a thread, after the first frame."""

_DEFECT_PAUSE = 5.0

Publish = Callable[[Observation], None]


class Source(Protocol):
    """Something observed: it publishes facts and troubles for ever, and looks again when asked."""

    @property
    def source(self) -> SourceId:
        """Who it is."""
        ...

    async def run(self, publish: Publish) -> None:
        """Publish until cancelled."""
        ...

    def refresh(self) -> None:
        """Look again now."""
        ...


class LiveSession:
    """What a front end needs of the world; satisfies `ui.session.Session`."""

    def __init__(self, *, read_only: bool = False) -> None:
        self.store = Store()
        self.error: SgmError | None = None
        """Why nothing can be shown at all; the store's snapshot carries the same as text."""
        self._read_only = read_only
        self._sources: list[Source] = []
        self._promoter: Promoter | None = None

    def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """Every newest snapshot, the current one first."""
        return self.store.snapshots()

    async def settled(self, seconds: float) -> FleetSnapshot:
        """The first snapshot in which every source has answered, details included, or the newest after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for snapshot in self.snapshots():
                    if snapshot.problem or _has_answered(snapshot):
                        return snapshot
        return self.store.publish()

    def stage_promotion(self, key: CellKey) -> Change | Refusal:
        """Put the version of the stage before into the plan for this cell."""
        if self._read_only:
            return Refusal("", "read-only: nothing can be staged")
        change = promotion_into(self.store.snapshot, key)
        if isinstance(change, Change):
            self.store.set_plan(self.store.plan.with_change(change))
        return change

    def undo(self) -> None:
        """Take the newest change out of the plan."""
        self.store.set_plan(self.store.plan.undone())

    def drop(self, change: Change) -> None:
        """Take one change out of the plan."""
        self.store.set_plan(self.store.plan.without(change))

    async def preview(self) -> Preview:
        """The plan against a freshly fetched repository."""
        return await self._writer().preview(self.store.plan)

    async def submit(self, preview: Preview) -> AsyncIterator[Progress]:
        """Open the pull requests of exactly this preview; what was opened leaves the plan."""
        async for progress in self._writer().submit(preview):
            if progress.step in {"opened", "adopted", "nothing"}:
                done = {edit.change for edit in progress.proposal.edits}
                kept = tuple(change for change in self.store.plan.changes if change not in done)
                self.store.set_plan(Plan(kept))
                await self.refresh()
            yield progress

    async def refresh(self) -> None:
        """Ask every source to look again now."""
        for source in self._sources:
            source.refresh()

    def _writer(self) -> Promoter:
        if self._read_only:
            raise RefusedError("read-only: nothing is written", "Start sgm without --read-only.")
        if self._promoter is None:
            raise SgmError("not connected yet", "Wait until the repository has been read.")
        return self._promoter

    async def run(self, load: Callable[[], Awaitable[Config]]) -> None:
        """Publish snapshots, and connect behind them; ends only by being cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.store.run())
            group.create_task(self._connect(load))

    async def _connect(self, load: Callable[[], Awaitable[Config]]) -> None:
        try:
            config = await load()
            await asyncio.to_thread(_import_adapters)
        except SgmError as error:
            self._fail(error)
            return
        self._read_only = self._read_only or config.read_only
        async with contextlib.AsyncExitStack() as stack:
            try:
                self._build(config, stack)
            except SgmError as error:
                self._fail(error)
                return
            async with asyncio.TaskGroup() as group:
                for source in self._sources:
                    group.create_task(self._guard(source))

    def _fail(self, error: SgmError) -> None:
        self.error = error
        self.store.fail(str(error))

    async def _guard(self, source: Source) -> None:
        """A source that fails by a defect of ours is stale with that reason, and starts again; the rest goes on."""
        while True:
            try:
                await source.run(self.store.apply)
            except Exception as error:
                # Whatever it is, one source must not take the screen or the other sources with it.
                logger.exception("source %s failed", source.source)
                self.store.apply(Lost(source.source, f"a defect of sgm: {type(error).__name__}", _DEFECT_PAUSE))
            await asyncio.sleep(_DEFECT_PAUSE)

    def _build(self, config: Config, stack: contextlib.AsyncExitStack) -> None:
        from sgm_tui.gitops.repository import Repository
        from sgm_tui.gitops.source import GitSource
        from sgm_tui.gitops.tree import Tree

        directory = state_directory(config)
        token = _token(config)
        tree = Tree(config)
        url = config.repository.url
        repository = Repository(url, config.repository.branch, directory / "repositories", token=lambda: token)
        git = GitSource(repository, tree, config)
        offs: list[Off] = []
        self._sources = [git, *_cluster_sources(config, git_knows(git), stack, offs)]
        self._promoter = self._forge(config, repository, tree, token, directory, offs)
        self.store.configure(
            fleet_of(config),
            repository=config.repository.name,
            sources=[*_ids(self._sources), *(off.source for off in offs)],
        )
        for off in offs:
            self.store.apply(off)

    def _forge(
        self, config: Config, repository: Repository, tree: Tree, token: str, directory: Path, offs: list[Off]
    ) -> Promoter:
        from sgm_tui.forge.github import GithubForge
        from sgm_tui.forge.source import PullRequestSource
        from sgm_tui.operations.audit import Audit
        from sgm_tui.operations.journal import Journal
        from sgm_tui.operations.promote import Promoter

        forge = GithubForge(config, token) if config.github.repository else None
        if forge is None:
            offs.append(Off(SourceId("forge"), "github.repository is not configured"))
        else:
            self._sources.append(
                PullRequestSource(forge, lambda head: tree.proposals(repository, head), config.github.interval_seconds)
            )
        journal, audit = Journal(directory / "journal.jsonl"), Audit(directory / "audit.jsonl")
        return Promoter(config, repository, forge, journal, audit)


@contextlib.asynccontextmanager
async def open_session(load: Callable[[], Awaitable[Config]], *, read_only: bool = False) -> AsyncIterator[LiveSession]:
    """A session for the length of the block; what `load` yields decides what it shows."""
    session = LiveSession(read_only=read_only)
    task = asyncio.create_task(session.run(load))
    try:
        yield session
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def fleet_of(config: Config) -> Fleet:
    """The configured stages and clusters, in column order."""
    stages = tuple(Stage(StageName(stage.name), stage.protected) for stage in config.stages)
    clusters = tuple(Cluster(ClusterName(one.name), StageName(one.stage), one.location) for one in config.clusters)
    return Fleet(stages, clusters)


def state_directory(config: Config) -> Path:
    """Where our clones, journal and audit live; made for its owner only."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    directory = config.state_directory or Path(base) / "sgm"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SgmError(f"{directory}: {error.strerror}", "Set state_directory to a folder you can write.") from error
    return directory


def _cluster_sources(
    config: Config, is_service: Callable[[str], bool], stack: contextlib.AsyncExitStack, offs: list[Off]
) -> Iterable[Source]:
    from sgm_tui.live.argocd import ApplicationSource
    from sgm_tui.live.connection import ClusterConnection
    from sgm_tui.live.metrics import MetricsSource
    from sgm_tui.live.naming import Naming
    from sgm_tui.live.rollouts import RolloutSource
    from sgm_tui.live.scaling import ScalingSource

    naming = Naming(config)

    def connected(context: str) -> ClusterConnection:
        connection = ClusterConnection(context, config.kubeconfig)
        stack.push_async_callback(connection.close)
        return connection

    for hub in config.argocd.hubs:
        yield ApplicationSource(connected(hub.context), hub.namespace, naming, is_service=is_service)
    if not config.argocd.hubs:
        offs.append(Off(SourceId("argocd"), "argocd.hubs is not configured"))
    for cluster in config.clusters:
        connection = connected(cluster.context)
        yield RolloutSource(connection, cluster.name, naming)
        yield ScalingSource(connection, cluster.name, naming)
        if cluster.prometheus:
            yield MetricsSource(cluster.prometheus, cluster.name, config.metrics, naming)
        else:
            reason = f"no prometheus is configured for {cluster.name}"
            offs.append(Off(SourceId("metrics", cluster.name), reason))
            offs.append(Off(SourceId("alerts", cluster.name), reason))


def git_knows(git: GitSource) -> Callable[[str], bool]:
    """Whether git deploys a service of that name, as far as it has been read."""
    return lambda name: git.state is not None and any(key.service == name for key in git.state.cells)


def _ids(sources: Iterable[Source]) -> Iterable[SourceId]:
    for source in sources:
        yield source.source
        alerts = getattr(source, "alerts", None)
        if isinstance(alerts, SourceId):
            yield alerts


def _token(config: Config) -> str:
    from sgm_tui.forge.github import github_token

    return github_token(config, os.environ) if config.github.repository else ""


def _import_adapters() -> None:
    for name in _ADAPTERS:
        importlib.import_module(name)


def _has_answered(snapshot: FleetSnapshot) -> bool:
    """Every source has said something, and no Application is known by its Table row only."""
    if not snapshot.sources or any(one.state == "waiting" for one in snapshot.sources):
        return False
    applications = (cell.facts.application for cell in snapshot.cells.values())
    hubs_stale = any(one.state == "stale" and one.source.kind == "argocd" for one in snapshot.sources)
    return hubs_stale or all(one is None or one.detailed for one in applications)
