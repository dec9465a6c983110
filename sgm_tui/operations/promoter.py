"""Preview a plan and write it: changes become commits on branches, and branches become pull requests.

Nothing is written before it was previewed. A write starts from the head fetched just before and compares it with the
previewed values: what has changed since the preview is refused, never overwritten. Every outward step is journalled
before it is taken and audited afterwards. A retry finds the branch and the pull request of the earlier attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.gates.evidence import Evidence
from sgm_tui.fleet.history.cell_history import RevertForecast
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import (
    ENDED,
    CommitRange,
    FileEdit,
    Preview,
    Progress,
    Proposal,
    WriteOptions,
)
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.closed_pull_requests import add_closed_pull_requests
from sgm_tui.operations.edit_planner import EditPlanner, StepRestorer
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.proposal import find_shared_promotions
from sgm_tui.operations.proposal_builder import ProposalBuilder
from sgm_tui.operations.submission import Submission
from sgm_tui.operations.write_ports import Forge, Repository
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in

_COMPARE_TIMEOUT = 5.0
"""Seconds a preview waits for the commits between two versions, which it only displays."""


class Investigator(Protocol):
    """Looks up what the gates need and no source watches."""

    async def gather(self, plan: Plan, snapshot: FleetSnapshot) -> Evidence:
        """Gather the evidence for a plan; what cannot be learned is unknown, with its reason."""
        ...


class RevertKnowledge(Protocol):
    """Knows which versions are quarantined, and how fast a revert takes effect."""

    async def forecast_revert(self, snapshot: FleetSnapshot, change: Change) -> RevertForecast:
        """Forecast what happens when a revert is merged."""
        ...

    async def find_quarantined(self, keys: Iterable[CellKey]) -> Mapping[CellKey, Mapping[Version, str]]:
        """Return cell → quarantined version → reason."""
        ...


class Promoter:
    """Turns plans into pull requests."""

    def __init__(
        self,
        config: Config,
        repository: Repository,
        forge: Forge | None,
        journal: Journal,
        audit: Audit,
        investigator: Investigator | None = None,
        reverts: RevertKnowledge | None = None,
        removed_steps: StepRestorer | None = None,
        *,
        locks: Path | None = None,
    ) -> None:
        """Promote on one repository.

        Args:
            config: the configuration.
            repository: the clone of the GitOps repository.
            forge: None if none is configured: then only direct pushes can be written.
            journal: notes every step before it is taken.
            audit: records every step afterwards.
            investigator: gathers evidence for the gates; None evaluates them without.
            reverts: knows what was reverted or marked as known bad.
            removed_steps: knows the canary steps a fast revert removed.
            locks: the directory of the locks between processes; None locks nothing.
        """
        self._config = config
        self._repository = repository
        self._forge = forge
        self._investigator = investigator
        self._reverts = reverts
        self._edit_planner = EditPlanner(config, repository, removed_steps)
        self._builder = ProposalBuilder(config, repository, has_forge=forge is not None)
        self._commit_ranges: dict[tuple[str, str, str], CommitRange] = {}
        self._submission = Submission(config, repository, forge, journal, audit, locks)

    async def preview(
        self,
        plan: Plan,
        snapshot: FleetSnapshot | None = None,
        terms: WriteOptions | None = None,
    ) -> Preview:
        """Compute the proposals of a plan against a freshly fetched repository, with every gate.

        Args:
            plan: the changes.
            snapshot: the facts for gates and evidence; without one no gate is evaluated.
            terms: how it is to be written.

        Raises:
            SgmError: the repository cannot be reached.
        """
        terms = terms or WriteOptions()
        planner, builder = self._edit_planner, self._builder
        head, evidence = await asyncio.gather(self._repository.fetch(), self._gather_evidence(plan, snapshot))
        edits, refusals = await run_in(Lane.GIT_READS, planner.plan_edits, head, plan, snapshot)
        edits = await self._add_forecasts(await self._add_commit_ranges(edits), snapshot)
        owners = await run_in(Lane.GIT_READS, builder.read_owners, head)
        groups, adopted, more_refusals = await run_in(
            Lane.GIT_READS, planner.split_into_groups, head, edits, snapshot, direct=terms.direct
        )
        promotions = find_shared_promotions(groups, adopted)
        proposals = tuple(
            builder.build(
                group,
                owners,
                snapshot,
                evidence,
                replace(terms, promotion=terms.promotion or promotions.get(group.bundle, "")),
            )
            for group in groups
        )
        if self._forge is not None:
            open_branches = {one.branch for one in snapshot.open_pull_requests} if snapshot is not None else set()
            proposals = await add_closed_pull_requests(self._forge, proposals, open_branches)
        return Preview(head, proposals, (*refusals, *more_refusals), adopted)

    async def sketch(self, plan: Plan, snapshot: FleetSnapshot) -> Preview:
        """Compute the diffs against the head fetched last, at once and without gates: to look at, never to write.

        Raises:
            SgmError: nothing has been fetched yet.
        """
        planner, builder = self._edit_planner, self._builder
        head = await run_in(Lane.GIT_READS, self._repository.head)
        edits, refusals = await run_in(Lane.GIT_READS, planner.plan_edits, head, plan, snapshot)
        owners = await run_in(Lane.GIT_READS, builder.read_owners, head)
        groups, adopted, more_refusals = await run_in(Lane.GIT_READS, planner.split_into_groups, head, edits, snapshot)
        proposals = tuple(builder.build(group, owners, None, Evidence(), WriteOptions()) for group in groups)
        return Preview(head, proposals, (*refusals, *more_refusals), adopted)

    async def evaluate_gates(self, change: Change, snapshot: FleetSnapshot) -> tuple[Gate, ...]:
        """Evaluate every gate of one change, the worst first."""
        evidence = await self._gather_evidence(Plan((change,)), snapshot)
        planned = [each for each in snapshot.plan.changes if each.stage == change.stage]
        return self._builder.evaluate_gates([change], snapshot, evidence, together=[change, *planned])

    async def submit(
        self, preview: Preview, facts: Callable[[], FleetSnapshot] | None = None, consent: Consent = NO_CONSENT
    ) -> AsyncIterator[Progress]:
        """Write every proposal of a preview whose gates allow it; a failure of one does not stop the next.

        Args:
            preview: what was shown and confirmed.
            facts: returns the newest snapshot. The gates of each proposal are evaluated again just before it is
                written, because an alert may fire or a window close while the ones before it are opened. None
                evaluates nothing again.
            consent: the protected stages a person accepted; changes of other protected stages are refused.
        """
        progress: Progress
        is_written = {adopted.bundle: True for adopted in preview.adopted if not adopted.wave}
        for proposal in preview.proposals:
            if proposal.wave:
                yield _report_later_wave(proposal, is_previous_written=is_written.get(proposal.bundle, False))
                continue
            current = await self._evaluate_again(proposal, facts)
            if current.refused:
                gates = "; ".join(f"{gate.gate}: {gate.reason}" for gate in current.blocked)
                progress = Progress("blocked", current, current.unwritable or gates)
                yield progress
            else:
                async for progress in self._submission.carry_out(current, consent):
                    yield progress
            is_written[current.bundle] = is_written.get(current.bundle, True) and progress.step in ENDED

    async def _evaluate_again(self, proposal: Proposal, facts: Callable[[], FleetSnapshot] | None) -> Proposal:
        if facts is None:
            return proposal
        changes = [edit.change for edit in proposal.edits]
        evidence = await self._gather_evidence(Plan(tuple(changes)), facts())
        # Another snapshot: gathering evidence takes seconds, in which the fleet has moved on.
        gates = self._builder.evaluate_gates(changes, facts(), evidence, supersedes=proposal.supersedes)
        return replace(proposal, gates=gates)

    async def _gather_evidence(self, plan: Plan, snapshot: FleetSnapshot | None) -> Evidence:
        if self._investigator is None or snapshot is None or not plan.changes:
            return Evidence()
        evidence = await self._investigator.gather(plan, snapshot)
        if self._reverts is None:
            return evidence
        cells = [key for change in plan.changes for key in change.cells]
        return replace(evidence, quarantined=await self._reverts.find_quarantined(cells))

    async def _add_commit_ranges(self, edits: Sequence[FileEdit]) -> list[FileEdit]:
        """Add the commits between the two versions of each edit, if the service's repository is configured.

        They are only displayed, so a preview waits at most five seconds for them, and asks once for each pair.
        """
        keys = [self._version_pair(edit.change) for edit in edits]
        missing = [key for key in dict.fromkeys(keys) if key is not None and key not in self._commit_ranges]
        late: CommitRange | None = None
        if self._forge is not None and missing:
            try:
                async with asyncio.timeout(_COMPARE_TIMEOUT):
                    ranges = await asyncio.gather(*(self._forge.compare(*key) for key in missing))
                self._commit_ranges.update(zip(missing, ranges, strict=True))
            except TimeoutError:
                late = CommitRange(reason=f"no answer within {_COMPARE_TIMEOUT:.0f} s")
        return [
            edit if key is None else replace(edit, commit_range=late or self._commit_ranges.get(key))
            for edit, key in zip(edits, keys, strict=True)
        ]

    async def _add_forecasts(self, edits: Sequence[FileEdit], snapshot: FleetSnapshot | None) -> list[FileEdit]:
        """Add to each revert the forecast of what happens when it is merged."""
        if self._reverts is None or snapshot is None:
            return list(edits)
        reverts = [edit for edit in edits if edit.change.kind == "revert"]
        forecasts = await asyncio.gather(*(self._reverts.forecast_revert(snapshot, edit.change) for edit in reverts))
        extended = {
            edit.change: replace(edit, forecast=forecast) for edit, forecast in zip(reverts, forecasts, strict=True)
        }
        return [extended.get(edit.change, edit) for edit in edits]

    def _version_pair(self, change: Change) -> tuple[str, str, str] | None:
        """Return a service's own repository and the two versions; None for a revert, or if it is not configured."""
        source = self._config.github.source
        if not source or change.kind == "revert":
            return None
        return source.replace("{service}", change.service), change.from_version, change.to_version


def _report_later_wave(proposal: Proposal, *, is_previous_written: bool) -> Progress:
    """Report that a later wave is queued, or that it never opens because the first wave was not written completely."""
    if not is_previous_written:
        return Progress("blocked", proposal, "the previous wave was not written")
    text = f"wave {proposal.wave + 1} of {proposal.waves} opens once the previous wave has settled and soaked"
    return Progress("queued", proposal, text)
