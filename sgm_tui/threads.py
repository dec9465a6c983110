"""Run blocking calls in threads: each kind of call has its own pool, so that no kind waits for another.

A read that hangs (GitHub, git, a disk) occupies a thread until its timeout. With a single pool, twenty of them would
prevent writes to the journal; with a pool per kind they delay only further reads of their own kind.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from enum import Enum
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

logger = logging.getLogger("sgm")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Lane(Enum):
    """A kind of blocking call: its name, how many run at the same time, and whether the program waits for them at exit.

    The program finishes writes before it exits; a read that hangs does not delay the exit.
    """

    RECORDS = ("records", 4, True)
    """Writing the journal, audit log, plan, marks and wave plans."""
    LOCKS = ("locks", 16, False)
    """Waiting for a lock that another process holds; separate, because a lock's holder needs the other lanes."""
    GIT_READS = ("git-reads", 6, False)
    GIT_WRITES = ("git-writes", 4, True)
    """Commits, pushes, and the reads right before a write."""
    FORGE_READS = ("forge-reads", 6, False)
    FORGE_WRITES = ("forge-writes", 4, True)
    CREDENTIALS = ("credentials", 64, False)
    """Reading the configuration, kubeconfigs, token files and credential programs; each cluster's may hang."""


def start_in(
    lane: Lane, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> asyncio.Future[Result]:
    """Call `work` in a thread of `lane`, and return the future of its result.

    Cancelling the future does not interrupt a running call, but prevents one that has not started.
    """
    call: Callable[[], Result] = functools.partial(contextvars.copy_context().run, work, *args, **kwargs)
    return asyncio.get_running_loop().run_in_executor(_executor(lane), call)


async def run_in(
    lane: Lane, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call `work` in a thread of `lane`, and return its result."""
    return await start_in(lane, work, *args, **kwargs)


@functools.cache
def _executor(lane: Lane) -> Executor:
    name, threads, waits_at_exit = lane.value
    if waits_at_exit:
        return ThreadPoolExecutor(threads, thread_name_prefix=f"sgm-{name}")
    return _DaemonExecutor(f"sgm-{name}", threads)


class _DaemonExecutor(Executor):
    """A pool of daemon threads, which end with the program; the standard pool waits for its threads at exit."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()

    def submit(
        self, call: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Call it as soon as a thread is free, and return the future of its result."""
        future: Future[Result] = Future()
        with self._lock:
            self._calls.put((future, functools.partial(call, *args, **kwargs)))
            if self._idle:
                self._idle -= 1
            elif self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    logger.debug("a call in %s failed", self._name, exc_info=True)
                    future.set_exception(error)
            del future, call
            with self._lock:
                self._idle += 1
