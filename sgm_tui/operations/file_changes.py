"""Apply one change to its file: the version, the keys that go with it, or everything a revert undoes."""

from __future__ import annotations

import dataclasses
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
from sgm_tui.json_reader import read_json


class Files(Protocol):
    """Read access to the files of commits."""

    def read(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit, or None if the commit does not have it."""
        ...


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file before and after a change."""

    before: bytes
    after: bytes
    not_reverted: tuple[str, ...] = ()
    """The commits that a revert could not undo completely, each with the reason."""


def apply_change(files: Files, head: str, change: Change, content: bytes | None = None) -> FileChange:
    """Apply a change to its file as it is at `head`, or to `content` if an earlier change of the plan altered it.

    Raises:
        EditRefusedError: the change cannot be made safely; the message is the reason.
    """
    before = content if content is not None else files.read(head, change.path)
    if before is None:
        raise EditRefusedError(f"{change.path} is no longer in git")
    if change.undoes:
        after, not_reverted = _undo_commits(files, before, change)
    elif change.restores:
        after, not_reverted = _set_version(_restore_steps(files, before, change), change), ()
    else:
        after, not_reverted = _set_version(before, change), ()
    try:
        for extra in change.extras:
            if not has_value(after, extra.key, extra.value):
                after = _set(after, extra.key, read_json(extra.value)) if extra.value else remove_key(after, extra.key)
    except UnreadableError as error:
        raise EditRefusedError(str(error)) from error
    return FileChange(before, after, not_reverted)


def _set(data: bytes, key: str, value: Value) -> bytes:
    """Set a key, and the mappings above it that the file leaves to the chart's defaults."""
    parent, _, name = key.rpartition(".")
    if parent and has_value(data, parent, ""):
        return _set(data, parent, {name: value})
    return set_value(data, key, value)


def _set_version(before: bytes, change: Change) -> bytes:
    try:
        return edit(before, change.key, change.to_version, expected=change.from_version)
    except EditRefusedError:
        # Somebody else may have promoted the very same version since: then there is nothing to do.
        if _version(before, change) == change.to_version:
            return before
        raise


def _undo_commits(files: Files, before: bytes, change: Change) -> tuple[bytes, tuple[str, ...]]:
    """Undo everything the commits changed in this file; at least the version, if its lines were changed since."""
    if _version(before, change) not in {change.from_version, change.to_version}:
        raise EditRefusedError(
            f"{change.key} is {_version(before, change)} now: it was changed meanwhile; stage it again"
        )
    after, not_reverted = before, []
    for commit in change.undoes:
        new, old = files.read(commit, change.path), files.read(f"{commit}^1", change.path)
        if new is None or old is None:
            not_reverted.append(f"{commit[:8]} added or moved the file: only the version is reverted")
            continue
        try:
            after = undo_change(after, new, old)
        except EditRefusedError as error:
            not_reverted.append(f"{commit[:8]} is not fully reverted: {error}")
    if _version(after, change) != change.to_version:
        after = edit(after, change.key, change.to_version)
    return after, tuple(not_reverted)


def _restore_steps(files: Files, before: bytes, change: Change) -> bytes:
    """Restore the canary steps that a fast revert removed, byte for byte as that revert would have left them."""
    commit, *_ = change.restores
    after = files.read(commit, change.path)
    if after is None:
        raise EditRefusedError(f"{commit[:8]} does not have {change.path}: its steps cannot be restored")
    return undo_change(before, after, revert_keeping_strategy(files, change))


def revert_keeping_strategy(files: Files, change: Change) -> bytes:
    """Return what the revert that `change` restores from would have written, had it kept the canary steps.

    Raises:
        EditRefusedError: this cannot be determined.
    """
    commit, *undone = change.restores
    parent = files.read(f"{commit}^1", change.path)
    if parent is None:
        raise EditRefusedError(f"{commit[:8]} added {change.path}")
    revert = dataclasses.replace(
        change,
        kind="revert",
        from_version=Version(_version(parent, change)),
        to_version=change.from_version,
        undoes=tuple(undone),
    )
    return _undo_commits(files, parent, revert)[0]


def _version(data: bytes, change: Change) -> str:
    try:
        return read_version(data, change.key)
    except UnreadableError as error:
        raise EditRefusedError(str(error)) from error
