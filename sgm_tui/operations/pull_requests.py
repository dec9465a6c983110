"""Doing something to a pull request: journalled before, audited after, and bound to the head a person saw."""

from __future__ import annotations

from typing import Protocol

from sgm_tui.fleet.observed import PullRequest
from sgm_tui.fleet.pulls import PullAction
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.files import beside
from sgm_tui.operations.journal import Journal


class Forge(Protocol):
    """Where pull requests live; each raises SgmError in words when the server says no."""

    async def approve(self, number: int, head: str) -> str:
        """Approve this head."""
        ...

    async def merge(self, number: int, head: str) -> str:
        """Merge this head."""
        ...

    async def let_merge(self, number: int, head: str) -> str:
        """Let this head merge by itself."""
        ...

    async def stop_auto_merge(self, number: int) -> str:
        """Let it not merge by itself."""
        ...

    async def update_branch(self, number: int, head: str) -> str:
        """Merge the branch it goes into into its own."""
        ...

    async def close(self, number: int) -> str:
        """Close it without merging."""
        ...


class PullRequests:
    """The actions on pull requests."""

    def __init__(self, forge: Forge, journal: Journal, audit: Audit) -> None:
        self._forge = forge
        self._journal = journal
        self._audit = audit

    async def act(self, request: PullRequest, action: PullAction) -> str:
        """Do it to the head that was seen; what happened, in words.

        Raises:
            SgmError: the server said no, or the head has moved.
        """
        operation = f"{action}-{request.number}-{request.head[:12]}"
        await beside(self._journal.note, operation, "act", number=request.number, action=action, head=request.head)
        said = await self._done(request.number, request.head, action)
        await beside(
            self._audit.record,
            action,
            operation=operation,
            number=request.number,
            head=request.head,
            title=request.title,
        )
        await beside(self._journal.note, operation, "done", number=request.number)
        return said

    async def _done(self, number: int, head: str, action: PullAction) -> str:
        match action:
            case "approve":
                return await self._forge.approve(number, head)
            case "merge":
                return await self._forge.merge(number, head)
            case "auto-merge":
                return await self._forge.let_merge(number, head)
            case "stop-auto-merge":
                return await self._forge.stop_auto_merge(number)
            case "update":
                return await self._forge.update_branch(number, head)
            case "close":
                return await self._forge.close(number)
