"""What has happened while pull requests were opened: each that is through is one line, the one under way its steps."""

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
"""Steps after which a pull request, or a commit on the branch, is there and goes on."""
_PATIENCE_SECONDS = 3.0
"""A step usually takes less; what takes longer is said to wait, and for whom."""


class Course:
    """Steps in the order they came, and what else was said."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds that never go back."""
        self._clock = clock
        self._since = clock()
        """When the newest step began."""
        self._steps: list[Progress | Line] = []
        self._began = 0
        """Where the steps of the newest pull request begin."""

    def step(self, progress: Progress) -> None:
        """The next step; where it is the end of a pull request, the steps before it have been read."""
        newest = self._steps[-1] if self._steps else None
        if not isinstance(newest, Progress) or newest.proposal.branch != progress.proposal.branch:
            self._began = len(self._steps)
        if progress.step in ENDED:
            del self._steps[self._began :]
        self._steps.append(progress)
        self._since = self._clock()

    def say(self, *lines: Line) -> None:
        """What is no step."""
        self._steps += lines

    def clear(self) -> None:
        """Begin anew."""
        self._steps.clear()
        self._began = 0

    def lines(self, width: int, snapshot: FleetSnapshot | None = None) -> list[Line]:
        """All of it in `width` cells; a step that another one follows is over, and looks so.

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
        """For whom the newest step waits and how long already, once it takes longer than usual."""
        newest, seconds = self._steps[-1] if self._steps else None, self._clock() - self._since
        if not isinstance(newest, Progress) or newest.step not in _AWAITED or seconds < _PATIENCE_SECONDS:
            return []
        whom = "git" if newest.proposal.direct else _AWAITED[newest.step]
        return [((f"  no answer for {age(timedelta(seconds=seconds))}: waiting for {whom}", Tone.BUSY),)]
