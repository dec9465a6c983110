"""What sources tell the store: facts, and the health of the telling.

A source publishes these in the order things happened. `Alive` and `Lost` carry freshness; the others carry facts
and imply `Alive`. `Listed…` replaces all that was known from that source, `…Changed` and `…Gone` amend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sgm_tui.fleet.desired import DesiredState
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.observed import Alert, Application, Metrics, PullRequest, Rollout, Scaling

SourceKind = Literal["git", "argocd", "rollouts", "scaling", "metrics", "alerts", "forge"]


@dataclass(frozen=True, slots=True)
class SourceId:
    """Who tells: a kind and, where there is one of it per cluster (or hub), which."""

    kind: SourceKind
    scope: str = ""
    """Cluster or hub name; "" where there is only one (git, forge)."""

    def __str__(self) -> str:
        """How people call it, everywhere: "rollouts prod-ap1"; the forge is GitHub."""
        kind = "github" if self.kind == "forge" else self.kind
        return f"{kind} {self.scope}" if self.scope else kind


@dataclass(frozen=True, slots=True)
class Alive:
    """The source answered: nothing new, but what is known is still true."""

    source: SourceId
    missing: str = ""
    """What it is not allowed to tell, in one cleaned line; what decides is there."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The source does not answer; it keeps trying."""

    source: SourceId
    reason: str
    """One cleaned line: what happened and, if there is something to do, what."""
    retry_in: float | None = None
    """Seconds until the next try."""


@dataclass(frozen=True, slots=True)
class Off:
    """The source is not configured, or not there (no CRD); saying so is not a failure."""

    source: SourceId
    reason: str


@dataclass(frozen=True, slots=True)
class DesiredObserved:
    """The repository at a (new) head."""

    source: SourceId
    state: DesiredState


@dataclass(frozen=True, slots=True)
class ApplicationsListed:
    """All Applications of one hub namespace, by Table row or in detail."""

    source: SourceId
    applications: Mapping[CellKey, Application]
    others: int = 0
    """Applications that belong to no cell (platform, root)."""


@dataclass(frozen=True, slots=True)
class ApplicationChanged:
    """One Application as it is now."""

    source: SourceId
    key: CellKey
    application: Application


@dataclass(frozen=True, slots=True)
class ApplicationGone:
    """One Application was deleted."""

    source: SourceId
    key: CellKey


@dataclass(frozen=True, slots=True)
class RolloutsListed:
    """All Rollouts of one cluster."""

    source: SourceId
    rollouts: Mapping[CellKey, Rollout]


@dataclass(frozen=True, slots=True)
class RolloutChanged:
    """One Rollout as it is now, its ReplicaSets and AnalysisRuns included."""

    source: SourceId
    key: CellKey
    rollout: Rollout


@dataclass(frozen=True, slots=True)
class RolloutGone:
    """One Rollout was deleted."""

    source: SourceId
    key: CellKey


@dataclass(frozen=True, slots=True)
class ScalingListed:
    """All autoscalers of one cluster."""

    source: SourceId
    scaling: Mapping[CellKey, Scaling]


@dataclass(frozen=True, slots=True)
class MetricsListed:
    """All metrics of one cluster, from one query per metric."""

    source: SourceId
    metrics: Mapping[CellKey, Metrics]


@dataclass(frozen=True, slots=True)
class AlertsListed:
    """All alerts of one cluster."""

    source: SourceId
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class PullRequestsListed:
    """Every open pull request that touches the fleet, and those merged or closed within the last day."""

    source: SourceId
    pull_requests: tuple[PullRequest, ...]
    note: str = ""
    """What a person should know though the source is well: how many were left out, that the token expires soon."""


Observation = (
    Alive
    | Lost
    | Off
    | DesiredObserved
    | ApplicationsListed
    | ApplicationChanged
    | ApplicationGone
    | RolloutsListed
    | RolloutChanged
    | RolloutGone
    | ScalingListed
    | MetricsListed
    | AlertsListed
    | PullRequestsListed
)

SourceState = Literal["waiting", "fresh", "stale", "off"]


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The freshness of one source, as the screen and `sgm status` show it."""

    source: SourceId
    state: SourceState = "waiting"
    """waiting: never answered yet; fresh; stale: silent past its deadline or lost; off: not configured."""
    seen_at: datetime | None = None
    """The last answer."""
    since: datetime | None = None
    """When it entered this state."""
    reason: str = ""
    """Why it is stale or off."""
    note: str = ""
    """What a person should know though it is fresh: what it is not allowed to tell, a token that ends soon."""

    @property
    def name(self) -> str:
        """How people call it: "rollouts prod-ap1"."""
        return str(self.source)

    @property
    def told(self) -> str:
        """The reason without who it is about, where that is said already ("prod-us1 did not answer" of prod-us1)."""
        who = self.source.scope
        if who and self.reason.startswith((f"{who} ", f"{who}: ")):
            return self.reason[len(who) :].lstrip(": ")
        return self.reason
