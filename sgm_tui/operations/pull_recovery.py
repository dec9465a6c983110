"""Finish unfinished actions on pull requests; the forge shows whether an action was done.

An action is bound to the head commit a person saw, so repeating it cannot affect anything else. An action that was
done without being audited is audited then.
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
from sgm_tui.operations.pull_requests import Forge, perform_action, record_action
from sgm_tui.operations.state_files import run_in_thread
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in

ActionOutcome = Literal["yes", "no", "never"]
"""Whether an action was done, was not done yet, or cannot be done any more."""


class PullRequestReader(Forge, Protocol):
    """The actions of the forge, and access to its pull requests."""

    async def fetch(self, number: int) -> PullRequest:
        """Fetch a pull request; `approved` says whether this user has approved its head."""
        ...


class PullRecovery:
    """Resumes and discards unfinished actions on pull requests."""

    def __init__(self, forge: PullRequestReader, journal: Journal, audit: Audit) -> None:
        self._forge = forge
        self._journal = journal
        self._audit = audit

    async def assess(self, operation: str, entries: Sequence[Entry]) -> UnfinishedWrite:
        """Assess whether an action was done, and its one safe next step.

        Raises:
            SgmError: the forge does not answer, or the journal entry cannot be understood.
        """
        action, number, head = _parse_action(entries[0])
        request = await self._forge.fetch(number)
        outcome = check_outcome(action, request, head)
        explained = {
            "yes": "already done: only the record is missing",
            "no": "not done yet: resume applies it to the same head commit",
            "never": "not done, and no longer possible: review the pull request again",
        }[outcome]
        return UnfinishedWrite(
            operation=operation,
            title=f"#{number}: {ACTION_NAMES[action]}",
            branch=request.branch,
            began_at=datetime.fromisoformat(str(entries[0]["at"])),
            reached="act",
            found=f"pull request #{number} ({request.state})",
            advice="discard" if outcome == "never" else "resume",
            explained=explained,
            stages=tuple(dict.fromkeys((*_stages(entries[0]), *map(StageName, sorted(_accepted(entries[0]).stages))))),
        )

    async def resume(self, operation: str, entries: Sequence[Entry], consent: Consent = NO_CONSENT) -> Progress:
        """Perform an action that was not done, and audit it.

        It has the consent it was begun with, and `consent` in addition.

        Raises:
            RefusedError: it cannot be done any more; it stays in the list.
        """
        action, number, head = _parse_action(entries[0])
        request = await self._forge.fetch(number)
        outcome = check_outcome(action, request, head)
        if outcome == "never":
            raise RefusedError(f"#{number} is {request.state} or has new commits: nothing was done", "sgm plan discard")
        text = f"#{number}: done: {ACTION_NAMES[action]}"
        if outcome == "no":
            text = await perform_action(self._forge, number, head, action, _accepted(entries[0]) | consent)
        if not await run_in(Lane.RECORDS, self._is_recorded, operation, str(entries[0]["at"])):
            await record_action(self._audit, operation, request, head, action)
        await run_in_thread(self._journal.note, operation, "done", number=number)
        stage = next(iter(_stages(entries[0])), StageName(""))
        proposal = Proposal(stage, request.branch, request.title, "", ())
        return Progress("done", proposal, text, number, request.url)

    def _is_recorded(self, operation: str, since: str) -> bool:
        """Return whether the action was audited before the process died."""
        return any(
            record.get("operation") == operation and str(record["at"]) >= since for record in self._audit.records()
        )

    async def discard(self, operation: str) -> str:
        """Remove an action from the list; the pull request stays as it is."""
        await run_in_thread(self._journal.note, operation, "discarded")
        return "removed from the list; the pull request is unchanged"


def check_outcome(action: PullAction, request: PullRequest, head: str) -> ActionOutcome:
    """Return whether an action on a head was done, can still be done, or cannot be done any more.

    Args:
        action: the action.
        request: the pull request now; `approved` says whether this user has approved it.
        head: the head commit the action was bound to.
    """
    is_open, unmoved = request.state == "open", request.head == head
    is_done = {
        "approve": request.approved and unmoved,
        "merge": request.state == "merged",
        "auto-merge": request.auto_merge or request.state == "merged",
        "stop-auto-merge": is_open and not request.auto_merge,
        "update": is_open and not unmoved,
        "close": request.state == "closed",
    }[action]
    if is_done:
        return "yes"
    return "no" if is_open and unmoved else "never"


def _accepted(entry: Entry) -> Consent:
    """Return the consent an operation was begun with.

    Older versions did not record it; they began an operation only once its stages were accepted.
    """
    accepted = entry.get("accepted")
    return Consent.to(_stages(entry) if accepted is None else map(str, accepted))


def _stages(entry: Entry) -> tuple[StageName, ...]:
    return tuple(StageName(str(name)) for name in entry.get("stages", ()))


def _parse_action(entry: Entry) -> tuple[PullAction, int, str]:
    action = next((name for name in ACTION_NAMES if name == entry.get("action")), None)
    number, head = entry.get("number"), entry.get("head")
    if action is None or not isinstance(number, int) or not isinstance(head, str):
        raise SgmError("the journal entry has no operation to resume", "It was written by an older sgm: discard it.")
    return action, number, head
