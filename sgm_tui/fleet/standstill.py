"""Detect a rollout that stands still: nothing serves, or no controller works on it any more.

Neither the Rollout nor Argo CD reports this: pods that crash after a promotion are "Progressing" until the progress
deadline, and the last status of a stopped controller stays for ever. Only elapsed time proves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sgm_tui.fleet.cell import Journey, StandstillWatch, Verdict
from sgm_tui.fleet.versions import is_same_image

if TYPE_CHECKING:
    from sgm_tui.fleet.cell import Cell, CellFacts
    from sgm_tui.fleet.facts import Rollout

DOWN_AFTER = timedelta(minutes=2)
"""How long no pod may be ready before the cell counts as failed: a restart or a rescheduling takes less."""
IDLE_AFTER = timedelta(minutes=2)
"""How far behind a controller may be before it counts as stopped: one with many Rollouts lags some seconds."""
_MAY_STAND_STILL = frozenset({Journey.ROLLING, Journey.PAUSED})


@dataclass(frozen=True, slots=True)
class Standstill:
    """A proved standstill of a cell."""

    journey: Journey
    verdict: Verdict
    reason: str
    since: datetime | None = None
    """None: since the cell entered its present journey."""


def with_standstill(cell: Cell, previous: Cell | None, now: datetime) -> Cell:
    """Return the cell with its proved standstill, if any, and with the time of the next check."""
    rollout = cell.facts.rollout
    if rollout is None or cell.journey not in _MAY_STAND_STILL:
        return cell
    watch = _observe_symptoms(cell.facts, rollout, previous, now)
    check_at = _next_check(rollout, watch, now)
    standstill = _find_standstill(rollout, cell.journey, watch, now)
    if standstill is None:
        return replace(cell, watched=watch, check_at=check_at)
    return replace(
        cell,
        journey=standstill.journey,
        verdict=standstill.verdict,
        reason=standstill.reason,
        since=cell.since if standstill.since is None else min(standstill.since, now),
        watched=watch,
        check_at=check_at,
    )


def _observe_symptoms(facts: CellFacts, rollout: Rollout, previous: Cell | None, now: datetime) -> StandstillWatch:
    """Return since when each symptom of a standstill has been there."""
    before = previous.watched if previous is not None else StandstillWatch()
    return StandstillWatch(
        None if rollout.observed else before.unobserved_since or _unobserved_since(facts, rollout, now),
        _down_since(rollout, previous, now) if _is_down(rollout) else None,
    )


def _find_standstill(rollout: Rollout, journey: Journey, watch: StandstillWatch, now: datetime) -> Standstill | None:
    """Return the standstill that time has proved by now; None when there is none."""
    if watch.down_since is not None and now - watch.down_since >= DOWN_AFTER:
        why = f": {rollout.message}" if rollout.message else ""
        reason = f"nothing is serving: 0/{rollout.desired} ready{why}"
        return Standstill(Journey.FAILED, Verdict.BAD, reason, watch.down_since)
    if watch.unobserved_since is not None and now - watch.unobserved_since >= IDLE_AFTER:
        return _report_idle(rollout, journey, "the newest spec is not observed")
    if rollout.due_at is not None and now - rollout.due_at >= IDLE_AFTER:
        what = "the pause" if rollout.pause_seconds is not None else "the progress deadline"
        return _report_idle(rollout, journey, f"{what} ended at {_format_minute(rollout.due_at)}")
    return None


def _next_check(rollout: Rollout, watch: StandstillWatch, now: datetime) -> datetime | None:
    """Return when time alone may prove something next; None when never."""
    moments = (
        watch.down_since + DOWN_AFTER if watch.down_since is not None else None,
        watch.unobserved_since + IDLE_AFTER if watch.unobserved_since is not None else None,
        rollout.due_at + IDLE_AFTER if rollout.due_at is not None else None,
    )
    return min((one for one in moments if one is not None and one > now), default=None)


def _report_idle(rollout: Rollout, journey: Journey, proof: str) -> Standstill:
    last = f" since {_format_minute(rollout.worked_at)}" if rollout.worked_at is not None else ""
    reason = f"nothing has worked on it{last}: {proof}; is the Argo Rollouts controller running?"
    return Standstill(journey, Verdict.ATTENTION, reason)


def _format_minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"


def _unobserved_since(facts: CellFacts, rollout: Rollout, now: datetime) -> datetime:
    """Return when the unobserved spec was written: the time of the newest sync where that contains it, else now.

    The sync contains it where the pod template is not that of the current ReplicaSet.
    """
    application = facts.application
    current = rollout.new_version or rollout.stable_version
    if application is None or application.deployed_at is None or not facts.deployed:
        return now
    if current is None or rollout.spec_version is None or is_same_image(current, rollout.spec_version):
        return now
    return min(now, application.deployed_at)


def _is_down(rollout: Rollout) -> bool:
    """Return whether a Rollout that has served has no ready pod; a first deployment has not served yet."""
    return rollout.desired > 0 and rollout.ready <= 0 and rollout.available <= 0 and bool(rollout.stable_hash)


def _down_since(rollout: Rollout, previous: Cell | None, now: datetime) -> datetime:
    """Return since when no pod is ready: by this join, an earlier one, or the conditions of the Rollout."""
    before = previous.facts.rollout if previous is not None else None
    if before is not None and before.uid == rollout.uid and not _is_down(before):
        return now
    if previous is not None and previous.watched.down_since is not None:
        return previous.watched.down_since
    promoted = rollout.current_hash == rollout.stable_hash
    return min(now, rollout.unavailable_since or (rollout.rolling_since if promoted else None) or now)
