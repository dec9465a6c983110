"""Write one proposal as a pull request: commit, push, open, close what it supersedes, enable auto-merge.

The steps in the journal are `commit`, `push`, `open`, `close` (an older pull request changes the same key),
`supersede`, `auto-merge` and `done`. What the server has decides what is still to be done; the journal only says where
to look.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sgm_tui.config.schema import Config
from sgm_tui.errors import SgmError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.plans.proposal import Progress, Proposal
from sgm_tui.operations.conflicts import ConflictCheck, report_closed_duplicate, warn_unchecked
from sgm_tui.operations.journal import Entry
from sgm_tui.operations.proposal import identity_of
from sgm_tui.operations.superseding import refuse_if_moved
from sgm_tui.operations.write_ports import Forge
from sgm_tui.operations.write_steps import WriteSteps, changes_of, has_reached, join_notes
from sgm_tui.permission import Consent
from sgm_tui.threads import Lane, run_in


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to open the pull request of a proposal."""

    proposal: Proposal
    identity: str
    earlier: Sequence[Entry]
    """The journal entries of an earlier attempt that is unfinished."""
    consent: Consent


class PullRequestWriter:
    """Writes proposals as pull requests."""

    def __init__(self, config: Config, steps: WriteSteps, forge: Forge) -> None:
        self._config = config
        self._steps = steps
        self._repository = steps.repository
        self._forge = forge
        self._conflicts = ConflictCheck(config.policy, steps.repository, forge)

    async def write(self, proposal: Proposal, earlier: Sequence[Entry], consent: Consent) -> AsyncIterator[Progress]:
        """Write a proposal; an earlier attempt is continued.

        Raises:
            EditRefusedError: the change cannot be made any more.
            SgmError: the server or the forge refuses, or does not answer.
        """
        changes = changes_of(proposal)
        attempt = Attempt(proposal, identity_of(changes), earlier, consent)
        await self._steps.begin(attempt.identity, proposal, consent)
        # Listed before the fetch, so that their commits are in the clone when they are compared.
        open_requests = await self._conflicts.list_other_requests(proposal)
        head = await self._repository.fetch()
        writes = await self._steps.compute_writes(head, changes)
        if not writes:
            yield await self._steps.finish_unchanged(proposal, attempt.identity, head)
            return
        if any(request.branch == proposal.branch for request in open_requests):
            open_requests = ()  # an earlier attempt opened it: it is only found again
        elif (final := await self._conflicts.check_before_push(proposal, head, open_requests)) is not None:
            note = await finish_unwritten(self._steps, proposal, attempt.identity, earlier, final.text)
            yield replace(final, text="\n".join(part for part in (final.text, note) if part))
            return
        async for progress in self._push(attempt, head, writes, open_requests):
            yield progress

    async def _push(
        self, attempt: Attempt, head: str, writes: Mapping[str, bytes], checked: Sequence[PullRequest]
    ) -> AsyncIterator[Progress]:
        """Push the branch, if the server does not have it already, and open its pull request."""
        proposal, identity, steps = attempt.proposal, attempt.identity, self._steps
        commit, overwritable = await steps.find_pushed_commit(proposal, writes, head)
        is_pushed = bool(commit)
        if not is_pushed:
            refuse_if_moved(proposal.supersedes, await run_in(Lane.GIT_WRITES, self._repository.heads))
            commit = await steps.commit(head, writes, proposal)
            await steps.note(identity, "push", branch=proposal.branch, commit=commit)
            yield Progress("pushing", proposal, f"pushing {proposal.branch}", commit=commit)
            await self._repository.push(commit, proposal.branch, overwritable, attempt.consent)
        # Reported before it is audited: whatever fails from here on, the branch is on the server.
        yield Progress("opening", proposal, "opening the pull request", commit=commit)
        if not is_pushed:
            await steps.record("push", identity, proposal, commit=commit)
        async for progress in self._open(attempt, commit, checked):
            yield progress

    async def _open(self, attempt: Attempt, commit: str, checked: Sequence[PullRequest]) -> AsyncIterator[Progress]:
        proposal, identity, steps = attempt.proposal, attempt.identity, self._steps
        await steps.note(identity, "open", branch=proposal.branch, commit=commit)
        request, is_new, notes = await self._forge.open(proposal, commit, attempt.consent)
        await steps.record("open", identity, proposal, number=request.number, commit=commit, made=is_new)
        if is_new or has_reached(attempt.earlier, "open"):
            final, warning = await self._close_if_duplicate(attempt, request, checked)
            if final is not None:
                yield final
                return
            notes = join_notes(notes, warning)
        if proposal.supersedes:
            numbers = ", ".join(f"#{old.number}" for old in proposal.supersedes)
            yield Progress("closing", proposal, f"closing {numbers}", request.number, request.url, commit)
            notes = join_notes(notes, await steps.close_superseded(identity, proposal, f"#{request.number}"))
        if proposal.stage in self._config.github.auto_merge:
            await steps.note(identity, "auto-merge", number=request.number)
            refusal = await self._forge.try_auto_merge(request.number, commit, attempt.consent)
            await steps.record("auto-merge", identity, proposal, number=request.number, refused=refusal)
            notes = join_notes(notes, refusal)
        await steps.note(identity, "done", number=request.number)
        prefix = "" if is_new else "is there already: "
        text = f"{prefix}{request.title}" + (f" ({notes})" if notes else "")
        yield Progress("opened" if is_new else "adopted", proposal, text, request.number, request.url, commit)

    async def _close_if_duplicate(
        self, attempt: Attempt, request: PullRequest, checked: Sequence[PullRequest]
    ) -> tuple[Progress | None, str]:
        """Close the pull request we just opened if an older one of ours changes the same key.

        Return the final progress if it was closed, and a warning if this could not be checked.
        """
        proposal, identity, steps = attempt.proposal, attempt.identity, self._steps
        try:
            older = await self._conflicts.find_older(proposal, request, checked)
        except SgmError as error:
            return None, warn_unchecked(error)
        if older is None:
            return None, ""
        await steps.note(identity, "close", number=request.number, branch=proposal.branch)
        closed = await self._forge.close(request.number)
        by = f"#{older.request.number}"
        await steps.record("close", identity, proposal, number=request.number, by=by)
        await steps.note(identity, "done", number=request.number, by=by)
        return report_closed_duplicate(older, proposal, closed), ""


async def finish_unwritten(
    steps: WriteSteps, proposal: Proposal, identity: str, earlier: Sequence[Entry], reason: str
) -> str:
    """Mark the operation finished if nothing was written, else say what an earlier attempt left behind.

    Args:
        steps: the steps of the write.
        proposal: what was to be written.
        identity: the identity of its changes.
        earlier: the journal entries of an earlier attempt.
        reason: why nothing was written.
    """
    pushed = not proposal.direct and proposal.branch in await run_in(Lane.GIT_WRITES, steps.repository.heads)
    if pushed or has_reached(earlier, "open", "supersede", "auto-merge"):
        return "An earlier attempt got further: see sgm plan --unfinished."
    await steps.note(identity, "done", refused=reason)
    return ""
