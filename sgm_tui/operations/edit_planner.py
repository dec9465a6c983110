"""Compute the exact edits of a plan, and split them into pull requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plans.plan import Change, Plan, Refusal
from sgm_tui.fleet.plans.proposal import AdoptedChange, FileEdit
from sgm_tui.fleet.plans.strategy import steps_of
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.gitops.yaml.compare import describe_differences, find_extra_keys
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.gitops.yaml.values import UnreadableError
from sgm_tui.operations.conflicts import (
    Commits,
    describe_adopted,
    must_be_exclusive,
    refuse_partial,
    split_off_adopted,
)
from sgm_tui.operations.diffs import render_diff
from sgm_tui.operations.file_changes import apply_change
from sgm_tui.operations.proposal import Group, group_edits

_STEPS_REMOVED = ("rollout.steps: [] until the next promotion, which puts the steps back",)


class StepRestorer(Protocol):
    """Knows which canary steps a fast revert removed."""

    def add_removed_steps(self, change: Change, data: bytes) -> Change:
        """Return the promotion extended by the canary steps that the last revert removed."""
        ...


class EditPlanner:
    """Turns the changes of a plan into file edits and the edits into groups; it blocks."""

    def __init__(self, config: Config, commits: Commits, removed_steps: StepRestorer | None) -> None:
        self._config = config
        self._commits = commits
        self._removed_steps = removed_steps

    def plan_edits(self, head: str, plan: Plan, snapshot: FleetSnapshot | None) -> tuple[list[FileEdit], list[Refusal]]:
        """Return every change with its exact diff, and the changes that cannot be made.

        Several changes of one file build on each other.
        """
        edits: list[FileEdit] = []
        refusals: list[Refusal] = []
        new_content: dict[str, bytes] = {}
        for change in plan.changes:
            source = self._read_source(head, change, snapshot)
            try:
                complete = self._add_extra_keys(head, change, source, new_content.get(change.path))
                file_change = apply_change(self._commits, head, complete, new_content.get(change.path))
            except (EditRefusedError, UnreadableError) as error:
                refusals.append(Refusal(change.path, str(error)))
                continue
            if file_change.before == file_change.after:
                refusals.append(Refusal(change.path, f"git already has {change.to_version}", nothing=True))
                continue
            new_content[change.path] = file_change.after
            notes = (
                *file_change.not_reverted,
                *(_STEPS_REMOVED if steps_of(complete) == [] else ()),
                *self._describe_unpromoted(complete, source, file_change.after),
            )
            diff = render_diff(change.path, file_change.before, file_change.after)
            edits.append(FileEdit(complete, diff, notes, _describe_restored_steps(complete)))
        return edits, refusals

    def split_into_groups(
        self, head: str, edits: Sequence[FileEdit], snapshot: FleetSnapshot | None, *, direct: bool = False
    ) -> tuple[list[Group], tuple[AdoptedChange, ...], list[Refusal]]:
        """Split the edits into pull-request groups, edits already covered by open pull requests, and refusals.

        Groups that are pushed directly are not compared with open pull requests.
        """
        groups = list(group_edits(edits, self._config.policy))
        if snapshot is None:
            return groups, (), []
        direct_stages = self._config.policy.direct if direct else ()
        pushed = [group for group in groups if group.edits[0].change.stage in direct_stages]
        proposed = [group for group in groups if group.edits[0].change.stage not in direct_stages]
        remaining, adopted, partial = split_off_adopted(self._commits, head, snapshot.open_pull_requests, proposed)
        refused = [refuse_partial(each) for each in partial if must_be_exclusive(self._config.policy, each.change)]
        return [*pushed, *remaining], tuple(adopted), [*describe_adopted(adopted), *refused]

    def _describe_unpromoted(self, change: Change, source: bytes | None, after: bytes) -> tuple[str, ...]:
        """Describe the keys that differ from the previous stage and are not promoted with the version."""
        if source is None:
            return ()
        promoted = (change.key, *(extra.key for extra in change.extras))
        return tuple(describe_differences(source, after, promoted, self._config.policy.protected))

    def _add_extra_keys(self, head: str, change: Change, source: bytes | None, edited_content: bytes | None) -> Change:
        """Add the keys `policy.travels` promotes along with the version, and canary steps a fast revert removed.

        Keys the change sets itself win.

        Args:
            head: the head of the deployed branch.
            change: the planned change.
            source: the file of the previous stage, or None.
            edited_content: the file as earlier changes of the plan leave it, or None if it is the first.
        """
        target = self._commits.read(head, change.path)
        if target is not None and source is not None:
            own_keys = {extra.key for extra in change.extras}
            promoted_keys = [key for key in self._config.policy.travels if key not in own_keys]
            change = replace(change, extras=(*change.extras, *find_extra_keys(source, target, promoted_keys)))
        if target is None or edited_content is not None or self._removed_steps is None:
            return change
        return self._removed_steps.add_removed_steps(change, target)

    def _read_source(self, head: str, change: Change, snapshot: FleetSnapshot | None) -> bytes | None:
        """Return the file of the previous stage that has the promoted version; None for a revert, or if unknown."""
        previous = snapshot.fleet.stage_before(change.stage) if snapshot is not None else None
        if change.kind == "revert" or snapshot is None or previous is None:
            return None
        for cluster in snapshot.fleet.clusters_of(previous.name):
            cell = snapshot.cells.get(CellKey(change.service, previous.name, cluster.name))
            desired = cell.facts.desired if cell is not None else None
            if desired is not None and desired.version == change.to_version:
                return self._commits.read(head, desired.path)
        return None


def _describe_restored_steps(change: Change) -> tuple[str, ...]:
    if not change.restores:
        return ()
    return (f"the canary steps that the revert {change.restores[0][:8]} removed",)
