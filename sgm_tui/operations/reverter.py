"""Reverts: the past of a cell from git, the change that goes back, and what will happen when it is merged."""

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
    """Whoever measured how the cells fared."""

    async def samples(self, key: CellKey, since: datetime, until: datetime) -> Samples | str:
        """Whether the Rollout of a cell was healthy, at regular moments; or why nobody knows."""
        ...


class Reverter:
    """Everything that goes back, short of writing it."""

    def __init__(
        self,
        history: History,
        pods: PodTemplates,
        marks: KnownBad,
        audit: Audit,
        health: HealthRecord | None = None,
        pulls: PullRequestMarks | None = None,
    ) -> None:
        """`health` is None where nobody measures, `pulls` where no forge is configured."""
        self._pulls = pulls
        self._from_pulls: dict[ServiceName, dict[Version, str]] = {}
        self._health = health
        self._pods = pods
        self._history = history
        self._marks = marks
        self._audit = audit

    async def past_versions(self, key: CellKey) -> tuple[PastVersion, ...]:
        """The versions of a cell, newest first, with what is known against each.

        Raises:
            SgmError: the repository or the marks cannot be read.
        """
        await self._learn({key.service})
        return await run_in(Lane.GIT_READS, self._past, key)

    async def _learn(self, services: Iterable[ServiceName]) -> None:
        """Ask the pull requests whose commits say nothing any more."""
        if self._pulls is not None:
            for service in services:
                self._from_pulls[service] = await self._pulls.of(service)

    async def add_healthy_times(self, snapshot: FleetSnapshot, pasts: Sequence[PastVersion]) -> tuple[PastVersion, ...]:
        """The same versions of one cell, newest first, each with how long it ran healthy, as far as anybody knows."""
        if not pasts:
            return ()
        key, now = pasts[0].key, snapshot.generated_at
        samples: Samples | str = "prometheus is not configured"
        if self._health is not None:
            samples = await self._health.samples(key, pasts[-1].at, now)
        return add_healthy_time(pasts, samples, snapshot.cells.get(key), now)

    async def plan_revert(self, snapshot: FleetSnapshot, key: CellKey, to: str | None) -> Change | Refusal:
        """The revert of a cell to the last good version (None), to a version of its past, or to a commit's.

        Without a target a cell whose newest version came by a revert is refused: there is nothing to revert.
        """
        if to is None:
            pasts = await self._judged(snapshot, key)
            made = refuse_further_revert(pasts) or revert_change(snapshot, key, pasts)
        else:
            made = await run_in(Lane.GIT_READS, self._change, snapshot, key, to)
        return await run_in(Lane.GIT_READS, self._told, made)

    async def find_last_promotion(
        self, snapshot: FleetSnapshot, service: ServiceName, stage: StageName
    ) -> tuple[LastPromotion | None, tuple[Change | Refusal, ...]]:
        """The last promotion of a service into a stage, and its reverts: in every cell that still has it, nowhere else.

        Raises:
            SgmError: the repository or the marks cannot be read.
        """
        keys = cells_of(snapshot, stage, service=service)
        last = await run_in(Lane.GIT_READS, self._history.last_promotion, keys)
        if last is None:
            return None, (Refusal("", f"git has no promotion of {service} into {stage} to revert"),)
        if not last.current:
            return last, (refuse_nothing_to_revert(last),)
        pasts = await asyncio.gather(*(self._judged(snapshot, key) for key in last.current))
        found = dict.fromkeys(
            revert_change(snapshot, key, those) for key, those in zip(last.current, pasts, strict=True)
        )
        return last, await run_in(Lane.GIT_READS, lambda: tuple(map(self._told, found)))

    async def plan_promotion_reverts(
        self, snapshot: FleetSnapshot, keys: Iterable[CellKey]
    ) -> tuple[PromotionRevert, ...]:
        """The last promotion of each stage of each service among these cells, and its revert in exactly these cells.

        Raises:
            SgmError: the repository cannot be read.
        """
        groups = group_by_stage(tuple(keys))
        return tuple([await self._promotion_revert(snapshot, *group, cells) for group, cells in groups.items()])

    async def _promotion_revert(
        self, snapshot: FleetSnapshot, service: ServiceName, stage: StageName, keys: Sequence[CellKey]
    ) -> PromotionRevert:
        stage_keys = cells_of(snapshot, stage, service=service)
        last = await run_in(Lane.GIT_READS, self._history.last_promotion, stage_keys)
        current = last.current if last is not None else ()
        pasts = await asyncio.gather(*(self._judged_or_refused(snapshot, key, measured=key in current) for key in keys))
        cells = plan_promotion_revert(snapshot, last, dict(zip(keys, pasts, strict=True)))
        outcomes = await run_in(Lane.GIT_READS, lambda: [self._told(cell.outcome) for cell in cells])
        cells = tuple(replace(cell, outcome=outcome) for cell, outcome in zip(cells, outcomes, strict=True))
        return PromotionRevert(service, stage, last, cells)

    async def _judged_or_refused(
        self, snapshot: FleetSnapshot, key: CellKey, *, measured: bool
    ) -> tuple[PastVersion, ...] | Refusal:
        """The versions of a cell, measured only where a target is chosen among them; or why they cannot be read."""
        try:
            return await (self._judged(snapshot, key) if measured else self.past_versions(key))
        except SgmError as error:
            return Refusal("", error.sentence)

    async def plan_version_reverts(
        self, snapshot: FleetSnapshot, service: ServiceName, version: Version
    ) -> tuple[Change | Refusal, ...]:
        """The reverts of every cell that runs a version, wants it or is about to; in the order they should go."""
        keys = find_affected_cells(snapshot, service, version)
        wanting = [key for key in keys if snapshot.cells[key].desired_version == version]
        pasts = await asyncio.gather(*(self._judged(snapshot, key) for key in wanting))
        found = _revert_plan(snapshot, keys, version, dict(zip(wanting, pasts, strict=True)))
        return await run_in(Lane.GIT_READS, lambda: tuple(map(self._told, found)))

    def _told(self, made: Change | Refusal) -> Change | Refusal:
        """The revert, telling others too that the version it leaves is marked here as known bad."""
        if isinstance(made, Refusal):
            return made
        return replace(made, marks_bad=self._marks.reason(made.service, made.from_version))

    async def _judged(self, snapshot: FleetSnapshot, key: CellKey) -> tuple[PastVersion, ...]:
        return await self.add_healthy_times(snapshot, await self.past_versions(key))

    async def forecast_revert(self, snapshot: FleetSnapshot, change: Change) -> RevertForecast:
        """What will happen when a revert is merged; the slowest of its cells counts.

        Raises:
            SgmError: the repository cannot be read.
        """
        template = await run_in(Lane.GIT_READS, self._pods.template, change)
        ways = [forecast_revert(snapshot.cells[key], change, template) for key in change.cells if key in snapshot.cells]
        order = {False: 0, None: 1, True: 2}
        return min(ways, key=lambda way: order[way.fast], default=RevertForecast(None, "it has no cells"))

    async def mark(self, service: ServiceName, version: Version, reason: str) -> None:
        """Hold a version back from every promotion; "" lets it go again.

        Raises:
            RefusedError: it cannot be written down, or a commit marks it and only a commit lets it go.
        """
        await run_in_thread(self._marks.mark, service, version, reason)
        action = "mark-bad" if reason else "let-go"
        await run_in_thread(self._audit.record, action, services=[service], title=f"{service} {version}", reason=reason)
        told = (await run_in(Lane.GIT_READS, self._history.known_bad, service)).get(version)
        if told and not reason:
            raise RefusedError(
                f"git still marks {version} as known bad: {told}",
                f"A commit with the line {UNMARK}{service} {version} unmarks it.",
            )

    async def find_quarantined(self, keys: Iterable[CellKey]) -> Mapping[CellKey, Mapping[Version, str]]:
        """Cell → the versions that must not come (back) to it, each with why: reverted from it, or known bad."""
        wanted = tuple(keys)
        await self._learn({key.service for key in wanted})
        return await run_in(Lane.GIT_READS, lambda: {key: self._held(key) for key in wanted})

    def _known_bad(self, service: ServiceName) -> dict[Version, str]:
        """Version → why it is known bad, by a commit of the branch or marked here."""
        return {**self._from_pulls.get(service, {}), **self._history.known_bad(service), **self._marks.of(service)}

    def _past(self, key: CellKey) -> tuple[PastVersion, ...]:
        bad = self._known_bad(key.service)
        return tuple(
            replace(past, known_bad=bad[past.version]) if past.version in bad else past
            for past in self._history.past_versions(key)
        )

    def _change(self, snapshot: FleetSnapshot, key: CellKey, to: str) -> Change | Refusal:
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

    def _held(self, key: CellKey) -> dict[Version, str]:
        pasts = self._past(key)
        held = self._known_bad(key.service)
        # Only the newest word counts: what was promoted again after it was reverted is held no more.
        seen: set[Version] = set()
        for past in pasts:
            if past.version not in seen and past.known_bad:
                held.setdefault(past.version, past.known_bad)
            seen.add(past.version)
        return held


def _revert_plan(
    snapshot: FleetSnapshot, keys: Iterable[CellKey], version: Version, pasts: Mapping[CellKey, Sequence[PastVersion]]
) -> tuple[Change | Refusal, ...]:
    found: dict[tuple[str, str], Change | Refusal] = {}
    for key in keys:
        if key in pasts:
            made = revert_change(snapshot, key, pasts[key])
            found.setdefault((made.path, ""), made)
        for pending in snapshot.cells[key].facts.pending:
            if pending.version == version:
                why = f"#{pending.number} proposes {version} for {key}: close that pull request"
                found.setdefault(("", why), Refusal("", why, nothing=True))
    return tuple(found.values())
