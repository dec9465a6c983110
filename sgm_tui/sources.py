"""The life of a source: it publishes updates, waits for its next poll, backs off after failures, and wakes on request.

A source never raises into the store: it publishes a failure as `SourceUnreachable`, with the time until it tries again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import SourceUpdate

Publish = Callable[[SourceUpdate], None]
"""Passes one update to the store."""
IsActive = Callable[[], bool]
"""Returns whether anything is changing in a cluster, so that polling it soon is worthwhile."""

_JITTER = (0.9, 1.1)
_MOST_DOUBLINGS = 16
"""Enough for every backoff to reach its longest pause."""


class Source(Protocol):
    """Publishes what it observes, and its failures, until it is cancelled."""

    @property
    def source(self) -> SourceId:
        """The identity of the source."""
        ...

    async def run(self, publish: Publish) -> None:
        """Publish until cancelled."""
        ...

    def refresh(self) -> None:
        """Poll or reconnect now."""
        ...


@dataclass(slots=True)
class Backoff:
    """Pauses that double with every failure in a row; a success, or a long time without a failure, resets them."""

    first: float
    """Seconds after the first failure."""
    longest: float
    """Seconds at most, before jitter."""
    jitter: tuple[float, float] = _JITTER
    """Least and greatest factor of a pause: a hundred clients that fail together must not come back together."""
    shortest: float = 0.0
    """Seconds at least, after jitter."""
    chance: random.Random = field(default_factory=random.Random)
    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    forgiven_at: float = 0.0

    def next(self) -> float:
        """Count a failure, and return the seconds to wait before the next attempt."""
        now = self.clock()
        if now > self.forgiven_at:
            self.failures = 0
        self.forgiven_at = now + 3 * self.longest
        pause = self.upcoming
        self.failures += 1
        least, greatest = self.jitter
        return max(self.shortest, self.chance.uniform(pause * least, pause * greatest))

    @property
    def upcoming(self) -> float:
        """Seconds of the pause after one more failure, before jitter."""
        return min(self.longest, self.first * 2.0 ** min(self.failures, _MOST_DOUBLINGS))

    def reset(self) -> None:
        """Start over with the shortest pause."""
        self.failures = 0


class PollLoop:
    """Polls something that cannot be watched: at regular intervals, and less often while it fails."""

    def __init__(
        self,
        interval: float,
        backoff: Backoff,
        *,
        idle_interval: float = 0.0,
        is_active: IsActive = lambda: True,
        requested_pause: Callable[[SgmError], float | None] = lambda _: None,
    ) -> None:
        """Configure a loop; `run` starts it.

        Args:
            interval: seconds between two polls.
            backoff: the pauses after failures.
            idle_interval: seconds between two polls while `is_active` returns False, in whole multiples of `interval`.
            is_active: called after every interval.
            requested_pause: returns the seconds that the server of an error asks to wait; None where it names none.
                Such an error does not count as a failure.
        """
        self._interval = interval
        self._backoff = backoff
        self._idle_interval = idle_interval
        self._is_active = is_active
        self._requested_pause = requested_pause
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """End the current wait."""
        self._wake.set()

    async def run(
        self, poll: Callable[[], Awaitable[None]], report: Callable[[SgmError, float], None] | None = None
    ) -> None:
        """Poll until cancelled.

        Args:
            poll: polls once; raises SgmError where it fails.
            report: called with each such error and the seconds until the next poll; None where `poll` reports itself.
        """
        while True:
            try:
                await poll()
            except SgmError as error:
                pause = self._requested_pause(error)
                if pause is None:
                    pause = self._backoff.next()
                if report is not None:
                    report(error, pause)
                await wait_or_wake(self._wake, pause)
            else:
                self._backoff.reset()
                await wait_for_next_poll(
                    self._wake, self._interval, idle_interval=self._idle_interval, is_active=self._is_active
                )


async def wait_for_next_poll(
    wake: asyncio.Event, interval: float, *, idle_interval: float = 0.0, is_active: IsActive = lambda: True
) -> None:
    """Wait for the time of the next poll, or until `wake` is set, which is then cleared.

    Args:
        wake: set it to poll at once.
        interval: seconds while something is changing, with jitter: sources started together must not stay in step.
        idle_interval: seconds while nothing is changing, in whole multiples of `interval`.
        is_active: called after every interval; the wait ends once it returns True.
    """
    for _ in range(max(1, int(idle_interval // interval))):
        if await wait_or_wake(wake, interval * random.uniform(*_JITTER)) or is_active():
            return


async def wait_or_wake(wake: asyncio.Event, seconds: float) -> bool:
    """Wait for some seconds, or until `wake` is set; clear it, and return whether it was set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()
    was_set = wake.is_set()
    wake.clear()
    return was_set
