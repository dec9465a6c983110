"""How sources live: intervals with and without activity, waking, and pauses after failures."""

from __future__ import annotations

import asyncio

import pytest

from sgm_tui.errors import UnreachableError
from sgm_tui.sources import Backoff, PollLoop, wait_for_next_poll


class Cluster:
    """A cluster that becomes active when it has been asked so many times."""

    def __init__(self, active_after: int) -> None:
        self.active_after = active_after
        self.questions = 0

    def is_active(self) -> bool:
        self.questions += 1
        return self.questions >= self.active_after


async def test_an_idle_cluster_is_polled_after_as_many_intervals_as_fit() -> None:
    idle = Cluster(active_after=1000)
    await wait_for_next_poll(asyncio.Event(), 0.001, idle_interval=0.0105, is_active=idle.is_active)
    assert idle.questions == 10


async def test_a_cluster_that_becomes_active_is_polled_after_that_interval() -> None:
    busy = Cluster(active_after=3)
    await wait_for_next_poll(asyncio.Event(), 0.001, idle_interval=60.0, is_active=busy.is_active)
    assert busy.questions == 3


async def test_a_refresh_ends_the_wait() -> None:
    wake, idle = asyncio.Event(), Cluster(active_after=1000)
    wake.set()
    await wait_for_next_poll(wake, 3600.0, idle_interval=7200.0, is_active=idle.is_active)
    assert (idle.questions, wake.is_set()) == (0, False)


async def test_an_interval_longer_than_the_idle_one_is_kept() -> None:
    idle = Cluster(active_after=1000)
    await wait_for_next_poll(asyncio.Event(), 0.02, idle_interval=0.001, is_active=idle.is_active)
    assert idle.questions == 1


def test_pauses_double_up_to_the_longest_however_many_failures_there_are() -> None:
    backoff = Backoff(2.0, 60.0, jitter=(1.0, 1.0), clock=lambda: 0.0)
    assert [backoff.next() for _ in range(6)] == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    backoff.failures = 5000
    assert backoff.next() == 60.0
    backoff.reset()
    assert (backoff.upcoming, backoff.next()) == (2.0, 2.0)


async def test_failures_are_reported_with_their_pause_until_a_poll_succeeds() -> None:
    loop = PollLoop(0.001, Backoff(0.001, 0.002, jitter=(1.0, 1.0), clock=lambda: 0.0))
    failures, reported, is_done = [1, 2, 3], list[tuple[str, float]](), asyncio.Event()

    async def poll() -> None:
        if failures:
            raise UnreachableError(f"failure {failures.pop(0)}")
        is_done.set()

    running = asyncio.create_task(loop.run(poll, lambda error, pause: reported.append((error.message, pause))))
    async with asyncio.timeout(10):
        await is_done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert reported == [("failure 1", 0.001), ("failure 2", 0.002), ("failure 3", 0.002)]


async def test_a_requested_pause_replaces_the_backoff_and_a_wake_ends_it() -> None:
    loop = PollLoop(3600.0, Backoff(1.0, 8.0), requested_pause=lambda _: 600.0)
    pauses: list[float] = []

    class EnoughError(Exception):
        pass

    async def poll() -> None:
        if len(pauses) == 2:
            raise EnoughError
        raise UnreachableError("rate limit exceeded")

    def report(_: UnreachableError | Exception, pause: float) -> None:
        pauses.append(pause)
        loop.wake()

    with pytest.raises(EnoughError):
        await loop.run(poll, report)
    assert pauses == [600.0, 600.0]
