"""Closing the pull requests a newer change takes the place of: only after it is there itself, never before.

A branch is named after its change, so the old pull request is not rewritten into another one: the new one is opened,
then the old one is closed with a comment that names the new one. Until both are done the write is unfinished, so a
crash between them is listed, and going on closes what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.plans.proposal import Proposal, Superseded
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.proposal import facts_of
from sgm_tui.operations.state_files import run_in_thread
from sgm_tui.threads import Lane, run_in


class Branches(Protocol):
    """The branches of the server."""

    def heads(self) -> Mapping[str, str]:
        """Every branch of the server as last fetched."""
        ...

    async def delete(self, branch: str, expected: str) -> None:
        """Take a branch of the server away, if it still points to `expected`."""
        ...


class Closer(Protocol):
    """Where pull requests are closed."""

    async def supersede(self, number: int, head: str, by: str) -> str:
        """Close it with a comment that names what takes its place, if its head is this one; "" or why not."""
        ...


class Superseding:
    """Closes what is superseded, journalled before and audited after."""

    def __init__(self, branches: Branches, forge: Closer, journal: Journal, audit: Audit) -> None:
        self._branches = branches
        self._forge = forge
        self._journal = journal
        self._audit = audit

    async def close(self, operation: str, proposal: Proposal, old: Superseded, by: str) -> str:
        """Close one pull request and take its branch along; "" or what was left, in words.

        Args:
            operation: the write it belongs to.
            proposal: what takes its place.
            old: the pull request as a person saw it.
            by: how that is called: "#57", or a commit.

        Raises:
            SgmError: it could not be closed; the write stays unfinished, and trying again goes on here.
        """
        await run_in_thread(self._journal.note, operation, "supersede", number=old.number, head=old.head, by=by)
        left = await self._forge.supersede(old.number, old.head, by)
        if not left and (await run_in(Lane.GIT_WRITES, self._branches.heads)).get(old.branch) == old.head:
            try:
                await self._branches.delete(old.branch, old.head)
            except RefusedError as error:
                left = f"#{old.number} is closed; its branch stays ({error.message})"
        facts = {"number": old.number, "head": old.head, "by": by, "left": left}
        await run_in_thread(self._audit.record, "supersede", operation=operation, **(facts_of(proposal) | facts))
        return left


def must_not_have_moved(supersedes: Iterable[Superseded], heads: Mapping[str, str]) -> None:
    """Return if every branch that is to be superseded is as it was seen, or gone.

    Raises:
        RefusedError: somebody has pushed to one since.
    """
    for old in supersedes:
        if heads.get(old.branch, old.head) != old.head:
            raise RefusedError(
                f"#{old.number} has new commits since the preview", "Review it, and stage the change again."
            )


def supersedes_of(entry: Mapping[str, Any]) -> tuple[Superseded, ...]:
    """What the first entry of a write in the journal says it takes the place of.

    Raises:
        SgmError: it says nothing that makes sense.
    """
    try:
        return tuple(Superseded(**one) for one in entry.get("supersedes", ()))
    except TypeError as error:
        raise SgmError(
            "the journal entry has no pull request to close", "Check it manually, then discard it."
        ) from error
