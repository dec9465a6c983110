"""Memory of a dashboard that is open for days: what stays is not collected, what is free goes back to the system."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable

_START_SECONDS = 1.5
"""After which starting is over, and what has been loaded stays."""
_LOADED_SECONDS = 20.0
"""After which a large fleet is there as well: what stays for hours is not looked through again and again."""
_YOUNG = 10_000
"""So many new objects between two collections: the screen stands still during each."""
_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8
"""The parameters of glibc's `mallopt(3)`, as its malloc.h numbers them."""
_TRIM_SECONDS = 30.0
_FREE_BYTES = 128 * 1024
"""Glibc gives back what is free at the top of a heap from so much on. Left alone, it raises that to 64 MiB."""


def collect_later() -> None:
    """No collections while an event loop's program starts: a third of the time to its first frame would be theirs."""
    gc.disable()
    loop = asyncio.get_running_loop()
    loop.call_later(_START_SECONDS, _collect_again)
    loop.call_later(_LOADED_SECONDS, gc.freeze)


def _collect_again() -> None:
    gc.collect()  # what is garbage already must not be kept for ever by the freeze
    gc.freeze()
    gc.set_threshold(_YOUNG)
    gc.enable()


def keep_small() -> None:
    """Let all threads allocate from one heap, and give back what is free of it; before they start.

    Glibc gives up to eight heaps a core to threads, and each keeps the pages of the largest answer it ever read: with
    two threads a cluster, most of what a large fleet costs is such free pages. Under the interpreter's lock
    threads hardly ever allocate at the same time. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    import ctypes

    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt") and hasattr(library, "malloc_trim"):
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_TRIM_THRESHOLD, _FREE_BYTES)
        _give_back(asyncio.get_running_loop(), library.malloc_trim)


def _give_back(loop: asyncio.AbstractEventLoop, trim: Callable[[int], object]) -> None:
    """Now and then also the free pages between what is in use: a millisecond or two of work."""
    loop.call_later(_TRIM_SECONDS, _give_back, loop, trim)
    trim(0)
