"""Actions on pull requests that were begun and never seen to their end: whether they happened is asked of the forge.

An action is bound to the head a person saw, so that doing it again does it to nothing else; what happened is recorded,
so that the audit holds it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import StageName
from sgm_tui.fleet.plans.proposal import Progress, Proposal, UnfinishedWrite
from sgm_tui.fleet.pull_request_actions import ACTION_NAMES, PullAction
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Entry, Journal
from sgm_tui.operations.pull_requests import Forge, done, recorded
from sgm_tui.operations.state_files import run_in_thread
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in

Happened = Literal["yes", "no", "never"]


class Standing(Forge, Protocol):
    """Where pull requests live and are looked at."""

    async def fetch(self, number: int) -> PullRequest:
        """One as it is now; `approved` says whether we ourselves approved its head."""
        ...


class PullRecovery:
    """Ends what was begun with a pull request."""

    def __init__(self, forge: Standing, journal: Journal, audit: Audit) -> None:
        self._forge = forge
        self._journal = journal
        self._audit = audit

    async def judged(self, operation: str, entries: Sequence[Entry]) -> UnfinishedWrite:
        """What became of it, and its one safe next step.

        Raises:
            SgmError: the forge does not answer, or the journal makes no sense.
        """
        action, number, head = _what(entries[0])
        request = await self._forge.fetch(number)
        happened = happened_to(action, request, head)
        explained = {
            "yes": "already done: only the record is missing",
            "no": "not done yet: resume applies it to the same head commit",
            "never": "not done, and no longer possible: review the pull request again",
        }[happened]
        return UnfinishedWrite(
            operation=operation,
            title=f"#{number}: {ACTION_NAMES[action]}",
            branch=request.branch,
            began_at=datetime.fromisoformat(str(entries[0]["at"])),
            reached="act",
            found=f"pull request #{number} ({request.state})",
            advice="discard" if happened == "never" else "resume",
            explained=explained,
            stages=tuple(dict.fromkeys((*_stages(entries[0]), *map(StageName, sorted(_accepted(entries[0]).stages))))),
        )

    async def resume(self, operation: str, entries: Sequence[Entry], consent: Consent = NO_CONSENT) -> Progress:
        """Record it where it happened, do it where it did not, with the consent it was begun with and `consent`.

        Raises:
            RefusedError: it cannot be done any more; it is still listed.
        """
        action, number, head = _what(entries[0])
        request = await self._forge.fetch(number)
        happened = happened_to(action, request, head)
        if happened == "never":
            raise RefusedError(f"#{number} is {request.state} or has new commits: nothing was done", "sgm plan discard")
        said = f"#{number}: done: {ACTION_NAMES[action]}"
        if happened == "no":
            said = await done(self._forge, number, head, action, _accepted(entries[0]) | consent)
        if not await run_in(Lane.RECORDS, self._is_recorded, operation, str(entries[0]["at"])):
            await recorded(self._audit, operation, request, head, action)
        await run_in_thread(self._journal.note, operation, "done", number=number)
        stage = next(iter(_stages(entries[0])), StageName(""))
        proposal = Proposal(stage, request.branch, request.title, "", ())
        return Progress("done", proposal, said, number, request.url)

    def _is_recorded(self, operation: str, since: str) -> bool:
        """Whether the process died only after the audit had it."""
        return any(one.get("operation") == operation and str(one["at"]) >= since for one in self._audit.records())

    async def discard(self, operation: str) -> str:
        """Take it off the list; what happened stays."""
        await run_in_thread(self._journal.note, operation, "discarded")
        return "removed from the list; the pull request is unchanged"


def happened_to(action: PullAction, request: PullRequest, head: str) -> Happened:
    """Whether an action on a head was done, can be done again, or can never be done any more.

    Args:
        action: what was begun.
        request: the pull request now, `approved` by ourselves.
        head: what a person saw of it.
    """
    open_, unmoved = request.state == "open", request.head == head
    reached = {
        "approve": request.approved and unmoved,
        "merge": request.state == "merged",
        "auto-merge": request.auto_merge or request.state == "merged",
        "stop-auto-merge": open_ and not request.auto_merge,
        "update": open_ and not unmoved,
        "close": request.state == "closed",
    }[action]
    if reached:
        return "yes"
    return "no" if open_ and unmoved else "never"


def _accepted(entry: Entry) -> Consent:
    """Return the consent an operation was begun with.

    Older versions did not record it; they began an operation only once its stages were accepted.
    """
    accepted = entry.get("accepted")
    return Consent.to(_stages(entry) if accepted is None else map(str, accepted))


def _stages(entry: Entry) -> tuple[StageName, ...]:
    return tuple(StageName(str(one)) for one in entry.get("stages", ()))


def _what(entry: Entry) -> tuple[PullAction, int, str]:
    action = next((one for one in ACTION_NAMES if one == entry.get("action")), None)
    number, head = entry.get("number"), entry.get("head")
    if action is None or not isinstance(number, int) or not isinstance(head, str):
        raise SgmError("the journal entry has no operation to resume", "It was written by an older sgm: discard it.")
    return action, number, head
