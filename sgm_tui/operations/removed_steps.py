"""The steps of a canary that a fast way back left out: the next promotion puts them back.

A revert with the strategy `[]` writes `rollout.steps: []`, so that nothing is walked at night. Left like that, the next
version would reach everybody at once, by daylight and unasked. What the revert would have left without that strategy is
made anew from git, and what differs from it is undone, byte for byte.
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
from sgm_tui.operations.file_changes import Files, without_strategy

_NONE = "[]"


class RemovedSteps:
    """Finds what a promotion is to put back; it blocks."""

    def __init__(self, config: Config, files: Files, history: History) -> None:
        self._key = steps_key(config.layout.image_key)
        self._files = files
        self._history = history

    def put_back(self, change: Change, data: bytes) -> Change:
        """A promotion that also puts back the steps which the last way back left out; any other change as it is.

        Args:
            change: what is planned.
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
        made = replace(change, restores=(pasts[0].revision, *undone))
        return made if self._leaves_out(made, data) else change

    def _leaves_out(self, change: Change, data: bytes) -> bool:
        """Whether nothing but the strategy of that way back is undone, and the steps are still left out."""
        after = self._files.read(change.restores[0], change.path)
        try:
            if after is None or not has_value(after, self._key, _NONE) or not has_value(data, self._key, _NONE):
                return False
            without = without_strategy(self._files, change)
            keys = set(find_differing_keys(without, after))
            undo_change(data, after, without)  # what was changed since beside them must not stop the promotion
        except (EditRefusedError, UnreadableError):
            return False
        return not has_value(without, self._key, _NONE) and keys <= {self._key, self._strategy}

    @property
    def _strategy(self) -> str:
        return self._key.removesuffix("steps") + "strategy"
