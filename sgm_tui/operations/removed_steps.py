"""Restore the canary steps that a fast revert removed, with the next promotion.

A revert with the strategy `[]` writes `rollout.steps: []`, so that the previous version is back at once. Without the
steps the next promotion would skip its canary, which nobody asked for. What the revert would have written without that
strategy is computed again from git, and the difference is undone byte for byte.
"""

from __future__ import annotations

from dataclasses import replace

from sgm_tui.config.schema import Config
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.strategy import steps_key
from sgm_tui.gitops.history import History
from sgm_tui.gitops.yaml.compare import find_differing_keys, has_value
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.gitops.yaml.undo import undo_change
from sgm_tui.gitops.yaml.values import UnreadableError
from sgm_tui.operations.file_changes import Files, revert_keeping_strategy

_NONE = "[]"


class RemovedSteps:
    """Finds the canary steps a promotion is to restore; it blocks."""

    def __init__(self, config: Config, files: Files, history: History) -> None:
        self._key = steps_key(config.layout.image_key)
        self._files = files
        self._history = history

    def add_removed_steps(self, change: Change, data: bytes) -> Change:
        """Return a promotion extended by the steps that the last revert removed; any other change is unchanged.

        Args:
            change: the planned change.
            data: its file as it is now.

        Raises:
            SgmError: the repository cannot be read.
        """
        if change.kind != "promotion" or any(extra.key == self._key for extra in change.extras):
            return change
        pasts = self._history.past_versions(change.cells[0])
        target = next((past for past in pasts[1:] if past.version == change.from_version), None)
        if target is None or pasts[0].kind != "revert" or pasts[0].path != change.path:
            return change
        undone = (past.revision for past in pasts[1 : pasts.index(target)])
        restoring = replace(change, restores=(pasts[0].revision, *undone))
        return restoring if self._has_removed_only_steps(restoring, data) else change

    def _has_removed_only_steps(self, change: Change, data: bytes) -> bool:
        """Return whether the strategy of the revert changed only the steps, and they are still missing."""
        after = self._files.read(change.restores[0], change.path)
        try:
            if after is None or not has_value(after, self._key, _NONE) or not has_value(data, self._key, _NONE):
                return False
            without = revert_keeping_strategy(self._files, change)
            keys = set(find_differing_keys(without, after))
            undo_change(
                data, after, without
            )  # refused here if lines next to them have changed: the promotion goes on without
        except (EditRefusedError, UnreadableError):
            return False
        return not has_value(without, self._key, _NONE) and keys <= {self._key, self._strategy}

    @property
    def _strategy(self) -> str:
        return self._key.removesuffix("steps") + "strategy"
