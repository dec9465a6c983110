"""The plan on disk: it survives a restart, and every terminal of one person fills the same cart.

Every change is made on what is in the file at that moment, under a lock, and written in one step; a file that cannot
be read is set aside, never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sgm_tui.fleet.plans.document import document_of, plan_of
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.operations.state_files import lock_file, replace_text, report_unusable


class PlanFile:
    """One person's plan for one repository."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = 0
        self._plan = Plan()

    @property
    def plan(self) -> Plan:
        """The plan as last read."""
        return self._plan

    def reload(self) -> bool:
        """Read the file again if another terminal wrote it; whether there is something new.

        Raises:
            RefusedError: the file cannot be read.
        """
        try:
            stamp = self._file.stat().st_mtime_ns if self._file.exists() else 0
            if stamp == self._seen:
                return False
            self._plan, self._seen = self._read(), stamp
        except OSError as error:
            raise report_unusable(self._file, error) from error
        return True

    def update(self, change: Callable[[Plan], Plan]) -> Plan:
        """Change the plan as it is now, whoever wrote it last.

        Raises:
            RefusedError: it cannot be kept; then nothing was changed.
        """
        with lock_file(self._file):
            try:
                plan = change(self._read())
            except OSError as error:
                raise report_unusable(self._file, error) from error
            replace_text(self._file, json.dumps(document_of(plan)))
            self._seen = self._file.stat().st_mtime_ns
        self._plan = plan
        return plan

    def _read(self) -> Plan:
        if not self._file.exists():
            return Plan()
        try:
            return plan_of(json.loads(self._file.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError):
            # FileChange by another version or damaged: kept for a person to look at, never taken for a plan.
            self._file.replace(self._file.with_suffix(".unreadable"))
            return Plan()
