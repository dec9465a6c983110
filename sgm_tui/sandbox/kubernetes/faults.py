"""Faults of a cluster's API server, which scenarios and tests switch on while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class KubeFaults:
    """The switches of one cluster's API server; all off at first."""

    def __init__(self) -> None:
        self.refuse = False
        """Close every new connection without an answer."""
        self.latency = 0.0
        """Real seconds added before every answer."""
        self.status = 0
        """Answer every request with this HTTP code instead (401, 403, 429, 500, 503); 0 is off."""
        self.watch_epoch = 0
        """Increases when all watches are to end; `watch_error` says how."""
        self.watch_error = 0
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._wakers: set[Callable[[], None]] = set()

    @property
    def hang(self) -> bool:
        """Become unreachable: requests get no answer, open watches fall silent, nothing is closed."""
        return not self._reachable.is_set()

    @hang.setter
    def hang(self, value: bool) -> None:
        if value:
            self._reachable.clear()
        else:
            self._reachable.set()

    def expire_watches(self) -> None:
        """End every watch with 410 Expired in the stream."""
        self._end_watches(410)

    def drop_watches(self) -> None:
        """End every watch as if the server had restarted: the stream just ends."""
        self._end_watches(0)

    def _end_watches(self, error: int) -> None:
        self.watch_epoch += 1
        self.watch_error = error
        for waker in tuple(self._wakers):
            waker()

    def subscribe(self, waker: Callable[[], None]) -> Callable[[], None]:
        """Call `waker` when watches are to end; return the function that unsubscribes."""
        self._wakers.add(waker)
        return lambda: self._wakers.discard(waker)

    async def passage(self) -> None:
        """Wait while the cluster is unreachable."""
        await self._reachable.wait()
