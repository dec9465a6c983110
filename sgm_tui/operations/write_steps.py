"""The steps that a direct push and a pull request share: commits, and their journal and audit entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.history.trailers import SGM
from sgm_tui.fleet.plans.document import document_of
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import Progress, Proposal
from sgm_tui.operations.actor import actor
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.file_changes import apply_change
from sgm_tui.operations.journal import Entry, Journal
from sgm_tui.operations.proposal import audit_facts, message_of
from sgm_tui.operations.state_files import run_in_thread
from sgm_tui.operations.superseding import Superseder
from sgm_tui.operations.write_ports import Repository
from sgm_tui.permission import Consent
from sgm_tui.threads import Lane, run_in

_AUTHOR = (SGM, "sgm@users.noreply.github.com")


class WriteSteps:
    """The steps of writing a proposal, each journalled before and audited after."""

    def __init__(self, repository: Repository, journal: Journal, audit: Audit, superseder: Superseder | None) -> None:
        """`superseder` is None if no forge is configured."""
        self.repository = repository
        self.journal = journal
        self._audit = audit
        self._superseder = superseder

    async def begin(self, identity: str, proposal: Proposal, consent: Consent) -> None:
        """Journal everything that is needed to resume after a crash, before anything is done."""
        await self.note(
            identity,
            "commit",
            branch=proposal.branch,
            title=proposal.title,
            plan=document_of(Plan(tuple(changes_of(proposal)))),
            override=asdict(proposal.override) if proposal.override else None,
            reason=proposal.reason,
            direct=proposal.direct,
            promotion=proposal.promotion,
            supersedes=[asdict(old) for old in proposal.supersedes],
            accepted=sorted(consent.stages),
        )

    async def note(self, identity: str, step: str, **facts: object) -> None:
        """Journal a step; return once the entry is on disk."""
        await run_in_thread(self.journal.note, identity, step, **facts)

    async def record(self, action: str, identity: str, proposal: Proposal, **facts: object) -> None:
        """Audit a step that was taken."""
        await run_in_thread(self._audit.record, action, operation=identity, **(audit_facts(proposal) | facts))

    async def compute_writes(self, head: str, changes: Sequence[Change]) -> dict[str, bytes]:
        """Return path → new content of every file that the changes alter at `head`.

        Raises:
            EditRefusedError: a change cannot be made any more.
        """
        return await run_in(Lane.GIT_WRITES, self._compute_writes, head, changes)

    async def commit(self, head: str, writes: Mapping[str, bytes], proposal: Proposal) -> str:
        """Create the commit of a proposal on top of `head`; no branch moves."""
        message = message_of(changes_of(proposal), proposal.override, proposal.reason, actor(), proposal.promotion)
        return await self.repository.commit(head, writes, message, _AUTHOR)

    async def find_pushed_commit(self, proposal: Proposal, writes: Mapping[str, bytes], head: str) -> tuple[str, str]:
        """Return the commit an earlier attempt pushed, or "", and the head that a new push may overwrite.

        A branch with the name of ours counts as ours only if it changes exactly our files in exactly our way: no pull
        request may be opened, and merged, with changes that were not previewed. A branch that is merged has nothing to
        lose.

        Raises:
            RefusedError: the branch has other changes.
        """
        return await run_in(Lane.GIT_WRITES, self._find_pushed_commit, proposal, writes, head)

    async def finish_unchanged(self, proposal: Proposal, identity: str, head: str) -> Progress:
        """Finish a proposal whose change git already has; the pull requests it supersedes are still closed."""
        leftover = await self.close_superseded(identity, proposal, head)
        await self.note(identity, "done", nothing=True)
        text = "git already has this change: nothing to do" + (f" ({leftover})" if leftover else "")
        return Progress("nothing", proposal, text)

    async def close_superseded(self, identity: str, proposal: Proposal, by: str) -> str:
        """Close the pull requests a proposal supersedes; return what could not be done, or "".

        `by` is what supersedes them: "#57", or a commit.
        """
        if self._superseder is None:
            return ""
        leftovers = [await self._superseder.close(identity, proposal, old, by) for old in proposal.supersedes]
        return join_notes(*leftovers)

    def _compute_writes(self, head: str, changes: Sequence[Change]) -> dict[str, bytes]:
        writes: dict[str, bytes] = {}
        for change in changes:
            file_change = apply_change(self.repository, head, change, writes.get(change.path))
            if file_change.before != file_change.after:
                writes[change.path] = file_change.after
        return writes

    def _find_pushed_commit(self, proposal: Proposal, writes: Mapping[str, bytes], head: str) -> tuple[str, str]:
        repository = self.repository
        pushed = repository.heads().get(proposal.branch, "")
        base = repository.merge_base(head, pushed) if pushed else ""
        if not pushed or base == pushed:
            return "", pushed
        before, after = repository.tree(base), repository.tree(pushed)
        touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        content = {path: repository.read(pushed, path) for path in touched}
        if content == writes:
            return pushed, ""
        if content == self._compute_writes(base, changes_of(proposal)):
            # Ours, and the deployed branch has moved on since: the same change is committed again on top of it.
            return "", pushed
        raise RefusedError(
            f"the branch {proposal.branch} already exists and has other changes",
            "Nothing was written. Review that branch; delete it, or merge it manually.",
        )


def changes_of(proposal: Proposal) -> list[Change]:
    """Return the changes of a proposal."""
    return [edit.change for edit in proposal.edits]


def join_notes(*notes: str) -> str:
    """Join the notes about what could not be done into one sentence; empty ones are left out."""
    return "; ".join(note for note in notes if note)


def has_reached(entries: Sequence[Entry], *steps: str) -> bool:
    """Return whether a write in the journal reached one of these steps."""
    return any(entry["step"] in steps for entry in entries)
