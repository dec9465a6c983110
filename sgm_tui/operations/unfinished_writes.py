"""Find unfinished writes in the journal, and assess each by what the server has.

Each has one safe next step: resume it, drop it from the list because it was finished elsewhere, or discard a branch of
ours that is no longer needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sgm_tui.errors import SgmError, UsageError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.plans.document import plan_of
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.fleet.plans.proposal import Superseded, UnfinishedWrite
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.operations.file_changes import apply_change
from sgm_tui.operations.journal import Entry, Journal
from sgm_tui.operations.pull_recovery import PullRecovery, PullRequestReader
from sgm_tui.operations.state_files import change_lock, is_locked
from sgm_tui.operations.superseding import Closer, read_superseded
from sgm_tui.operations.write_ports import Repository
from sgm_tui.threads import Lane, run_in


class PullRequestFinder(Closer, PullRequestReader, Protocol):
    """Looks up the pull requests of our branches."""

    async def find_open(self, branch: str) -> PullRequest | None:
        """Find the open pull request of a branch of ours."""
        ...

    async def find_ended(self, branch: str) -> PullRequest | None:
        """Find the newest pull request of a branch of ours that was merged or closed."""
        ...


class UnfinishedWrites:
    """The writes that the journal has begun and not finished."""

    def __init__(
        self,
        repository: Repository,
        forge: PullRequestFinder | None,
        journal: Journal,
        pulls: PullRecovery | None,
        locks: Path | None,
    ) -> None:
        """`forge` and `pulls` are None if no forge is configured; `locks` shows which writes are being executed."""
        self._repository = repository
        self._forge = forge
        self._journal = journal
        self._pulls = pulls
        self._locks = locks

    async def list_all(self) -> tuple[UnfinishedWrite, ...]:
        """List every unfinished write with what the server has of it and its one safe next step.

        Raises:
            SgmError: the journal cannot be read, or the server does not answer.
        """
        unfinished = await run_in(Lane.RECORDS, self._journal.unfinished)
        executing = await run_in(
            Lane.RECORDS, lambda: {operation for operation in unfinished if self.is_executing(operation)}
        )
        idle = {operation: entries for operation, entries in unfinished.items() if operation not in executing}
        if not idle:
            return ()
        head = await self._repository.fetch()
        return tuple([await self._assess(operation, entries, head) for operation, entries in idle.items()])

    def is_executing(self, operation: str) -> bool:
        """Return whether another process holds the lock and is executing this operation: it is not unfinished."""
        return self._locks is not None and is_locked(change_lock(self._locks, operation))

    def read_entries(self, operation: str) -> list[Entry]:
        """Return the journal entries of an unfinished write; `operation` may be abbreviated.

        Raises:
            UsageError: there is none.
        """
        unfinished = self._journal.unfinished()
        matching = (entries for name, entries in unfinished.items() if name.startswith(operation))
        entries = unfinished.get(operation) or next(matching, None)
        if entries is None:
            raise UsageError(f"there is no unfinished write {operation}", "sgm plan --unfinished lists them.")
        return entries

    async def find_open(self, branch: str) -> PullRequest | None:
        """Find the open pull request of a branch of ours; None for the deployed branch or without a forge."""
        is_ours = branch and branch != self._repository.branch
        return await self._forge.find_open(branch) if self._forge is not None and is_ours else None

    async def _assess(self, operation: str, entries: list[Entry], head: str) -> UnfinishedWrite:
        if entries[0]["step"] == "act":
            return await require_pulls(self._pulls).assess(operation, entries)
        branch = branch_of_write(entries)
        write = UnfinishedWrite(
            operation=operation,
            title=str(entries[0].get("title", operation)),
            branch=branch,
            began_at=datetime.fromisoformat(str(entries[0]["at"])),
            reached=str(entries[-1]["step"]),
            found="nothing",
            advice="discard",
        )
        try:
            plan, supersedes = read_plan(entries[0]), read_superseded(entries[0])
        except SgmError as error:
            return replace(write, explained=str(error))
        write = replace(write, stages=tuple(dict.fromkeys(change.stage for change in plan.changes)))
        superseded_open = await self._describe_open(supersedes)
        request = await self.find_open(branch)
        if request is not None:
            explained = f"sgm adopts it and closes {superseded_open}" if superseded_open else "sgm adopts it"
            return replace(write, found=f"pull request #{request.number}", advice="resume", explained=explained)
        is_pushed = branch != self._repository.branch and branch in await run_in(Lane.GIT_READS, self._repository.heads)
        on_server = "the branch" if is_pushed else "nothing"
        is_done = await run_in(Lane.GIT_READS, self._is_in_git, head, plan)
        if isinstance(is_done, str):
            return replace(write, found=on_server, explained=f"cannot be resumed: {is_done}")
        if is_done and superseded_open:
            explained = f"resume closes {superseded_open} as superseded"
            return replace(write, found="git has the change", advice="resume", explained=explained)
        if is_done:
            return replace(write, found="git has the change", advice="close", explained="finished elsewhere")
        return await self._assess_unmerged(replace(write, found=on_server), entries)

    async def _assess_unmerged(self, write: UnfinishedWrite, entries: Sequence[Entry]) -> UnfinishedWrite:
        """Assess a write whose change git does not have and no pull request proposes."""
        has_opened = self._forge is not None and entries[-1]["step"] != "commit"
        ended = await self._forge.find_ended(write.branch) if self._forge is not None and has_opened else None
        if ended is not None and ended.head == commit_of_write(entries):
            # It was closed, or merged and reverted since: it is not proposed again without a person staging it.
            return replace(
                write,
                found=f"pull request #{ended.number} ({ended.state})",
                explained=f"it was {ended.state}: stage it again if it is still needed",
            )
        return replace(write, advice="resume", explained="resume continues where it stopped")

    async def _describe_open(self, supersedes: tuple[Superseded, ...]) -> str:
        """List the superseded pull requests that are still open with the same head; "" if none is."""
        requests = [(old, await self.find_open(old.branch)) for old in supersedes]
        return ", ".join(
            f"#{old.number}" for old, request in requests if request is not None and request.head == old.head
        )

    def _is_in_git(self, head: str, plan: Plan) -> bool | str:
        """Return whether git has every change of a plan, or why one cannot be made any more."""
        new_content: dict[str, bytes] = {}
        is_in_git = True
        for change in plan.changes:
            try:
                file_change = apply_change(self._repository, head, change, new_content.get(change.path))
            except EditRefusedError as error:
                return str(error)
            new_content[change.path] = file_change.after
            is_in_git = is_in_git and file_change.before == file_change.after
        return is_in_git


def require_pulls(pulls: PullRecovery | None) -> PullRecovery:
    """Return what recovers actions on pull requests.

    Raises:
        SgmError: no forge is configured.
    """
    if pulls is None:
        raise SgmError(
            "no pull requests: github.repository is not configured", "It was configured when this write started."
        )
    return pulls


def read_plan(entry: Entry) -> Plan:
    """Read the plan from the first journal entry of a write.

    Raises:
        SgmError: the entry has none.
    """
    try:
        return plan_of(entry["plan"])
    except (ValueError, KeyError, TypeError) as error:
        raise SgmError(
            "the journal entry has no operation to resume", "It was written by an older sgm: discard it."
        ) from error


def branch_of_write(entries: Sequence[Entry]) -> str:
    """Return the branch of a write, or "" if the journal does not name one."""
    return str(next((entry["branch"] for entry in reversed(entries) if entry.get("branch")), ""))


def commit_of_write(entries: Sequence[Entry]) -> str:
    """Return the last commit of a write, or "" if the journal does not name one."""
    return str(next((entry["commit"] for entry in reversed(entries) if entry.get("commit")), ""))
