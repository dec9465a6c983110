"""The plan (the cart): the changes a person has staged, before anything is written.

A change is one edit of one file for one cell or one whole stage. Building a plan is pure; its exact diff needs the
file's bytes and comes from `operations.promoter`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version

ChangeKind = Literal["promotion", "revert"]
_STEPS = 20
"""The number of steps that can be undone."""


@dataclass(frozen=True, slots=True)
class Extra:
    """One further key that is written together with the version: a strategy, or a value that travels with it."""

    key: str
    value: str
    """The new value as JSON text; "" removes the key from the file."""
    why: str = ""
    """Why it is written: "strategy canary10-30-60", "travels with the version"."""


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
    """Every cell that its merge changes."""
    strategy: str = ""
    """The requested rollout strategy by name; "" where the file's own stays."""
    extras: tuple[Extra, ...] = ()
    undoes: tuple[str, ...] = ()
    """A revert that restores everything: the first-parent commits whose part in this file is undone, newest first."""
    restores: tuple[str, ...] = ()
    """A promotion that restores the steps a fast revert removed: the commit of that revert, and those it undid."""
    marks_bad: str = ""
    """Why the replaced version is known bad; the commit records it, and everybody's gates quarantine the version."""

    @property
    def place(self) -> str:
        """The cluster it changes, or the stage when the file serves all of it."""
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
    nothing: bool = False
    """Whether there is nothing to do, which is no failure: git or an open pull request has it already."""
    number: int = 0
    """The open pull request that has it already; 0 where none does."""


@dataclass(frozen=True, slots=True)
class StagingResult:
    """The result of one request: the changes to stage, and the refusals."""

    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything staged, in the order it was staged; one change per file and key."""

    changes: tuple[Change, ...] = ()
    before: tuple[tuple[Change, ...], ...] = ()
    """The changes before each of the last steps, the newest last, for undo."""

    def with_change(self, *changes: Change) -> Plan:
        """Return the plan with these changes as one step; each replaces an earlier change of its file and key."""
        new = [one for one in changes if one not in self.changes]
        places = {(one.path, one.key) for one in new}
        return self._step((*(one for one in self.changes if (one.path, one.key) not in places), *new))

    def with_replacement(self, old: Change, new: Change) -> Plan:
        """Return the plan with `new` in the place of `old`."""
        return self._step(tuple(new if one == old else one for one in self.changes))

    def without(self, *changes: Change) -> Plan:
        """Return the plan without `changes`."""
        return self._step(tuple(one for one in self.changes if one not in changes))

    def without_written(self, *changes: Change) -> Plan:
        """Return the plan without written changes, matched by key and version: a write may have added further keys.

        Undo does not restore them: git has them.
        """
        done = {(one.path, one.key, one.to_version) for one in changes}

        def without_done(staged: tuple[Change, ...]) -> tuple[Change, ...]:
            return tuple(one for one in staged if (one.path, one.key, one.to_version) not in done)

        steps = [changes for changes, _ in groupby(map(without_done, (*self.before, self.changes)))]
        return Plan(steps[-1], tuple(steps[:-1]))

    def before_last_step(self) -> Plan:
        """Return the plan before the last step, whether that staged, edited or dropped a change."""
        return Plan(self.before[-1], self.before[:-1]) if self.before else self

    def _step(self, changes: tuple[Change, ...]) -> Plan:
        return self if changes == self.changes else Plan(changes, (*self.before, self.changes)[-_STEPS:])

    def staged_versions(self) -> dict[CellKey, Version]:
        """Return the staged version of each cell."""
        return {cell: change.to_version for change in self.changes for cell in change.cells}
