"""Virtual time: durations run `speed` times faster, timestamps stay in wall time.

A pause of five minutes ends after thirty real seconds at speed 10, and the object that says when it began has the real
time of that moment; so kubectl's ages, git's dates and Prometheus' ranges agree on "now". Before the start (negative
virtual time) there is only history, which is not sped up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """The one clock of a world; only the world advances it."""

    def __init__(self, started_at: datetime, speed: float = 1.0) -> None:
        self.started_at = started_at
        self.speed = speed
        self.now = 0.0
        """Virtual seconds since the start."""

    def advance(self, seconds: float) -> None:
        """Advance by virtual seconds."""
        self.now += seconds

    def wall(self, at: float | None = None) -> datetime:
        """Return the real time of a virtual time (now if not given), aware UTC."""
        moment = self.now if at is None else at
        return self.started_at + timedelta(seconds=moment / self.speed if moment > 0 else moment)

    def stamp(self, at: float | None = None) -> str:
        """Return the same as Kubernetes writes it: RFC 3339, whole seconds, Z."""
        return self.wall(at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def virtual(self, wall: datetime) -> float:
        """Return the virtual time of a real time."""
        elapsed = (wall - self.started_at).total_seconds()
        return elapsed * self.speed if elapsed > 0 else elapsed
