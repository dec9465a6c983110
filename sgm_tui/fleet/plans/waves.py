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
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import CellKey, StageName, Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Override
from sgm_tui.fleet.policy import Policy
from sgm_tui.fleet.snapshot import FleetSnapshot

_READ_BY_THEN = timedelta(minutes=2)


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
    direct: bool = False
    """Pushed to the branch itself, as its first wave was."""
    stopped: str = ""
    """Why it does not go on; "" while it does."""
    branches: tuple[str, ...] = ()
    """The branches of what has been opened, to know its pull requests by."""
    promotion: str = ""
    """The identity its pull requests share, as in `Sgm-Promotion`."""
    accepted: tuple[StageName, ...] = ()
    """The protected stages whose change a person accepted with the plan: its later waves open under that."""
    resumed: bool = False
    """A person resumed it: a change whose pull request somebody closed earlier is proposed again."""
    held: str = ""
    """Why the next wave could not be opened when it was tried last; "" when nothing was in the way."""

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


def split_into_waves(changes: Sequence[Change], policy: Policy) -> tuple[tuple[Change, ...], ...]:
    """The changes wave by wave, first to last; one wave where the policy names none.

    A cluster the policy does not name goes last, and a file that serves its whole stage cannot be split: it goes with
    the first of its clusters.
    """
    waves: dict[int, list[Change]] = {}
    for change in changes:
        waves.setdefault(wave_of(change, policy.rules(change.stage, change.service).waves), []).append(change)
    return tuple(tuple(waves[at]) for at in sorted(waves))


def wave_of(change: Change, waves: Sequence[Sequence[str]]) -> int:
    """In which wave a change goes, 0 the first."""
    clusters = {key.cluster for key in change.cells}
    return next((at for at, wave in enumerate(waves) if clusters & set(wave)), len(waves))


def wave_soak_seconds(changes: Sequence[Change], policy: Policy) -> float:
    """Seconds between waves: the longest any of the changes asks for."""
    return max((policy.rules(one.stage, one.service).wave_soak_seconds for one in changes), default=0.0)


def next_step(plan: WavePlan, snapshot: FleetSnapshot, now: datetime) -> WaveStep:
    """Whether the next wave may open, judged from facts; what is unknown waits."""
    if plan.stopped:
        return WaveStep("wait", f"stopped: {plan.stopped}")
    ready_at = plan.began_at
    proposed = _proposed(plan, snapshot)
    closed = next((one for one in proposed if one.state == "closed"), None)
    if closed is not None:
        return WaveStep("stop", f"#{closed.number} was closed without being merged")
    merged = bool(proposed) and all(_long_merged(one, now) for one in proposed)
    for key, version in _wanted(plan):
        cell = snapshot.cells.get(key)
        if cell is None or cell.desired_version != version:
            if merged and cell is not None and cell.desired_version is not None:
                return WaveStep("stop", f"{key}: git now has {cell.desired_version} there")
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
    return WaveStep("open", plan.held or f"wave {plan.opened + 1} of {len(plan.waves)}")


def wave_status(plan: WavePlan, at: int, snapshot: FleetSnapshot) -> Literal["settled", "opened", "later"]:
    """How far one wave of a plan is, by facts: what was opened is not settled before its cells say so."""
    if at >= plan.opened:
        return "later"
    cells = [(snapshot.cells.get(key), change.to_version) for change in plan.waves[at] for key in change.cells]
    arrived = (cell is not None and cell.desired_version == to and _settled(cell, to) for cell, to in cells)
    return "settled" if all(arrived) else "opened"


def _proposed(plan: WavePlan, snapshot: FleetSnapshot) -> list[PullRequest]:
    """The pull requests of what was opened: of each branch the one that is not closed, if there is any.

    What ended before the plan began is of an earlier time: the same change has the same branch.
    """
    found: dict[str, PullRequest] = {}
    for one in snapshot.pull_requests:
        ours = one.state == "open" or (one.updated_at is not None and one.updated_at >= plan.began_at)
        if one.branch in plan.branches and ours and (one.branch not in found or one.state != "closed"):
            found[one.branch] = one
    return list(found.values())


def _long_merged(request: PullRequest, now: datetime) -> bool:
    """Merged so long ago that git has been read since."""
    return request.state == "merged" and request.merged_at is not None and now - request.merged_at > _READ_BY_THEN


def _wanted(plan: WavePlan) -> list[tuple[CellKey, Version]]:
    opened = plan.waves[: plan.opened]
    return [(key, change.to_version) for wave in opened for change in wave for key in change.cells]


def _settled(cell: Cell, version: Version) -> bool:
    return cell.journey in {Journey.SETTLED, Journey.SOAKING} and cell.live_version in {None, version}
