"""Writes that were begun and never seen to their end: found in the journal, judged by what the server holds.

There is one safe next step for each: go on where it stopped, forget it because finished elsewhere, or take back a
branch of ours that nobody needs any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sgm_tui.errors import RefusedError, SgmError, UsageError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.plans.document import plan_of
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import (
    FileEdit,
    Override,
    Preview,
    Progress,
    Proposal,
    Superseded,
    UnfinishedWrite,
    WriteOptions,
)
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.file_changes import apply_change
from sgm_tui.operations.journal import Entry, Journal
from sgm_tui.operations.promoter import Promoter
from sgm_tui.operations.pull_recovery import PullRecovery, Standing
from sgm_tui.operations.state_files import change_lock, is_locked, run_in_thread
from sgm_tui.operations.submission import Repository
from sgm_tui.operations.superseding import Closer, Superseding, supersedes_of
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in


class Finder(Closer, Standing, Protocol):
    """Where pull requests are looked for."""

    async def find_open(self, branch: str) -> PullRequest | None:
        """The open pull request of a branch of ours."""
        ...

    async def find_ended(self, branch: str) -> PullRequest | None:
        """The newest pull request of a branch of ours that was merged or closed."""
        ...


class Recovery:
    """Finds what never ended, and ends it."""

    def __init__(
        self,
        repository: Repository,
        forge: Finder | None,
        journal: Journal,
        audit: Audit,
        promoter: Promoter,
        snapshot: Callable[[], FleetSnapshot],
        *,
        locks: Path | None = None,
    ) -> None:
        """`snapshot` gives the newest facts, for the gates of what is resumed; `locks` tells what is being written."""
        self._repository = repository
        self._forge = forge
        self._journal = journal
        self._audit = audit
        self._promoter = promoter
        self._snapshot = snapshot
        self._locks = locks
        self._superseding = None if forge is None else Superseding(repository, forge, journal, audit)
        self._pulls = None if forge is None else PullRecovery(forge, journal, audit)

    async def list_unfinished(self) -> tuple[UnfinishedWrite, ...]:
        """Every write that never ended, with what the server holds of it and its one safe next step.

        Raises:
            SgmError: the journal cannot be read, or the server does not answer.
        """
        begun = await run_in(Lane.RECORDS, self._journal.unfinished)
        written = await run_in(Lane.RECORDS, lambda: {one for one in begun if self._is_written_now(one)})
        left = {operation: entries for operation, entries in begun.items() if operation not in written}
        if not left:
            return ()
        head = await self._repository.fetch()
        return tuple([await self._judged(operation, entries, head) for operation, entries in left.items()])

    def _is_written_now(self, operation: str) -> bool:
        """Another terminal is at it: that is not unfinished, and must not be taken back under its hands."""
        return self._locks is not None and is_locked(change_lock(self._locks, operation))

    async def resume(self, operation: str, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Go on where it stopped; what is there already is found, nothing is doubled.

        It goes on with the consent it was begun with, and what `consent` adds to that.
        """
        entries = await run_in(Lane.RECORDS, self._entries, operation)
        operation = str(entries[0]["operation"])
        if entries[0]["step"] == "act":
            yield await self._pull_actions().resume(operation, entries, consent)
            return
        plan, over = _plan(entries[0]), entries[0].get("override")
        terms = WriteOptions(
            override=Override(over["reason"], tuple(over["gates"])) if over else None,
            reason=str(entries[0].get("reason", "")),
            direct=bool(entries[0].get("direct")),
            supersede=supersedes_of(entries[0]),
            promotion=str(entries[0].get("promotion", "")),
        )
        preview = await self._promoter.preview(plan, self._snapshot(), terms)
        if not preview.proposals:
            recalled = _recalled(entries, plan)
            closed = await self._closed(operation, recalled, preview)
            await run_in_thread(self._journal.note, operation, "done", nothing=True)
            if closed:
                yield Progress("nothing", recalled, f"git has the change; {closed}")
                return
            said = "; ".join(one.reason for one in preview.refusals) or "git already has it"
            raise RefusedError(f"{operation}: nothing to do: {said}", "It was removed from the list.")
        # What is proposed already only has to be found again; everything else has to pass its gates once more.
        proposed = await self._proposed(_branch(entries))
        first = (replace(one, wave=0, waves=1) for one in preview.proposals)
        whole = Preview(preview.base, tuple(replace(one, gates=()) if proposed else one for one in first))
        consent |= _accepted(entries[0], plan)
        async for progress in self._promoter.submit(whole, None if proposed else self._snapshot, consent):
            yield progress

    async def _closed(self, operation: str, recalled: Proposal, preview: Preview) -> str:
        """Close what a change that git has already takes the place of; what was closed, in words."""
        if self._superseding is None or not all(one.nothing for one in preview.refusals):
            return ""
        found = []
        for old in recalled.supersedes:
            left = await self._superseding.close(operation, recalled, old, preview.base)
            found.append(left or f"#{old.number} is closed")
        return "; ".join(found)

    async def discard(self, operation: str) -> str:
        """Take back what it left: our branch, where it holds exactly our commit and nobody proposes it; in words.

        Raises:
            SgmError: it cannot be taken back safely; says why.
        """
        entries = await run_in(Lane.RECORDS, self._entries, operation)
        operation = str(entries[0]["operation"])
        if await run_in(Lane.RECORDS, self._is_written_now, operation):
            raise RefusedError(
                f"{operation} is being executed by another sgm", "Try again when that process has finished."
            )
        if entries[0]["step"] == "act":
            return await self._pull_actions().discard(operation)
        head = await self._repository.fetch()
        branch, commit = _branch(entries), _commit(entries)
        held = await run_in(Lane.GIT_READS, self._unmerged, branch, head)
        said = "nothing on the server; removed from the list"
        if held:
            if held != commit:
                raise RefusedError(
                    f"{branch} has commits that sgm did not make", "Review the branch and delete it manually."
                )
            request = await self._proposed(branch)
            if request is not None:
                raise RefusedError(f"#{request.number} proposes it", "Close that pull request first.")
            await run_in_thread(self._journal.note, operation, "delete", branch=branch, commit=held)
            await self._repository.delete(branch, held)
            await run_in_thread(self._audit.record, "delete", operation=operation, branch=branch, commit=held)
            said = f"{branch} was deleted"
        await run_in_thread(self._journal.note, operation, "discarded", branch=branch)
        return said

    def _unmerged(self, branch: str, head: str) -> str:
        """What the server holds of a branch of ours that the deployed branch does not hold; "" for nothing."""
        held = "" if branch == self._repository.branch else self._repository.heads().get(branch, "")
        return held if held and self._repository.merge_base(head, held) != held else ""

    async def _proposed(self, branch: str) -> PullRequest | None:
        ours = branch and branch != self._repository.branch
        return await self._forge.find_open(branch) if self._forge is not None and ours else None

    def _pull_actions(self) -> PullRecovery:
        if self._pulls is None:
            raise SgmError(
                "no pull requests: github.repository is not configured", "It was configured when this write started."
            )
        return self._pulls

    def _entries(self, operation: str) -> list[Entry]:
        begun = self._journal.unfinished()
        found = begun.get(operation) or next((one for name, one in begun.items() if name.startswith(operation)), None)
        if found is None:
            raise UsageError(f"there is no unfinished write {operation}", "sgm plan --unfinished lists them.")
        return found

    async def _judged(self, operation: str, entries: list[Entry], head: str) -> UnfinishedWrite:
        if entries[0]["step"] == "act":
            return await self._pull_actions().judged(operation, entries)
        branch = _branch(entries)
        made = UnfinishedWrite(
            operation=operation,
            title=str(entries[0].get("title", operation)),
            branch=branch,
            began_at=datetime.fromisoformat(str(entries[0]["at"])),
            reached=str(entries[-1]["step"]),
            found="nothing",
            advice="discard",
        )
        try:
            plan, supersedes = _plan(entries[0]), supersedes_of(entries[0])
        except SgmError as error:
            return replace(made, explained=str(error))
        made = replace(made, stages=tuple(dict.fromkeys(change.stage for change in plan.changes)))
        old = await self._still_open(supersedes)
        request = await self._proposed(branch)
        if request is not None:
            explained = f"sgm adopts it and closes {old}" if old else "sgm adopts it"
            return replace(made, found=f"pull request #{request.number}", advice="resume", explained=explained)
        held = branch != self._repository.branch and branch in await run_in(Lane.GIT_READS, self._repository.heads)
        found = "the branch" if held else "nothing"
        left = await run_in(Lane.GIT_READS, self._left, head, plan)
        if isinstance(left, str):
            return replace(made, found=found, explained=f"cannot be resumed: {left}")
        if not left and old:
            return replace(
                made, found="git has the change", advice="resume", explained=f"resume closes {old} as superseded"
            )
        if not left:
            return replace(made, found="git has the change", advice="close", explained="finished elsewhere")
        ended = await self._forge.find_ended(branch) if self._forge and entries[-1]["step"] != "commit" else None
        if ended is not None and ended.head == _commit(entries):
            # Somebody looked at it and said no, or it was merged and taken back since: it is not proposed again.
            said = f"pull request #{ended.number} ({ended.state})"
            return replace(made, found=said, explained=f"it was {ended.state}: stage it again if it is still needed")
        return replace(made, found=found, advice="resume", explained="resume continues where it stopped")

    async def _still_open(self, supersedes: tuple[Superseded, ...]) -> str:
        """Which of those that are to be closed are still open as they were seen; "" when none is."""
        found = [(old, await self._proposed(old.branch)) for old in supersedes]
        return ", ".join(f"#{old.number}" for old, now in found if now is not None and now.head == old.head)

    def _left(self, head: str, plan: Plan) -> list[Change] | str:
        """The changes that git does not have yet, or why they cannot be made any more."""
        held: dict[str, bytes] = {}
        left: list[Change] = []
        for change in plan.changes:
            try:
                made = apply_change(self._repository, head, change, held.get(change.path))
            except EditRefusedError as error:
                return str(error)
            held[change.path] = made.after
            if made.before != made.after:
                left.append(change)
        return left


def _plan(entry: Entry) -> Plan:
    try:
        return plan_of(entry["plan"])
    except (ValueError, KeyError, TypeError) as error:
        raise SgmError(
            "the journal entry has no operation to resume", "It was written by an older sgm: discard it."
        ) from error


def _accepted(entry: Entry, plan: Plan) -> Consent:
    """The consent a write was begun with; older versions did not record it, and asked before they began."""
    accepted = entry.get("accepted")
    return Consent.to((one.stage for one in plan.changes) if accepted is None else map(str, accepted))


def _recalled(entries: list[Entry], plan: Plan) -> Proposal:
    """What was to be written, to be told of; its diff is in git."""
    title, reason = (str(entries[0].get(name, "")) for name in ("title", "reason"))
    edits = tuple(FileEdit(change, "") for change in plan.changes)
    return Proposal(
        plan.changes[0].stage, _branch(entries), title, "", edits, reason=reason, supersedes=supersedes_of(entries[0])
    )


def _branch(entries: list[Entry]) -> str:
    return str(next((one["branch"] for one in reversed(entries) if one.get("branch")), ""))


def _commit(entries: list[Entry]) -> str:
    return str(next((one["commit"] for one in reversed(entries) if one.get("commit")), ""))
