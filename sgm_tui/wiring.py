"""The composition root: the one module that knows every adapter and connects a session to them.

A session exists at once and empty; the configuration, the client libraries and every connection come behind it in
the background, so that the first frame never waits. Lifetimes nest: sources end before their connections close, and
all of it ends with the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import importlib
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sgm_tui.crash import kind_of
from sgm_tui.errors import ConfigError, SgmError, UnreachableError
from sgm_tui.fleet.model import Cluster, ClusterName, Fleet, Stage, StageName
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import SourceOff, SourceUnreachable
from sgm_tui.private_files import make_private_directory
from sgm_tui.session import LiveSession, WriteServices
from sgm_tui.supervision import supervise, wait_for_task
from sgm_tui.threads import Lane, run_in

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.fleet.last_seen import LastSeen
    from sgm_tui.forge.github import GithubForge
    from sgm_tui.gitops.history import History
    from sgm_tui.gitops.repository import Repository
    from sgm_tui.gitops.source import GitSource
    from sgm_tui.gitops.tree import Tree
    from sgm_tui.gitops.unrelated_changes import UnrelatedChangeReader
    from sgm_tui.live.connection import ClusterConnection
    from sgm_tui.operations.audit import Audit
    from sgm_tui.operations.commit_reader import CommitReader
    from sgm_tui.operations.reverter import Reverter
    from sgm_tui.operations.rollout_actions import RolloutActions
    from sgm_tui.permission import WritePermission
    from sgm_tui.sources import Source
    from sgm_tui.store.fleet_store import Store

logger = logging.getLogger("sgm")

_ADAPTERS = (
    "sgm_tui.gitops.source",
    "sgm_tui.live.argocd",
    "sgm_tui.live.rollouts",
    "sgm_tui.live.scaling",
    "sgm_tui.live.metrics",
    "sgm_tui.live.health",
    "sgm_tui.live.projects",
    "sgm_tui.forge.source",
    "sgm_tui.forge.github",
    "sgm_tui.forge.registry",
    "sgm_tui.gitops.history",
    "sgm_tui.operations.evidence",
    "sgm_tui.operations.recovery",
    "sgm_tui.operations.reverter",
)
"""What brings the client libraries with it: imported in a thread, after the first frame."""

_SOURCE_RESTART_SECONDS = 5.0
_FETCHED_SECONDS = 10.0
"""How long pull requests wait for what has been pushed since the clone was there last."""

Hubs = Sequence[tuple["ClusterConnection", str]]
"""The connection to each hub, and the namespace of its Argo CD."""
Clusters = Mapping[str, "ClusterConnection"]
"""The connection to each workload cluster, by its name."""


class Connection:
    """What connects one session: the configuration, every adapter, and their lives."""

    def __init__(self, session: LiveSession, last_seen_file: Path | None = None) -> None:
        self._session = session
        self._last_seen_file = last_seen_file
        self._sources: list[Source] = []

    async def run(self, load: Callable[[], Awaitable[Config]]) -> None:
        """Publish snapshots, and connect behind them; ends only by being cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._supervise_vital(self._session.store.run))
            group.create_task(self._supervise(self._session.follow_plan))
            group.create_task(self._supervise_vital(lambda: self._connect(load)))

    async def _supervise(self, run: Callable[[], Awaitable[None]]) -> None:
        await supervise(run, self._report)

    async def _supervise_vital(self, run: Callable[[], Awaitable[None]]) -> None:
        """Supervise what nothing can be shown without."""
        await supervise(run, self._report, self._session.give_up)
        await self._session.store.readers.wake()

    def _report(self, error: Exception) -> None:
        self._session.tell_bug(error)  # read late: the front end replaces it after this has begun

    async def _connect(self, load: Callable[[], Awaitable[Config]]) -> None:
        try:
            config = await load()
            await asyncio.to_thread(_import_adapters)
        except SgmError as error:
            self._session.fail(error)
            return
        self._session.read_only = self._session.read_only or config.read_only
        async with contextlib.AsyncExitStack() as stack:
            try:
                services = self._build(config, stack, await self._clones(config, stack), await self._token(config))
            except SgmError as error:
                self._session.fail(error)
                return
            await self._session.connect(services)
            from sgm_tui.operations.drift_log import DriftLog
            from sgm_tui.session.last_seen import save_while_open

            drift = DriftLog(fleet_directory(config) / "drift.json")
            self._session.store.applications.remember_drift(await asyncio.to_thread(drift.read))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._supervise(lambda: drift.follow(self._session.store.snapshots())))
                if (file := self._last_seen_file) is not None:
                    group.create_task(self._supervise(lambda: save_while_open(file, self._session.store.snapshots())))
                for source in self._sources:
                    group.create_task(self._guard(source))

    async def _guard(self, source: Source) -> None:
        """Run a source; one that fails by a bug of ours is stale with that reason, and starts again."""
        while True:
            try:
                await wait_for_task(source.run(self._session.store.apply))
            except Exception as error:
                # Whatever it is, one source must not take the screen or the other sources with it.
                logger.exception("source %s failed", source.source)
                reason = f"a bug in sgm: {kind_of(error)}"
                self._session.store.apply(SourceUnreachable(source.source, reason, _SOURCE_RESTART_SECONDS))
                self._report(error)
            await asyncio.sleep(_SOURCE_RESTART_SECONDS)

    async def _clones(self, config: Config, stack: contextlib.AsyncExitStack) -> Path:
        """Return where the repository is cloned to; what is only kept for this session goes with it."""
        directory, fleeting = await run_in(Lane.CREDENTIALS, _clones, config, looks=self._session.read_only)
        if fleeting:
            stack.push_async_callback(run_in, Lane.RECORDS, shutil.rmtree, directory, ignore_errors=True)
        return directory

    async def _token(self, config: Config) -> str:
        return await run_in(Lane.CREDENTIALS, _token_now, config)

    def _build(self, config: Config, stack: contextlib.AsyncExitStack, clones: Path, token: str) -> WriteServices:
        from sgm_tui.forge.token import may_send_to
        from sgm_tui.gitops.changed_stages import ChangedStages
        from sgm_tui.gitops.repository import Repository
        from sgm_tui.gitops.source import GitSource
        from sgm_tui.gitops.tree import Tree
        from sgm_tui.gitops.unrelated_changes import UnrelatedChangeReader

        git_token = token if may_send_to(config.repository.url, config) else ""
        tree = Tree(config)
        permission = self._session.permission
        repository = Repository(config.repository.url, config.repository.branch, clones, token=lambda: git_token)
        repository.permission = permission
        unrelated_changes = UnrelatedChangeReader(config, tree, repository)
        permission.protected_stages_of = ChangedStages(
            fleet_of(config), tree, repository, unrelated_changes
        ).protected_by
        git = GitSource(repository, tree, config)
        hubs = _hubs(config, stack, permission)
        clusters = {
            one.name: _connected(config, one.context, stack, permission, _protected(config, one.stage))
            for one in config.clusters
        }
        offs: list[SourceOff] = []
        store = self._session.store
        self._sources = [git, *_cluster_sources(config, hubs, git_knows(git), store, clusters, offs)]
        forge = self._forge(config, repository, tree, git, token, offs, unrelated_changes)
        self._session.sources = list(self._sources)
        store.configure(
            fleet_of(config),
            repository=config.repository.name,
            sources=[*_ids(self._sources), *(off.source for off in offs)],
            policy=config.policy,
        )
        for off in offs:
            store.apply(off)
        return _write_services(config, repository, forge, hubs, clusters, store)

    def _forge(
        self,
        config: Config,
        repository: Repository,
        tree: Tree,
        git: GitSource,
        token: str,
        offs: list[SourceOff],
        unrelated_changes: UnrelatedChangeReader,
    ) -> GithubForge | None:
        from sgm_tui.forge.github import GithubForge
        from sgm_tui.forge.source import PullRequestSource
        from sgm_tui.forge.token import why_no_token

        if not config.github.repository:
            offs.append(SourceOff(SourceId("forge"), "github.repository is not configured"))
            return None
        forge = GithubForge(
            config,
            token,
            read_token=lambda: _token(config),
            permission=self._session.permission,
            why_unsent=lambda: why_no_token(config, os.environ),
        )
        self._sources.append(
            PullRequestSource(
                forge,
                lambda head: tree.proposals(repository, head),
                lambda commit: tree.versions_changed_by(repository, commit),
                unrelated_changes.of,
                config.github.interval_seconds,
                lambda: _read_once(git, repository),
            )
        )
        return forge


def _write_services(
    config: Config, repository: Repository, forge: GithubForge | None, hubs: Hubs, clusters: Clusters, store: Store
) -> WriteServices:
    """Everything that writes, on one repository."""
    from sgm_tui.forge.registry import Registry
    from sgm_tui.gitops.history import History
    from sgm_tui.live.projects import ProjectReader
    from sgm_tui.operations.audit import Audit
    from sgm_tui.operations.available_versions import list_available_versions
    from sgm_tui.operations.commit_reader import CommitReader
    from sgm_tui.operations.evidence import Investigator
    from sgm_tui.operations.journal import Journal
    from sgm_tui.operations.plan_file import PlanFile
    from sgm_tui.operations.planning import Planning
    from sgm_tui.operations.promoter import Promoter
    from sgm_tui.operations.pull_requests import PullRequests
    from sgm_tui.operations.recovery import Recovery
    from sgm_tui.operations.removed_steps import RemovedSteps
    from sgm_tui.operations.waves import Waves

    directory, locks = fleet_directory(config), fleet_directory(config) / "locks"
    journal, audit = Journal(directory / "journal.jsonl"), Audit(directory / "audit.jsonl")
    history, commits = History(config, repository), CommitReader(config, repository)
    registry = Registry(config.registry) if config.registry.url else None
    reverter = _reverter(config, repository, history, audit, commits, forge)
    investigator = Investigator(config, repository, registry, ProjectReader(hubs) if hubs else None, commits)
    lookups = (investigator, reverter, RemovedSteps(config, repository, history))
    promoter = Promoter(config, repository, forge, journal, audit, *lookups, locks=locks)
    return WriteServices(
        config=config,
        planning=Planning(PlanFile(directory / "plan.json"), store.set_plan),
        promoter=promoter,
        reverter=reverter,
        recovery=Recovery(repository, forge, journal, audit, promoter, lambda: store.snapshot, locks=locks),
        waves=Waves(directory / "waves.json", promoter),
        audit=audit,
        pulls=None if forge is None else PullRequests(forge, journal, audit, locks),
        rollouts=_rollouts(clusters, audit),
        versions=list_available_versions(history, registry, lambda: store.snapshot),
    )


def _rollouts(clusters: Clusters, audit: Audit) -> RolloutActions:
    from sgm_tui.live.rollout_actor import RolloutActor
    from sgm_tui.operations.rollout_actions import RolloutActions

    named = {ClusterName(name): connection for name, connection in clusters.items()}
    return RolloutActions({name: RolloutActor(one, name) for name, one in named.items()}, audit)


def _reverter(
    config: Config,
    repository: Repository,
    history: History,
    audit: Audit,
    commits: CommitReader,
    forge: GithubForge | None,
) -> Reverter:
    from sgm_tui.live.health import HealthHistory
    from sgm_tui.operations.known_bad import KnownBad
    from sgm_tui.operations.pod_templates import PodTemplates
    from sgm_tui.operations.pull_request_marks import PullRequestMarks
    from sgm_tui.operations.reverter import Reverter

    marks = KnownBad(fleet_directory(config) / "known-bad.json")
    pods = PodTemplates(config, repository, history, commits)
    told = PullRequestMarks(history, forge) if forge is not None else None
    return Reverter(history, pods, marks, audit, HealthHistory(config), told)


@contextlib.asynccontextmanager
async def open_session(
    load: Callable[[], Awaitable[Config]],
    *,
    read_only: bool = False,
    opens_waves: bool = False,
    last_seen: LastSeen | None = None,
    last_seen_file: Path | None = None,
) -> AsyncIterator[LiveSession]:
    """Open a session on the configuration that `load` returns, for the length of the block.

    Args:
        load: reads the configuration.
        read_only: refuse every write.
        opens_waves: open waves that are due.
        last_seen: what to show until every source has answered.
        last_seen_file: where to keep what is shown, for the next start; None keeps nothing.
    """
    session = LiveSession(read_only=read_only, opens_waves=opens_waves)
    if last_seen is not None:
        session.store.show_last_seen(last_seen)
    task = asyncio.create_task(Connection(session, last_seen_file).run(load))
    task.add_done_callback(lambda _: _give_up_if_failed(task, session))
    try:
        yield session
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _give_up_if_failed(task: asyncio.Task[None], session: LiveSession) -> None:
    """Announce a bug in what supervises the background tasks: it ends all of them."""
    error = None if task.cancelled() else task.exception()
    if isinstance(error, Exception):
        session.give_up(error)


def fleet_of(config: Config) -> Fleet:
    """The configured stages and clusters, in column order."""
    stages = tuple(Stage(StageName(stage.name), stage.protected) for stage in config.stages)
    clusters = tuple(Cluster(ClusterName(one.name), StageName(one.stage), one.location) for one in config.clusters)
    return Fleet(stages, clusters)


def state_directory(config: Config) -> Path:
    """Return where our clones, journal and audit live; whoever writes there makes it, for its owner only."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return config.state_directory or Path(base) / "sgm"


def _clones(config: Config, *, looks: bool) -> tuple[Path, bool]:
    """Return where to clone to, and whether it has to be taken away: who only looks needs no directory of ours.

    Raises:
        ConfigError: the state directory cannot be made, and something is to be written.
    """
    directory = state_directory(config)
    try:
        make_private_directory(directory)
        if looks:
            with tempfile.TemporaryFile(dir=directory):
                pass
    except OSError as error:
        if looks:
            logger.info("the clone is kept apart: %s: %s", directory, error.strerror)
            return Path(tempfile.mkdtemp(prefix="sgm-")), True
        raise ConfigError(f"{directory}: {error.strerror}", "Set state_directory to a writable directory.") from error
    return directory / "repositories", False


def fleet_directory(config: Config) -> Path:
    """Where the plan, journal, audit and marks of one repository live: what is planned for one fleet, or was begun
    in it, must never be written to another."""
    name = hashlib.sha256(f"{config.repository.url} {config.repository.branch}".encode()).hexdigest()[:16]
    return state_directory(config) / "fleets" / name


def _connected(
    config: Config,
    context: str,
    stack: contextlib.AsyncExitStack,
    permission: WritePermission,
    protected: Sequence[str] = (),
) -> ClusterConnection:
    from sgm_tui.live.connection import ClusterConnection

    connection = ClusterConnection(context, config.kubeconfig, permission=permission, protected=protected)
    stack.push_async_callback(connection.close)
    return connection


def _protected(config: Config, stage: str) -> tuple[str, ...]:
    """The stage of a cluster, where it is protected."""
    return tuple(one.name for one in config.stages if one.protected and one.name == stage)


def _hubs(config: Config, stack: contextlib.AsyncExitStack, permission: WritePermission) -> Hubs:
    return [(_connected(config, hub.context, stack, permission), hub.namespace) for hub in config.argocd.hubs]


def _cluster_sources(
    config: Config,
    hubs: Hubs,
    is_service: Callable[[str], bool],
    store: Store,
    clusters: Clusters,
    offs: list[SourceOff],
) -> Iterable[Source]:
    from sgm_tui.live.argocd import ApplicationSource
    from sgm_tui.live.metrics import MetricsSource
    from sgm_tui.live.naming import Naming
    from sgm_tui.live.rollouts import RolloutSource
    from sgm_tui.live.scaling import ScalingSource

    naming = Naming(config)
    named: set[str] = set()
    for connection, namespace in hubs:
        scope = f"{connection.context}/{namespace}" if connection.context in named else connection.context
        named.add(connection.context)
        yield ApplicationSource(connection, namespace, naming, is_service=is_service, scope=scope)
    if not hubs:
        offs.append(SourceOff(SourceId("argocd"), "argocd.hubs is not configured"))
    for cluster in config.clusters:
        connection, moves = clusters[cluster.name], functools.partial(store.has_activity, cluster.name)
        yield RolloutSource(connection, cluster.name, naming)
        yield ScalingSource(connection, cluster.name, naming, moves)
        if cluster.prometheus:
            yield MetricsSource(cluster.prometheus, cluster.name, config.metrics, naming, moves)
        else:
            reason = f"no prometheus is configured for {cluster.name}"
            offs.append(SourceOff(SourceId("metrics", cluster.name), reason))
            offs.append(SourceOff(SourceId("alerts", cluster.name), reason))


async def _read_once(git: GitSource, repository: Repository) -> None:
    """Until git has been looked at: what a pull request proposes is told from the clone, and a new head is not in it
    before. A server that hangs holds up for long only who has no clone at all."""
    try:
        await run_in(Lane.GIT_READS, repository.head)
    except SgmError:
        await git.first_attempt.wait()
    else:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FETCHED_SECONDS):
                await git.first_attempt.wait()


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
    from sgm_tui.forge.token import github_token

    return github_token(config, os.environ) if config.github.repository else ""


def _token_now(config: Config) -> str:
    """The token, as far as there is one: a file that cannot be read is GitHub's trouble alone, and told by it."""
    try:
        return _token(config)
    except UnreachableError as error:
        logger.info("no token: %s", error.message)
        return ""


def _import_adapters() -> None:
    for name in _ADAPTERS:
        importlib.import_module(name)
