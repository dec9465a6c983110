"""The repository as a source: read once, then asked cheaply whether it moved."""

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
from sgm_tui.gitops.releases import knows_all, releases_in
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.tree import Tree
from sgm_tui.sources import Backoff, PollLoop, Publish
from sgm_tui.threads import Lane, run_in

_NEAR_SECONDS = 2.0
_FAR_SECONDS = 15.0
_RETRY_MOST = 60.0
_log = logging.getLogger("sgm.git")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class GitSource:
    """Follows the head of the branch."""

    def __init__(self, repository: Repository, tree: Tree, config: Config) -> None:
        self.source = SourceId("git")
        self.state: DesiredState | None = None
        """The newest desired state."""
        self.first_attempt = asyncio.Event()
        """Set once it has been looked for, found or not."""
        self._repository = repository
        self._tree = tree
        parts = urlsplit(config.repository.url)
        near = parts.scheme == "file" or parts.hostname in _LOOPBACK
        self._image_key = config.layout.image_key
        self._news = False
        """The state has more in it than was published, though the head is the same."""
        self._stamp = repository.path / "sgm-fetched"
        """Its time says when the clone was last up to date."""
        seconds = _NEAR_SECONDS if near else _FAR_SECONDS
        self._polling = PollLoop(seconds, Backoff(seconds, _RETRY_MOST))

    def refresh(self) -> None:
        """Look now."""
        self._polling.wake()

    async def run(self, publish: Publish) -> None:
        """Publish desired state whenever the branch moved, for ever; troubles are published, never raised."""

        async def look() -> None:
            await self._look(publish)
            self.first_attempt.set()
            await self._list_releases()

        def report(error: SgmError, pause: float) -> None:
            publish(SourceUnreachable(self.source, error.message, pause))
            self.first_attempt.set()

        await self._remember(publish)
        await self._polling.run(look, report)

    async def _look(self, publish: Publish) -> None:
        if self.state is not None:
            # Every branch is compared: what a pull request proposes is read from its branch. The clone is shared, so
            # that it holds a commit does not say that it was read here: whoever fetched it may have been another.
            there = await self._repository.remote_heads()
            here = await run_in(Lane.GIT_READS, self._repository.heads)
            if there == here and here.get(self._repository.branch) == self.state.revision:
                await run_in(Lane.GIT_READS, self._record_fetch)
                self.state = replace(self.state, fetched_at=None)
                publish(
                    DesiredStateRead(self.source, self.state)
                    if self._news
                    else SourceAnswered(self.source, self.state.note)
                )
                self._news = False
                return
        head = await self._repository.fetch()
        await run_in(Lane.GIT_READS, self._record_fetch)
        if self.state is None or head != self.state.revision:
            releases = self.state.releases if self.state is not None else {}
            state = await run_in(Lane.GIT_READS, self._tree.desired, self._repository, head)
            self.state = replace(state, releases=releases)
        self._news = False
        publish(DesiredStateRead(self.source, self.state))

    async def _list_releases(self) -> None:
        """Read which versions there have been, once something is wanted that is not among them; told with the next
        look, for they only count how far apart versions are."""
        state = self.state
        if state is None or state.fetched_at is not None or knows_all(state.releases, state):
            return
        try:
            found = await run_in(Lane.GIT_READS, releases_in, self._repository, state, self._image_key)
        except SgmError as error:
            _log.info("the releases cannot be counted: %s", error.message)
            return
        self.state, self._news = replace(state, releases=found), True

    def _record_fetch(self) -> None:
        """Record when the clone was last up to date, for a later run that finds the server silent."""
        try:
            self._stamp.touch()
        except OSError as error:
            _log.info("when git was read last cannot be recorded: %s", error)

    async def _remember(self, publish: Publish) -> None:
        """Publish what an earlier run fetched, which counts as old until the server has answered."""
        try:
            state = await run_in(Lane.GIT_READS, self._last_fetched)
        except SgmError as error:
            _log.info("nothing can be read from the clone: %s", error.message)
            return
        if state is not None:
            self.state = state
            publish(DesiredStateCached(self.source, state))

    def _last_fetched(self) -> DesiredState | None:
        if not (self._repository.path / "HEAD").exists():
            return None  # never cloned
        state = self._tree.desired(self._repository, self._repository.head())
        try:
            fetched_at: datetime | None = datetime.fromtimestamp(self._stamp.stat().st_mtime, UTC)
        except OSError:
            fetched_at = state.committed_at
        return replace(state, fetched_at=fetched_at)
