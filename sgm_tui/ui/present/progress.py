"""The progress of opening pull requests: one line for each that is open, and the steps of the current one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from sgm_tui.fleet.ages import age
from sgm_tui.fleet.plans.following import outcome_of
from sgm_tui.fleet.plans.proposal import ENDED, UNWRITTEN, Progress, ProgressStep
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.plans import progress_lines
from sgm_tui.ui.present.tones import Line, Tone

_AWAITED: Mapping[ProgressStep, str] = {
    "committing": "git and GitHub",
    "pushing": "git",
    "opening": "GitHub",
    "closing": "GitHub",
}
_FOLLOWED = frozenset({"opened", "adopted", "updated", "pushed"})
"""Steps after which a pull request, or a commit on the branch, exists and is followed."""
_PATIENCE_SECONDS = 3.0
"""Seconds a step usually takes; after that the line says what it waits for."""


class WriteProgress:
    """The steps in order, and messages between them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._clock = clock
        self._since = clock()
        """When the newest step began."""
        self._steps: list[Progress | Line] = []
        self._began = 0
        """Where the steps of the newest pull request begin."""

    def step(self, progress: Progress) -> None:
        """Add a step; if it completes a pull request, the steps before it are dropped."""
        newest = self._steps[-1] if self._steps else None
        if not isinstance(newest, Progress) or newest.proposal.branch != progress.proposal.branch:
            self._began = len(self._steps)
        if progress.step in ENDED:
            del self._steps[self._began :]
        self._steps.append(progress)
        self._since = self._clock()

    def say(self, *lines: Line) -> None:
        """Add a message that is not a step."""
        self._steps += lines

    def clear(self) -> None:
        """Start over."""
        self._steps.clear()
        self._began = 0

    def lines(self, width: int, snapshot: FleetSnapshot | None = None) -> list[Line]:
        """Return all lines in `width` cells; a step followed by another one is over, and looks so.

        What was opened or pushed is followed in `snapshot`: merged, arrived, failed, closed.
        """
        lines: list[Line] = []
        for at, step in enumerate(self._steps):
            after = self._steps[at + 1] if at + 1 < len(self._steps) else None
            over = isinstance(after, Progress) and after.step not in UNWRITTEN
            if isinstance(step, Progress):
                outcome = outcome_of(step, snapshot) if snapshot is not None and step.step in _FOLLOWED else None
                lines += progress_lines(step, width, over=over, outcome=outcome)
            else:
                lines.append(step)
        return [*lines, *self._waiting()]

    def _waiting(self) -> list[Line]:
        """Return what the newest step waits for and since when, once it takes longer than usual."""
        newest, seconds = self._steps[-1] if self._steps else None, self._clock() - self._since
        if not isinstance(newest, Progress) or newest.step not in _AWAITED or seconds < _PATIENCE_SECONDS:
            return []
        whom = "git" if newest.proposal.direct else _AWAITED[newest.step]
        return [((f"  no answer for {age(timedelta(seconds=seconds))}: waiting for {whom}", Tone.BUSY),)]
