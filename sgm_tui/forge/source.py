"""Pull requests as a source: polled, because GitHub has nothing to watch."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.facts import Besides, PullRequest
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import Lost, Observation, PullRequestsListed
from sgm_tui.forge.listing import Brought, Proposes
from sgm_tui.forge.quota import PausedError
from sgm_tui.threads import Lane, run_in

_RETRY_MOST = 300.0


class Lister(Protocol):
    """What can list pull requests."""

    @property
    def note(self) -> str:
        """What a person should know though everything works."""
        ...

    async def pull_requests(self, proposes: Proposes, brought: Brought) -> tuple[PullRequest, ...]:
        """Open ones, and those that ended lately."""
        ...


class PullRequestSource:
    """Follows the pull requests of one repository."""

    def __init__(
        self,
        forge: Lister,
        proposes: Proposes,
        brought: Brought,
        besides: Callable[[str], tuple[Besides, ...] | None],
        seconds: float,
        after: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Follow them, once `after` is over: what a pull request proposes can only be told from a clone."""
        self.source = SourceId("forge")
        self._forge = forge
        self._proposes = proposes
        self._brought = brought
        self._besides = besides
        self._seconds = seconds
        self._after = after
        self._wake = asyncio.Event()
        self._chance = random.Random()

    def refresh(self) -> None:
        """Look now."""
        self._wake.set()

    async def run(self, publish: Callable[[Observation], None]) -> None:
        """Publish every pull request that matters, for ever; troubles are published, never raised."""
        failures = 0
        if self._after is not None:
            await self._after()
        while True:
            try:
                found = await self._forge.pull_requests(self._proposes, self._brought)
                found = await run_in(Lane.GIT_READS, self._whole, found)
                publish(PullRequestsListed(self.source, found, self._forge.note))
                failures = 0
                pause = self._seconds * self._chance.uniform(0.9, 1.1)
            except PausedError as error:
                # It says itself when; a moment later, so that many terminals do not all come back in one second.
                pause = error.seconds + self._chance.uniform(0.5, 3.0)
                publish(Lost(self.source, error.message, pause))
            except SgmError as error:
                failures += 1
                pause = min(self._seconds * 2 ** (failures - 1), _RETRY_MOST) * self._chance.uniform(0.9, 1.1)
                publish(Lost(self.source, error.message, pause))
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    def _whole(self, requests: Sequence[PullRequest]) -> tuple[PullRequest, ...]:
        return tuple(map(self._with_besides, requests))

    def _with_besides(self, request: PullRequest) -> PullRequest:
        """With what else an open one changes; one whose commits are not in the clone (of a fork) is unknown."""
        if request.state != "open":
            return request
        besides = self._besides(request.head)
        if besides is None:
            return replace(request, unknown=request.unknown | {"proposes"})
        return replace(request, besides=besides)
