"""The plan on disk: it survives a restart, and is shared by all terminals of a user.

Every change applies to the current content of the file, under a lock, and replaces it atomically. An unreadable file is
renamed, never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sgm_tui.fleet.plans.document import document_of, plan_of
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.json_reader import read_json
from sgm_tui.operations.state_files import lock_file, replace_text, report_unusable


class PlanFile:
    """The plan of one user for one repository."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_stamp = 0
        self._plan = Plan()

    @property
    def plan(self) -> Plan:
        """The plan as last read or written."""
        return self._plan

    def reload(self) -> bool:
        """Read the file again if another terminal has written it; return whether it has.

        Raises:
            RefusedError: the file cannot be read.
        """
        try:
            stamp = self._file.stat().st_mtime_ns if self._file.exists() else 0
            if stamp == self._read_stamp:
                return False
            self._plan, self._read_stamp = self._read(), stamp
        except OSError as error:
            raise report_unusable(self._file, error) from error
        return True

    def update(self, change: Callable[[Plan], Plan]) -> Plan:
        """Apply a change to the plan in the file, and return the new plan.

        Raises:
            RefusedError: it cannot be saved; then nothing was changed.
        """
        with lock_file(self._file):
            try:
                plan = change(self._read())
            except OSError as error:
                raise report_unusable(self._file, error) from error
            replace_text(self._file, json.dumps(document_of(plan)))
            self._read_stamp = self._file.stat().st_mtime_ns
        self._plan = plan
        return plan

    def _read(self) -> Plan:
        if not self._file.exists():
            return Plan()
        try:
            return plan_of(read_json(self._file.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError):
            # Written by another version or damaged: renamed so that a person can look at it.
            self._file.replace(self._file.with_suffix(".unreadable"))
            return Plan()
