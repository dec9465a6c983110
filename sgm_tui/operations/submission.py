"""Writing one proposal: commit, push, open, and let it merge; every step found again by whoever tries again.

The order of steps is the order of the journal: `commit`, `push`, `open`, `close` (another one was first), `supersede`,
`auto-merge`, `done`. What the server holds decides what is still to be done; the journal only says where to look.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.history.trailers import SGM
from sgm_tui.fleet.plans.document import document_of
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import CommitRange, Progress, Proposal
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.operations.actor import actor
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.closed_pull_requests import Closed
from sgm_tui.operations.conflicts import (
    ConflictCheck,
    OpenPullRequests,
    report_closed_duplicate,
    warn_unchecked,
)
from sgm_tui.operations.file_changes import apply_change
from sgm_tui.operations.journal import Entry, Journal
from sgm_tui.operations.proposal import facts_of, identity_of, message_of
from sgm_tui.operations.state_files import change_lock, lock_file, path_lock, run_in_thread
from sgm_tui.operations.superseding import Closer, Superseding, must_not_have_moved, supersedes_of
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in

_AUTHOR = (SGM, "sgm@users.noreply.github.com")
_TRIES = 5
"""How often a direct push is made anew on a branch that moved meanwhile."""


class Repository(Protocol):
    """The clone, as far as writing needs it."""

    @property
    def branch(self) -> str:
        """The branch that is deployed."""
        ...

    async def fetch(self) -> str:
        """Bring everything here; the head of the branch."""
        ...

    def head(self) -> str:
        """The head of the branch as last fetched."""
        ...

    def has(self, commit: str) -> bool:
        """Whether a commit is here."""
        ...

    def read(self, commit: str, path: str) -> bytes | None:
        """A file of a commit."""
        ...

    def tree(self, commit: str) -> Mapping[str, str]:
        """Path → content id of every file of a commit."""
        ...

    def heads(self) -> Mapping[str, str]:
        """Every branch of the server as last fetched."""
        ...

    def merge_base(self, one: str, other: str) -> str:
        """The newest common ancestor of two commits; "" when there is none."""
        ...

    async def commit(self, base: str, writes: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        """Make a commit; no branch moves."""
        ...

    async def push(self, commit: str, branch: str, expected: str, consent: Consent) -> None:
        """Let a branch of the server point to a commit, if it still points to `expected`."""
        ...

    async def delete(self, branch: str, expected: str) -> None:
        """Take a branch of the server away, if it still points to `expected`."""
        ...


class Forge(Closed, Closer, OpenPullRequests, Protocol):
    """Where pull requests are opened."""

    async def open(self, proposal: Proposal, head: str, consent: Consent) -> tuple[PullRequest, bool, str]:
        """Find or make the pull request of a pushed branch: it, whether it was made, what was left undone."""
        ...

    async def try_auto_merge(self, number: int, head: str, consent: Consent) -> str:
        """Let it merge by itself; "" or why not."""
        ...

    async def close(self, number: int) -> str:
        """Close one of ours and take its branch away; what was done, in words."""
        ...

    async def compare(self, source: str, old: str, new: str) -> CommitRange:
        """The commits between two versions of a service's own repository."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to propose something, and what it is tried with."""

    proposal: Proposal
    identity: str
    earlier: Sequence[Entry]
    """What the journal holds of an earlier try that never ended."""
    forge: Forge
    conflicts: ConflictCheck
    consent: Consent


class Submission:
    """Writes proposals, one at a time, each under the lock of its own change."""

    def __init__(
        self,
        config: Config,
        repository: Repository,
        forge: Forge | None,
        journal: Journal,
        audit: Audit,
        locks: Path | None,
    ) -> None:
        self._config = config
        self._repository = repository
        self._forge = forge
        self._journal = journal
        self._audit = audit
        self._locks = locks
        self._superseding = None if forge is None else Superseding(repository, forge, journal, audit)

    async def carry_out(self, proposal: Proposal, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Write it; a failure is the last step, says how far it got and what to do, and is never raised.

        `consent` goes along to the repository and the forge, and into the journal for whoever resumes it.
        """
        step = Progress("committing", proposal, f"committing {proposal.title}")
        yield step
        identity = identity_of(_changes(proposal))
        try:
            async with self._alone(proposal, identity):
                earlier = (await run_in(Lane.RECORDS, self._journal.unfinished)).get(identity, [])
                whole = _with_what_is_left(proposal, earlier)
                steps = self._push_direct(whole, consent) if whole.direct else self._propose(whole, earlier, consent)
                try:
                    async for step in steps:
                        yield step
                except EditRefusedError as error:
                    yield await self._refused(whole, identity, earlier, error)
                except SgmError as error:
                    yield Progress("failed", proposal, await self._failed(identity, earlier, step, error))
        except SgmError as error:
            yield Progress("failed", proposal, _what_next(step, error))

    @contextlib.asynccontextmanager
    async def _alone(self, proposal: Proposal, identity: str) -> AsyncIterator[None]:
        """No other process writes the same change, or proposes to change the same file; others go on side by side.

        Everybody takes the change first and then its files in one order: nobody waits for who waits for them.
        """
        if self._locks is None:
            yield
            return
        paths = () if proposal.direct else sorted({edit.change.path for edit in proposal.edits})
        held = [change_lock(self._locks, identity), *(path_lock(self._locks, path) for path in paths)]
        with contextlib.ExitStack() as stack:
            for file in held:
                await run_in(Lane.LOCKS, stack.enter_context, lock_file(file))
            yield

    async def _refused(
        self, proposal: Proposal, identity: str, earlier: Sequence[Entry], error: EditRefusedError
    ) -> Progress:
        """It cannot be made any more; that ends it, unless an earlier try left something on the server."""
        left = await self._left(proposal, identity, earlier, str(error))
        return Progress("refused", proposal, f"{error}\n{left or 'Nothing was written.'}")

    async def _failed(self, identity: str, earlier: Sequence[Entry], reached: Progress, error: SgmError) -> str:
        """End what failed before anything left this machine: there is nothing to go on with, trying again begins anew.

        What an earlier try began stays in the journal, for only that knows what it left.
        """
        if reached.step == "committing" and not earlier:
            await run_in_thread(self._journal.note, identity, "done", failed=str(error))
        return _what_next(reached, error, earlier)

    async def _left(self, proposal: Proposal, identity: str, earlier: Sequence[Entry], why: str) -> str:
        """End a write of which nothing was written; where an earlier try left something, say so instead."""
        pushed = not proposal.direct and proposal.branch in await run_in(Lane.GIT_WRITES, self._repository.heads)
        if pushed or _got_to(earlier, "open", "supersede", "auto-merge"):
            return "An earlier attempt got further: see sgm plan --unfinished."
        await run_in_thread(self._journal.note, identity, "done", refused=why)
        return ""

    async def _propose(self, proposal: Proposal, earlier: Sequence[Entry], consent: Consent) -> AsyncIterator[Progress]:
        if self._forge is None:
            raise SgmError("pull requests require github.repository in sgm.yaml", "Set it, or use --direct.")
        changes = _changes(proposal)
        conflicts = ConflictCheck(self._config.policy, self._repository, self._forge)
        attempt = Attempt(proposal, identity_of(changes), earlier, self._forge, conflicts, consent)
        await self._note_intent(attempt.identity, proposal, consent)
        # Asked before the fetch, so that what they point to is here when they are compared.
        others = await conflicts.list_other_requests(proposal)
        head = await self._repository.fetch()
        writes = await run_in(Lane.GIT_WRITES, self._writes, head, changes)
        if not writes:
            yield await self._nothing(proposal, attempt.identity, head)
            return
        if any(one.branch == proposal.branch for one in others):
            others = ()  # it is proposed already: only found again
        elif (ended := await conflicts.check_before_push(proposal, head, others)) is not None:
            left = await self._left(proposal, attempt.identity, earlier, ended.text)
            yield replace(ended, text="\n".join(one for one in (ended.text, left) if one))
            return
        async for step in self._push(attempt, head, writes, others):
            yield step

    async def _push(
        self, attempt: Attempt, head: str, writes: Mapping[str, bytes], others: Sequence[PullRequest]
    ) -> AsyncIterator[Progress]:
        """Push its branch, if it is not on the server already, and open it."""
        proposal, identity, changes = attempt.proposal, attempt.identity, _changes(attempt.proposal)
        commit, expected = await run_in(Lane.GIT_WRITES, self._pushed_already, proposal, changes, writes, head)
        known = bool(commit)
        if not known:
            must_not_have_moved(proposal.supersedes, await run_in(Lane.GIT_WRITES, self._repository.heads))
            message = message_of(changes, proposal.override, proposal.reason, actor(), proposal.promotion)
            commit = await self._repository.commit(head, writes, message, _AUTHOR)
            await run_in_thread(self._journal.note, identity, "push", branch=proposal.branch, commit=commit)
            yield Progress("pushing", proposal, f"pushing {proposal.branch}", commit=commit)
            await self._repository.push(commit, proposal.branch, expected, attempt.consent)
        # Told before it is written down: whatever fails from here on, the branch is on the server.
        yield Progress("opening", proposal, "opening the pull request", commit=commit)
        if not known:
            await self._record("push", identity, proposal, commit=commit)
        async for step in self._open(attempt, commit, others):
            yield step

    async def _open(self, attempt: Attempt, commit: str, seen: Sequence[PullRequest]) -> AsyncIterator[Progress]:
        proposal, identity, forge = attempt.proposal, attempt.identity, attempt.forge
        await run_in_thread(self._journal.note, identity, "open", branch=proposal.branch, commit=commit)
        request, made, left = await forge.open(proposal, commit, attempt.consent)
        await self._record("open", identity, proposal, number=request.number, commit=commit, made=made)
        if made or _got_to(attempt.earlier, "open"):
            lost, unseen = await self._lost(attempt, request, seen)
            if lost is not None:
                yield lost
                return
            left = _together(left, unseen)
        if proposal.supersedes:
            numbers = ", ".join(f"#{one.number}" for one in proposal.supersedes)
            yield Progress("closing", proposal, f"closing {numbers}", request.number, request.url, commit)
            left = _together(left, await self._superseded(identity, proposal, f"#{request.number}"))
        if proposal.stage in self._config.github.auto_merge:
            await run_in_thread(self._journal.note, identity, "auto-merge", number=request.number)
            refused = await forge.try_auto_merge(request.number, commit, attempt.consent)
            await self._record("auto-merge", identity, proposal, number=request.number, refused=refused)
            left = _together(left, refused)
        await run_in_thread(self._journal.note, identity, "done", number=request.number)
        word = "" if made else "is there already: "
        text = f"{word}{request.title}" + (f" ({left})" if left else "")
        yield Progress("opened" if made else "adopted", proposal, text, request.number, request.url, commit)

    async def _lost(
        self, attempt: Attempt, request: PullRequest, seen: Sequence[PullRequest]
    ) -> tuple[Progress | None, str]:
        """Close what was just opened where one of ours was opened first; or why nobody can tell whether one was."""
        proposal, identity = attempt.proposal, attempt.identity
        try:
            claim = await attempt.conflicts.find_older(proposal, request, seen)
        except SgmError as error:
            return None, warn_unchecked(error)
        if claim is None:
            return None, ""
        await run_in_thread(self._journal.note, identity, "close", number=request.number, branch=proposal.branch)
        said = await attempt.forge.close(request.number)
        by = f"#{claim.request.number}"
        await self._record("close", identity, proposal, number=request.number, by=by)
        await run_in_thread(self._journal.note, identity, "done", number=request.number, by=by)
        return report_closed_duplicate(claim, proposal, said), ""

    async def _push_direct(self, proposal: Proposal, consent: Consent) -> AsyncIterator[Progress]:
        """Onto the branch itself, with compare-and-swap; made anew where somebody else was faster."""
        changes = _changes(proposal)
        identity = identity_of(changes)
        await self._note_intent(identity, proposal, consent)
        for last in range(_TRIES - 1, -1, -1):
            head = await self._repository.fetch()
            writes = await run_in(Lane.GIT_WRITES, self._writes, head, changes)
            if not writes:
                yield await self._nothing(proposal, identity, head)
                return
            message = message_of(changes, proposal.override, proposal.reason, actor(), proposal.promotion)
            commit = await self._repository.commit(head, writes, message, _AUTHOR)
            await run_in_thread(self._journal.note, identity, "push", branch=self._repository.branch, commit=commit)
            yield Progress("pushing", proposal, f"pushing {self._repository.branch}", commit=commit)
            try:
                await self._repository.push(commit, self._repository.branch, head, consent)
            except RefusedError:
                if last and await self._repository.fetch() != head:
                    continue
                raise
            await self._record("push", identity, proposal, commit=commit, direct=True)
            left = await self._superseded(identity, proposal, commit)
            await run_in_thread(self._journal.note, identity, "done", commit=commit)
            text = f"pushed {commit[:8]} to {self._repository.branch}" + (f" ({left})" if left else "")
            yield Progress("pushed", proposal, text, commit=commit)
            return

    async def _nothing(self, proposal: Proposal, identity: str, head: str) -> Progress:
        """Git wants it already; what it was to take the place of is closed all the same."""
        left = await self._superseded(identity, proposal, head)
        await run_in_thread(self._journal.note, identity, "done", nothing=True)
        text = "git already has this change: nothing to do" + (f" ({left})" if left else "")
        return Progress("nothing", proposal, text)

    async def _superseded(self, identity: str, proposal: Proposal, by: str) -> str:
        """Close what it takes the place of; "" or what was left of it, in words."""
        if self._superseding is None:
            return ""
        found = [await self._superseding.close(identity, proposal, old, by) for old in proposal.supersedes]
        return "; ".join(one for one in found if one)

    async def _note_intent(self, identity: str, proposal: Proposal, consent: Consent) -> None:
        """Everything that is needed to go on after a crash, before anything is done."""
        await run_in_thread(
            self._journal.note,
            identity,
            "commit",
            branch=proposal.branch,
            title=proposal.title,
            plan=document_of(Plan(tuple(_changes(proposal)))),
            override=asdict(proposal.override) if proposal.override else None,
            reason=proposal.reason,
            direct=proposal.direct,
            promotion=proposal.promotion,
            supersedes=[asdict(old) for old in proposal.supersedes],
            accepted=sorted(consent.stages),
        )

    async def _record(self, action: str, identity: str, proposal: Proposal, **facts: object) -> None:
        await run_in_thread(self._audit.record, action, operation=identity, **(facts_of(proposal) | facts))

    def _writes(self, head: str, changes: Sequence[Change]) -> dict[str, bytes]:
        """New content of every file that does not hold it already."""
        writes: dict[str, bytes] = {}
        for change in changes:
            made = apply_change(self._repository, head, change, writes.get(change.path))
            if made.before != made.after:
                writes[change.path] = made.after
        return writes

    def _pushed_already(
        self, proposal: Proposal, changes: Sequence[Change], writes: Mapping[str, bytes], head: str
    ) -> tuple[str, str]:
        """The commit of an earlier try ("" when a new one is needed), and what the push may go over.

        A branch of this name is only ever taken for ours when it changes exactly our files in exactly our way:
        nobody is to open, and let merge, what nobody was shown. A merged branch holds nothing that could get lost.
        """
        pushed = self._repository.heads().get(proposal.branch, "")
        base = self._repository.merge_base(head, pushed) if pushed else ""
        if not pushed or base == pushed:
            return "", pushed
        before, after = self._repository.tree(base), self._repository.tree(pushed)
        touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        held = {path: self._repository.read(pushed, path) for path in touched}
        if held == writes:
            return pushed, ""
        if held == self._writes(base, changes):
            # Ours, and main moved on beside it: the same change is made anew on top.
            return "", pushed
        raise RefusedError(
            f"the branch {proposal.branch} already exists and has other changes",
            "Nothing was written. Review that branch; delete it, or merge it manually.",
        )


def _changes(proposal: Proposal) -> list[Change]:
    return [edit.change for edit in proposal.edits]


def _with_what_is_left(proposal: Proposal, earlier: Sequence[Entry]) -> Proposal:
    """The proposal with what an earlier try of it was asked to close and did not: trying again goes on there."""
    if proposal.supersedes or not _got_to(earlier, "open", "supersede"):
        return proposal
    return replace(proposal, supersedes=supersedes_of(earlier[0]))


def _together(*left: str) -> str:
    """What was left undone, in one sentence."""
    return "; ".join(one for one in left if one)


def _got_to(entries: Sequence[Entry], *steps: str) -> bool:
    """Whether a write in the journal reached one of these steps."""
    return any(one["step"] in steps for one in entries)


def _what_next(reached: Progress, error: Exception, earlier: Sequence[Entry] = ()) -> str:
    """What happened, how far it got, and what to do."""
    done = {
        "committing": "This attempt wrote nothing; sgm plan --unfinished lists the earlier one."
        if earlier
        else "Nothing was written.",
        "pushing": "The push may not have reached the server. Try again: sgm continues with what did."
        if reached.proposal.direct
        else "No pull request was opened. Try again: sgm reuses the branch if it was pushed.",
        "closing": "The pull request is open; the superseded one may be too. Try again to close it.",
        "opening": "The branch is pushed. Try again: sgm reuses it.",
    }
    return f"{error}\n{done.get(reached.step, 'Try again: sgm continues with what is already there.')}"
