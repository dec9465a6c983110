"""Versions known bad by a pull request whose commit says so no more: somebody replaced its message in squashing it.

Only what went back to an earlier version, by a commit that has no trailer of ours, is asked about, and each once;
where its message names no pull request any more, GitHub says which it was. Where GitHub does not answer it is not
known, which holds the version that was left.
"""

from __future__ import annotations

from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.history.trailers import Mark
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.gitops.history import History
from sgm_tui.threads import Lane, run_in


class Pulls(Protocol):
    """Where pull requests are looked up."""

    async def find_merged(self, commit: str) -> int:
        """The one that was merged as this commit; 0 when none was."""
        ...

    async def fetch_marks(self, number: int, commit: str) -> tuple[Mark, ...]:
        """The versions one of ours, merged as this commit, marks as known bad."""
        ...


class PullRequestMarks:
    """What the pull requests say; one that has answered is not asked again."""

    def __init__(self, history: History, pulls: Pulls) -> None:
        self._history = history
        self._pulls = pulls
        self._answered: dict[str, tuple[int, tuple[Mark, ...]]] = {}

    async def of(self, service: ServiceName) -> dict[Version, str]:
        """Version → why it is known bad, or why that is not known.

        Raises:
            SgmError: the repository cannot be read.
        """
        bad: dict[Version, str] = {}
        for commit, (named, left) in (
            await run_in(Lane.GIT_READS, self._history.reverts_without_trailers, service)
        ).items():
            try:
                number, marks = await self._answer(commit, named)
            except SgmError as error:
                who = f"#{named}" if named else f"the pull request of {commit[:8]}"
                bad[left] = f"whether {who} marked it as known bad is unknown: {error.message}"
                continue
            for one in marks:
                gone = await run_in(Lane.GIT_READS, self._history.is_unmarked_since, commit, service, one.version)
                if one.service == service and not gone:
                    bad[one.version] = f"known bad: {one.reason} ({one.by}, #{number})"
        return bad

    async def _answer(self, commit: str, named: int) -> tuple[int, tuple[Mark, ...]]:
        """The pull request a commit came from, 0 for none, and what it marks."""
        if commit not in self._answered:
            number = named or await self._pulls.find_merged(commit)
            self._answered[commit] = number, await self._pulls.fetch_marks(number, commit) if number else ()
        return self._answered[commit]
