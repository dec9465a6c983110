"""Events per second and their running total: a daily curve with ripples and its exact integral.

Because the integral has a closed form, a counter has a value at every moment of the past without having been counted,
and a rate over any window is exact at once.
"""

from __future__ import annotations

import math
import random

_DAY = 86_400.0
_RIPPLES = ((2_900.0, 0.07), (760.0, 0.05), (170.0, 0.03))
"""Periods in seconds, and amplitudes relative to the mean."""
_DAILY = 0.3
_PEAK = 15.0 * 3600.0
"""The hour with the most traffic, in the cluster's local time."""
_REMEMBERED = 512


class Curve:
    """Events per second around a mean, over virtual time."""

    def __init__(self, mean: float, chance: random.Random, day_starts: float) -> None:
        """`day_starts` is the virtual moment of a midnight where the cluster stands."""
        self.mean = mean
        daily = (_DAILY, 2 * math.pi / _DAY, math.pi / 2 - 2 * math.pi * (day_starts + _PEAK) / _DAY)
        ripples = [(height, 2 * math.pi / period, chance.uniform(0, 2 * math.pi)) for period, height in _RIPPLES]
        self._waves = [(height, speed, phase) for height, speed, phase in (daily, *ripples)]
        self._integrated = [(height / speed, speed, phase) for height, speed, phase in self._waves]
        self._totals: dict[float, float] = {}

    def total(self, moment: float) -> float:
        """Return the number of events since moment 0, negative before it; recent moments are cached."""
        total_waves = self._totals.get(moment)
        if total_waves is None:
            if len(self._totals) >= _REMEMBERED:
                self._totals.clear()
            waves = sum(height * math.cos(speed * moment + phase) for height, speed, phase in self._integrated)
            total_waves = self._totals[moment] = self.mean * (moment - waves)
        return total_waves
