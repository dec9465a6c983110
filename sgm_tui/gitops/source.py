"""The repository as a source: reads it once, then polls cheaply whether a branch has moved."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sgm_tui.config.schema import Config
from sgm_tui.errors import SgmError
from sgm_tui.fleet.desired import DesiredState
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import DesiredStateCached, DesiredStateRead, SourceAnswered, SourceUnreachable
from sgm_tui.gitops.releases import collect_releases, cover_desired_versions
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.tree import Tree
from sgm_tui.sources import Backoff, PollLoop, Publish
from sgm_tui.threads import Lane, run_in

_LOCAL_SECONDS = 2.0
_REMOTE_SECONDS = 15.0
_MAX_RETRY_SECONDS = 60.0
_log = logging.getLogger("sgm.git")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class GitSource:
    """Publishes the desired state whenever the branch moves."""

    def __init__(self, repository: Repository, tree: Tree, config: Config) -> None:
        self.source = SourceId("git")
        self.state: DesiredState | None = None
        """The newest desired state; None until it was read."""
        self.first_attempt = asyncio.Event()
        """Set once the first attempt to read the repository has succeeded or failed."""
        self._repository = repository
        self._tree = tree
        parts = urlsplit(config.repository.url)
        is_local = parts.scheme == "file" or parts.hostname in _LOOPBACK
        self._image_key = config.layout.image_key
        self._has_unpublished_releases = False
        """Whether releases were added to the state since it was published."""
        self._stamp = repository.path / "sgm-fetched"
        """Its modification time is when the clone was last up to date."""
        seconds = _LOCAL_SECONDS if is_local else _REMOTE_SECONDS
        self._polling = PollLoop(seconds, Backoff(seconds, _MAX_RETRY_SECONDS))

    def refresh(self) -> None:
        """Poll now."""
        self._polling.wake()

    async def run(self, publish: Publish) -> None:
        """Publish the desired state whenever the branch moves, until cancelled; errors are published, never raised."""

        async def poll() -> None:
            await self._poll(publish)
            self.first_attempt.set()
            await self._list_releases()

        def report(error: SgmError, pause: float) -> None:
            publish(SourceUnreachable(self.source, error.message, pause))
            self.first_attempt.set()

        await self._publish_cached(publish)
        await self._polling.run(poll, report)

    async def _poll(self, publish: Publish) -> None:
        """Fetch and publish the desired state if any branch has moved."""
        if self.state is not None:
            # Every branch is compared, because what a pull request proposes is read from its branch. The clone is
            # shared: another process may have fetched a commit that was not published here, so the head counts too.
            remote_heads = await self._repository.remote_heads()
            local_heads = await run_in(Lane.GIT_READS, self._repository.heads)
            if remote_heads == local_heads and local_heads.get(self._repository.branch) == self.state.revision:
                await run_in(Lane.GIT_READS, self._record_fetch)
                self.state = replace(self.state, fetched_at=None)
                publish(
                    DesiredStateRead(self.source, self.state)
                    if self._has_unpublished_releases
                    else SourceAnswered(self.source, self.state.note)
                )
                self._has_unpublished_releases = False
                return
        head = await self._repository.fetch()
        await run_in(Lane.GIT_READS, self._record_fetch)
        if self.state is None or head != self.state.revision:
            releases = self.state.releases if self.state is not None else {}
            state = await run_in(Lane.GIT_READS, self._tree.read_desired_state, self._repository, head)
            self.state = replace(state, releases=releases)
        self._has_unpublished_releases = False
        publish(DesiredStateRead(self.source, self.state))

    async def _list_releases(self) -> None:
        """Read the releases again once a desired version is not among them.

        The next poll publishes them, since they only count how far apart versions are.
        """
        state = self.state
        if state is None or state.fetched_at is not None or cover_desired_versions(state.releases, state):
            return
        try:
            releases = await run_in(Lane.GIT_READS, collect_releases, self._repository, state, self._image_key)
        except SgmError as error:
            _log.info("the releases cannot be counted: %s", error.message)
            return
        self.state, self._has_unpublished_releases = replace(state, releases=releases), True

    def _record_fetch(self) -> None:
        """Record when the clone was last up to date, for a later run in which the server does not respond."""
        try:
            self._stamp.touch()
        except OSError as error:
            _log.info("the time of the last fetch cannot be recorded: %s", error)

    async def _publish_cached(self, publish: Publish) -> None:
        """Publish what an earlier run fetched; it counts as old until the server has answered."""
        try:
            state = await run_in(Lane.GIT_READS, self._read_cached)
        except SgmError as error:
            _log.info("the clone cannot be read: %s", error.message)
            return
        if state is not None:
            self.state = state
            publish(DesiredStateCached(self.source, state))

    def _read_cached(self) -> DesiredState | None:
        """Return the desired state an earlier run fetched; None if the repository was never cloned."""
        if not (self._repository.path / "HEAD").exists():
            return None
        state = self._tree.read_desired_state(self._repository, self._repository.head())
        try:
            fetched_at: datetime | None = datetime.fromtimestamp(self._stamp.stat().st_mtime, UTC)
        except OSError:
            fetched_at = state.committed_at
        return replace(state, fetched_at=fetched_at)
