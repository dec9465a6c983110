"""The threads in which blocking calls run: each kind has its own, so that no kind waits behind another.

A read that hangs (GitHub, git, a disk) keeps a thread until its deadline. Were there one pool for everything, twenty of
them would keep the journal from being written; here they keep only further reads of their own kind waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Lane(Enum):
    """A kind of blocking call; the value is how many of it run at the same time."""

    RECORDS = ("records", 4)
    """Writing the journal, audit log, plan, marks and wave plans."""
    LOCKS = ("locks", 16)
    """Waiting for a lock another process holds; whoever holds one needs the other lanes to release it."""
    GIT_READS = ("git-reads", 6)
    GIT_WRITES = ("git-writes", 4)
    """Commits, pushes, and what a write reads just before it."""
    FORGE_READS = ("forge-reads", 6)
    FORGE_WRITES = ("forge-writes", 4)
    CREDENTIALS = ("credentials", 8)
    """Kubeconfigs, token files and credential programs."""


def start_in(
    lane: Lane, work: Callable[Arguments, Result], *args: Arguments.args, **facts: Arguments.kwargs
) -> asyncio.Future[Result]:
    """Call `work` in a thread of `lane`, and return the future of its result.

    Cancelling the future does not interrupt the call; one that has not begun then never begins.
    """
    call: Callable[[], Result] = functools.partial(contextvars.copy_context().run, work, *args, **facts)
    return asyncio.get_running_loop().run_in_executor(_executor(lane), call)


async def run_in(
    lane: Lane, work: Callable[Arguments, Result], *args: Arguments.args, **facts: Arguments.kwargs
) -> Result:
    """Return what `work` returns, called in a thread of `lane`."""
    return await start_in(lane, work, *args, **facts)


async def run_on_own_loop(lane: Lane, start: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Return what the coroutine returns, run on an event loop of its own in a thread of `lane`.

    For a library whose coroutine reads files between its awaits. Cancelling the caller cancels the coroutine.
    """
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> Result:
        task = asyncio.current_task()
        if task is not None:
            begun.set_result((asyncio.get_running_loop(), task))
        return await start()

    running = asyncio.ensure_future(run_in(lane, lambda: asyncio.run(main())))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.cancel()
        begun.add_done_callback(_cancel)
        raise


def _cancel(begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]]) -> None:
    loop, task = begun.result()
    with contextlib.suppress(RuntimeError):  # Its loop is closed: the coroutine has ended meanwhile.
        loop.call_soon_threadsafe(task.cancel)


@functools.cache
def _executor(lane: Lane) -> ThreadPoolExecutor:
    name, threads = lane.value
    return ThreadPoolExecutor(threads, thread_name_prefix=f"sgm-{name}")
