"""The store: applies updates, joins cells, and publishes the newest frozen `FleetSnapshot`.

Sources call `apply`; only the cells an update concerns are joined again, and at most ten snapshots a second are
published, however many updates arrive. Readers get the newest snapshot, never a queue.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from sgm_tui.fleet.applications import Applications
from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.join import join
from sgm_tui.fleet.last_seen import LastSeen
from sgm_tui.fleet.model import CellKey, Fleet, ServiceName, Version
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.fleet.policy import Policy
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import (
    AlertsListed,
    AnswerArriving,
    DesiredStateCached,
    DesiredStateRead,
    MetricsListed,
    PullRequestsListed,
    SourceAnswered,
    SourceOff,
    SourceUnreachable,
    SourceUpdate,
)
from sgm_tui.store.facts import FactSources, collect_facts
from sgm_tui.store.reports import Reports
from sgm_tui.store.source_health import SourceHealthBoard

FRAME_SECONDS = 0.1
"""At most ten snapshots a second (performance.md §2d)."""
IDLE_SECONDS = 1.0
"""The longest pause between two snapshots: ages, deadlines and numbers wait no longer than this."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SnapshotReaders:
    """Wakes the readers that wait for a newer snapshot."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()

    async def wake(self) -> None:
        """Let every reader check for a newer snapshot."""
        async with self._changed:
            self._changed.notify_all()

    async def wait_for_newer(self, current: FleetSnapshot, newest: Callable[[], FleetSnapshot]) -> FleetSnapshot:
        """Wait until the newest snapshot is not `current`, and return it."""
        async with self._changed:
            await self._changed.wait_for(lambda: newest() is not current)
        return newest()


class Store:
    """Joins what the sources report into snapshots of one fleet."""

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
        self.readers = SnapshotReaders()
        self._reports = Reports()
        self._plan = Plan()
        self._staged: dict[CellKey, Version] = {}
        self._cells: dict[CellKey, Cell] = {}
        self._services: tuple[ServiceName, ...] = ()
        self._moving: set[CellKey] = set()
        """Cells with a change in progress or in trouble."""
        self._dirty: set[CellKey] = set()
        """Cells to join again for the next snapshot."""
        self.answer_parts: Counter[SourceId] = Counter()
        """How many parts of answers each source has sent: while the number grows, the source is answering."""
        self._last_seen: LastSeen | None = None
        self.configure(fleet or Fleet(), repository=repository, sources=sources)

    def configure(
        self, fleet: Fleet, *, repository: str = "", sources: Iterable[SourceId] = (), policy: Policy | None = None
    ) -> None:
        """Set the shape of the fleet, its policy, and the sources that will report; until they do they are waiting."""
        now = self._clock()
        self._policy = policy or Policy()
        self._fleet = fleet
        self._health = SourceHealthBoard(sources, now)
        self._snapshot = FleetSnapshot(
            generated_at=now,
            fleet=fleet,
            services=self._list_services(),
            repository=repository,
            sources=tuple(self._health),
            last_seen=self._last_seen,
        )
        self._touch(self._keys())

    def show_last_seen(self, last_seen: LastSeen) -> None:
        """Show what an earlier run of the same configuration saw, until every source has answered."""
        self._last_seen = last_seen
        self.configure(last_seen.fleet)

    @property
    def snapshot(self) -> FleetSnapshot:
        """The newest snapshot."""
        return self._snapshot

    @property
    def plan(self) -> Plan:
        """The staged changes."""
        return self._plan

    @property
    def applications(self) -> Applications:
        """The Applications the hubs report; only `apply` changes them."""
        return self._reports.applications

    def has_activity(self, cluster: str) -> bool:
        """Whether a change is in progress or in trouble in a cluster."""
        return any(key.cluster == cluster for key in self._moving)

    def set_plan(self, plan: Plan) -> None:
        """Replace the plan; the cells it stages show it."""
        touched = self._plan.staged_versions().keys() | plan.staged_versions().keys()
        self._plan = plan
        self._staged = plan.staged_versions()
        self._touch(touched)

    def fail(self, problem: str) -> None:
        """Publish why nothing can be shown at all."""
        self._snapshot = replace(self._snapshot, problem=problem, generated_at=self._clock())
        self._changed.set()

    def apply(self, update: SourceUpdate) -> None:
        """Take in one update; the next frame shows it."""
        now = self._clock()
        match update:
            case AnswerArriving(source):
                self.answer_parts[source] += 1
                return
            case SourceUnreachable(source, reason):
                has_changed = self._health.record_failure(source, reason, now)
            case SourceOff(source, reason):
                has_changed = self._health.record_off(source, reason, now)
            case DesiredStateCached():
                has_changed = False  # what an earlier run fetched is no answer of the server
            case DesiredStateRead() | PullRequestsListed() | MetricsListed() | AlertsListed() | SourceAnswered():
                has_changed = self._health.record_answer(update.source, update.note, now)
            case _:
                has_changed = self._health.record_answer(update.source, None, now)
        # An answer that changes nothing is shown with the next frame; it causes none of its own.
        if has_changed:
            self._touch_source(update.source)
        touched = self._reports.apply(update, now)
        self._touch(touched.cells, urgent=touched.urgent)

    def _touch_source(self, source: SourceId) -> None:
        """Join every cell again that depends on a source whose health changed."""
        is_shared = source.kind == "argocd" or not source.scope
        self._touch(key for key in self._keys() if is_shared or key.cluster == source.scope)
        self._changed.set()

    def _keys(self) -> set[CellKey]:
        return {*self._reports.cells, *self._cells}

    def _touch(self, keys: Iterable[CellKey], *, urgent: bool = True) -> None:
        """Join these cells again: at once, or with the frame there is every second (numbers may wait for it)."""
        touched = frozenset(keys)
        self._dirty |= touched
        # A cell that is dirty already may have been touched by numbers alone, which cause no frame of their own.
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
        """Yield the current snapshot, then each newer one; a slow reader skips some and never lags behind."""
        current = self._snapshot
        yield current
        while True:
            current = await self.readers.wait_for_newer(current, lambda: self._snapshot)
            yield current

    def publish(self) -> FleetSnapshot:
        """Join the cells that changed, or that time alone changes, and return the new snapshot."""
        now = self._clock()
        for source in self._health.expire(now):
            self._touch_source(source)
        self._dirty.update(key for key, cell in self._cells.items() if _is_due(cell, now))
        self._dirty.update(self._reports.applications.missing)
        self._join_dirty_cells(now)
        if self._last_seen is not None and self._health.has_heard_all():
            self._last_seen = None
        reports = self._reports
        self._snapshot = FleetSnapshot(
            generated_at=now,
            fleet=self._fleet,
            services=self._list_services(),
            cells=dict(self._cells),
            sources=tuple(self._health),
            pull_requests=reports.pull_requests,
            alerts=tuple(alert for alerts in reports.alerts.values() for alert in alerts),
            plan=self._plan,
            repository=self._snapshot.repository,
            branch=reports.desired.branch,
            revision=reports.desired.revision,
            releases=reports.desired.releases,
            problem=self._snapshot.problem,
            last_seen=self._last_seen,
        )
        return self._snapshot

    def _list_services(self) -> tuple[ServiceName, ...]:
        """Return the services that have a cell, and until every source has answered also those that were last seen."""
        if self._last_seen is None:
            return self._services
        return tuple(sorted({*self._services, *self._last_seen.versions}))

    def _join_dirty_cells(self, now: datetime) -> None:
        sources = FactSources(
            self._fleet, self._policy, self._reports, self._health, self._health.troubled(), self._staged
        )
        before = self._cells.keys() & self._dirty
        for key in self._dirty:
            facts = collect_facts(key, sources)
            if facts is None:
                self._cells.pop(key, None)
                self._reports.forget(key)
                self._moving.discard(key)
            else:
                cell = self._cells[key] = join(facts, self._cells.get(key), now)
                (self._moving.add if cell.moves else self._moving.discard)(key)
        if before != self._cells.keys() & self._dirty:
            self._services = tuple(sorted({key.service for key in self._cells}))
        self._dirty.clear()


def _is_due(cell: Cell, now: datetime) -> bool:
    """Whether time alone may change the state of a cell."""
    return cell.suspect_since is not None or (cell.check_at is not None and cell.check_at <= now)
