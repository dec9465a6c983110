"""How long each version of a cell ran healthy: what was measured of its Rollout, joined with what git wanted when.

What was not measured is not known, never zero. A version is not credited with the health of the one before it, which
runs on until Argo CD and the controller have taken the new one up.
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

_TAKEN_UP = 600.0
"""Seconds within which a merged version replaces the one before: Argo CD looks at git every three minutes."""
_ON_ITS_WAY = frozenset({Journey.MERGED, Journey.SYNCING, Journey.ROLLING, Journey.PAUSED, Journey.FAILED})


@dataclass(frozen=True, slots=True)
class Samples:
    """Whether a cell's Rollout was healthy, at regular moments."""

    start: float
    """Of the first, in seconds of Unix time."""
    step: float
    """Seconds from one to the next."""
    values: tuple[bool | None, ...]
    """None where nobody measured."""


def add_healthy_time(
    pasts: Sequence[PastVersion], samples: Samples | str, cell: Cell | None, now: datetime
) -> tuple[PastVersion, ...]:
    """The past of a cell, newest first, each with how long it ran healthy.

    Args:
        pasts: as many as are of interest, from the newest on.
        samples: what was measured meanwhile, or why nothing was.
        cell: as it is now: what it says of the newest version counts where nothing was measured.
        now: until when the newest one counts.
    """
    if not pasts:
        return ()
    found = [_measured(past, samples, at + 1 < len(pasts), now) for at, past in enumerate(pasts)]
    found[0] = _newest(pasts[0], found[0], cell, now)
    return tuple(replace(past, healthy=healthy) for past, healthy in zip(pasts, found, strict=True))


def find_revert_target(pasts: Sequence[PastVersion]) -> PastVersion | None:
    """The newest earlier version nothing is known against; one that never ran healthy only where there is no other.

    What nobody measured is not passed over: further back is further from what data and neighbours expect.
    """
    now = pasts[0].version if pasts else None
    free = [past for past in pasts[1:] if not past.known_bad and past.version != now]
    return next((past for past in free if not past.never_healthy), next(iter(free), None))


def _measured(past: PastVersion, samples: Samples | str, followed: bool, now: datetime) -> HealthyTime:
    """`followed`: another version ran here before, whose health must not be taken for this one's."""
    if isinstance(samples, str):
        return HealthyTime(reason=samples)
    begin, end = past.at.timestamp(), (past.until or now).timestamp()
    first = max(0, -int((samples.start - begin) // samples.step))
    last = max(first, -int((samples.start - end) // samples.step))
    values = samples.values[first:last]
    covers = samples.start - begin < samples.step and last <= len(samples.values)
    known = [value for value in values if value is not None]
    if not known:
        if end - begin < samples.step:
            return HealthyTime(reason=f"in git for less than {format_span(samples.step)}: too short to measure")
        return HealthyTime(reason="Prometheus has no data for that time")
    healthy = sum(known) - (_of_the_one_before(values, samples.step) if followed else 0)
    seconds = min(healthy * samples.step, end - begin)
    if covers and len(known) == len(values):
        return HealthyTime(seconds, whole=True)
    covered = f"Prometheus has {format_span(len(known) * samples.step)} of {format_span(end - begin)}"
    return HealthyTime(seconds or None, reason=covered if seconds else f"{covered}, in which it was not healthy")


def _of_the_one_before(values: Sequence[bool | None], step: float) -> int:
    """How many healthy moments at the beginning are those of the version before, still running."""
    lead = next((at for at, value in enumerate(values) if value is not True), None)
    taken_up = lead is not None and values[lead] is False and lead * step <= max(_TAKEN_UP, step)
    return lead if lead is not None and taken_up else 0


def _newest(past: PastVersion, measured: HealthyTime, cell: Cell | None, now: datetime) -> HealthyTime:
    """What is known of the version git wants now, which the cluster itself can tell of."""
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
