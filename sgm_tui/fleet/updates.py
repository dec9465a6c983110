"""The updates that sources publish to the store: facts, and the health of the source itself.

A source publishes them in the order in which things happened. `SourceAnswered` and `SourceUnreachable` carry only
freshness; the others carry facts and imply `SourceAnswered`. `…Listed` replaces everything known from that source,
`…Changed` and `…Deleted` amend it.
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
    """The source responded with nothing new: what is known is still true."""

    source: SourceId
    missing: str = ""
    """Optional data this source could not read (forbidden or malformed), as one cleaned line."""

    @property
    def note(self) -> str:
        """A remark for people although the source responds; "" where there is none."""
        return self.missing


@dataclass(frozen=True, slots=True)
class AnswerArriving:
    """A part of a response has arrived and the rest is on its way: nothing can be concluded yet."""

    source: SourceId


@dataclass(frozen=True, slots=True)
class SourceUnreachable:
    """The source does not respond; it keeps retrying."""

    source: SourceId
    reason: str
    """One cleaned line: what happened and, where something can be done, what."""
    retry_in: float | None = None
    """Seconds until the next try; None where that is unknown."""


@dataclass(frozen=True, slots=True)
class SourceOff:
    """The source is not configured, or does not exist (no CRD); this is not a failure."""

    source: SourceId
    reason: str


@dataclass(frozen=True, slots=True)
class DesiredStateRead:
    """The repository was read at a (new) head."""

    source: SourceId
    state: DesiredState

    @property
    def note(self) -> str:
        """A remark about the repository although it could be read; "" where there is none."""
        return self.state.note


@dataclass(frozen=True, slots=True)
class DesiredStateCached:
    """The repository at the last fetched head, while its server does not respond; does not count as fresh."""

    source: SourceId
    state: DesiredState


@dataclass(frozen=True, slots=True)
class ApplicationsListed:
    """All Applications of one hub namespace, by Table row or in detail."""

    source: SourceId
    applications: Mapping[CellKey, Application]


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
    """A warning of Prometheus: the result may be incomplete, or a query is wrong."""


@dataclass(frozen=True, slots=True)
class AlertsListed:
    """All alerts of one cluster."""

    source: SourceId
    alerts: tuple[Alert, ...]
    note: str = ""
    """As `MetricsListed.note`."""


@dataclass(frozen=True, slots=True)
class PullRequestsListed:
    """Every open pull request that touches the fleet, and those merged or closed within the last day."""

    source: SourceId
    pull_requests: tuple[PullRequest, ...]
    note: str = ""
    """A remark although the source responds: pull requests left out, a token that expires soon."""


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
