"""Promotion and revert: a plan becomes commits on branches, and branches become pull requests.

Nothing is written before it was previewed, and what is written is made from the head that was fetched just before,
against the values that were previewed: what changed meanwhile is refused, never overwritten. Every outward step is
journalled before it is taken and audited after. A retry finds the branch and the pull request that are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.fleet.codeowners import PLACES, Owners
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.gates.evaluation import evaluate_gates
from sgm_tui.fleet.gates.evidence import Evidence
from sgm_tui.fleet.history.cell_history import RevertForecast
from sgm_tui.fleet.model import CellKey, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Plan, Refusal
from sgm_tui.fleet.plans.proposal import (
    ENDED,
    AdoptedChange,
    CommitRange,
    FileEdit,
    Preview,
    Progress,
    Proposal,
    Superseded,
    WriteOptions,
)
from sgm_tui.fleet.plans.strategy import steps_of
from sgm_tui.fleet.plans.superseding import find_replaceable
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.gitops.yaml.compare import describe_differences, find_extra_keys
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.gitops.yaml.values import UnreadableError
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.closed_pull_requests import with_closed_earlier
from sgm_tui.operations.conflicts import describe_adopted, must_be_exclusive, refuse_partial, split_off_adopted
from sgm_tui.operations.diffs import diff_of
from sgm_tui.operations.file_changes import apply_change
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.proposal import Group, branch_of, grouped, promotions_of, title_of
from sgm_tui.operations.pull_request_body import body_of
from sgm_tui.operations.submission import Forge, Repository, Submission
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in

_TOLD_SECONDS = 5.0
_LEFT_OUT = ("rollout.steps: [] until the next promotion, which puts the steps back",)


class Investigator(Protocol):
    """Looks up what the gates need and no source watches."""

    async def gather(self, plan: Plan, snapshot: FleetSnapshot) -> Evidence:
        """What could be learned; what could not is unknown, with its reason."""
        ...


class Holder(Protocol):
    """Knows which versions must not come back, and how fast the way back is."""

    async def forecast_revert(self, snapshot: FleetSnapshot, change: Change) -> RevertForecast:
        """What will happen when a revert is merged."""
        ...

    async def find_quarantined(self, keys: Iterable[CellKey]) -> Mapping[CellKey, Mapping[Version, str]]:
        """Cell → version → why not."""
        ...


class Steps(Protocol):
    """Knows which steps of a canary were left out for a fast way back."""

    def put_back(self, change: Change, data: bytes) -> Change:
        """The promotion that also puts them back."""
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
        holder: Holder | None = None,
        removed_steps: Steps | None = None,
        *,
        locks: Path | None = None,
    ) -> None:
        """Promote on one repository; `locks` is where processes keep out of each other's way."""
        self._config = config
        self._repository = repository
        self._investigator = investigator
        self._holder = holder
        self._removed_steps = removed_steps
        self._forge = forge
        self._between: dict[tuple[str, str, str], CommitRange] = {}
        self._submission = Submission(config, repository, forge, journal, audit, locks)

    async def preview(
        self,
        plan: Plan,
        snapshot: FleetSnapshot | None = None,
        terms: WriteOptions | None = None,
    ) -> Preview:
        """The plan against a freshly fetched repository, with every gate.

        Args:
            plan: what is wanted.
            snapshot: what the gates and the evidence are taken from; without one no gate is judged.
            terms: how it is to be written.

        Raises:
            SgmError: the repository cannot be reached.
        """
        terms = terms or WriteOptions()
        head, evidence = await asyncio.gather(self._repository.fetch(), self._evidence(plan, snapshot))
        edits, refusals = await run_in(Lane.GIT_READS, self._edits, head, plan, snapshot)
        edits = await self._with_ways(await self._with_commits(edits), snapshot)
        owners = await run_in(Lane.GIT_READS, self._owners, head)
        groups, adopted, more = await run_in(Lane.GIT_READS, self._groups, head, edits, snapshot, direct=terms.direct)
        shared = promotions_of(groups, adopted)
        proposals = tuple(
            self._proposal(
                one, owners, snapshot, evidence, replace(terms, promotion=terms.promotion or shared.get(one.bundle, ""))
            )
            for one in groups
        )
        if self._forge is not None:
            there = {one.branch for one in snapshot.open_pull_requests} if snapshot is not None else set()
            proposals = await with_closed_earlier(self._forge, proposals, there)
        return Preview(head, proposals, (*refusals, *more), adopted)

    async def sketch(self, plan: Plan, snapshot: FleetSnapshot) -> Preview:
        """The diffs against what was fetched last, at once and without any gate: to look at, never to write.

        Raises:
            SgmError: nothing has been fetched yet.
        """
        head = await run_in(Lane.GIT_READS, self._repository.head)
        edits, refusals = await run_in(Lane.GIT_READS, self._edits, head, plan, snapshot)
        owners = await run_in(Lane.GIT_READS, self._owners, head)
        groups, adopted, more = await run_in(Lane.GIT_READS, self._groups, head, edits, snapshot)
        proposals = tuple(self._proposal(one, owners, None, Evidence(), WriteOptions()) for one in groups)
        return Preview(head, proposals, (*refusals, *more), adopted)

    async def evaluate_gates(self, change: Change, snapshot: FleetSnapshot) -> tuple[Gate, ...]:
        """Every gate of one change, the worst first."""
        evidence = await self._evidence(Plan((change,)), snapshot)
        planned = [one for one in snapshot.plan.changes if one.stage == change.stage]
        return self._gates([change], snapshot, evidence, together=[change, *planned])

    async def submit(
        self, preview: Preview, facts: Callable[[], FleetSnapshot] | None = None, consent: Consent = NO_CONSENT
    ) -> AsyncIterator[Progress]:
        """Write every proposal of a preview whose gates allow it; what fails says what to do and stops nothing else.

        Args:
            preview: what was shown and agreed to.
            facts: returns the newest snapshot. Every proposal is judged again by it just before it is written, for
                an alert may fire, or a window close, while those before it are opened. None judges nothing again.
            consent: the protected stages whose change a person accepted; without it their changes are refused.
        """
        reached: Progress
        written = {one.bundle: True for one in preview.adopted if not one.wave}
        for proposal in preview.proposals:
            if proposal.wave:
                yield _later(proposal, written=written.get(proposal.bundle, False))
                continue
            now = await self._judged_again(proposal, facts)
            if now.refused:
                gates = "; ".join(f"{one.gate}: {one.reason}" for one in now.blocked)
                reached = Progress("blocked", now, now.unwritable or gates)
                yield reached
            else:
                async for reached in self._submission.carry_out(now, consent):
                    yield reached
            written[now.bundle] = written.get(now.bundle, True) and reached.step in ENDED

    async def _judged_again(self, proposal: Proposal, facts: Callable[[], FleetSnapshot] | None) -> Proposal:
        if facts is None:
            return proposal
        changes = [edit.change for edit in proposal.edits]
        evidence = await self._evidence(Plan(tuple(changes)), facts())
        # Asked for once more: gathering evidence takes seconds, in which the fleet has moved on.
        gates = self._gates(changes, facts(), evidence, supersedes=proposal.supersedes)
        return replace(proposal, gates=gates)

    async def _evidence(self, plan: Plan, snapshot: FleetSnapshot | None) -> Evidence:
        if self._investigator is None or snapshot is None or not plan.changes:
            return Evidence()
        evidence = await self._investigator.gather(plan, snapshot)
        if self._holder is None:
            return evidence
        return replace(
            evidence,
            quarantined=await self._holder.find_quarantined(key for change in plan.changes for key in change.cells),
        )

    def _edits(self, head: str, plan: Plan, snapshot: FleetSnapshot | None) -> tuple[list[FileEdit], list[Refusal]]:
        """Every change with its exact diff; several changes of one file build on each other."""
        edits: list[FileEdit] = []
        refusals: list[Refusal] = []
        held: dict[str, bytes] = {}
        for change in plan.changes:
            source = self._source(head, change, snapshot)
            try:
                whole = self._with_travelling(head, change, source, held.get(change.path))
                made = apply_change(self._repository, head, whole, held.get(change.path))
            except (EditRefusedError, UnreadableError) as error:
                refusals.append(Refusal(change.path, str(error)))
                continue
            if made.before == made.after:
                refusals.append(Refusal(change.path, f"git already has {change.to_version}", nothing=True))
                continue
            held[change.path] = made.after
            moved = (change.key, *(extra.key for extra in whole.extras))
            stays = (
                () if source is None else describe_differences(source, made.after, moved, self._config.policy.protected)
            )
            stays = (*made.left, *(_LEFT_OUT if steps_of(whole) == [] else ()), *stays)
            edits.append(FileEdit(whole, diff_of(change.path, made.before, made.after), stays, _brought(whole)))
        return edits, refusals

    def _groups(
        self, head: str, edits: Sequence[FileEdit], snapshot: FleetSnapshot | None, *, direct: bool = False
    ) -> tuple[list[Group], tuple[AdoptedChange, ...], list[Refusal]]:
        """What is opened together, what open pull requests bring already, and both told for the rest."""
        groups = list(grouped(edits, self._config.policy))
        if snapshot is None:
            return groups, (), []
        allowed = self._config.policy.direct if direct else ()
        pushed = [one for one in groups if one.edits[0].change.stage in allowed]
        proposed = [one for one in groups if one.edits[0].change.stage not in allowed]
        left, adopted, parts = split_off_adopted(self._repository, head, snapshot.open_pull_requests, proposed)
        in_the_way = [refuse_partial(one) for one in parts if must_be_exclusive(self._config.policy, one.change)]
        return [*pushed, *left], tuple(adopted), [*describe_adopted(adopted), *in_the_way]

    async def _with_commits(self, edits: Sequence[FileEdit]) -> list[FileEdit]:
        """The edits with the commits that lie between their versions, where a service's repository is known.

        They are only told: a plan does not wait long for them, and asks for each pair of versions once.
        """
        keys = [self._versions_of(edit.change) for edit in edits]
        new = [key for key in dict.fromkeys(keys) if key is not None and key not in self._between]
        if self._forge is not None and new:
            try:
                async with asyncio.timeout(_TOLD_SECONDS):
                    found = await asyncio.gather(*(self._forge.compare(*key) for key in new))
                self._between.update(zip(new, found, strict=True))
            except TimeoutError:
                late = CommitRange(reason=f"no answer within {_TOLD_SECONDS:.0f} s")
                return [
                    edit if key is None else replace(edit, commit_range=late)
                    for edit, key in zip(edits, keys, strict=True)
                ]
        return [
            edit if key is None else replace(edit, commit_range=self._between.get(key))
            for edit, key in zip(edits, keys, strict=True)
        ]

    async def _with_ways(self, edits: Sequence[FileEdit], snapshot: FleetSnapshot | None) -> list[FileEdit]:
        """The edits with what will happen when they are merged, where they are reverts."""
        if self._holder is None or snapshot is None:
            return list(edits)
        reverts = [edit for edit in edits if edit.change.kind == "revert"]
        ways = await asyncio.gather(*(self._holder.forecast_revert(snapshot, edit.change) for edit in reverts))
        foretold = {edit.change: replace(edit, forecast=way) for edit, way in zip(reverts, ways, strict=True)}
        return [foretold.get(edit.change, edit) for edit in edits]

    def _versions_of(self, change: Change) -> tuple[str, str, str] | None:
        """The service's own repository and two of its versions; None where it is not configured, or for a revert."""
        source = self._config.github.source
        if not source or change.kind == "revert":
            return None
        return source.replace("{service}", change.service), change.from_version, change.to_version

    def _with_travelling(self, head: str, change: Change, source: bytes | None, held: bytes | None) -> Change:
        """The change with every key the policy lets travel, and the steps a way back left out; what it carries wins."""
        target = self._repository.read(head, change.path)
        if target is not None and source is not None:
            taken = {extra.key for extra in change.extras}
            travels = [key for key in self._config.policy.travels if key not in taken]
            change = replace(change, extras=(*change.extras, *find_extra_keys(source, target, travels)))
        if target is None or held is not None or self._removed_steps is None:
            return change
        return self._removed_steps.put_back(change, target)

    def _source(self, head: str, change: Change, snapshot: FleetSnapshot | None) -> bytes | None:
        """The file a promotion takes its version from; None where nobody can tell, and for a revert."""
        before = snapshot.fleet.stage_before(change.stage) if snapshot is not None else None
        if change.kind == "revert" or snapshot is None or before is None:
            return None
        for cluster in snapshot.fleet.clusters_of(before.name):
            cell = snapshot.cells.get(CellKey(change.service, before.name, cluster.name))
            desired = cell.facts.desired if cell is not None else None
            if desired is not None and desired.version == change.to_version:
                return self._repository.read(head, desired.path)
        return None

    def _proposal(
        self, group: Group, owners: Owners, snapshot: FleetSnapshot | None, evidence: Evidence, terms: WriteOptions
    ) -> Proposal:
        edits = group.edits
        changes = [edit.change for edit in edits]
        stage = changes[0].stage
        labels = self._config.github.labels
        in_the_way = find_replaceable(changes, snapshot.open_pull_requests) if snapshot is not None else ()
        asked = terms.supersede
        supersedes = asked if isinstance(asked, tuple) else in_the_way if asked else ()
        gates = self._gates(changes, snapshot, evidence, supersedes=supersedes) if snapshot is not None else ()
        override = terms.override.narrow_to(gates) if terms.override is not None else None
        reason, pushable = terms.reason, stage in self._config.policy.direct
        direct = terms.direct and pushable
        made = Proposal(
            stage=stage,
            branch=self._repository.branch if direct else branch_of(changes),
            title=title_of(changes),
            body="",
            edits=edits,
            labels=(*labels, *(label for label in (f"stage/{stage}",) if label not in labels)),
            reviewers=tuple(dict.fromkeys(owner for change in changes for owner in owners.of(change.path))),
            gates=gates,
            override=override,
            reason=reason,
            direct=direct,
            pushable=pushable,
            unwritable="" if direct or self._forge is not None else _no_way(stage, pushable=pushable),
            bundle=group.bundle,
            wave=group.wave,
            waves=group.waves,
            replaceable=in_the_way,
            supersedes=supersedes,
            promotion=terms.promotion,
        )
        return replace(made, body=self._body(made, snapshot, owners))

    def _body(self, made: Proposal, snapshot: FleetSnapshot | None, owners: Owners) -> str:
        owned = {edit.change.path: owners.of(edit.change.path) for edit in made.edits}
        over, reason, supersedes = made.override, made.reason, made.supersedes
        return body_of(
            made.edits, made.gates, snapshot, self._config,
            override=over, reason=reason, supersedes=supersedes, owners=owned,
        )  # fmt: skip

    def _gates(
        self,
        changes: Sequence[Change],
        snapshot: FleetSnapshot,
        evidence: Evidence,
        *,
        together: Sequence[Change] = (),
        supersedes: tuple[Superseded, ...] = (),
    ) -> tuple[Gate, ...]:
        policy, now = self._config.policy, snapshot.generated_at
        cells = {key for change in (together or changes) for key in change.cells}
        return tuple(
            gate
            for change in changes
            for gate in evaluate_gates(change, snapshot, policy, evidence, now, together=cells, supersedes=supersedes)
        )

    def _owners(self, head: str) -> Owners:
        for place in PLACES:
            data = self._repository.read(head, place)
            if data is not None:
                return Owners(data.decode("utf-8-sig", "replace"))
        return Owners("")


def _no_way(stage: StageName, *, pushable: bool) -> str:
    instead = (
        "press D (--direct) to push it instead" if pushable else f"and policy.direct does not allow a push to {stage}"
    )
    return f"github.repository is not set in sgm.yaml, so no pull request can be opened; {instead}"


def _brought(change: Change) -> tuple[str, ...]:
    if not change.restores:
        return ()
    return (f"the canary steps that the revert {change.restores[0][:8]} removed",)


def _later(proposal: Proposal, *, written: bool) -> Progress:
    """A later wave waits for the one before; where the first was not written whole there is nothing to wait for."""
    if not written:
        return Progress("blocked", proposal, "the previous wave was not written")
    text = f"wave {proposal.wave + 1} of {proposal.waves} opens once the previous wave has settled and soaked"
    return Progress("queued", proposal, text)
