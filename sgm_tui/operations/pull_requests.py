"""Act on pull requests: journalled before, audited after, and bound to the head commit a person saw."""

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
    """The actions of the forge; each returns what was done as a sentence, and raises SgmError if it is refused."""

    async def approve(self, number: int, head: str, consent: Consent) -> str:
        """Approve this head."""
        ...

    async def merge(self, number: int, head: str, consent: Consent) -> str:
        """Merge this head."""
        ...

    async def enable_auto_merge(self, number: int, head: str, consent: Consent) -> str:
        """Enable auto-merge for this head."""
        ...

    async def disable_auto_merge(self, number: int) -> str:
        """Disable auto-merge."""
        ...

    async def update_branch(self, number: int, head: str, consent: Consent) -> str:
        """Merge the base branch into the branch of the pull request."""
        ...

    async def close(self, number: int) -> str:
        """Close the pull request without merging it."""
        ...


class PullRequests:
    """Acts on the pull requests of one forge."""

    def __init__(self, forge: Forge, journal: Journal, audit: Audit, locks: Path | None = None) -> None:
        """`locks` is the directory of the locks between processes; None locks nothing."""
        self._forge = forge
        self._journal = journal
        self._audit = audit
        self._locks = locks

    async def act(self, request: PullRequest, action: PullAction, consent: Consent = NO_CONSENT) -> str:
        """Act on a pull request at the head of `request`; return what was done, as a sentence.

        Raises:
            SgmError: the forge refuses, the head has moved, or `consent` to a protected stage is missing.
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
            outcome = await perform_action(self._forge, request.number, request.head, action, consent)
        except RefusedError as error:
            # A refusal is an answer: nothing was done, so the operation is finished.
            await run_in_thread(self._journal.note, operation, "done", number=request.number, refused=error.message)
            raise
        await record_action(self._audit, operation, request, request.head, action)
        await run_in_thread(self._journal.note, operation, "done", number=request.number)
        return outcome


async def record_action(audit: Audit, operation: str, request: PullRequest, head: str, action: PullAction) -> None:
    """Audit an action on a head of a pull request."""
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


async def perform_action(forge: Forge, number: int, head: str, action: PullAction, consent: Consent) -> str:
    """Perform an action on this head; return what was done, as a sentence.

    Raises:
        SgmError: the forge refuses, or the head has moved.
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
