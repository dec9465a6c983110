"""The threads in which blocking calls run: each kind has its own, so that no kind waits behind another.

A read that hangs (GitHub, git, a disk) keeps a thread until its deadline. Were there one pool for everything, twenty of
them would keep the journal from being written; here they keep only further reads of their own kind waiting.
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
    """A kind of blocking call: its name, how many of it run at the same time, and whether leaving waits for them.

    What writes is carried to its end when the program ends; a read that hangs keeps nobody from leaving.
    """

    RECORDS = ("records", 4, True)
    """Writing the journal, audit log, plan, marks and wave plans."""
    LOCKS = ("locks", 16, False)
    """Waiting for a lock another process holds; whoever holds one needs the other lanes to release it."""
    GIT_READS = ("git-reads", 6, False)
    GIT_WRITES = ("git-writes", 4, True)
    """Commits, pushes, and what a write reads just before it."""
    FORGE_READS = ("forge-reads", 6, False)
    FORGE_WRITES = ("forge-writes", 4, True)
    CREDENTIALS = ("credentials", 64, False)
    """The configuration, kubeconfigs, token files and credential programs: one of every cluster may hang."""


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


@functools.cache
def _executor(lane: Lane) -> Executor:
    name, threads, finishes = lane.value
    if finishes:
        return ThreadPoolExecutor(threads, thread_name_prefix=f"sgm-{name}")
    return _Abandoned(f"sgm-{name}", threads)


class _Abandoned(Executor):
    """Threads that end with the program, whatever they are doing; the standard pool's are always waited for."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()

    def submit(
        self, call: Callable[Arguments, Result], /, *args: Arguments.args, **facts: Arguments.kwargs
    ) -> Future[Result]:
        """Call it as soon as one of the threads is free."""
        future: Future[Result] = Future()
        with self._lock:
            self._calls.put((future, functools.partial(call, *args, **facts)))
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
