"""Blocking calls in a thread of their own, which neither delays the event loop nor the end of the program."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from sgm_tui.errors import SgmError, UnreachableError
from sgm_tui.untrusted_text import clean

Value = TypeVar("Value")


class SingleCallThread:
    """A thread that runs one blocking call at a time, each with a deadline.

    The thread is started with the first call and kept: starting one waits until it runs, and the screen would wait
    with it. It is a daemon, so the end of the program does not wait for a call that hangs.
    """

    def __init__(self, url: str, deadline: float) -> None:
        """Start nothing yet; `url` names the server in errors, `deadline` is in seconds."""
        self._url = url
        self._deadline = deadline
        self._is_busy = False
        self._calls: SimpleQueue[Callable[[], None] | None] | None = None

    async def run(self, call: Callable[[], Value]) -> Value:
        """Return or raise what `call` does; a call that outlives the deadline goes on until its own timeouts end it.

        Raises:
            UnreachableError: the call takes longer than the deadline, or an earlier one still runs.
        """
        if self._is_busy:
            raise UnreachableError(f"still no answer ({self._url})")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Value] = loop.create_future()

        def settle_unless_done(settle: Callable[[], None]) -> None:
            if not answer.done():
                settle()

        def work() -> None:
            try:
                value = call()
            except (SgmError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, OSError) as error:
                # A bug in a library must neither leave the source waiting nor end it.
                is_ours = isinstance(error, SgmError)
                settle = partial(
                    answer.set_exception, error if is_ours else UnreachableError(f"{clean(repr(error))} ({self._url})")
                )
            else:
                settle = partial(answer.set_result, value)
            finally:
                self._is_busy = False
            with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile: nothing waits any more.
                loop.call_soon_threadsafe(settle_unless_done, settle)

        self._is_busy = True
        self._start().put(work)
        try:
            async with asyncio.timeout(self._deadline):
                return await answer
        except TimeoutError as error:
            raise UnreachableError(f"no answer within {self._deadline:.0f} s ({self._url})") from error

    def end(self) -> None:
        """End the thread once its current call has returned."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None

    def _start(self) -> SimpleQueue[Callable[[], None] | None]:
        """Return the queue of the thread, which is started if it does not run."""
        if self._calls is None:
            self._calls = SimpleQueue()
            threading.Thread(target=_run_calls, args=(self._calls,), name="sgm-single-call", daemon=True).start()
        return self._calls


def _run_calls(calls: SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := calls.get()) is not None:
        call()
