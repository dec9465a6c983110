"""The store: applies observations, joins cells, publishes the newest frozen `FleetSnapshot`.

Everything flows through here once. Sources call `apply`; only cells an observation touches are joined again, and at
most ten snapshots a second are made, however many observations come. Readers get the newest, never a queue.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar, assert_never

from sgm_tui.fleet.applications import Applications
from sgm_tui.fleet.cell import Cell, CellFacts
from sgm_tui.fleet.desired import Desired, DesiredState
from sgm_tui.fleet.facts import Alert, Application, Metrics, PendingVersion, PullRequest, Rollout, Scaling
from sgm_tui.fleet.join import join
from sgm_tui.fleet.model import CellKey, Fleet, ServiceName, Version
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.fleet.policy import Policy
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.soak import required_soak
from sgm_tui.fleet.source import SourceHealth, SourceId, SourceKind
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

FRAME_SECONDS = 0.1
"""At most ten snapshots a second (performance.md §2d)."""
IDLE_SECONDS = 1.0
"""Between two snapshots while nothing urgent happens: ages, deadlines and numbers wait so long at most."""

DEADLINES: Mapping[SourceKind, float] = {
    "git": 90.0,
    "argocd": 90.0,
    "rollouts": 60.0,
    "scaling": 120.0,
    "metrics": 60.0,
    "alerts": 60.0,
    "forge": 120.0,
}
"""Seconds of silence after which a source is stale, even if it never said it was lost."""

_DECISIVE: frozenset[SourceKind] = frozenset({"git", "argocd", "rollouts"})
"""Without one of these part of a cell's journey is not known; the others only leave a gap."""
_GIT = SourceId("git")


Value = TypeVar("Value")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Readers:
    """Those who wait for a snapshot other than the one they have."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()

    async def wake(self) -> None:
        """Let everybody look again."""
        async with self._changed:
            self._changed.notify_all()

    async def wait_for_another(self, seen: FleetSnapshot, newest: Callable[[], FleetSnapshot]) -> FleetSnapshot:
        """Return the newest snapshot as soon as it is not `seen`."""
        async with self._changed:
            await self._changed.wait_for(lambda: newest() is not seen)
        return newest()


class Store:
    """Joins what sources tell into snapshots of one fleet."""

    def __init__(
        self,
        fleet: Fleet | None = None,
        *,
        repository: str = "",
        sources: Iterable[SourceId] = (),
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        self._version = 0
        self.readers = Readers()
        self._desired = DesiredState("", "")
        self.applications = Applications()
        """What the hubs report; only `apply` changes it."""
        self._ran: set[CellKey] = set()
        """Cells that have, or had, a Rollout."""
        self._rollouts: dict[CellKey, Rollout] = {}
        self._scaling: dict[CellKey, Scaling] = {}
        self._metrics: dict[CellKey, Metrics] = {}
        self._alerts: dict[SourceId, tuple[Alert, ...]] = {}
        self._pull_requests: tuple[PullRequest, ...] = ()
        self._pending: dict[CellKey, tuple[PendingVersion, ...]] = {}
        self._plan = Plan()
        self._staged: dict[CellKey, Version] = {}
        self._troubled: tuple[SourceHealth, ...] = ()
        self._cells: dict[CellKey, Cell] = {}
        self._services: tuple[ServiceName, ...] = ()
        self._moving: set[CellKey] = set()
        self._dirty: set[CellKey] = set()
        self.answer_parts: Counter[SourceId] = Counter()
        """How many parts of answers each source has sent: while it grows, the source is answering."""
        self.configure(fleet or Fleet(), repository=repository, sources=sources)

    def configure(
        self, fleet: Fleet, *, repository: str = "", sources: Iterable[SourceId] = (), policy: Policy | None = None
    ) -> None:
        """Set the shape of the fleet, its policy and which sources will report; until they do they are `waiting`."""
        now = self._clock()
        self._policy = policy or Policy()
        self._fleet = fleet
        self._sources = {source: SourceHealth(source, since=now) for source in sources}
        self._snapshot = FleetSnapshot(
            generated_at=now, fleet=fleet, repository=repository, sources=tuple(self._sources.values())
        )
        self._touch_all()

    @property
    def snapshot(self) -> FleetSnapshot:
        """The newest snapshot."""
        return self._snapshot

    @property
    def plan(self) -> Plan:
        """What is staged."""
        return self._plan

    def has_activity(self, cluster: str) -> bool:
        """Whether anything in that cluster is under way or in trouble."""
        return any(key.cluster == cluster for key in self._moving)

    def set_plan(self, plan: Plan) -> None:
        """Replace the plan; the cells it stages show it."""
        touched = self._plan.staged().keys() | plan.staged().keys()
        self._plan = plan
        self._staged = plan.staged()
        self._touch(touched)

    def fail(self, problem: str) -> None:
        """Say why nothing can be shown at all."""
        self._snapshot = replace(self._snapshot, problem=problem, generated_at=self._clock())
        self._changed.set()

    def apply(self, observation: SourceUpdate) -> None:
        """Take in one observation; the next frame shows it."""
        match observation:
            case AnswerArriving(source):
                self.answer_parts[source] += 1
                return
            case SourceUnreachable(source, reason):
                self._mark(source, "stale", reason)
            case SourceOff(source, reason):
                self._mark(source, "off", reason)
            case DesiredStateCached():
                pass  # what was fetched before says nothing of the server now
            case DesiredStateRead() | PullRequestsListed() | MetricsListed() | AlertsListed() | SourceAnswered():
                self._mark(observation.source, "fresh", "", observation.note)
            case _:
                self._mark(observation.source, "fresh", "", None)
        self._absorb(observation)

    def _absorb(self, observation: SourceUpdate) -> None:
        match observation:
            case DesiredStateRead(_, state) | DesiredStateCached(_, state):
                self._desire(state)
            case ApplicationsListed(source, applications):
                listed_all = self.applications.lists_all(source)
                self._touch(self.applications.list(source, applications, self._clock()))
                if listed_all is not self.applications.lists_all(source):
                    self._touch_all()  # what it does not list is not there, or may be
            case ApplicationChanged(source, key, application):
                if self.applications.change(source, key, application):
                    self._touch((key,))
            case ApplicationDeleted(source, key):
                if self.applications.remove(source, key, self._clock()):
                    self._touch((key,))
            case RolloutsListed(source, rollouts):
                self._replace(self._rollouts, rollouts, source)
                self._ran.update(rollouts)
            case RolloutChanged(_, key, rollout):
                self._rollouts[key] = rollout
                self._ran.add(key)
                self._touch((key,))
            case RolloutDeleted(_, key):
                self._rollouts.pop(key, None)
                self._touch((key,))
            case ScalingListed(source, scaling):
                self._replace(self._scaling, scaling, source, urgent=False)
            case MetricsListed(source, metrics, _):
                self._replace(self._metrics, metrics, source, urgent=False)
            case AlertsListed(source, alerts, _):
                self._list_alerts(source, alerts)
            case PullRequestsListed(_, requests, _):
                self._list_pull_requests(requests)
            case SourceOff():
                for left in _nothing_left(observation.source):
                    self._absorb(left)
            case SourceAnswered() | AnswerArriving() | SourceUnreachable():
                return
            case _:
                assert_never(observation)

    def _desire(self, state: DesiredState) -> None:
        before, self._desired = self._desired, state
        moved = before.positions != state.positions
        self._touch(state.changed_cells(before) | (self.applications.cells if moved else set()))

    def _replace(
        self, known: dict[CellKey, Value], listed: Mapping[CellKey, Value], source: SourceId, *, urgent: bool = True
    ) -> None:
        gone = {key for key in known if key.cluster == source.scope and key not in listed}
        changed = {key for key, value in listed.items() if known.get(key) != value}
        for key in gone:
            del known[key]
        known.update(listed)
        self._touch(gone | changed, urgent=urgent)

    def _list_alerts(self, source: SourceId, alerts: tuple[Alert, ...]) -> None:
        before = self._alerts.get(source, ())
        if before != alerts:
            self._alerts[source] = alerts
            self._touch(key for key in self._keys() if key.cluster == source.scope)

    def _list_pull_requests(self, requests: tuple[PullRequest, ...]) -> None:
        before, self._pending = self._pending, _pending_by_cell(requests)
        self._pull_requests = requests
        self._touch(before.keys() | self._pending.keys())

    def _mark(self, source: SourceId, state: str, reason: str, note: str | None = "") -> None:
        now = self._clock()
        known = self._sources.get(source, SourceHealth(source, since=now))
        health = _health(known, state, reason, note, now)
        self._sources[source] = health
        # A sign of life that changes nothing is shown with the next frame there is; it makes none of its own.
        if (known.state, known.reason, known.note) != (health.state, health.reason, health.note):
            self._touch_source(source)
            self._changed.set()

    def _touch_source(self, source: SourceId) -> None:
        if source.kind == "argocd" or not source.scope:
            self._touch_all()
        else:
            self._touch(key for key in self._keys() if key.cluster == source.scope)

    def _touch_all(self) -> None:
        self._touch(self._keys())

    def _keys(self) -> set[CellKey]:
        return self._desired.cells.keys() | self.applications.cells | self._rollouts.keys() | self._cells.keys()

    def _touch(self, keys: Iterable[CellKey], *, urgent: bool = True) -> None:
        """Join these cells again: at once, or with the frame there is every second (numbers may wait for it)."""
        touched = frozenset(keys)
        self._dirty |= touched
        # A key that is dirty already may only have been touched by numbers, which wake nobody.
        if urgent and touched:
            self._changed.set()

    async def run(self) -> None:
        """Publish until cancelled: soon after a change, and once a second for what time alone changes."""
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            self.publish()
            await self.readers.wake()
            await asyncio.sleep(FRAME_SECONDS)

    async def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """Every newest snapshot, the current one first; a slow reader skips, it never lags."""
        seen = self._snapshot
        yield seen
        while True:
            seen = await self.readers.wait_for_another(seen, lambda: self._snapshot)
            yield seen

    def publish(self) -> FleetSnapshot:
        """Join what changed, or what only time changes, and make the newest snapshot."""
        now = self._clock()
        self._expire(now)
        self._troubled = tuple(one for one in self._sources.values() if one.state in {"stale", "waiting"})
        self._dirty.update(key for key, cell in self._cells.items() if _is_due(cell, now))
        self._dirty.update(self.applications.missing)
        known = len(self._cells)
        for key in self._dirty:
            facts = self._facts(key)
            if facts is None:
                self._cells.pop(key, None)
                self.applications.forget(key)
                self._ran.discard(key)
                self._moving.discard(key)
                known = -1
            else:
                cell = self._cells[key] = join(facts, self._cells.get(key), now)
                (self._moving.add if cell.moves else self._moving.discard)(key)
        self._dirty.clear()
        if known != len(self._cells):
            self._services = tuple(sorted({key.service for key in self._cells}))
        self._snapshot = FleetSnapshot(
            generated_at=now,
            fleet=self._fleet,
            services=self._services,
            cells=dict(self._cells),
            sources=tuple(self._sources.values()),
            pull_requests=self._pull_requests,
            alerts=tuple(alert for alerts in self._alerts.values() for alert in alerts),
            plan=self._plan,
            repository=self._snapshot.repository,
            branch=self._desired.branch,
            revision=self._desired.revision,
            releases=self._desired.releases,
            problem=self._snapshot.problem,
        )
        return self._snapshot

    def _expire(self, now: datetime) -> None:
        for source, health in list(self._sources.items()):
            if health.state != "fresh" or health.seen_at is None:
                continue
            silent = (now - health.seen_at).total_seconds()
            if silent > DEADLINES[source.kind]:
                self._mark(source, "stale", f"not responding for {silent:.0f}s")

    def _facts(self, key: CellKey) -> CellFacts | None:
        desired = self._desired.cells.get(key)
        application = self.applications.of(key)
        rollout = self._rollouts.get(key)
        if desired is None and application is None and rollout is None:
            return None
        cluster, alerts = self._fleet.cluster(key.cluster), self._alerts.get(SourceId("alerts", key.cluster), ())
        related = _related(self._troubled, self.applications.hub_of(key), key)
        decisive, stale = _silent(related)
        return CellFacts(
            key=key,
            location=cluster.location if cluster else "",
            desired=desired,
            desired_as_of=_as_of(self._desired, self._sources.get(_GIT)) if desired else None,
            synced=_synced(self._desired, application, desired, self._sources, self.applications),
            deployed=_contained(self._desired, application.deployed_revision, desired) if application else None,
            elsewhere=_elsewhere(self._desired, application),
            application=application,
            drifted_before=self.applications.drifted_before(key),
            missing_since=self.applications.missing.get(key),
            missing_rollout=rollout is None and key in self._ran,
            rollout=rollout,
            scaling=self._scaling.get(key),
            metrics=self._metrics.get(key),
            error_ratio_max=self._policy.error_ratio_max(key.stage, key.service),
            alerts=tuple(one for one in alerts if one.service == key.service),
            pending=self._pending.get(key, ()),
            staged=self._staged.get(key),
            soak=required_soak(self._fleet, self._policy, self._desired.cells, key),
            stale=stale,
            stale_since=decisive.since if decisive else None,
            stale_reason=f"{decisive.name}: {decisive.short_reason}" if decisive else "",
            loading=bool(awaited := _awaited(related)),
            awaited=awaited,
        )


def _as_of(state: DesiredState, git: SourceHealth | None) -> datetime | None:
    """When git last said what it wants; before its server has answered, when that was fetched."""
    return (git.seen_at if git is not None else None) or state.fetched_at


def _elsewhere(desired: DesiredState, application: Application | None) -> str:
    """What an Application follows instead of the branch; HEAD is the repository's default and taken for it."""
    follows = application.follows if application is not None else ""
    return "" if follows.removeprefix("refs/heads/") in {"", "HEAD", desired.branch} or not desired.branch else follows


def _is_due(cell: Cell, now: datetime) -> bool:
    """Whether time alone may change what a cell is."""
    return cell.suspect_since is not None or (cell.check_at is not None and cell.check_at <= now)


def _nothing_left(source: SourceId) -> tuple[SourceUpdate, ...]:
    """What is not there any more says nothing any more: a cluster made anew without Rollouts runs none of them."""
    match source.kind:
        case "argocd":
            return (ApplicationsListed(source, {}),)
        case "rollouts":
            return (RolloutsListed(source, {}),)
        case "scaling":
            return (ScalingListed(source, {}),)
        case _:
            return ()


def _pending_by_cell(requests: Iterable[PullRequest]) -> dict[CellKey, tuple[PendingVersion, ...]]:
    """Return what the open pull requests propose for each cell."""
    pending: dict[CellKey, list[PendingVersion]] = defaultdict(list)
    for request in requests:
        if request.state == "open":
            for key, version in request.proposes:
                pending[key].append(PendingVersion(version, request.number, request.url, request.created_at))
    return {key: tuple(values) for key, values in pending.items()}


def _contained(state: DesiredState, revision: str, desired: Desired | None) -> bool | None:
    return state.contains(revision, desired) if desired is not None and revision else None


def _synced(
    state: DesiredState,
    application: Application | None,
    desired: Desired | None,
    sources: Mapping[SourceId, SourceHealth],
    applications: Applications,
) -> bool | None:
    if application is not None:
        return _contained(state, application.revision, desired)
    return _unheard_of(desired, sources, applications)


def _unheard_of(
    desired: Desired | None, sources: Mapping[SourceId, SourceHealth], applications: Applications
) -> bool | None:
    """There is no Application for what git wants: that Argo CD has not been told is known only where it answers."""
    answering = any(
        health.state == "fresh" and source.kind == "argocd" and applications.lists_all(source)
        for source, health in sources.items()
    )
    return False if answering and desired is not None else None


def _related(troubled: Iterable[SourceHealth], hub: SourceId | None, key: CellKey) -> list[SourceHealth]:
    """The troubled sources a cell depends on: its cluster's own, its hub's, and those there is one of."""
    return [
        health
        for health in troubled
        for source in (health.source,)
        if (hub in {None, source} if source.kind == "argocd" else source.scope in {"", key.cluster})
    ]


def _health(known: SourceHealth, state: str, reason: str, note: str | None, now: datetime) -> SourceHealth:
    """What a source is now: since when is kept for as long as it stays so, and its note when none is given."""
    if state == "fresh":
        since = known.since if known.state == "fresh" else now
        return SourceHealth(known.source, "fresh", seen_at=now, since=since, note=known.note if note is None else note)
    if state == "off":
        return SourceHealth(known.source, "off", seen_at=known.seen_at, since=now, reason=reason)
    # Silent since its last answer, not since that was noticed; never answered, since it was first asked.
    since = known.since if known.state in {"stale", "waiting"} else known.seen_at
    return SourceHealth(known.source, "stale", seen_at=known.seen_at, since=since or now, reason=reason)


def _silent(related: Iterable[SourceHealth]) -> tuple[SourceHealth | None, tuple[str, ...]]:
    """The first stale source a cell cannot be judged without, and the names of all that are stale."""
    stale = [health for health in related if health.state == "stale"]
    decisive = [health for health in stale if health.source.kind in _DECISIVE and health.since is not None]
    return next(iter(decisive), None), tuple(health.name for health in stale)


def _awaited(related: Iterable[SourceHealth]) -> tuple[str, ...]:
    """The names of the sources that have not answered yet and without which a cell cannot be fully judged."""
    return tuple(one.name for one in related if one.state == "waiting" and one.source.kind in _DECISIVE)
