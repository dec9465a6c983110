"""One cell: four truths joined, where its change is (journey), and how it stands (verdict).

`fleet.join` is the only place that decides. It is pure: facts in, the previous cell in (for how long things have been
so), the time in; a cell out. Where a service is not deployed there is no cell.
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
    """Something moves by itself; nobody is needed."""
    ATTENTION = "attention"
    """A person may have to act: a manual gate, drift, an alert."""
    BAD = "bad"
    UNKNOWN = "unknown"


ERRORS_WORTH_ATTENTION = 0.05
"""Share of failing requests above which a cell needs attention where the policy sets no `error_ratio_max`."""
_STILL = frozenset({Verdict.GOOD, Verdict.UNKNOWN})
_DECISIVE = frozenset({"git", "argocd", "rollouts"})
"""Kinds of sources without which part of a journey is not known; the others only leave a gap."""


@dataclass(frozen=True, slots=True)
class Soak:
    """How long the next stage requires a version to be healthy here before it may be promoted there."""

    stage: StageName
    """The next stage."""
    seconds: float


@dataclass(frozen=True, slots=True)
class CellFacts:
    """Everything the store knows of one cell, unjoined."""

    key: CellKey
    location: str = ""
    desired: Desired | None = None
    synced: bool | None = None
    """Whether Argo CD's last comparison already contains the desired change; None when it cannot be told."""
    deployed: bool | None = None
    """The same for the newest history entry: what was really applied."""
    elsewhere: str = ""
    """The branch, tag or commit that Argo CD follows, where it is not the branch that says what git wants."""
    application: Application | None = None
    rollout: Rollout | None = None
    scaling: Scaling | None = None
    metrics: Metrics | None = None
    alerts: tuple[Alert, ...] = ()
    pending: tuple[PendingVersion, ...] = ()
    staged: Version | None = None
    soak: Soak | None = None
    """What the next stage requires of the version here; None where it requires nothing."""
    stale: tuple[str, ...] = ()
    """Names of the stale sources this cell depends on; git, argocd and rollouts take away what they alone know."""
    stale_since: datetime | None = None
    """Since when the first of git, argocd and rollouts that does not respond has been so."""
    stale_reason: str = ""
    loading: bool = False
    """A source this cell depends on has not answered for the first time yet."""
    awaited: tuple[str, ...] = ()
    """Names of those that have not; () with `loading` means that it may be any of them."""
    desired_as_of: datetime | None = None
    """When git last said what is in `desired`."""
    drifted_before: datetime | None = None
    """Since when it was drifted when this program ran before, where no sync has ended since."""
    missing_since: datetime | None = None
    """Since when an Application that was there is missing on a hub that responds."""
    missing_rollout: bool = False
    """The Rollout that was there as well is missing in a cluster that responds."""
    error_ratio_max: float | None = None
    """The policy's bound of the share of failing requests; None where it sets none."""

    @property
    def excessive_errors(self) -> float | None:
        """Share of requests that fail (0–1), where more do than the policy lets; None where they do not."""
        errors = self.metrics.error_ratio if self.metrics else None
        most = ERRORS_WORTH_ATTENTION if self.error_ratio_max is None else self.error_ratio_max
        return errors if errors is not None and errors > most else None

    @property
    def stale_kinds(self) -> frozenset[str]:
        """The kinds of sources that do not respond: what came from them is as last seen."""
        return frozenset(name.partition(" ")[0] for name in self.stale)

    @property
    def unavailable_kinds(self) -> frozenset[str]:
        """The kinds of sources this cell cannot be fully judged without and that do not respond."""
        kinds = frozenset(name.partition(" ")[0] for name in (*self.stale, *self.awaited)) & _DECISIVE
        unnamed = (self.loading or self.stale_since is not None) and not kinds
        return _DECISIVE if unnamed else kinds


@dataclass(frozen=True, slots=True)
class StandstillWatch:
    """Since when what only time proves has been so; None while it is not."""

    unobserved_since: datetime | None = None
    """The controller has not observed the newest spec of the Rollout."""
    down_since: datetime | None = None
    """None of the pods of something that served is ready."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as the screen, `sgm status` and the gates see it."""

    facts: CellFacts
    journey: Journey
    verdict: Verdict
    since: datetime
    """When it entered this journey, from the controllers' own timestamps where they tell."""
    reason: str = ""
    """One line: why it stands so ("canary paused at step 3/8 by a manual gate")."""
    suspect_since: datetime | None = None
    """Since when it has looked drifted without an operation near; it is called drifted only when that lasts."""
    watched: StandstillWatch = StandstillWatch()
    check_at: datetime | None = None
    """When time alone may decide it anew; None when it cannot."""

    @property
    def key(self) -> CellKey:
        """The cell's key."""
        return self.facts.key

    @property
    def moves(self) -> bool:
        """A change is in it, or trouble; an open pull request does not move it yet, a soaking version no longer."""
        return self.verdict not in _STILL and self.journey not in {Journey.PROPOSED, Journey.SOAKING}

    @property
    def desired_version(self) -> Version | None:
        """What git wants."""
        return self.facts.desired.version if self.facts.desired else None

    @property
    def live_version(self) -> Version | None:
        """What runs: the version of the Rollout that serves most requests."""
        return self.facts.rollout.live_version if self.facts.rollout else None

    @property
    def new_version(self) -> Version | None:
        """What is on its way in, if anything."""
        return self.facts.rollout.new_version if self.facts.rollout else None


def failing_version(cell: Cell) -> Version | None:
    """Return the version that failed to come, where it is another than the one that runs; None of any other cell."""
    if cell.journey is not Journey.FAILED:
        return None
    coming = cell.new_version or cell.desired_version
    return None if coming == cell.live_version else coming
