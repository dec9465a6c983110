"""Known-bad marks of pull requests whose commit lost its trailers, because its message was replaced when squashing.

Only commits that revert to an earlier version and have no trailer of sgm are looked up, each once. If the message does
not name its pull request, GitHub says which it was. If GitHub does not answer, the mark is unknown, and the reverted
version is quarantined.
"""

from __future__ import annotations

from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.history.trailers import Mark
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.gitops.history import History
from sgm_tui.threads import Lane, run_in


class Pulls(Protocol):
    """Looks up merged pull requests."""

    async def find_merged(self, commit: str) -> int:
        """Find the number of the pull request merged as this commit; 0 if there is none."""
        ...

    async def fetch_marks(self, number: int, commit: str) -> tuple[Mark, ...]:
        """Fetch the versions that a pull request of sgm, merged as this commit, marks as known bad."""
        ...


class PullRequestMarks:
    """The known-bad marks of merged pull requests; each is fetched once."""

    def __init__(self, history: History, pulls: Pulls) -> None:
        self._history = history
        self._pulls = pulls
        self._fetched: dict[str, tuple[int, tuple[Mark, ...]]] = {}

    async def of(self, service: ServiceName) -> dict[Version, str]:
        """Return version → why it is known bad, or why that is unknown.

        Raises:
            SgmError: the repository cannot be read.
        """
        bad: dict[Version, str] = {}
        reverts = await run_in(Lane.GIT_READS, self._history.reverts_without_trailers, service)
        for commit, (named_number, reverted_version) in reverts.items():
            try:
                number, marks = await self._fetch(commit, named_number)
            except SgmError as error:
                origin = f"#{named_number}" if named_number else f"the pull request of {commit[:8]}"
                bad[reverted_version] = f"whether {origin} marked it as known bad is unknown: {error.message}"
                continue
            for mark in marks:
                is_unmarked = await run_in(
                    Lane.GIT_READS, self._history.is_unmarked_since, commit, service, mark.version
                )
                if mark.service == service and not is_unmarked:
                    bad[mark.version] = f"known bad: {mark.reason} ({mark.by}, #{number})"
        return bad

    async def _fetch(self, commit: str, named_number: int) -> tuple[int, tuple[Mark, ...]]:
        """Return the pull request a commit was merged from (0 for none) and the versions it marks."""
        if commit not in self._fetched:
            number = named_number or await self._pulls.find_merged(commit)
            self._fetched[commit] = number, await self._pulls.fetch_marks(number, commit) if number else ()
        return self._fetched[commit]
