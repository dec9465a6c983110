"""Write one proposal at a time, under locks that keep other processes from writing the same change."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from sgm_tui.config.schema import Config
from sgm_tui.errors import SgmError
from sgm_tui.fleet.plans.proposal import Progress, Proposal
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.direct_push import push_directly
from sgm_tui.operations.journal import Entry, Journal
from sgm_tui.operations.proposal import identity_of
from sgm_tui.operations.pull_request_writer import PullRequestWriter, finish_unwritten
from sgm_tui.operations.state_files import change_lock, lock_file, path_lock
from sgm_tui.operations.superseding import Superseder, read_superseded
from sgm_tui.operations.write_ports import Forge, Repository
from sgm_tui.operations.write_steps import WriteSteps, changes_of, has_reached
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in


class Submission:
    """Writes proposals, as pull requests or directly, each under the lock of its own change."""

    def __init__(
        self,
        config: Config,
        repository: Repository,
        forge: Forge | None,
        journal: Journal,
        audit: Audit,
        locks: Path | None,
    ) -> None:
        superseder = None if forge is None else Superseder(repository, forge, journal, audit)
        self._steps = WriteSteps(repository, journal, audit, superseder)
        self._pull_requests = None if forge is None else PullRequestWriter(config, self._steps, forge)
        self._locks = locks

    async def carry_out(self, proposal: Proposal, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        """Write a proposal, yielding its progress.

        A failure is not raised: it is the last progress, which says how far the write got and what to do next.
        `consent` is passed to the repository and the forge, and is journalled for whoever resumes the write.
        """
        progress = Progress("committing", proposal, f"committing {proposal.title}")
        yield progress
        identity = identity_of(changes_of(proposal))
        try:
            async with self._lock(proposal, identity):
                unfinished = await run_in(Lane.RECORDS, self._steps.journal.unfinished)
                earlier = unfinished.get(identity, [])
                complete = _add_superseded(proposal, earlier)
                try:
                    async for progress in self._write(complete, earlier, consent):
                        yield progress
                except EditRefusedError as error:
                    note = await finish_unwritten(self._steps, complete, identity, earlier, str(error))
                    yield Progress("refused", complete, f"{error}\n{note or 'Nothing was written.'}")
                except SgmError as error:
                    if progress.step == "committing" and not earlier:
                        # Nothing left this machine, so there is nothing to resume. The entries of an earlier attempt
                        # stay in the journal: only they know what it left behind.
                        await self._steps.note(identity, "done", failed=str(error))
                    yield Progress("failed", proposal, _explain_failure(progress, error, earlier))
        except SgmError as error:
            yield Progress("failed", proposal, _explain_failure(progress, error))

    def _write(self, proposal: Proposal, earlier: Sequence[Entry], consent: Consent) -> AsyncIterator[Progress]:
        if proposal.direct:
            return push_directly(self._steps, proposal, consent)
        if self._pull_requests is None:
            raise SgmError("pull requests require github.repository in sgm.yaml", "Set it, or use --direct.")
        return self._pull_requests.write(proposal, earlier, consent)

    @contextlib.asynccontextmanager
    async def _lock(self, proposal: Proposal, identity: str) -> AsyncIterator[None]:
        """Keep other processes from writing the same change, or proposing to change the same file.

        Every process locks the change first and then its files in the same order, so no two can wait for each other.
        """
        if self._locks is None:
            yield
            return
        paths = () if proposal.direct else sorted({edit.change.path for edit in proposal.edits})
        files = [change_lock(self._locks, identity), *(path_lock(self._locks, path) for path in paths)]
        with contextlib.ExitStack() as stack:
            for file in files:
                await run_in(Lane.LOCKS, stack.enter_context, lock_file(file))
            yield


def _add_superseded(proposal: Proposal, earlier: Sequence[Entry]) -> Proposal:
    """Add the pull requests an earlier attempt was to close and did not."""
    if proposal.supersedes or not has_reached(earlier, "open", "supersede"):
        return proposal
    return replace(proposal, supersedes=read_superseded(earlier[0]))


def _explain_failure(progress: Progress, error: Exception, earlier: Sequence[Entry] = ()) -> str:
    """Explain the error, how far the write got, and what to do next."""
    next_steps = {
        "committing": "This attempt wrote nothing; sgm plan --unfinished lists the earlier one."
        if earlier
        else "Nothing was written.",
        "pushing": "The push may not have reached the server. Try again: sgm continues with what did."
        if progress.proposal.direct
        else "No pull request was opened. Try again: sgm reuses the branch if it was pushed.",
        "closing": "The pull request is open; the superseded one may be too. Try again to close it.",
        "opening": "The branch is pushed. Try again: sgm reuses it.",
    }
    return f"{error}\n{next_steps.get(progress.step, 'Try again: sgm continues with what is already there.')}"
