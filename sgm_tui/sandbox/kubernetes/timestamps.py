"""Timestamps of simulated controllers, and the exact virtual times behind them.

Kubernetes timestamps have whole seconds of wall time, each of which may hold many virtual seconds; so the controllers
remember the exact virtual time behind each timestamp they wrote and calculate with that.
"""

from __future__ import annotations

from datetime import datetime

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.work_queue import WorkQueue


class Timestamps:
    """Write timestamps as Kubernetes does, and look up the exact time behind those written here."""

    def __init__(self, clock: Clock, queue: WorkQueue) -> None:
        self._clock = clock
        self._queue = queue
        self._moments: dict[str, dict[str, tuple[str, float]]] = {}

    @property
    def now(self) -> float:
        """Return the virtual time being worked on."""
        return self._queue.moment

    def stamp(self, delay: float = 0.0) -> str:
        """Return the RFC 3339 timestamp of `delay` virtual seconds from now."""
        return self._clock.stamp(self._queue.moment + delay)

    def note(self, uid: str, what: str, delay: float = 0.0) -> str:
        """Return the same, and remember its exact time as the object's `what`."""
        stamp = self.stamp(delay)
        self._moments.setdefault(uid, {})[what] = (stamp, self._queue.moment + delay)
        return stamp

    def moment(self, uid: str, what: str, stamp: str) -> float:
        """Return the virtual time of a timestamp: exact if it was noted here, else to the second."""
        noted = self._moments.get(uid, {}).get(what)
        if noted is not None and noted[0] == stamp:
            return noted[1]
        return self._clock.virtual(datetime.fromisoformat(stamp))

    def until(self, uid: str, what: str) -> float:
        """Return the virtual seconds until a time noted here; 0 if it is past or none was noted."""
        noted = self._moments.get(uid, {}).get(what)
        return 0.0 if noted is None else max(0.0, noted[1] - self.now)

    def forget(self, uid: str) -> None:
        """Forget a deleted object."""
        self._moments.pop(uid, None)
