"""What the sources have reported so far, by cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, assert_never

from sgm_tui.fleet.applications import Applications
from sgm_tui.fleet.desired import DesiredState
from sgm_tui.fleet.facts import Alert, Metrics, PendingVersion, PullRequest, Rollout, Scaling
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import (
    AlertsListed,
    AnswerArriving,
    ApplicationChanged,
    ApplicationDeleted,
    ApplicationsListed,
    DesiredStateCached,
    DesiredStateRead,
    MetricsListed,
    PullRequestsListed,
    RolloutChanged,
    RolloutDeleted,
    RolloutsListed,
    ScalingListed,
    SourceAnswered,
    SourceOff,
    SourceUnreachable,
    SourceUpdate,
)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Touched:
    """The cells an update concerns."""

    cells: Set[CellKey] = frozenset()
    urgent: bool = True
    """Whether the next frame shows them; numbers wait for the frame there is every second."""


class Reports:
    """The newest report of each source; only `apply` changes it."""

    def __init__(self) -> None:
        self.desired = DesiredState("", "")
        self.applications = Applications()
        """What the hubs report."""
        self.rollouts: dict[CellKey, Rollout] = {}
        self.cells_with_rollouts: set[CellKey] = set()
        """Cells that have, or had, a Rollout."""
        self.scaling: dict[CellKey, Scaling] = {}
        self.metrics: dict[CellKey, Metrics] = {}
        self.alerts: dict[SourceId, tuple[Alert, ...]] = {}
        self.pull_requests: tuple[PullRequest, ...] = ()
        self.pending: dict[CellKey, tuple[PendingVersion, ...]] = {}
        """The versions that open pull requests propose."""

    @property
    def cells(self) -> Set[CellKey]:
        """Every cell that git has, or that an Application or a Rollout belongs to."""
        return self.desired.cells.keys() | self.applications.cells | self.rollouts.keys()

    def cells_in(self, cluster: str) -> set[CellKey]:
        """Return every cell of a cluster."""
        return {key for key in self.cells if key.cluster == cluster}

    def forget(self, key: CellKey) -> None:
        """Drop what was remembered of a cell that is in no report any more."""
        self.applications.forget(key)
        self.cells_with_rollouts.discard(key)

    def apply(self, update: SourceUpdate, now: datetime) -> Touched:
        """Take in one update, and return the cells it concerns."""
        match update:
            case DesiredStateRead(_, state) | DesiredStateCached(_, state):
                return self._replace_desired(state)
            case ApplicationsListed() | ApplicationChanged() | ApplicationDeleted():
                return self._apply_to_applications(update, now)
            case RolloutsListed(source, rollouts):
                self.cells_with_rollouts.update(rollouts)
                return Touched(_replace_listed(self.rollouts, rollouts, source))
            case RolloutChanged(_, key, rollout):
                self.rollouts[key] = rollout
                self.cells_with_rollouts.add(key)
                return Touched({key})
            case RolloutDeleted(_, key):
                self.rollouts.pop(key, None)
                return Touched({key})
            case ScalingListed(source, scaling):
                return Touched(_replace_listed(self.scaling, scaling, source), urgent=False)
            case MetricsListed(source, metrics, _):
                return Touched(_replace_listed(self.metrics, metrics, source), urgent=False)
            case AlertsListed(source, alerts, _):
                return self._replace_alerts(source, alerts)
            case PullRequestsListed(_, requests, _):
                before, self.pending = self.pending, _pending_by_cell(requests)
                self.pull_requests = requests
                return Touched(before.keys() | self.pending.keys())
            case SourceOff(source):
                return self._clear(source, now)
            case SourceAnswered() | AnswerArriving() | SourceUnreachable():
                return Touched()
            case _:
                assert_never(update)

    def _replace_desired(self, state: DesiredState) -> Touched:
        before, self.desired = self.desired, state
        has_new_commits = before.positions != state.positions
        return Touched(state.changed_cells(before) | (self.applications.cells if has_new_commits else set()))

    def _apply_to_applications(
        self, update: ApplicationsListed | ApplicationChanged | ApplicationDeleted, now: datetime
    ) -> Touched:
        match update:
            case ApplicationsListed(source, listed):
                listed_all = self.applications.lists_all(source)
                touched = self.applications.list(source, listed, now)
                if listed_all is not self.applications.lists_all(source):
                    return Touched(touched | self.cells)  # an Application that is not listed is missing, or may exist
                return Touched(touched)
            case ApplicationChanged(source, key, application):
                has_changed = self.applications.change(source, key, application)
            case ApplicationDeleted(source, key):
                has_changed = self.applications.remove(source, key, now)
        return Touched({key} if has_changed else frozenset())

    def _replace_alerts(self, source: SourceId, alerts: tuple[Alert, ...]) -> Touched:
        if self.alerts.get(source, ()) == alerts:
            return Touched()
        self.alerts[source] = alerts
        return Touched(self.cells_in(source.scope))

    def _clear(self, source: SourceId, now: datetime) -> Touched:
        """Clear what a source reported that is off now: a cluster rebuilt without Rollouts runs none of them."""
        match source.kind:
            case "argocd":
                return self.apply(ApplicationsListed(source, {}), now)
            case "rollouts":
                return self.apply(RolloutsListed(source, {}), now)
            case "scaling":
                return self.apply(ScalingListed(source, {}), now)
            case _:
                return Touched()


def _replace_listed(current: dict[CellKey, Value], listed: Mapping[CellKey, Value], source: SourceId) -> set[CellKey]:
    """Replace everything of a source's cluster by a new list, and return the cells that differ."""
    deleted = {key for key in current if key.cluster == source.scope and key not in listed}
    changed = {key for key, value in listed.items() if current.get(key) != value}
    for key in deleted:
        del current[key]
    current.update(listed)
    return deleted | changed


def _pending_by_cell(requests: Iterable[PullRequest]) -> dict[CellKey, tuple[PendingVersion, ...]]:
    """Return the versions that open pull requests propose for each cell."""
    pending: dict[CellKey, list[PendingVersion]] = defaultdict(list)
    for request in requests:
        if request.state == "open":
            for key, version in request.proposes:
                pending[key].append(PendingVersion(version, request.number, request.url, request.created_at))
    return {key: tuple(values) for key, values in pending.items()}
