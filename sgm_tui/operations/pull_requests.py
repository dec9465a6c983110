"""Doing something to a pull request: journalled before, audited after, and bound to the head a person saw."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.pull_request_actions import PullAction
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.state_files import change_lock, lock_file, run_in_thread
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in


class Forge(Protocol):
    """Where pull requests live; each raises SgmError in words when the server says no."""

    async def approve(self, number: int, head: str, consent: Consent) -> str:
        """Approve this head."""
        ...

    async def merge(self, number: int, head: str, consent: Consent) -> str:
        """Merge this head."""
        ...

    async def enable_auto_merge(self, number: int, head: str, consent: Consent) -> str:
        """Let this head merge by itself."""
        ...

    async def disable_auto_merge(self, number: int) -> str:
        """Let it not merge by itself."""
        ...

    async def update_branch(self, number: int, head: str, consent: Consent) -> str:
        """Merge the branch it goes into into its own."""
        ...

    async def close(self, number: int) -> str:
        """Close it without merging."""
        ...


class PullRequests:
    """The actions on pull requests."""

    def __init__(self, forge: Forge, journal: Journal, audit: Audit, locks: Path | None = None) -> None:
        """Act on one forge; `locks` tells other processes what is being done now."""
        self._forge = forge
        self._journal = journal
        self._audit = audit
        self._locks = locks

    async def act(self, request: PullRequest, action: PullAction, consent: Consent = NO_CONSENT) -> str:
        """Do it to the head that was seen; what happened, in words.

        Raises:
            SgmError: the server said no, the head has moved, or `consent` to a protected stage is missing.
        """
        operation = f"{action}-{request.number}-{request.head[:12]}"
        with contextlib.ExitStack() as stack:
            if self._locks is not None:
                await run_in(Lane.LOCKS, stack.enter_context, lock_file(change_lock(self._locks, operation)))
            return await self._act(operation, request, action, consent)

    async def _act(self, operation: str, request: PullRequest, action: PullAction, consent: Consent) -> str:
        stages = list(dict.fromkeys(key.stage for key, _ in request.proposes))
        accepted = sorted(consent.stages)
        facts = {
            "number": request.number, "action": action, "head": request.head, "stages": stages, "accepted": accepted,
        }  # fmt: skip
        await run_in_thread(self._journal.note, operation, "act", **facts)
        try:
            said = await done(self._forge, request.number, request.head, action, consent)
        except RefusedError as error:
            # A no is an answer: nothing was done, and nothing is left to be looked at.
            await run_in_thread(self._journal.note, operation, "done", number=request.number, refused=error.message)
            raise
        await recorded(self._audit, operation, request, request.head, action)
        await run_in_thread(self._journal.note, operation, "done", number=request.number)
        return said


async def recorded(audit: Audit, operation: str, request: PullRequest, head: str, action: PullAction) -> None:
    """Put into the audit what was done to a head of a pull request."""
    cells = [key for key, _ in request.proposes]
    stages = list(dict.fromkeys(key.stage for key in cells))
    facts = {
        "number": request.number,
        "head": head,
        "title": request.title,
        "stage": ", ".join(stages),
        "stages": stages,
        "services": list(dict.fromkeys(key.service for key in cells)),
        "clusters": list(dict.fromkeys(key.cluster for key in cells)),
    }
    await run_in_thread(audit.record, action, operation=operation, **facts)


async def done(forge: Forge, number: int, head: str, action: PullAction, consent: Consent) -> str:
    """Do it to this head; what happened, in words.

    Raises:
        SgmError: the server said no, or the head has moved.
    """
    match action:
        case "approve":
            return await forge.approve(number, head, consent)
        case "merge":
            return await forge.merge(number, head, consent)
        case "auto-merge":
            return await forge.enable_auto_merge(number, head, consent)
        case "stop-auto-merge":
            return await forge.disable_auto_merge(number)
        case "update":
            return await forge.update_branch(number, head, consent)
        case "close":
            return await forge.close(number)
