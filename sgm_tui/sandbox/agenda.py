"""What is to be done at which virtual moment: the one timer of a simulated controller.

A script is a chain of actions with pauses between them, written as a generator that yields seconds; so the order of
states a controller writes can be read top to bottom.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator

from sgm_tui.sandbox.clock import Clock

Action = Callable[[], None]
Script = Iterator[float]


class Agenda:
    """Actions in the order of their moments; those of one moment in the order they were noted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Action]] = []
        self._number = itertools.count()
        self._moment = clock.now
        """The moment of the action being run: a chain of short pauses does not wait for the next step."""

    def after(self, seconds: float, action: Action) -> None:
        """Do something that much later than the moment being worked on."""
        heapq.heappush(self._due, (self._moment + seconds, next(self._number), action))

    def start(self, script: Script, seconds: float = 0.0) -> None:
        """Walk through a script, from that much later on."""
        self.after(seconds, lambda: self._advance(script))

    def run(self) -> None:
        """Do all that is due by now."""
        while self._due and self._due[0][0] <= self._clock.now:
            self._moment, _, action = heapq.heappop(self._due)
            action()
        self._moment = self._clock.now

    def _advance(self, script: Script) -> None:
        pause = next(script, None)
        if pause is not None:
            self.after(pause, lambda: self._advance(script))
