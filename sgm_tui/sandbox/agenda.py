"""The timer of a simulated controller: actions at virtual times.

A script is a chain of actions with pauses between them, written as a generator that yields seconds, so that the order
of states can be read from top to bottom.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator

from sgm_tui.sandbox.clock import Clock

Action = Callable[[], None]
Script = Iterator[float]


class Agenda:
    """Runs actions in order of time; actions of the same time in the order they were added."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Action]] = []
        self._number = itertools.count()
        self._moment = clock.now
        """The time of the running action, so that a chain of short pauses does not wait for the next step."""

    def after(self, seconds: float, action: Action) -> None:
        """Run an action some virtual seconds after the running action."""
        heapq.heappush(self._due, (self._moment + seconds, next(self._number), action))

    def start(self, script: Script, seconds: float = 0.0) -> None:
        """Start a script after some virtual seconds."""
        self.after(seconds, lambda: self._advance(script))

    def run(self) -> None:
        """Run everything that is due."""
        while self._due and self._due[0][0] <= self._clock.now:
            self._moment, _, action = heapq.heappop(self._due)
            action()
        self._moment = self._clock.now

    def _advance(self, script: Script) -> None:
        pause = next(script, None)
        if pause is not None:
            self.after(pause, lambda: self._advance(script))
