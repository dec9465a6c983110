"""Waves: a change goes to some clusters first, and to the next when those have settled and soaked.

A wave plan is decided once, by a person who saw all of it; which of its waves may open is decided from facts alone,
so that it can be resumed by any process at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plan import Change, Override
from sgm_tui.fleet.policy import Policy
from sgm_tui.fleet.snapshot import FleetSnapshot


@dataclass(frozen=True, slots=True)
class WavePlan:
    """The waves of one promotion, and how far they have come."""

    identity: str
    waves: tuple[tuple[Change, ...], ...]
    began_at: datetime
    soak_seconds: float = 0.0
    """How long a wave has to have been settled before the next one opens."""
    opened: int = 1
    """So many waves have been opened."""
    override: Override | None = None
    reason: str = ""
    stopped: str = ""
    """Why it does not go on; "" while it does."""

    @property
    def title(self) -> str:
        """What it brings where: "checkout v1.4.2 into prod"."""
        first = self.waves[0][0]
        others = len({change.service for wave in self.waves for change in wave}) - 1
        more = f" and {others} more" if others else ""
        return f"{first.service} {first.to_version}{more} into {first.stage}"


@dataclass(frozen=True, slots=True)
class WaveStep:
    """What is to be done about a wave plan now."""

    do: Literal["open", "wait", "stop", "done"]
    reason: str
    eta: datetime | None = None
    """When it will go on if nothing else changes."""


def split(changes: Sequence[Change], policy: Policy) -> tuple[tuple[Change, ...], ...]:
    """The changes wave by wave, first to last; one wave where the policy names none.

    A cluster the policy does not name goes last, and a file that serves its whole stage cannot be split: it goes with
    the first of its clusters.
    """
    waves: dict[int, list[Change]] = {}
    for change in changes:
        waves.setdefault(_wave_of(change, policy), []).append(change)
    return tuple(tuple(waves[at]) for at in sorted(waves))


def soak_of(changes: Sequence[Change], policy: Policy) -> float:
    """Seconds between waves: the longest any of the changes asks for."""
    return max((policy.rules(one.stage, one.service).wave_soak_seconds for one in changes), default=0.0)


def next_step(plan: WavePlan, snapshot: FleetSnapshot, now: datetime) -> WaveStep:
    """Whether the next wave may open, judged from facts; what is unknown waits."""
    if plan.stopped:
        return WaveStep("wait", f"stopped: {plan.stopped}")
    ready_at = plan.began_at
    for key, version in _wanted(plan):
        cell = snapshot.cells.get(key)
        if cell is None or cell.desired_version != version:
            return WaveStep("wait", f"{key}: not merged yet")
        if cell.journey is Journey.FAILED:
            return WaveStep("stop", f"{key}: {cell.reason or 'failed'}")
        if not _settled(cell, version):
            return WaveStep("wait", f"{key}: {cell.journey.value} {cell.reason}".rstrip())
        ready_at = max(ready_at, cell.since + timedelta(seconds=plan.soak_seconds))
    if ready_at > now:
        return WaveStep("wait", "soaking", ready_at)
    if plan.opened >= len(plan.waves):
        return WaveStep("done", "every wave has settled")
    return WaveStep("open", f"wave {plan.opened + 1} of {len(plan.waves)}")


def _wanted(plan: WavePlan) -> list[tuple[CellKey, Version]]:
    opened = plan.waves[: plan.opened]
    return [(key, change.to_version) for wave in opened for change in wave for key in change.cells]


def _settled(cell: Cell, version: Version) -> bool:
    return cell.journey is Journey.SETTLED and cell.live_version in {None, version}


def _wave_of(change: Change, policy: Policy) -> int:
    waves = policy.rules(change.stage, change.service).waves
    clusters = {key.cluster for key in change.cells}
    return next((at for at, wave in enumerate(waves) if clusters & set(wave)), len(waves))
