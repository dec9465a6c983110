"""Resume or discard an unfinished write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.fleet.plans.proposal import (
    FileEdit,
    Override,
    Preview,
    Progress,
    Proposal,
    UnfinishedWrite,
    WriteOptions,
)
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Entry, Journal
from sgm_tui.operations.promoter import Promoter
from sgm_tui.operations.pull_recovery import PullRecovery
from sgm_tui.operations.state_files import run_in_thread
from sgm_tui.operations.superseding import Superseder, read_superseded
from sgm_tui.operations.unfinished_writes import (
    PullRequestFinder,
    UnfinishedWrites,
    branch_of_write,
    commit_of_write,
    read_plan,
    require_pulls,
)
from sgm_tui.operations.write_ports import Repository
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in


class Recovery:
    """Resumes and discards unfinished writes."""

    def __init__(
        self,
        repository: Repository,
        forge: PullRequestFinder | None,
        journal: Journal,
        audit: Audit,
        promoter: Promoter,
        snapshot: Callable[[], FleetSnapshot],
        *,
        locks: Path | None = None,
    ) -> None:
        """Recover on one repository.

        Args:
            repository: the clone of the GitOps repository.
            forge: None if none is configured.
            journal: has the unfinished writes.
            audit: records what is done.
            promoter: writes again what is resumed.
            snapshot: returns the newest facts, for the gates of what is resumed.
            locks: shows which writes another process is executing.
        """
        self._repository = repository
        self._journal = journal
        self._audit = audit
        self._promoter = promoter
        self._snapshot = snapshot
        self._superseder = None if forge is None else Superseder(repository, forge, journal, audit)
        self._pulls = None if forge is None else PullRecovery(forge, journal, audit)
        self._unfinished = UnfinishedWrites(repository, forge, journal, self._pulls, locks)

    async def list_unfinished(self) -> tuple[UnfinishedWrite, ...]:
        """List every unfinished write with what the server has of it and its one safe next step.

        Raises:
            SgmError: the journal cannot be read, or the server does not answer.
        """
        return await self._unfinished.list_all()

    async def count_damaged_lines(self) -> int:
        """Return how many lines of the journal are damaged: a write they recorded cannot be listed.

        Raises:
            RefusedError: the journal cannot be read.
        """
        return await run_in(Lane.RECORDS, self._journal.count_damaged_lines)

    async def resume(self, operation: str, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Continue a write where it stopped; what the server has already is reused, never written twice.

        The write keeps the consent it was begun with, and `consent` is added to it.

        Raises:
            SgmError: it cannot be resumed.
        """
        entries = await run_in(Lane.RECORDS, self._unfinished.read_entries, operation)
        operation = str(entries[0]["operation"])
        if entries[0]["step"] == "act":
            yield await require_pulls(self._pulls).resume(operation, entries, consent)
            return
        plan = read_plan(entries[0])
        preview = await self._promoter.preview(plan, self._snapshot(), _write_options(entries[0]))
        if not preview.proposals:
            yield await self._finish_without_proposals(operation, entries, plan, preview)
            return
        # A pull request that is open only has to be found again; anything else has to pass its gates again.
        is_open = await self._unfinished.find_open(branch_of_write(entries)) is not None
        single_wave = (replace(proposal, wave=0, waves=1) for proposal in preview.proposals)
        resumed = tuple(replace(proposal, gates=()) if is_open else proposal for proposal in single_wave)
        consent |= _recorded_consent(entries[0], plan)
        facts = None if is_open else self._snapshot
        async for progress in self._promoter.submit(Preview(preview.base, resumed), facts, consent):
            yield progress

    async def discard(self, operation: str) -> str:
        """Discard an unfinished write; return what was done, as a sentence.

        Our branch is deleted if it has exactly our commit and no pull request proposes it.

        Raises:
            SgmError: it cannot be discarded safely; the message is the reason.
        """
        entries = await run_in(Lane.RECORDS, self._unfinished.read_entries, operation)
        operation = str(entries[0]["operation"])
        if await run_in(Lane.RECORDS, self._unfinished.is_executing, operation):
            raise RefusedError(
                f"{operation} is being executed by another sgm", "Try again when that process has finished."
            )
        if entries[0]["step"] == "act":
            return await require_pulls(self._pulls).discard(operation)
        head = await self._repository.fetch()
        branch = branch_of_write(entries)
        unmerged_head = await run_in(Lane.GIT_READS, self._read_unmerged_head, branch, head)
        outcome = "nothing on the server; removed from the list"
        if unmerged_head:
            await self._delete_branch(operation, entries, unmerged_head)
            outcome = f"{branch} was deleted"
        await run_in_thread(self._journal.note, operation, "discarded", branch=branch)
        return outcome

    async def _finish_without_proposals(
        self, operation: str, entries: Sequence[Entry], plan: Plan, preview: Preview
    ) -> Progress:
        """Finish a write for which nothing is left to be proposed, and close what it supersedes.

        Raises:
            RefusedError: there was nothing to close either.
        """
        proposal = _recall_proposal(entries, plan)
        closed = await self._close_superseded(operation, proposal, preview)
        await run_in_thread(self._journal.note, operation, "done", nothing=True)
        if closed:
            return Progress("nothing", proposal, f"git has the change; {closed}")
        reason = "; ".join(refusal.reason for refusal in preview.refusals) or "git already has it"
        raise RefusedError(f"{operation}: nothing to do: {reason}", "It was removed from the list.")

    async def _close_superseded(self, operation: str, proposal: Proposal, preview: Preview) -> str:
        """Close the pull requests superseded by a change git already has; return what was closed, or ""."""
        if self._superseder is None or not all(refusal.nothing for refusal in preview.refusals):
            return ""
        outcomes = []
        for old in proposal.supersedes:
            leftover = await self._superseder.close(operation, proposal, old, preview.base)
            outcomes.append(leftover or f"#{old.number} is closed")
        return "; ".join(outcomes)

    async def _delete_branch(self, operation: str, entries: Sequence[Entry], unmerged_head: str) -> None:
        branch = branch_of_write(entries)
        if unmerged_head != commit_of_write(entries):
            raise RefusedError(
                f"{branch} has commits that sgm did not make", "Review the branch and delete it manually."
            )
        request = await self._unfinished.find_open(branch)
        if request is not None:
            raise RefusedError(f"#{request.number} proposes it", "Close that pull request first.")
        await run_in_thread(self._journal.note, operation, "delete", branch=branch, commit=unmerged_head)
        await self._repository.delete(branch, unmerged_head)
        await run_in_thread(self._audit.record, "delete", operation=operation, branch=branch, commit=unmerged_head)

    def _read_unmerged_head(self, branch: str, head: str) -> str:
        """Return the head of a branch of ours on the server; "" if it is missing or merged into the deployed branch."""
        branch_head = "" if branch == self._repository.branch else self._repository.heads().get(branch, "")
        is_unmerged = branch_head and self._repository.merge_base(head, branch_head) != branch_head
        return branch_head if is_unmerged else ""


def _write_options(entry: Entry) -> WriteOptions:
    override = entry.get("override")
    return WriteOptions(
        override=Override(override["reason"], tuple(override["gates"])) if override else None,
        reason=str(entry.get("reason", "")),
        direct=bool(entry.get("direct")),
        supersede=read_superseded(entry),
        promotion=str(entry.get("promotion", "")),
    )


def _recorded_consent(entry: Entry, plan: Plan) -> Consent:
    """Return the consent a write was begun with.

    Older versions did not record it; they began a write only once its stages were accepted.
    """
    accepted = entry.get("accepted")
    return Consent.to((change.stage for change in plan.changes) if accepted is None else map(str, accepted))


def _recall_proposal(entries: Sequence[Entry], plan: Plan) -> Proposal:
    """Rebuild the proposal of a write from the journal, for reporting; its diff is in git."""
    title, reason = (str(entries[0].get(name, "")) for name in ("title", "reason"))
    return Proposal(
        plan.changes[0].stage,
        branch_of_write(entries),
        title,
        "",
        tuple(FileEdit(change, "") for change in plan.changes),
        reason=reason,
        supersedes=read_superseded(entries[0]),
    )
