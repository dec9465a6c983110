"""The background of a session: what supervises it, and the order in which its sources start.

Lifetimes nest: sources end before their connections close, and all of it ends with the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sgm_tui.crash import kind_of
from sgm_tui.errors import SgmError
from sgm_tui.fleet.updates import SourceUnreachable
from sgm_tui.session import LiveSession
from sgm_tui.supervision import supervise, wait_for_task
from sgm_tui.threads import Lane, run_in
from sgm_tui.wiring.deferred_package import defer_package
from sgm_tui.wiring.directories import fleet_directory
from sgm_tui.wiring.repository import clone_repository, fleet_of, read_token_or_none
from sgm_tui.wiring.source_names import list_sources, list_sources_off

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.fleet.last_seen import LastSeen
    from sgm_tui.sources import Source

logger = logging.getLogger("sgm")

_GIT_MODULES = (
    "sgm_tui.gitops.source",
    "sgm_tui.gitops.changed_stages",
    "sgm_tui.forge.token",
    "sgm_tui.operations.drift_log",
)
_CLUSTER_MODULES = ("sgm_tui.live.argocd", "sgm_tui.live.rollouts", "sgm_tui.live.scaling")
_METRICS_MODULES = ("sgm_tui.live.metrics",)
_WRITING_MODULES = (
    "sgm_tui.forge.source",
    "sgm_tui.forge.github",
    "sgm_tui.forge.registry",
    "sgm_tui.gitops.history",
    "sgm_tui.live.health",
    "sgm_tui.live.projects",
    "sgm_tui.live.rollout_actor",
    "sgm_tui.operations.available_versions",
    "sgm_tui.operations.evidence",
    "sgm_tui.operations.pull_requests",
    "sgm_tui.operations.recovery",
    "sgm_tui.operations.reverter",
    "sgm_tui.operations.waves",
)
"""What brings the client libraries with it, in the order of need: loaded in a thread, after the first frame."""
_DEFERRED_PACKAGES = ("kubernetes", "kubernetes.aio")
"""Packages that import every client they have by themselves; ours needs the kubeconfig and the transport."""
_FIRST_ANSWERS_SECONDS = 1.0
_SOURCE_RESTART_SECONDS = 5.0


class Connection:
    """What connects one session: the configuration, every adapter, and their lives."""

    def __init__(self, session: LiveSession, last_seen_file: Path | None = None) -> None:
        self._session = session
        self._last_seen_file = last_seen_file

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
        except SgmError as error:
            self._session.fail(error)
            return
        self._session.read_only = self._session.read_only or config.read_only
        self._session.sources.clear()
        async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            try:
                await self._start_sources(config, stack, group)
            except SgmError as error:
                self._session.fail(error)

    async def _start_sources(self, config: Config, stack: contextlib.AsyncExitStack, group: asyncio.TaskGroup) -> None:
        """Start every source as soon as its own library is there, then give the session what writes.

        Raises:
            SgmError: the configuration cannot be used.
        """
        store, permission = self._session.store, self._session.permission
        token = await run_in(Lane.CREDENTIALS, read_token_or_none, config)
        await _import_modules(_GIT_MODULES)
        clone = await clone_repository(config, permission, token, stack)
        self._announce_sources(config)
        self._start([clone.source], group)
        self._record_last_seen(group)
        await self._record_drift(config, group)

        for package in _DEFERRED_PACKAGES:
            defer_package(package)
        await _import_modules(_CLUSTER_MODULES)
        from sgm_tui.wiring.clusters import cluster_sources, connect_clusters, metrics_sources

        connections = connect_clusters(config, permission, stack)
        self._start(cluster_sources(config, connections, clone.is_service, store), group)
        await self._wait_for_first_answers()

        await _import_modules(_METRICS_MODULES)
        self._start(metrics_sources(config, store), group)
        await _import_modules(_WRITING_MODULES)
        from sgm_tui.wiring.services import build_write_services, connect_github, pull_request_source

        forge = connect_github(config, permission, token)
        if forge is not None:
            self._start([pull_request_source(config, forge, clone)], group)
        await self._session.connect(build_write_services(config, clone, forge, connections, store))

    def _announce_sources(self, config: Config) -> None:
        """Show the configured stages and clusters, and every source as waiting or off."""
        store, sources_off = self._session.store, list(list_sources_off(config))
        store.configure(
            fleet_of(config),
            repository=config.repository.name,
            sources=[*list_sources(config), *(off.source for off in sources_off)],
            policy=config.policy,
        )
        for off in sources_off:
            store.apply(off)

    async def _wait_for_first_answers(self) -> None:
        """Wait until git, every hub and every cluster has answered or failed once, for a second at most.

        Loading what comes after them takes the interpreter's lock from reading those answers.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_ANSWERS_SECONDS):
                async for snapshot in self._session.store.snapshots():
                    waiting = {health.source.kind for health in snapshot.sources if health.state == "waiting"}
                    if not waiting & {"git", "argocd", "rollouts"}:
                        return

    def _start(self, sources: Iterable[Source], group: asyncio.TaskGroup) -> None:
        for source in sources:
            self._session.sources.append(source)
            group.create_task(self._guard(source))

    async def _record_drift(self, config: Config, group: asyncio.TaskGroup) -> None:
        """Keep since when cells drift; what an earlier run recorded is read before the first Application is."""
        from sgm_tui.operations.drift_log import DriftLog

        store, drift = self._session.store, DriftLog(fleet_directory(config) / "drift.json")
        store.applications.remember_drift(await asyncio.to_thread(drift.read))
        group.create_task(self._supervise(lambda: drift.follow(store.snapshots())))

    def _record_last_seen(self, group: asyncio.TaskGroup) -> None:
        """Keep the fleet as it was last seen, for the next start to show."""
        from sgm_tui.session.last_seen import save_while_open

        store, file = self._session.store, self._last_seen_file
        if file is not None:
            group.create_task(self._supervise(lambda: save_while_open(file, store.snapshots())))

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


async def _import_modules(names: Iterable[str]) -> None:
    for name in names:
        await asyncio.to_thread(importlib.import_module, name)


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
