"""Compute how long each version of a cell ran healthy, from measurements of its Rollout and its history in git.

What was not measured is unknown, never zero. A version does not get the health of its predecessor, which runs on until
Argo CD and the controller have replaced it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sgm_tui.fleet.ages import format_span
from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.gates.travel import running_since
from sgm_tui.fleet.history.cell_history import HealthyTime, PastVersion
from sgm_tui.fleet.versions import is_same_image

_REPLACED_WITHIN = 600.0
"""Seconds within which a merged version replaces its predecessor: Argo CD polls git every three minutes."""
_ON_ITS_WAY = frozenset({Journey.MERGED, Journey.SYNCING, Journey.ROLLING, Journey.PAUSED, Journey.FAILED})


@dataclass(frozen=True, slots=True)
class Samples:
    """Whether a cell's Rollout was healthy, at regular moments."""

    start: float
    """Unix time of the first sample, in seconds."""
    step: float
    """Seconds between samples."""
    values: tuple[bool | None, ...]
    """None where there is no measurement."""


def add_healthy_time(
    pasts: Sequence[PastVersion], samples: Samples | str, cell: Cell | None, now: datetime
) -> tuple[PastVersion, ...]:
    """Return the versions of a cell, newest first, each with how long it ran healthy.

    Args:
        pasts: the versions, from the newest on.
        samples: the measurements of that time, or why there are none.
        cell: the cell now, which tells of the newest version where there is no measurement.
        now: the end of the time of the newest version.
    """
    if not pasts:
        return ()
    healths = [_measure(past, samples, at + 1 < len(pasts), now) for at, past in enumerate(pasts)]
    healths[0] = _with_live_state(pasts[0], healths[0], cell, now)
    return tuple(replace(past, healthy=healthy) for past, healthy in zip(pasts, healths, strict=True))


def find_revert_target(pasts: Sequence[PastVersion]) -> PastVersion | None:
    """Return the newest earlier version that is not quarantined; one that never ran healthy only if there is no other.

    A version without measurements is not skipped: the older a version, the less it fits its data and its neighbours.
    """
    now = pasts[0].version if pasts else None
    free = [past for past in pasts[1:] if not past.known_bad and past.version != now]
    return next((past for past in free if not past.never_healthy), next(iter(free), None))


def _measure(past: PastVersion, samples: Samples | str, has_predecessor: bool, now: datetime) -> HealthyTime:
    """Compute how long one version ran healthy, without the health of a predecessor that still ran."""
    if isinstance(samples, str):
        return HealthyTime(reason=samples)
    begin, end = past.at.timestamp(), (past.until or now).timestamp()
    first = max(0, -int((samples.start - begin) // samples.step))
    last = max(first, -int((samples.start - end) // samples.step))
    values = samples.values[first:last]
    covers = samples.start - begin < samples.step and last <= len(samples.values)
    measured = [value for value in values if value is not None]
    if not measured:
        if end - begin < samples.step:
            return HealthyTime(reason=f"in git for less than {format_span(samples.step)}: too short to measure")
        return HealthyTime(reason="Prometheus has no data for that time")
    healthy = sum(measured) - (_count_predecessor(values, samples.step) if has_predecessor else 0)
    seconds = min(healthy * samples.step, end - begin)
    if covers and len(measured) == len(values):
        return HealthyTime(seconds, whole=True)
    covered = f"Prometheus has {format_span(len(measured) * samples.step)} of {format_span(end - begin)}"
    return HealthyTime(seconds or None, reason=covered if seconds else f"{covered}, in which it was not healthy")


def _count_predecessor(values: Sequence[bool | None], step: float) -> int:
    """Count the healthy samples at the beginning that belong to the predecessor, which still ran."""
    lead = next((at for at, value in enumerate(values) if value is not True), None)
    is_replaced = lead is not None and values[lead] is False and lead * step <= max(_REPLACED_WITHIN, step)
    return lead if lead is not None and is_replaced else 0


def _with_live_state(past: PastVersion, measured: HealthyTime, cell: Cell | None, now: datetime) -> HealthyTime:
    """Return the health of the desired version, for which the live state of the cell counts, too."""
    if cell is None:
        return measured
    rollout = None if "rollouts" in cell.facts.unavailable_kinds else cell.facts.rollout
    stable = rollout.stable_version if rollout is not None else None
    if cell.journey in _ON_ITS_WAY and stable is not None and not is_same_image(stable, past.version):
        return HealthyTime(0.0, whole=True, reason=f"{stable} is the stable version still")
    since = running_since(cell, past.version)
    if measured.seconds is not None or since is None:
        return measured
    return HealthyTime(max(0.0, (now - max(since, past.at)).total_seconds()), reason=measured.reason)
