"""Keep garbage collection and the heap small in a dashboard that is open for days."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable

_START_SECONDS = 1.5
"""Seconds after which the program has started: the modules and objects loaded by then live as long as it does."""
_LOADED_SECONDS = 20.0
"""Seconds after which a large fleet has been read too: its objects live for hours and need no further collections."""
_YOUNG = 10_000
"""New objects between two collections of the youngest generation; the screen freezes during each collection."""
_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8
"""The parameters of glibc's `mallopt(3)`, as its malloc.h numbers them."""
_TRIM_SECONDS = 30.0
"""Seconds between two calls that return free pages to the system."""
_FREE_BYTES = 128 * 1024
"""Free bytes at the top of a heap above which glibc returns them; by itself it raises this up to 64 MiB."""


def defer_garbage_collection() -> None:
    """Disable garbage collection while the program of the running event loop starts, and freeze what it has loaded.

    Collections would take a third of the time to the first frame.
    """
    gc.disable()
    loop = asyncio.get_running_loop()
    loop.call_later(_START_SECONDS, _resume_garbage_collection)
    loop.call_later(_LOADED_SECONDS, gc.freeze)


def _resume_garbage_collection() -> None:
    gc.collect()  # otherwise the freeze would keep existing garbage for ever
    gc.freeze()
    gc.set_threshold(_YOUNG)
    gc.enable()


def share_one_heap() -> None:
    """Make all threads allocate from one heap, and return its free pages to the system regularly.

    Call it before threads start. Glibc gives threads up to eight heaps per core, and each heap keeps the pages of the
    largest response its thread ever read: with two threads per cluster, most of the memory of a large fleet is such
    free pages. Under the interpreter's lock, threads hardly ever allocate at the same time. Does nothing with another
    C library than glibc.
    """
    if sys.platform != "linux":
        return
    import ctypes

    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt") and hasattr(library, "malloc_trim"):
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_TRIM_THRESHOLD, _FREE_BYTES)
        _trim_heap(asyncio.get_running_loop(), library.malloc_trim)


def _trim_heap(loop: asyncio.AbstractEventLoop, trim: Callable[[int], object]) -> None:
    """Return the free pages between used ones too, now and every 30 s; takes one or two milliseconds."""
    loop.call_later(_TRIM_SECONDS, _trim_heap, loop, trim)
    trim(0)
