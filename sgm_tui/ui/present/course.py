"""What has happened while pull requests were opened: each that is through is one line, the one under way its steps."""

from __future__ import annotations

from sgm_tui.fleet.proposal import ENDED, UNWRITTEN, Progress
from sgm_tui.ui.present.plans import progress_lines
from sgm_tui.ui.present.tones import Line


class Course:
    """Steps in the order they came, and what else was said."""

    def __init__(self) -> None:
        self._told: list[Progress | Line] = []
        self._began = 0
        """Where the steps of the newest pull request begin."""

    def step(self, progress: Progress) -> None:
        """The next step; where it is the end of a pull request, the steps before it have been read."""
        newest = self._told[-1] if self._told else None
        if not isinstance(newest, Progress) or newest.proposal.branch != progress.proposal.branch:
            self._began = len(self._told)
        if progress.step in ENDED:
            del self._told[self._began :]
        self._told.append(progress)

    def say(self, *lines: Line) -> None:
        """What is no step."""
        self._told += lines

    def lines(self, width: int) -> list[Line]:
        """All of it in `width` cells; a step that another one follows is over, and looks so."""
        found: list[Line] = []
        for at, one in enumerate(self._told):
            after = self._told[at + 1] if at + 1 < len(self._told) else None
            over = isinstance(after, Progress) and after.step not in UNWRITTEN
            found += progress_lines(one, width, over=over) if isinstance(one, Progress) else [one]
        return found
