"""Background tasks that nobody waits for: a bug in one is reported at once, and the task runs again.

A task group takes a task that was cancelled for one that has ended. A task may be cancelled by nobody but whoever runs
it: a call it waits for may have been cancelled by somebody else, and then the group goes on without the task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

logger = logging.getLogger("sgm")

RESTART_SECONDS = 1.0
STEADY_SECONDS = 30.0
"""A background task that ran for so long had recovered from its last failure."""
MOST_FAILURES = 5
"""So many failures in a row of a vital task: a picture that stands still would be worse than ending."""

Report = Callable[[Exception], None]


class StrayCancellationError(Exception):
    """A background task was cancelled, but not by whoever runs it."""


async def uncancelled(work: Awaitable[None]) -> None:
    """Wait for a background task.

    Raises:
        StrayCancellationError: it ended by a cancellation that nobody who waits for it asked for.
    """
    try:
        await work
    except asyncio.CancelledError as error:
        if is_being_cancelled():
            raise
        raise StrayCancellationError("a call that the task waited for was cancelled") from error


def is_being_cancelled() -> bool:
    """Whether somebody has cancelled the current task itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def run_together(*works: Coroutine[None, None, None]) -> None:
    """Run background tasks that need each other; a failure of one, a stray cancellation too, ends all of them.

    Raises:
        ExceptionGroup: what failed.
    """
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(uncancelled(work))


async def supervise(run: Callable[[], Awaitable[None]], report: Report, give_up: Report | None = None) -> None:
    """Run a background task until it returns; report each bug in it and run it again.

    Args:
        run: begins the task.
        report: shows a bug after which the task runs again.
        give_up: for a vital task only: called instead of `report` when it has failed too often in a row; then
            this returns.
    """
    failures = 0
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await uncancelled(run())
            return
        except Exception as error:
            logger.exception("a background task failed")
            is_steady = asyncio.get_running_loop().time() - began > STEADY_SECONDS
            failures = 1 if is_steady else failures + 1
            if give_up is not None and failures >= MOST_FAILURES:
                give_up(error)
                return
            report(error)
        await asyncio.sleep(RESTART_SECONDS)
