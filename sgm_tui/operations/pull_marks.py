"""Versions known bad by a pull request whose commit says so no more: somebody replaced its message in squashing it.

Only what went back to an earlier version, by a commit that names a pull request and has no trailer of ours, is asked
about, and each once. Where GitHub does not answer it is not known, which holds the version that was left.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.trailers import Mark
from sgm_tui.gitops.history import History


class Pulls(Protocol):
    """Where pull requests are looked up."""

    async def marks_of(self, number: int, commit: str) -> tuple[Mark, ...]:
        """The versions one of ours, merged as this commit, marks as known bad."""
        ...


class PullMarks:
    """What the pull requests say; one that has answered is not asked again."""

    def __init__(self, history: History, pulls: Pulls) -> None:
        self._history = history
        self._pulls = pulls
        self._answered: dict[str, tuple[Mark, ...]] = {}

    async def of(self, service: ServiceName) -> dict[Version, str]:
        """Version → why it is known bad, or why that is not known.

        Raises:
            SgmError: the repository cannot be read.
        """
        bad: dict[Version, str] = {}
        for commit, (number, left) in (await asyncio.to_thread(self._history.silent_reverts, service)).items():
            try:
                if commit not in self._answered:
                    self._answered[commit] = await self._pulls.marks_of(number, commit)
            except SgmError as error:
                bad[left] = f"whether #{number} marked it known bad is not known: {error.message}"
                continue
            for one in self._answered[commit]:
                gone = await asyncio.to_thread(self._history.let_go_since, commit, service, one.version)
                if one.service == service and not gone:
                    bad[one.version] = f"known bad: {one.reason} ({one.by}, #{number})"
        return bad
