"""Blocking calls beside the event loop, in a thread that holds up nobody."""

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


class Aside:
    """One blocking call at a time in a thread of its own: neither a deadline nor the end of the program waits for it.

    The thread is started once and kept: starting one waits for it to run, and the screen would wait along.
    """

    def __init__(self, url: str, deadline: float) -> None:
        """`url` is who is asked, for what is said of it; `deadline` is in seconds."""
        self._url = url
        self._deadline = deadline
        self._asking = False
        self._work: SimpleQueue[Callable[[], None] | None] | None = None

    async def result_of(self, ask: Callable[[], Value]) -> Value:
        """What `ask` returns or raises; a call that outlives its deadline is left to its own time-outs.

        Raises:
            UnreachableError: it takes too long, or an earlier one still does.
        """
        if self._asking:
            raise UnreachableError(f"still no answer ({self._url})")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Value] = loop.create_future()

        def tell(settle: Callable[[], None]) -> None:
            if not answer.done():
                settle()

        def work() -> None:
            try:
                value = ask()
            except (SgmError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, OSError) as error:
                # What a library may stumble over, too, must not leave the source waiting, or end it.
                told = error if isinstance(error, SgmError) else UnreachableError(f"{clean(repr(error))} ({self._url})")
                settle = partial(answer.set_exception, told)
            else:
                settle = partial(answer.set_result, value)
            finally:
                self._asking = False
            with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile: nobody waits any more.
                loop.call_soon_threadsafe(tell, settle)

        self._asking = True
        self._started().put(work)
        try:
            async with asyncio.timeout(self._deadline):
                return await answer
        except TimeoutError as error:
            raise UnreachableError(f"no answer within {self._deadline:.0f} s ({self._url})") from error

    def end(self) -> None:
        """Let the thread go once it has nothing left to do."""
        if self._work is not None:
            self._work.put(None)
            self._work = None

    def _started(self) -> SimpleQueue[Callable[[], None] | None]:
        if self._work is None:
            self._work = SimpleQueue()
            threading.Thread(target=_carry_out, args=(self._work,), name="sgm-aside", daemon=True).start()
        return self._work


def _carry_out(work: SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := work.get()) is not None:
        call()
