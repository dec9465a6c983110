"""The time between two looks at what cannot be watched."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

_CHANCE = random.Random()

Moves = Callable[[], bool]
"""Whether anything in a cluster is under way, so that what is polled there is worth a look soon."""


def always() -> bool:
    """Everything moves, as far as anybody knows."""
    return True


async def rest(wake: asyncio.Event, seconds: float, *, quiet: float = 0.0, moves: Moves = always) -> None:
    """Wait until it is time for another look, or until somebody wants one now.

    Args:
        wake: set by who wants one now; cleared here.
        seconds: how long where something moves.
        quiet: how long where nothing does, in whole rounds of `seconds`.
        moves: asked after each round.
    """
    for _ in range(max(1, int(quiet // seconds))):
        if await _woken(wake, seconds) or moves():
            return


async def _woken(wake: asyncio.Event, seconds: float) -> bool:
    try:
        # Jittered: a hundred sources started together shall not ask together for ever.
        async with asyncio.timeout(seconds * _CHANCE.uniform(0.9, 1.1)):
            await wake.wait()
    except TimeoutError:
        return False
    wake.clear()
    return True
