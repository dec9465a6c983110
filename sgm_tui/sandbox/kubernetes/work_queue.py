"""The work queue of one cluster's simulated controllers: which object is reconciled when."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from sgm_tui.sandbox.clock import Clock

Key = tuple[str, str, str]
"""Controller, namespace, name."""


class WorkQueue:
    """Keys to reconcile, each once, at the earliest time requested."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        self._number = itertools.count()
        self._moment: float | None = None

    @property
    def moment(self) -> float:
        """Return the virtual time being worked on: a chain of short delays does not wait for the next step."""
        return self._clock.now if self._moment is None else self._moment

    def __len__(self) -> int:
        """Return how many keys wait, now or for later."""
        return len(self._due)

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Reconcile a key `delay` virtual seconds after the time being worked on."""
        due = self.moment + max(delay, 0.0)
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._number), key))

    def run(self, handle: Callable[[Key], None]) -> None:
        """Handle every key that is due, in order of time."""
        heap = self._heap
        try:
            while heap and heap[0][0] <= self._clock.now:
                due, _, key = heapq.heappop(heap)
                if self._due.get(key) != due:
                    continue  # replaced by an earlier one
                del self._due[key]
                self._moment = due
                handle(key)
        finally:
            self._moment = None
