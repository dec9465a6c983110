"""Waves: a change goes to some clusters first, and to the next ones when those have settled and soaked.

A person accepts all of a wave plan once; facts alone decide which of its waves may open, so that any process can resume
it at any time.
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

_READ_WITHIN = timedelta(minutes=2)
"""How long git may take to be read after a merge."""


@dataclass(frozen=True, slots=True)
class WavePlan:
    """The waves of one promotion, and how far they have come."""

    identity: str
    waves: tuple[tuple[Change, ...], ...]
    began_at: datetime
    soak_seconds: float = 0.0
    """How long a wave has to be settled before the next one opens."""
    opened: int = 1
    """The number of opened waves."""
    override: Override | None = None
    reason: str = ""
    direct: bool = False
    """Whether its waves are pushed to the branch itself, as the first was."""
    stopped: str = ""
    """Why it is stopped; "" while it is not."""
    branches: tuple[str, ...] = ()
    """The branches of the opened waves, which identify their pull requests."""
    promotion: str = ""
    """The identity its pull requests share, as in `Sgm-Promotion`."""
    accepted: tuple[StageName, ...] = ()
    """The protected stages a person accepted with the plan, which covers its later waves."""
    resumed: bool = False
    """Whether a person resumed it: a change whose pull request was closed earlier is proposed again."""
    held: str = ""
    """Why the last attempt to open the next wave was blocked; "" when it was not. A field of the stored file."""

    @property
    def title(self) -> str:
        """What it promotes where: "checkout v1.4.2 into prod"."""
        first = self.waves[0][0]
        count = len({change.service for wave in self.waves for change in wave}) - 1
        more = f" and {count} more" if count else ""
        return f"{first.service} {first.to_version}{more} into {first.stage}"


@dataclass(frozen=True, slots=True)
class WaveStep:
    """The next step of a wave plan."""

    do: Literal["open", "wait", "stop", "done"]
    reason: str
    eta: datetime | None = None
    """When the next wave opens if nothing else changes; None where time alone does not open it."""


def split_into_waves(changes: Sequence[Change], policy: Policy) -> tuple[tuple[Change, ...], ...]:
    """Split changes into waves, first to last; one wave where the policy names none.

    A cluster the policy does not name goes last, and a file that serves its whole stage cannot be split: it goes with
    the first of its clusters.
    """
    waves: dict[int, list[Change]] = {}
    for change in changes:
        waves.setdefault(wave_of(change, policy.rules(change.stage, change.service).waves), []).append(change)
    return tuple(tuple(waves[at]) for at in sorted(waves))


def wave_of(change: Change, waves: Sequence[Sequence[str]]) -> int:
    """Return the wave of a change, 0 for the first."""
    clusters = {key.cluster for key in change.cells}
    return next((at for at, wave in enumerate(waves) if clusters & set(wave)), len(waves))


def wave_soak_seconds(changes: Sequence[Change], policy: Policy) -> float:
    """Return the seconds between waves: the longest that any of the changes requires."""
    return max((policy.rules(one.stage, one.service).wave_soak_seconds for one in changes), default=0.0)


def next_step(plan: WavePlan, snapshot: FleetSnapshot, now: datetime) -> WaveStep:
    """Decide from facts whether the next wave may open; it waits for what is unknown."""
    if plan.stopped:
        return WaveStep("wait", f"stopped: {plan.stopped}")
    ready_at = plan.began_at
    requests = _opened_pull_requests(plan, snapshot)
    closed = next((one for one in requests if one.state == "closed"), None)
    if closed is not None:
        return WaveStep("stop", f"#{closed.number} was closed without being merged")
    merged = bool(requests) and all(_is_merge_read(one, now) for one in requests)
    for key, version in _opened_versions(plan):
        cell = snapshot.cells.get(key)
        if cell is None or cell.desired_version != version:
            if merged and cell is not None and cell.desired_version is not None:
                return WaveStep("stop", f"{key}: git now has {cell.desired_version} there")
            return WaveStep("wait", f"{key}: not merged yet")
        if cell.journey is Journey.FAILED:
            return WaveStep("stop", f"{key}: {cell.reason or 'failed'}")
        if not _has_settled(cell, version):
            return WaveStep("wait", f"{key}: {cell.journey.value} {cell.reason}".rstrip())
        ready_at = max(ready_at, cell.since + timedelta(seconds=plan.soak_seconds))
    if ready_at > now:
        return WaveStep("wait", "soaking", ready_at)
    if plan.opened >= len(plan.waves):
        return WaveStep("done", "every wave has settled")
    return WaveStep("open", plan.held or f"wave {plan.opened + 1} of {len(plan.waves)}")


def wave_status(plan: WavePlan, at: int, snapshot: FleetSnapshot) -> Literal["settled", "opened", "later"]:
    """Return the state of one wave by facts: an opened wave is settled only once its cells are."""
    if at >= plan.opened:
        return "later"
    cells = [(snapshot.cells.get(key), change.to_version) for change in plan.waves[at] for key in change.cells]
    arrived = (cell is not None and cell.desired_version == to and _has_settled(cell, to) for cell, to in cells)
    return "settled" if all(arrived) else "opened"


def _opened_pull_requests(plan: WavePlan, snapshot: FleetSnapshot) -> list[PullRequest]:
    """Return the pull request of each opened branch, one that is not closed where there is one.

    Pull requests that ended before the plan began do not count: the same change always has the same branch.
    """
    requests: dict[str, PullRequest] = {}
    for request in snapshot.pull_requests:
        is_new = request.state == "open" or (request.updated_at is not None and request.updated_at >= plan.began_at)
        is_better = request.branch not in requests or request.state != "closed"
        if request.branch in plan.branches and is_new and is_better:
            requests[request.branch] = request
    return list(requests.values())


def _is_merge_read(request: PullRequest, now: datetime) -> bool:
    """Return whether it was merged so long ago that git has been read since."""
    return request.state == "merged" and request.merged_at is not None and now - request.merged_at > _READ_WITHIN


def _opened_versions(plan: WavePlan) -> list[tuple[CellKey, Version]]:
    opened = plan.waves[: plan.opened]
    return [(key, change.to_version) for wave in opened for change in wave for key in change.cells]


def _has_settled(cell: Cell, version: Version) -> bool:
    return cell.journey in {Journey.SETTLED, Journey.SOAKING} and cell.live_version in {None, version}
