"""What every simulated controller of one cluster works with: the store, a queue of what is due when, exact times.

Kubernetes stamps whole seconds of everybody's wall clock, and in this world one of those may hold many virtual
seconds; so the controllers remember the exact virtual moment behind each stamp they wrote and reckon with that.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import ObjectStore

if TYPE_CHECKING:
    from sgm_tui.sandbox.kubernetes.events import Recorder

Key = tuple[str, str, str]
"""Which controller, namespace, name."""


class WorkQueue:
    """What is due when: one entry for each thing, the earliest moment asked for wins."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        self._number = itertools.count()
        self._moment: float | None = None

    @property
    def moment(self) -> float:
        """The virtual moment being worked on: a chain of short delays does not wait for the next step."""
        return self._clock.now if self._moment is None else self._moment

    def __len__(self) -> int:
        """How many things are to be looked at, now or later."""
        return len(self._due)

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Have a thing looked at, so many virtual seconds from the moment being worked on."""
        due = self.moment + max(delay, 0.0)
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._number), key))

    def run(self, handle: Callable[[Key], None]) -> None:
        """Handle all that is due by now, in the order of the moments."""
        heap = self._heap
        try:
            while heap and heap[0][0] <= self._clock.now:
                due, _, key = heapq.heappop(heap)
                if self._due.get(key) != due:
                    continue  # an earlier look took its place
                del self._due[key]
                self._moment = due
                handle(key)
        finally:
            self._moment = None


class Marks:
    """Stamps as Kubernetes writes them, and the exact moments behind those written here."""

    def __init__(self, clock: Clock, queue: WorkQueue) -> None:
        self._clock = clock
        self._queue = queue
        self._moments: dict[str, dict[str, tuple[str, float]]] = {}

    @property
    def now(self) -> float:
        """The virtual moment being worked on."""
        return self._queue.moment

    def stamp(self, delay: float = 0.0) -> str:
        """RFC 3339 of now, or of so many virtual seconds later."""
        return self._clock.stamp(self._queue.moment + delay)

    def note(self, uid: str, what: str, delay: float = 0.0) -> str:
        """The same, remembered exactly as an object's `what`."""
        stamp = self.stamp(delay)
        self._moments.setdefault(uid, {})[what] = (stamp, self._queue.moment + delay)
        return stamp

    def moment(self, uid: str, what: str, stamp: str) -> float:
        """The virtual moment of a stamp: exact if it was noted here, else as its seconds say."""
        noted = self._moments.get(uid, {}).get(what)
        if noted is not None and noted[0] == stamp:
            return noted[1]
        return self._clock.virtual(datetime.fromisoformat(stamp))

    def until(self, uid: str, what: str) -> float:
        """Virtual seconds until a moment noted here; 0 when it is past, or none was noted."""
        noted = self._moments.get(uid, {}).get(what)
        return 0.0 if noted is None else max(0.0, noted[1] - self.now)

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._moments.pop(uid, None)


@dataclass(frozen=True, slots=True)
class Workshop:
    """The controllers of one cluster share this."""

    store: ObjectStore
    queue: WorkQueue
    marks: Marks
    events: Recorder
    random: random.Random
