"""What one change makes of its file: the version, what travels with it, or everything a revert undoes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Protocol

from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.gitops.yaml.compare import has_value
from sgm_tui.gitops.yaml.edits import EditRefusedError, edit
from sgm_tui.gitops.yaml.structured import remove_key, set_value
from sgm_tui.gitops.yaml.style import Value
from sgm_tui.gitops.yaml.undo import undo_change
from sgm_tui.gitops.yaml.values import UnreadableError, read_version


class Files(Protocol):
    """Where the files of a commit are read."""

    def read(self, commit: str, path: str) -> bytes | None:
        """A file of a commit."""
        ...


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file before and after a change."""

    before: bytes
    after: bytes
    left: tuple[str, ...] = ()
    """What a revert could not undo, and why."""


def apply_change(files: Files, head: str, change: Change, held: bytes | None = None) -> FileChange:
    """The change made to its file as it is at `head`, or to `held` where another change has been made to it already.

    Raises:
        EditRefusedError: it cannot be made safely; says why.
    """
    before = held if held is not None else files.read(head, change.path)
    if before is None:
        raise EditRefusedError(f"{change.path} is no longer in git")
    if change.undoes:
        after, left = _undone(files, before, change)
    elif change.restores:
        after, left = _with_version(_put_back(files, before, change), change), ()
    else:
        after, left = _with_version(before, change), ()
    try:
        for extra in change.extras:
            if not has_value(after, extra.key, extra.value):
                after = _put(after, extra.key, json.loads(extra.value)) if extra.value else remove_key(after, extra.key)
    except UnreadableError as error:
        raise EditRefusedError(str(error)) from error
    return FileChange(before, after, left)


def _put(data: bytes, key: str, value: Value) -> bytes:
    """Set a key, and the mappings above it that the file leaves to the chart's defaults."""
    parent, _, name = key.rpartition(".")
    if parent and has_value(data, parent, ""):
        return _put(data, parent, {name: value})
    return set_value(data, key, value)


def _with_version(before: bytes, change: Change) -> bytes:
    try:
        return edit(before, change.key, change.to_version, expected=change.from_version)
    except EditRefusedError:
        # Somebody else may have brought the very same version meanwhile: then there is nothing to do.
        if _version(before, change) == change.to_version:
            return before
        raise


def _undone(files: Files, before: bytes, change: Change) -> tuple[bytes, tuple[str, ...]]:
    """Everything the commits changed in this file taken back; at least the version, where lines were changed since."""
    if _version(before, change) not in {change.from_version, change.to_version}:
        raise EditRefusedError(
            f"{change.key} is {_version(before, change)} now: it was changed meanwhile; stage it again"
        )
    after, left = before, []
    for commit in change.undoes:
        then, earlier = files.read(commit, change.path), files.read(f"{commit}^1", change.path)
        if then is None or earlier is None:
            left.append(f"{commit[:8]} added or moved the file: only the version is reverted")
            continue
        try:
            after = undo_change(after, then, earlier)
        except EditRefusedError as refused:
            left.append(f"{commit[:8]} is not fully reverted: {refused}")
    if _version(after, change) != change.to_version:
        after = edit(after, change.key, change.to_version)
    return after, tuple(left)


def _put_back(files: Files, before: bytes, change: Change) -> bytes:
    """The file with the steps that a fast way back left out, as that way back would have left them: every byte."""
    commit, *_ = change.restores
    after = files.read(commit, change.path)
    if after is None:
        raise EditRefusedError(f"{commit[:8]} does not have {change.path}: its steps cannot be restored")
    return undo_change(before, after, without_strategy(files, change))


def without_strategy(files: Files, change: Change) -> bytes:
    """What the way back that `change` restores from would have made of the file, had it kept the steps.

    Raises:
        EditRefusedError: it cannot be told.
    """
    commit, *undone = change.restores
    found = files.read(f"{commit}^1", change.path)
    if found is None:
        raise EditRefusedError(f"{commit[:8]} added {change.path}")
    back = dataclasses.replace(
        change,
        kind="revert",
        from_version=Version(_version(found, change)),
        to_version=change.from_version,
        undoes=tuple(undone),
    )
    return _undone(files, found, back)[0]


def _version(data: bytes, change: Change) -> str:
    try:
        return read_version(data, change.key)
    except UnreadableError as error:
        raise EditRefusedError(str(error)) from error
