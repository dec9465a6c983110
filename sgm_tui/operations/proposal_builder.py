"""Build proposals from grouped edits: branch, title, text, labels, reviewers and gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.fleet.codeowners import PLACES, Owners
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.gates.evaluation import evaluate_gates
from sgm_tui.fleet.gates.evidence import Evidence
from sgm_tui.fleet.model import StageName
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Proposal, Superseded, WriteOptions
from sgm_tui.fleet.plans.superseding import find_replaceable
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.operations.file_changes import Files
from sgm_tui.operations.proposal import Group, branch_of, title_of
from sgm_tui.operations.pull_request_body import render_body


class DeployedBranch(Files, Protocol):
    """The clone, and the branch that is deployed."""

    @property
    def branch(self) -> str:
        """The branch that is deployed."""
        ...


class ProposalBuilder:
    """Builds the proposals of a plan under one configuration."""

    def __init__(self, config: Config, repository: DeployedBranch, *, has_forge: bool) -> None:
        """Without a forge only direct pushes can be written; other proposals say so."""
        self._config = config
        self._repository = repository
        self._has_forge = has_forge

    def build(
        self, group: Group, owners: Owners, snapshot: FleetSnapshot | None, evidence: Evidence, terms: WriteOptions
    ) -> Proposal:
        """Build the proposal of a group; without a snapshot no gate is evaluated."""
        edits = group.edits
        changes = [edit.change for edit in edits]
        stage = changes[0].stage
        labels = self._config.github.labels
        open_older = find_replaceable(changes, snapshot.open_pull_requests) if snapshot is not None else ()
        chosen = terms.supersede
        supersedes = chosen if isinstance(chosen, tuple) else open_older if chosen else ()
        gates = self.evaluate_gates(changes, snapshot, evidence, supersedes=supersedes) if snapshot is not None else ()
        pushable = stage in self._config.policy.direct
        direct = terms.direct and pushable
        proposal = Proposal(
            stage=stage,
            branch=self._repository.branch if direct else branch_of(changes),
            title=title_of(changes),
            body="",
            edits=edits,
            labels=(*labels, *(label for label in (f"stage/{stage}",) if label not in labels)),
            reviewers=tuple(dict.fromkeys(owner for change in changes for owner in owners.of(change.path))),
            gates=gates,
            override=terms.override.narrow_to(gates) if terms.override is not None else None,
            reason=terms.reason,
            direct=direct,
            pushable=pushable,
            unwritable="" if direct or self._has_forge else _explain_unwritable(stage, pushable=pushable),
            bundle=group.bundle,
            wave=group.wave,
            waves=group.waves,
            replaceable=open_older,
            supersedes=supersedes,
            promotion=terms.promotion,
        )
        return self._add_body(proposal, snapshot, owners)

    def _add_body(self, proposal: Proposal, snapshot: FleetSnapshot | None, owners: Owners) -> Proposal:
        body = render_body(
            proposal.edits,
            proposal.gates,
            snapshot,
            self._config,
            override=proposal.override,
            reason=proposal.reason,
            supersedes=proposal.supersedes,
            owners={edit.change.path: owners.of(edit.change.path) for edit in proposal.edits},
        )
        return replace(proposal, body=body)

    def evaluate_gates(
        self,
        changes: Sequence[Change],
        snapshot: FleetSnapshot,
        evidence: Evidence,
        *,
        together: Sequence[Change] = (),
        supersedes: tuple[Superseded, ...] = (),
    ) -> tuple[Gate, ...]:
        """Evaluate every gate of these changes.

        Args:
            changes: the changes to evaluate.
            snapshot: the facts.
            evidence: what no source watches.
            together: the changes written together with them, if more than `changes`.
            supersedes: the pull requests they supersede.
        """
        policy, now = self._config.policy, snapshot.generated_at
        cells = {key for change in (together or changes) for key in change.cells}
        return tuple(
            gate
            for change in changes
            for gate in evaluate_gates(change, snapshot, policy, evidence, now, together=cells, supersedes=supersedes)
        )

    def read_owners(self, head: str) -> Owners:
        """Read the CODEOWNERS of a commit; it has no owners if there is none."""
        for place in PLACES:
            data = self._repository.read(head, place)
            if data is not None:
                return Owners(data.decode("utf-8-sig", "replace"))
        return Owners("")


def _explain_unwritable(stage: StageName, *, pushable: bool) -> str:
    alternative = (
        "press D (--direct) to push it instead" if pushable else f"and policy.direct does not allow a push to {stage}"
    )
    return f"github.repository is not set in sgm.yaml, so no pull request can be opened; {alternative}"
