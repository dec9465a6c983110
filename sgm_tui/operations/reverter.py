"""Plan reverts: the past versions of a cell from git, the change that reverts it, and its forecast."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.history.cell_history import PastVersion, RevertForecast
from sgm_tui.fleet.history.last_promotion import LastPromotion
from sgm_tui.fleet.history.trailers import UNMARK
from sgm_tui.fleet.model import CellKey, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.staging import cells_of
from sgm_tui.fleet.reverts.health import Samples, add_healthy_time
from sgm_tui.fleet.reverts.promotion import PromotionRevert, group_by_stage, plan_promotion_revert
from sgm_tui.fleet.reverts.targets import (
    find_affected_cells,
    find_past_version,
    forecast_revert,
    refuse_further_revert,
    refuse_nothing_to_revert,
    revert_change,
)
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.gitops.history import History
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.known_bad import KnownBad
from sgm_tui.operations.pod_templates import PodTemplates
from sgm_tui.operations.pull_request_marks import PullRequestMarks
from sgm_tui.operations.state_files import run_in_thread
from sgm_tui.threads import Lane, run_in


class HealthRecord(Protocol):
    """Measurements of how healthy the Rollouts of cells were."""

    async def samples(self, key: CellKey, since: datetime, until: datetime) -> Samples | str:
        """Return whether the Rollout of a cell was healthy at regular times, or why that is unknown."""
        ...


class Reverter:
    """Plans reverts, and knows which versions are quarantined; it writes nothing to git.

    Longer than 200 lines because planning a revert, forecasting it and judging a version read the same history.
    """

    def __init__(
        self,
        history: History,
        pods: PodTemplates,
        marks: KnownBad,
        audit: Audit,
        health: HealthRecord | None = None,
        pulls: PullRequestMarks | None = None,
    ) -> None:
        """`health` is None without Prometheus, `pulls` without a forge."""
        self._pulls = pulls
        self._marks_of_pulls: dict[ServiceName, dict[Version, str]] = {}
        self._health = health
        self._pods = pods
        self._history = history
        self._marks = marks
        self._audit = audit

    async def past_versions(self, key: CellKey) -> tuple[PastVersion, ...]:
        """Return the versions of a cell, newest first, each with why it is known bad.

        Raises:
            SgmError: the repository or the marks cannot be read.
        """
        await self._fetch_marks({key.service})
        return await run_in(Lane.GIT_READS, self._past, key)

    async def _fetch_marks(self, services: Iterable[ServiceName]) -> None:
        """Fetch the marks of pull requests whose commits lost their trailers."""
        if self._pulls is not None:
            for service in services:
                self._marks_of_pulls[service] = await self._pulls.of(service)

    async def add_healthy_times(self, snapshot: FleetSnapshot, pasts: Sequence[PastVersion]) -> tuple[PastVersion, ...]:
        """Add to the versions of one cell, newest first, how long each ran healthy, if that was measured."""
        if not pasts:
            return ()
        key, now = pasts[0].key, snapshot.generated_at
        samples: Samples | str = "prometheus is not configured"
        if self._health is not None:
            samples = await self._health.samples(key, pasts[-1].at, now)
        return add_healthy_time(pasts, samples, snapshot.cells.get(key), now)

    async def plan_revert(self, snapshot: FleetSnapshot, key: CellKey, to: str | None) -> Change | Refusal:
        """Plan the revert of a cell to its last good version (None), to an earlier version, or to that of a commit.

        Without a target, a cell whose newest version came by a revert is refused: there is nothing to revert.
        """
        if to is None:
            pasts = await self._measured_versions(snapshot, key)
            revert = refuse_further_revert(pasts) or revert_change(snapshot, key, pasts)
        else:
            revert = await run_in(Lane.GIT_READS, self._plan_revert_to, snapshot, key, to)
        return await run_in(Lane.GIT_READS, self._add_mark, revert)

    async def find_last_promotion(
        self, snapshot: FleetSnapshot, service: ServiceName, stage: StageName
    ) -> tuple[LastPromotion | None, tuple[Change | Refusal, ...]]:
        """Find the last promotion of a service into a stage, and plan its revert in every cell that still has it.

        Raises:
            SgmError: the repository or the marks cannot be read.
        """
        keys = cells_of(snapshot, stage, service=service)
        last = await run_in(Lane.GIT_READS, self._history.last_promotion, keys)
        if last is None:
            return None, (Refusal("", f"git has no promotion of {service} into {stage} to revert"),)
        if not last.current:
            return last, (refuse_nothing_to_revert(last),)
        pasts = await asyncio.gather(*(self._measured_versions(snapshot, key) for key in last.current))
        reverts = dict.fromkeys(
            revert_change(snapshot, key, versions) for key, versions in zip(last.current, pasts, strict=True)
        )
        return last, await run_in(Lane.GIT_READS, lambda: tuple(map(self._add_mark, reverts)))

    async def plan_promotion_reverts(
        self, snapshot: FleetSnapshot, keys: Iterable[CellKey]
    ) -> tuple[PromotionRevert, ...]:
        """Plan the revert of the last promotion of each service and stage among these cells, in exactly these cells.

        Raises:
            SgmError: the repository cannot be read.
        """
        groups = group_by_stage(tuple(keys))
        return tuple([await self._plan_promotion_revert(snapshot, *group, cells) for group, cells in groups.items()])

    async def _plan_promotion_revert(
        self, snapshot: FleetSnapshot, service: ServiceName, stage: StageName, keys: Sequence[CellKey]
    ) -> PromotionRevert:
        stage_keys = cells_of(snapshot, stage, service=service)
        last = await run_in(Lane.GIT_READS, self._history.last_promotion, stage_keys)
        current = last.current if last is not None else ()
        pasts = await asyncio.gather(*(self._read_versions(snapshot, key, measured=key in current) for key in keys))
        cells = plan_promotion_revert(snapshot, last, dict(zip(keys, pasts, strict=True)))
        outcomes = await run_in(Lane.GIT_READS, lambda: [self._add_mark(cell.outcome) for cell in cells])
        cells = tuple(replace(cell, outcome=outcome) for cell, outcome in zip(cells, outcomes, strict=True))
        return PromotionRevert(service, stage, last, cells)

    async def _read_versions(
        self, snapshot: FleetSnapshot, key: CellKey, *, measured: bool
    ) -> tuple[PastVersion, ...] | Refusal:
        """Return the versions of a cell, or why they cannot be read.

        They are `measured` only if a revert target is chosen among them.
        """
        try:
            return await (self._measured_versions(snapshot, key) if measured else self.past_versions(key))
        except SgmError as error:
            return Refusal("", error.sentence)

    async def plan_version_reverts(
        self, snapshot: FleetSnapshot, service: ServiceName, version: Version
    ) -> tuple[Change | Refusal, ...]:
        """Plan the revert of every cell in which a version is live, desired or proposed, in the order to revert."""
        keys = find_affected_cells(snapshot, service, version)
        desiring = [key for key in keys if snapshot.cells[key].desired_version == version]
        pasts = await asyncio.gather(*(self._measured_versions(snapshot, key) for key in desiring))
        reverts = _plan_version_reverts(snapshot, keys, version, dict(zip(desiring, pasts, strict=True)))
        return await run_in(Lane.GIT_READS, lambda: tuple(map(self._add_mark, reverts)))

    def _add_mark(self, revert: Change | Refusal) -> Change | Refusal:
        """Add the local known-bad mark of the reverted version, so that the commit publishes it."""
        if isinstance(revert, Refusal):
            return revert
        return replace(revert, marks_bad=self._marks.reason(revert.service, revert.from_version))

    async def _measured_versions(self, snapshot: FleetSnapshot, key: CellKey) -> tuple[PastVersion, ...]:
        return await self.add_healthy_times(snapshot, await self.past_versions(key))

    async def forecast_revert(self, snapshot: FleetSnapshot, change: Change) -> RevertForecast:
        """Forecast what happens when a revert is merged, by the slowest of its cells.

        Raises:
            SgmError: the repository cannot be read.
        """
        comparison = await run_in(Lane.GIT_READS, self._pods.compare, change)
        forecasts = [
            forecast_revert(snapshot.cells[key], change, comparison) for key in change.cells if key in snapshot.cells
        ]
        order = {False: 0, None: 1, True: 2}
        return min(
            forecasts, key=lambda forecast: order[forecast.fast], default=RevertForecast(None, "it has no cells")
        )

    async def mark(self, service: ServiceName, version: Version, reason: str) -> None:
        """Mark a version as known bad, which quarantines it everywhere; the reason "" unmarks it.

        Raises:
            RefusedError: it cannot be saved, or a commit marks the version and only a commit can unmark it.
        """
        await run_in_thread(self._marks.mark, service, version, reason)
        action = "mark-bad" if reason else "let-go"
        await run_in_thread(self._audit.record, action, services=[service], title=f"{service} {version}", reason=reason)
        reason_in_git = (await run_in(Lane.GIT_READS, self._history.known_bad, service)).get(version)
        if reason_in_git and not reason:
            raise RefusedError(
                f"git still marks {version} as known bad: {reason_in_git}",
                f"A commit with the line {UNMARK}{service} {version} unmarks it.",
            )

    async def find_quarantined(self, keys: Iterable[CellKey]) -> Mapping[CellKey, Mapping[Version, str]]:
        """Return cell → quarantined version → reason: reverted from the cell, or known bad."""
        cells = tuple(keys)
        await self._fetch_marks({key.service for key in cells})
        return await run_in(Lane.GIT_READS, lambda: {key: self._quarantined(key) for key in cells})

    def _known_bad(self, service: ServiceName) -> dict[Version, str]:
        """Return version → why it is known bad: by a commit of the branch, a pull request or a local mark."""
        return {**self._marks_of_pulls.get(service, {}), **self._history.known_bad(service), **self._marks.of(service)}

    def _past(self, key: CellKey) -> tuple[PastVersion, ...]:
        bad = self._known_bad(key.service)
        return tuple(
            replace(past, known_bad=bad[past.version]) if past.version in bad else past
            for past in self._history.past_versions(key)
        )

    def _plan_revert_to(self, snapshot: FleetSnapshot, key: CellKey, to: str) -> Change | Refusal:
        pasts = self._past(key)
        target = find_past_version(pasts, to)
        if target is None:
            at = self._history.find_past_version(key, to)
            target = next((past for past in pasts if at is not None and past.revision == at.revision), None)
        if target is None and pasts and pasts[0].version == to:
            return Refusal(pasts[0].path, f"git already has {to}", nothing=True)
        if target is None:
            return Refusal("", f"git never had {to} for {key}, and it is not a commit of this branch: see sgm history")
        return revert_change(snapshot, key, pasts, target)

    def _quarantined(self, key: CellKey) -> dict[Version, str]:
        pasts = self._past(key)
        quarantined = self._known_bad(key.service)
        # Only the newest entry of a version counts: a version promoted again after its revert is not quarantined.
        newer: set[Version] = set()
        for past in pasts:
            if past.version not in newer and past.known_bad:
                quarantined.setdefault(past.version, past.known_bad)
            newer.add(past.version)
        return quarantined


def _plan_version_reverts(
    snapshot: FleetSnapshot, keys: Iterable[CellKey], version: Version, pasts: Mapping[CellKey, Sequence[PastVersion]]
) -> tuple[Change | Refusal, ...]:
    reverts: dict[tuple[str, str], Change | Refusal] = {}
    for key in keys:
        if key in pasts:
            revert = revert_change(snapshot, key, pasts[key])
            reverts.setdefault((revert.path, ""), revert)
        for pending in snapshot.cells[key].facts.pending:
            if pending.version == version:
                reason = f"#{pending.number} proposes {version} for {key}: close that pull request"
                reverts.setdefault(("", reason), Refusal("", reason, nothing=True))
    return tuple(reverts.values())
