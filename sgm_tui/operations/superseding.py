"""Close the pull requests that a newer change supersedes: only once the newer change is there, never before.

A branch is named after its change, so the old pull request is not rewritten: the new one is opened, then the old one is
closed with a comment that names the new one. Until both are done the write is unfinished, so a crash between the two is
listed, and resuming closes the old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.plans.proposal import Proposal, Superseded
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.proposal import audit_facts
from sgm_tui.operations.state_files import run_in_thread
from sgm_tui.threads import Lane, run_in


class Branches(Protocol):
    """The branches of the server."""

    def heads(self) -> Mapping[str, str]:
        """Return branch → head of every branch of the server, as last fetched."""
        ...

    async def delete(self, branch: str, expected: str) -> None:
        """Delete a branch of the server, if it still points to `expected`."""
        ...


class Closer(Protocol):
    """Closes pull requests."""

    async def supersede(self, number: int, head: str, by: str) -> str:
        """Close a pull request that still has this head, with a comment that names `by`; return "" or why not."""
        ...


class Superseder:
    """Closes superseded pull requests, each journalled before and audited after."""

    def __init__(self, branches: Branches, forge: Closer, journal: Journal, audit: Audit) -> None:
        self._branches = branches
        self._forge = forge
        self._journal = journal
        self._audit = audit

    async def close(self, operation: str, proposal: Proposal, old: Superseded, by: str) -> str:
        """Close one pull request and delete its branch; return what could not be done, or "".

        Args:
            operation: the write it belongs to.
            proposal: what supersedes it.
            old: the pull request as it was previewed.
            by: the name of what supersedes it: "#57", or a commit.

        Raises:
            SgmError: it could not be closed. The write stays unfinished, and trying again continues here.
        """
        await run_in_thread(self._journal.note, operation, "supersede", number=old.number, head=old.head, by=by)
        leftover = await self._forge.supersede(old.number, old.head, by)
        if not leftover and (await run_in(Lane.GIT_WRITES, self._branches.heads)).get(old.branch) == old.head:
            try:
                await self._branches.delete(old.branch, old.head)
            except RefusedError as error:
                leftover = f"#{old.number} is closed; its branch stays ({error.message})"
        facts = {"number": old.number, "head": old.head, "by": by, "left": leftover}
        await run_in_thread(self._audit.record, "supersede", operation=operation, **(audit_facts(proposal) | facts))
        return leftover


def refuse_if_moved(supersedes: Iterable[Superseded], heads: Mapping[str, str]) -> None:
    """Return if every branch to be superseded still has the previewed head, or is gone.

    Raises:
        RefusedError: somebody has pushed to one since the preview.
    """
    for old in supersedes:
        if heads.get(old.branch, old.head) != old.head:
            raise RefusedError(
                f"#{old.number} has new commits since the preview", "Review it, and stage the change again."
            )


def read_superseded(entry: Mapping[str, Any]) -> tuple[Superseded, ...]:
    """Read the pull requests a write supersedes from its first journal entry.

    Raises:
        SgmError: the entry cannot be understood.
    """
    try:
        return tuple(Superseded(**fields) for fields in entry.get("supersedes", ()))
    except TypeError as error:
        raise SgmError(
            "the journal entry has no pull request to close", "Check it manually, then discard it."
        ) from error
