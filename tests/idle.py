"""When a screen under test has come to rest, told from the event loop and not from how fast the machine is."""

from __future__ import annotations

import asyncio
from typing import Any

_FRAME_SECONDS = 1 / 50
"""Longer than Textual waits between two paints."""
_MOST_FRAMES = 50
"""After so many a screen that is never at rest (an indicator that turns) is looked at as it is."""
_MOST_TURNS = 20_000


async def wait_until_idle(*_: float) -> None:
    """Return when the loop has nothing to do and no timer is due within a frame.

    Textual's own wait looks at processor time: on a busy machine it returns too early, where nothing could run, or
    sleeps for its whole second.
    """
    loop: Any = asyncio.get_running_loop()
    frames = quiet = 0
    for _turn in range(_MOST_TURNS):
        await asyncio.sleep(0)
        if loop._ready:
            quiet = 0
            continue
        pending = [timer.when() for timer in loop._scheduled if not timer.cancelled()]
        due = min(pending, default=float("inf")) - loop.time()
        if due < _FRAME_SECONDS and frames < _MOST_FRAMES:
            frames += 1
            quiet = 0
            await asyncio.sleep(max(due, 0))
            continue
        quiet += 1
        if quiet > 1:
            return
