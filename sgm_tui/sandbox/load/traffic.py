"""The traffic of one service in one cluster: the share of each version, and its errors and latencies.

Each pod template hash is a stream of pieces. Within a piece its share, errors and latency are constant, so that
counters are sums over whole pieces and a rest. Pieces are kept as long as a query may need them.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sgm_tui.sandbox.load.curve import Curve

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0, math.inf)
"""Upper bounds of the latency histogram's buckets, in seconds."""
ALWAYS = -40.0 * 86_400.0
"""The start of everything that exists when a world is laid out, for its metrics."""
_NOT_FOUND = 0.012
"""The share of requests that end with 404."""
_SLOW_FACTOR = 4.0
_SLOW_SHARE = 0.03
"""The share of requests that are slow, which varies and moves the percentiles."""
_REMEMBERED = 64
_STEEPNESS = 3.2
"""Steepness of the log-logistic distribution of latencies."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one version handles its part of the traffic; one without pods (`share` None) is not scraped."""

    share: float | None
    """Share of the service's requests, 0–1; the preview's requests come on top."""
    error_ratio: float = 0.0
    latency: float = 0.05
    """The median in seconds."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters of requests: total, failed and slow."""

    requests: float = 0.0
    errors: float = 0.0
    slow: float = 0.0


@dataclass(slots=True)
class _Piece:
    behaviour: Behaviour
    before: Counts
    """The counters at the start of the piece."""
    buckets: tuple[float, ...]
    """The histogram at the start of the piece."""
    fast: tuple[float, ...] = field(default=())
    slow: tuple[float, ...] = field(default=())

    def __post_init__(self) -> None:
        self.fast = _distribution(self.behaviour.latency)
        self.slow = _distribution(self.behaviour.latency * _SLOW_FACTOR)


def _distribution(median: float) -> tuple[float, ...]:
    """Return the fraction of requests that complete within each bound."""
    return tuple(1.0 if math.isinf(bound) else 1.0 / (1.0 + (bound / median) ** -_STEEPNESS) for bound in BOUNDS)


class Stream:
    """The traffic of one pod template hash of a service."""

    def __init__(self, traffic: Traffic, pod_hash: str) -> None:
        self.pod_hash = pod_hash
        self._traffic = traffic
        self._starts: list[float] = []
        self._pieces: list[_Piece] = []
        self._buckets: dict[float, tuple[float, ...]] = {}

    @property
    def behaviour(self) -> Behaviour:
        """Return the current behaviour."""
        return self._pieces[-1].behaviour

    @property
    def since(self) -> float:
        """Return when the current behaviour began."""
        return self._starts[-1]

    def turn(self, behaviour: Behaviour, at: float) -> None:
        """Change the behaviour from this moment on."""
        if not self._pieces:
            piece = _Piece(behaviour, Counts(), (0.0,) * len(BOUNDS))
        elif self._pieces[-1].behaviour == behaviour:
            return
        else:
            piece = _Piece(behaviour, self.counts(at), self.buckets(at))
        self._starts.append(at)
        self._pieces.append(piece)
        self._buckets.clear()

    def forget(self, before: float) -> bool:
        """Drop pieces that ended before a moment; return whether none remains."""
        while len(self._starts) > 1 and self._starts[1] < before:
            del self._starts[0], self._pieces[0]
        return self._pieces[-1].behaviour.share is None and self._starts[-1] < before

    def alive(self, at: float) -> bool:
        """Return whether it is scraped at a moment."""
        piece = self._piece(at)
        return piece is not None and piece[1].behaviour.share is not None

    def lifetime(self, start: float, end: float) -> tuple[float, float] | None:
        """Return the part of [start, end] in which it is scraped; None if there is none."""
        if self._starts[-1] <= start:
            return (start, end) if self._pieces[-1].behaviour.share is not None else None
        low = high = -math.inf
        for number, (begin, piece) in enumerate(zip(self._starts, self._pieces, strict=True)):
            until = self._starts[number + 1] if number + 1 < len(self._starts) else math.inf
            if piece.behaviour.share is None or until <= start or begin > end:
                continue
            low = max(start, begin) if low == -math.inf else low
            high = min(end, until)
        return None if low == -math.inf else (low, high)

    def counts(self, at: float) -> Counts:
        """Return its counters at a moment."""
        current = self._piece(at)
        if current is None:
            return Counts()
        start, piece = current
        share, before = piece.behaviour.share, piece.before
        if not share:
            return before
        traffic = self._traffic
        requests = share * traffic.requests_between(start, at)
        errors = min(requests, share * piece.behaviour.error_ratio * traffic.errors_between(start, at))
        slow = share * _SLOW_SHARE * traffic.slow_between(start, at)
        return Counts(before.requests + requests, before.errors + errors, before.slow + slow)

    def increase(self, start: float, end: float) -> tuple[float, float]:
        """Return the requests and errors in between, without counting from the start if one piece covers both."""
        first, last = self._piece(start), self._piece(end)
        if last is None:
            return 0.0, 0.0
        if first is None or first[1] is not last[1]:
            before, after = self.counts(start), self.counts(end)
            return after.requests - before.requests, after.errors - before.errors
        behaviour = last[1].behaviour
        if not behaviour.share:
            return 0.0, 0.0
        requests = behaviour.share * self._traffic.requests_between(start, end)
        return requests, behaviour.share * behaviour.error_ratio * self._traffic.errors_between(start, end)

    def count_with_code(self, code: str, at: float) -> float:
        """Return the number of requests answered with a status code."""
        counts = self.counts(at)
        if code == "500":
            return counts.errors
        missing = counts.requests * _NOT_FOUND
        return missing if code == "404" else counts.requests - counts.errors - missing

    def buckets(self, at: float) -> tuple[float, ...]:
        """Return its histogram at a moment; recent moments are cached, because every bucket is a series of its own."""
        current = self._piece(at)
        if current is None:
            return (0.0,) * len(BOUNDS)
        buckets = self._buckets.get(at)
        if buckets is None:
            if len(self._buckets) >= _REMEMBERED:
                self._buckets.clear()
            piece, now = current[1], self.counts(at)
            slow = now.slow - piece.before.slow
            fast = now.requests - piece.before.requests - slow
            buckets = self._buckets[at] = tuple(
                before + fast * quick + slow * late
                for before, quick, late in zip(piece.buckets, piece.fast, piece.slow, strict=True)
            )
        return buckets

    def bucket_increase(self, start: float, end: float) -> Sequence[float]:
        """Return how much each bucket grew, without building both histograms if one piece covers both moments."""
        first, last = self._piece(start), self._piece(end)
        if first is None or last is None or first[1] is not last[1]:
            return [after - before for before, after in zip(self.buckets(start), self.buckets(end), strict=True)]
        piece = last[1]
        share = piece.behaviour.share or 0.0
        slow = share * _SLOW_SHARE * self._traffic.slow_between(start, end)
        fast = share * self._traffic.requests_between(start, end) - slow
        return [fast * quick + slow * late for quick, late in zip(piece.fast, piece.slow, strict=True)]

    def _piece(self, at: float) -> tuple[float, _Piece] | None:
        number = bisect_right(self._starts, at) - 1
        return None if number < 0 else (self._starts[number], self._pieces[number])


class Traffic:
    """The traffic of one service in one cluster."""

    def __init__(self, namespace: str, service: str, mean: float, chance: random.Random, day_starts: float) -> None:
        self.namespace = namespace
        self.service = service
        self.mean = mean
        self._requests = Curve(mean, chance, day_starts)
        self._errors = Curve(mean, chance, day_starts)
        self._slow = Curve(mean, chance, day_starts)
        self.streams: dict[str, Stream] = {}

    def requests_between(self, start: float, end: float) -> float:
        """Return the number of requests of the whole service."""
        return self._requests.total(end) - self._requests.total(start)

    def errors_between(self, start: float, end: float) -> float:
        """Return the same number with ripples of its own, from which errors are derived."""
        return self._errors.total(end) - self._errors.total(start)

    def slow_between(self, start: float, end: float) -> float:
        """Return the same number with ripples of its own, from which slow requests are derived."""
        return self._slow.total(end) - self._slow.total(start)

    def turn(self, behaviours: Mapping[str, Behaviour], at: float) -> bool:
        """Split the traffic anew from this moment on; return whether a stream appeared, ended or came back."""
        changed = False
        for pod_hash, behaviour in behaviours.items():
            stream = self.streams.get(pod_hash)
            if stream is None:
                stream = self.streams[pod_hash] = Stream(self, pod_hash)
                changed = True
            stream.turn(behaviour, at)
        for pod_hash, stream in self.streams.items():
            if pod_hash not in behaviours:
                stream.turn(Behaviour(None), at)
        return changed

    def forget(self, before: float) -> bool:
        """Drop what ended before a moment; return whether a stream was removed."""
        dropped = [pod_hash for pod_hash, stream in self.streams.items() if stream.forget(before)]
        for pod_hash in dropped:
            del self.streams[pod_hash]
        return bool(dropped)

    def counts_between(self, start: float, end: float) -> Counts:
        """Return the counters of all versions together."""
        requests = errors = 0.0
        for stream in self.streams.values():
            more, failed = stream.increase(start, end)
            requests += more
            errors += failed
        return Counts(requests, errors)

    def buckets_between(self, start: float, end: float) -> list[float]:
        """Return the histogram of all versions together."""
        parts = [stream.bucket_increase(start, end) for stream in self.streams.values()]
        return list(parts[0]) if len(parts) == 1 else [sum(column) for column in zip(*parts, strict=True)]

    def alive_within(self, start: float, end: float) -> bool:
        """Return whether any version was scraped within [start, end]."""
        return any(stream.lifetime(start, end) is not None for stream in self.streams.values())
