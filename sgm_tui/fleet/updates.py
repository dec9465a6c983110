"""What sources tell the store: facts, and the health of the telling.

A source publishes these in the order things happened. `Alive` and `Lost` carry freshness; the others carry facts
and imply `Alive`. `Listed…` replaces all that was known from that source, `…Changed` and `…Gone` amend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sgm_tui.fleet.desired import DesiredState
from sgm_tui.fleet.facts import Alert, Application, Metrics, PullRequest, Rollout, Scaling
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.source import SourceId


@dataclass(frozen=True, slots=True)
class SourceAnswered:
    """The source answered: nothing new, but what is known is still true."""

    source: SourceId
    missing: str = ""
    """What it does not tell, being not allowed to or by a mistake there, in one cleaned line; what decides is there."""

    @property
    def note(self) -> str:
        """What a person should know though it answers."""
        return self.missing


@dataclass(frozen=True, slots=True)
class AnswerArriving:
    """A part of an answer has come and the rest is on its way: nothing can be concluded from it yet."""

    source: SourceId


@dataclass(frozen=True, slots=True)
class SourceUnreachable:
    """The source does not answer; it keeps trying."""

    source: SourceId
    reason: str
    """One cleaned line: what happened and, if there is something to do, what."""
    retry_in: float | None = None
    """Seconds until the next try."""


@dataclass(frozen=True, slots=True)
class SourceOff:
    """The source is not configured, or not there (no CRD); saying so is not a failure."""

    source: SourceId
    reason: str


@dataclass(frozen=True, slots=True)
class DesiredStateRead:
    """The repository at a (new) head."""

    source: SourceId
    state: DesiredState

    @property
    def note(self) -> str:
        """What a person should know of the repository though it could be read."""
        return self.state.note


@dataclass(frozen=True, slots=True)
class DesiredStateCached:
    """The repository at the head that was fetched last, while its server does not answer: no sign of life."""

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
class ApplicationDeleted:
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
class RolloutDeleted:
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
    note: str = ""
    """What Prometheus said besides: that something may be missing, or that a query is not right."""


@dataclass(frozen=True, slots=True)
class AlertsListed:
    """All alerts of one cluster."""

    source: SourceId
    alerts: tuple[Alert, ...]
    note: str = ""
    """As of metrics."""


@dataclass(frozen=True, slots=True)
class PullRequestsListed:
    """Every open pull request that touches the fleet, and those merged or closed within the last day."""

    source: SourceId
    pull_requests: tuple[PullRequest, ...]
    note: str = ""
    """What a person should know though the source is well: how many were left out, that the token expires soon."""


SourceUpdate = (
    SourceAnswered
    | AnswerArriving
    | SourceUnreachable
    | SourceOff
    | DesiredStateRead
    | DesiredStateCached
    | ApplicationsListed
    | ApplicationChanged
    | ApplicationDeleted
    | RolloutsListed
    | RolloutChanged
    | RolloutDeleted
    | ScalingListed
    | MetricsListed
    | AlertsListed
    | PullRequestsListed
)
