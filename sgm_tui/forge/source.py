"""The source of pull requests: polled, because GitHub has nothing to watch."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.facts import PullRequest, UnrelatedChange
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import PullRequestsListed, SourceUnreachable
from sgm_tui.forge.listing import MergedChanges, ProposedChanges
from sgm_tui.forge.quota import PausedError
from sgm_tui.sources import Backoff, PollLoop, Publish
from sgm_tui.threads import Lane, run_in

_LONGEST_RETRY = 300.0
_AFTER_LIMIT = (0.5, 3.0)
"""Least and most seconds to wait after GitHub's limit has ended: many terminals must not all return in one second."""


class Lister(Protocol):
    """Lists pull requests."""

    @property
    def note(self) -> str:
        """A remark to show although everything works; "" for none."""
        ...

    async def list_recent(self, proposes: ProposedChanges, merged: MergedChanges) -> tuple[PullRequest, ...]:
        """Return the open pull requests, and those that ended within a day."""
        ...


class PullRequestSource:
    """Polls the pull requests of one repository."""

    def __init__(
        self,
        forge: Lister,
        proposes: ProposedChanges,
        merged: MergedChanges,
        unrelated_changes_in: Callable[[str], tuple[UnrelatedChange, ...] | None],
        seconds: float,
        after: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Poll nothing yet.

        Args:
            forge: lists the pull requests.
            proposes: returns what the head of a pull request would change.
            merged: returns what a merge commit changed.
            unrelated_changes_in: returns what else a head changes; None where its commits are not in the clone.
            seconds: between two polls.
            after: awaited before the first poll: what a pull request proposes is read from the clone.
        """
        self.source = SourceId("forge")
        self._forge = forge
        self._proposes = proposes
        self._merged = merged
        self._unrelated_changes_in = unrelated_changes_in
        self._after = after
        self._polling = PollLoop(seconds, Backoff(seconds, _LONGEST_RETRY), requested_pause=_pause_of_limit)

    def refresh(self) -> None:
        """Poll now."""
        self._polling.wake()

    async def run(self, publish: Publish) -> None:
        """Publish every open or recently ended pull request until cancelled; failures are published, never raised."""

        async def poll() -> None:
            requests = await self._forge.list_recent(self._proposes, self._merged)
            requests = await run_in(Lane.GIT_READS, self._with_unrelated_changes, requests)
            publish(PullRequestsListed(self.source, requests, self._forge.note))

        if self._after is not None:
            await self._after()
        await self._polling.run(
            poll, lambda error, pause: publish(SourceUnreachable(self.source, error.message, pause))
        )

    def _with_unrelated_changes(self, requests: Sequence[PullRequest]) -> tuple[PullRequest, ...]:
        """Add what else each open pull request changes.

        One whose commits are not in the clone, such as a fork's, has that marked as unknown.
        """
        completed: list[PullRequest] = []
        for request in requests:
            changes = self._unrelated_changes_in(request.head) if request.state == "open" else ()
            if changes is None:
                completed.append(replace(request, unknown=request.unknown | {"proposes"}))
            elif request.state == "open":
                completed.append(replace(request, unrelated_changes=changes))
            else:
                completed.append(request)
        return tuple(completed)


def _pause_of_limit(error: SgmError) -> float | None:
    """Return the seconds until GitHub's limit ends, and a moment more; None for any other error."""
    return error.seconds + random.uniform(*_AFTER_LIMIT) if isinstance(error, PausedError) else None
