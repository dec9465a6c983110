"""A cell: the facts of one service in one cluster, where its change is (journey), and its traffic light (verdict).

Only `fleet.join` decides both. It is pure: facts, the previous cell and the time in, a cell out. Where a service is not
deployed there is no cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sgm_tui.fleet.model import CellKey, StageName, Version

if TYPE_CHECKING:
    from sgm_tui.fleet.desired import Desired
    from sgm_tui.fleet.facts import Alert, Application, Metrics, PendingVersion, Rollout, Scaling


class Journey(StrEnum):
    """Where the newest change of a cell is, in the order it travels."""

    SETTLED = "settled"
    STAGED = "staged"
    PROPOSED = "proposed"
    MERGED = "merged"
    SYNCING = "syncing"
    ROLLING = "rolling"
    PAUSED = "paused"
    SOAKING = "soaking"
    FAILED = "failed"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """The traffic light of a cell."""

    GOOD = "good"
    BUSY = "busy"
    """A change is in progress; nobody has to act."""
    ATTENTION = "attention"
    """A person may have to act: a manual gate, drift, an alert."""
    BAD = "bad"
    UNKNOWN = "unknown"


ERRORS_WORTH_ATTENTION = 0.05
"""Share of failing requests above which a cell needs attention where the policy sets no `error_ratio_max`."""
_STILL = frozenset({Verdict.GOOD, Verdict.UNKNOWN})
_DECISIVE = frozenset({"git", "argocd", "rollouts"})
"""The kinds of sources that a journey depends on; without one of the others only details are missing."""


@dataclass(frozen=True, slots=True)
class Soak:
    """How long the next stage requires a version to be healthy here before it may be promoted there."""

    stage: StageName
    """The next stage."""
    seconds: float


@dataclass(frozen=True, slots=True)
class CellFacts:
    """Everything the store knows of one cell, before it is joined."""

    key: CellKey
    location: str = ""
    desired: Desired | None = None
    synced: bool | None = None
    """Whether Argo CD's last comparison already contains the desired change; None where that is unknown."""
    deployed: bool | None = None
    """The same for the newest history entry, which is what was really applied."""
    elsewhere: str = ""
    """The branch, tag or commit that Argo CD follows where it is not `repository.branch`; "" where it is."""
    application: Application | None = None
    rollout: Rollout | None = None
    scaling: Scaling | None = None
    metrics: Metrics | None = None
    alerts: tuple[Alert, ...] = ()
    pending: tuple[PendingVersion, ...] = ()
    staged: Version | None = None
    soak: Soak | None = None
    """The soak time that the next stage requires of the version here; None where it requires none."""
    stale: tuple[str, ...] = ()
    """The names of the stale sources that this cell depends on."""
    stale_since: datetime | None = None
    """When the first of git, argocd and rollouts stopped responding; None when all respond."""
    stale_reason: str = ""
    loading: bool = False
    """Whether a source that this cell depends on has never answered yet."""
    awaited: tuple[str, ...] = ()
    """The names of the sources that have never answered; () with `loading` means that it may be any of them."""
    desired_as_of: datetime | None = None
    """When `desired` was last read from git."""
    drifted_before: datetime | None = None
    """Since when it was drifted in an earlier run of sgm; None where a sync has ended since."""
    missing_since: datetime | None = None
    """Since when an Application that existed is missing on a hub that responds."""
    missing_rollout: bool = False
    """Whether the Rollout that existed is missing, too, in a cluster that responds."""
    error_ratio_max: float | None = None
    """The greatest error ratio by the policy, 0–1; None where it sets none."""

    @property
    def excessive_errors(self) -> float | None:
        """The error ratio (0–1) where it exceeds the policy; None where it does not."""
        errors = self.metrics.error_ratio if self.metrics else None
        most = ERRORS_WORTH_ATTENTION if self.error_ratio_max is None else self.error_ratio_max
        return errors if errors is not None and errors > most else None

    @property
    def stale_kinds(self) -> frozenset[str]:
        """The kinds of stale sources; what came from them is as last seen."""
        return frozenset(name.partition(" ")[0] for name in self.stale)

    @property
    def unavailable_kinds(self) -> frozenset[str]:
        """The kinds of decisive sources (git, argocd, rollouts) that do not respond."""
        kinds = frozenset(name.partition(" ")[0] for name in (*self.stale, *self.awaited)) & _DECISIVE
        unnamed = (self.loading or self.stale_since is not None) and not kinds
        return _DECISIVE if unnamed else kinds


@dataclass(frozen=True, slots=True)
class StandstillWatch:
    """Since when the cell has looked as if its rollout stood still; None for each symptom that is absent."""

    unobserved_since: datetime | None = None
    """The controller has not observed the newest spec of the Rollout."""
    down_since: datetime | None = None
    """None of the pods of a Rollout that has served is ready."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One joined cell, as the screens, `sgm status` and the gates use it."""

    facts: CellFacts
    journey: Journey
    verdict: Verdict
    since: datetime
    """When it entered this journey, by the controllers' own timestamps where there are any."""
    reason: str = ""
    """Why it is in this journey, as one line ("canary paused at step 3/8 by a manual gate")."""
    suspect_since: datetime | None = None
    """Since when it has looked drifted with no operation near; it becomes drifted only when that lasts."""
    watched: StandstillWatch = StandstillWatch()
    check_at: datetime | None = None
    """When time alone may change the decision; None when it cannot."""

    @property
    def key(self) -> CellKey:
        """The cell's key."""
        return self.facts.key

    @property
    def moves(self) -> bool:
        """Whether a change or a failure is in progress; proposed and soaking cells do not count."""
        return self.verdict not in _STILL and self.journey not in {Journey.PROPOSED, Journey.SOAKING}

    @property
    def desired_version(self) -> Version | None:
        """The desired version, in git; None where it is unknown."""
        return self.facts.desired.version if self.facts.desired else None

    @property
    def live_version(self) -> Version | None:
        """The live version: the one that serves most requests; None where it is unknown."""
        return self.facts.rollout.live_version if self.facts.rollout else None

    @property
    def new_version(self) -> Version | None:
        """The version that is being rolled out; None when there is none."""
        return self.facts.rollout.new_version if self.facts.rollout else None


def failing_version(cell: Cell) -> Version | None:
    """Return the version that failed to roll out where it is not the live one; None for any other cell."""
    if cell.journey is not Journey.FAILED:
        return None
    coming = cell.new_version or cell.desired_version
    return None if coming == cell.live_version else coming
