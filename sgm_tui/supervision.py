"""Supervise background tasks: report a bug in one at once, and run the task again.

A task group treats a cancelled task as finished. But a call that the task awaits may have been cancelled by other code:
then the task ends although nobody cancelled it, and the group would continue without it. Here such a stray
cancellation is an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

logger = logging.getLogger("sgm")

RESTART_SECONDS = 1.0
"""Seconds before a failed task runs again."""
STEADY_SECONDS = 30.0
"""Seconds after which a running task has recovered from its last failure."""
MOST_FAILURES = 5
"""Failures in a row after which a vital task is given up: ending is better than a screen that is never updated."""

Report = Callable[[Exception], None]


class StrayCancellationError(Exception):
    """A background task ended by a cancellation, but its owner did not cancel it."""


async def wait_for_task(work: Awaitable[None]) -> None:
    """Wait for a background task.

    Raises:
        StrayCancellationError: the task ended by a cancellation, but the waiting task was not cancelled.
    """
    try:
        await work
    except asyncio.CancelledError as error:
        if is_being_cancelled():
            raise
        raise StrayCancellationError("a call that the task waited for was cancelled") from error


def is_being_cancelled() -> bool:
    """Return whether the current task itself has been cancelled."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def run_together(*works: Coroutine[None, None, None]) -> None:
    """Run background tasks that depend on each other; a failure or stray cancellation of one ends all of them.

    Raises:
        ExceptionGroup: the failures.
    """
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(wait_for_task(work))


async def supervise(run: Callable[[], Awaitable[None]], report: Report, give_up: Report | None = None) -> None:
    """Run a background task until it returns; report each bug in it and run it again.

    Args:
        run: starts the task.
        report: shows a bug; the task runs again after it.
        give_up: for vital tasks only: called instead of `report` after `MOST_FAILURES` failures in a row; then
            `supervise` returns.
    """
    failures = 0
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await wait_for_task(run())
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
