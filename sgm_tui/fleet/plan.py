"""The plan (the cart): what a person has staged, before anything is written.

A change is one edit of one file for one cell or one whole stage. Building a plan is pure; its exact diff needs the
file's bytes and comes from `operations.promote`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version

ChangeKind = Literal["promotion", "revert"]


@dataclass(frozen=True, slots=True)
class Change:
    """One staged edit."""

    kind: ChangeKind
    service: ServiceName
    stage: StageName
    cluster: ClusterName | None
    """None when the file serves the whole stage."""
    path: str
    key: str
    from_version: Version
    to_version: Version
    cells: tuple[CellKey, ...]
    """Every cell that moves when this is merged."""

    @property
    def place(self) -> str:
        """Where it lands: the cluster, or the stage when the file serves all of it."""
        return self.cluster or self.stage

    @property
    def subject(self) -> str:
        """The conventional commit subject of this change (design §4)."""
        verb = "feat" if self.kind == "promotion" else "revert"
        return f"{verb}({self.service}): {self.place} -> {self.to_version}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a change cannot be staged or written."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything staged, in the order it was staged; one change per file."""

    changes: tuple[Change, ...] = ()

    def with_change(self, change: Change) -> Plan:
        """The plan with `change`, which replaces an earlier change of the same file."""
        kept = tuple(one for one in self.changes if (one.path, one.key) != (change.path, change.key))
        return Plan((*kept, change))

    def without(self, change: Change) -> Plan:
        """The plan without `change`."""
        return Plan(tuple(one for one in self.changes if one != change))

    def undone(self) -> Plan:
        """The plan without its newest change."""
        return Plan(self.changes[:-1])

    def staged(self) -> dict[CellKey, Version]:
        """Cell → the version staged for it."""
        return {cell: change.to_version for change in self.changes for cell in change.cells}


@dataclass(frozen=True, slots=True)
class FileEdit:
    """One change with the exact diff it makes."""

    change: Change
    diff: str
    """Unified diff of the file, cleaned for showing."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One pull request as it would be opened."""

    stage: StageName
    branch: str
    """Deterministic from the content, so that a retry finds instead of duplicating."""
    title: str
    body: str
    edits: tuple[FileEdit, ...]
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    """Owners from CODEOWNERS: "@user" or "@org/team"."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan against the repository as it is now: what would be written, what would not and why."""

    base: str
    """Commit the diffs were made against."""
    proposals: tuple[Proposal, ...] = ()
    refusals: tuple[Refusal, ...] = ()


ProgressStep = Literal["committing", "pushing", "opening", "opened", "adopted", "nothing", "failed"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of opening pull requests, as it happens."""

    step: ProgressStep
    proposal: Proposal
    text: str = ""
    """What happened; on failure also what to do next."""
    number: int = 0
    url: str = ""
    commit: str = ""
