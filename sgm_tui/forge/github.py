"""The forge: the pull requests of one GitHub repository, called from the event loop.

Every call runs in a thread with a deadline. A pull request is looked for before one is opened, because a lost answer
does not mean that nothing happened.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from sgm_tui.config.schema import Config
from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.history.trailers import Mark
from sgm_tui.fleet.plans.proposal import ClosedPullRequest, CommitRange, Proposal
from sgm_tui.forge.actions import PullActions
from sgm_tui.forge.client import GithubClient
from sgm_tui.forge.comparing import compare
from sgm_tui.forge.conditional import Conditional
from sgm_tui.forge.listing import Listing, MergedChanges, ProposedChanges
from sgm_tui.forge.merging import Merging
from sgm_tui.forge.opening import Opening
from sgm_tui.forge.pull_reads import PullReads
from sgm_tui.forge.refusals import expiry_note
from sgm_tui.permission import NO_CONSENT, Consent, WritePermission
from sgm_tui.threads import Lane, run_in

Result = TypeVar("Result")

_MERGEABLE_CHECKS = 10
_MERGEABLE_SECONDS = 3.0
"""How often, and how far apart, a pull request is fetched until GitHub has computed whether it can be merged."""


class GithubForge:
    """The pull requests of one repository.

    This is the front of the folder: it adds the thread, the translated errors and the write permission to the classes
    that do the work, and decides nothing itself.
    """

    def __init__(
        self,
        config: Config,
        token: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        read_token: Callable[[], str] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        permission: WritePermission | None = None,
        why_unsent: Callable[[], str] = str,
    ) -> None:
        """Connect to nothing yet.

        Args:
            config: where GitHub is, and the repository.
            token: the credential; "" sends none.
            now: returns the time.
            read_token: reads the token again, for when GitHub rejects it.
            pause: waits some seconds.
            permission: whether anything may be written.
            why_unsent: returns why a token that exists is not sent; "" where that is not so.
        """
        self._pause = pause
        self._permission = permission or WritePermission()
        self._now = now
        self._branch = config.repository.branch
        self._client = GithubClient(config, token, now, read_token, why_unsent)
        repository, client = config.github.repository, self._client
        self._reads = PullReads(client, repository, self._branch)
        self._actions = PullActions(client, repository, self._reads)
        self._merging = Merging(client, repository, self._reads)
        self._opening = Opening(client, repository, self._branch)
        self._listing = Listing(Conditional(client.get_if_changed), repository, self._branch, now, lambda: client.login)

    @property
    def note(self) -> str:
        """A remark to show although everything works; "" for none."""
        expiry = expiry_note(self._client.expires, self._now())
        return "; ".join(filter(None, (expiry, self._listing.note, self._client.why_unsent)))

    async def list_recent(
        self, proposes: ProposedChanges, merged: MergedChanges = lambda _: None
    ) -> tuple[PullRequest, ...]:
        """Return the open pull requests against our branch, and those merged or closed within a day.

        Raises:
            UnreachableError, RefusedError: they cannot be read.
        """
        return await self._read(lambda: self._listing.list_recent(proposes, merged))

    async def list_open(self) -> tuple[PullRequest, ...]:
        """Return every open pull request against our branch as it is now; `ours` where we opened it with sgm."""
        return await self._read_for_write(self._reads.list_open)

    async def fetch(self, number: int) -> PullRequest:
        """Fetch a pull request as it is now; its `approved` tells whether this account approved its head."""
        return await self._read_for_write(lambda: self._reads.fetch_with_approval(number))

    async def find_open(self, branch: str) -> PullRequest | None:
        """Return the open pull request of a branch of ours."""
        return await self._read_for_write(lambda: self._opening.find(branch))

    async def find_ended(self, branch: str) -> PullRequest | None:
        """Return the newest pull request of a branch of ours that was merged or closed."""
        return await self._read_for_write(lambda: self._opening.find(branch, "closed"))

    async def find_closed(self, branch: str) -> ClosedPullRequest | None:
        """Return the newest pull request of a branch of ours, if it was closed without being merged."""
        return await self._read_for_write(lambda: self._opening.find_closed(branch))

    async def fetch_marks(self, number: int, commit: str) -> tuple[Mark, ...]:
        """Return the versions that a pull request of sgm, merged as this commit, marks as known bad."""
        return await self._read(lambda: self._reads.fetch_marks(number, commit))

    async def find_merged(self, commit: str) -> int:
        """Return the number of the pull request that was merged as a commit; 0 when none was."""
        return await self._read(lambda: self._reads.find_merged(commit))

    async def compare(self, source: str, old: str, new: str) -> CommitRange:
        """Return the commits between two versions (tags) of a service's own repository, or why they are unknown."""
        try:
            return await self._read(lambda: compare(self._client, source, old, new))
        except SgmError as error:
            return CommitRange(reason=error.message)

    async def open(self, proposal: Proposal, head: str, consent: Consent = NO_CONSENT) -> tuple[PullRequest, bool, str]:
        """Find or open the pull request of a pushed branch.

        Returns:
            The pull request, whether it was opened now, and what GitHub refused of its reviewers and labels.
        """
        return await self._write_head(head, consent, lambda: self._opening.open(proposal, head))

    async def approve(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Approve this head; GitHub does not allow approving one's own pull request.

        One with auto-merge enabled merges once it is approved: that requires consent like a merge.

        Raises:
            UnreachableError, RefusedError: it was not approved; every action raises these.
        """
        return await self._write(lambda: self._actions.approve(number, head, self._consent_check(head, consent)))

    async def merge(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Merge this head with a merge commit, as soon as GitHub has computed whether it can be merged."""
        await self._check_consent(head, consent)
        await self._wait_until_mergeable(number, head)
        return await self._write(lambda: self._merging.merge(number, head))

    async def try_auto_merge(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Enable auto-merge for this head, or merge it where nothing remains to wait for; return "" or why not."""
        return await self._write_head(head, consent, lambda: self._merging.try_auto_merge(number, head))

    async def enable_auto_merge(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Enable auto-merge for this head."""
        return await self._write_head(head, consent, lambda: self._merging.enable_auto_merge(number, head))

    async def disable_auto_merge(self, number: int) -> str:
        """Disable auto-merge."""
        return await self._write(lambda: self._merging.disable_auto_merge(number))

    async def update_branch(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Merge the base branch into the branch of a pull request that still has this head.

        One with auto-merge enabled may merge once it is up to date: that requires consent like a merge.
        """
        check = self._consent_check(head, consent)
        return await self._write(lambda: self._actions.update_branch(number, head, self._branch, check))

    async def close(self, number: int) -> str:
        """Close a pull request without merging it; its branch is deleted where we opened it."""
        return await self._write(lambda: self._actions.close(number))

    async def supersede(self, number: int, head: str, by: str) -> str:
        """Close one of our pull requests that another change replaces, if its head is still this one.

        Args:
            number: the pull request to be closed.
            head: its head when a person reviewed it.
            by: what replaces it, "#57" or a commit; a comment names it, once however often this is repeated.

        Returns:
            "", or why it was left as it is.
        """
        return await self._write(lambda: self._actions.supersede(number, head, by))

    async def _wait_until_mergeable(self, number: int, head: str) -> None:
        """Wait until GitHub has computed whether a pull request can be merged into its branch.

        Raises:
            RefusedError: it takes too long, or the pull request has changed.
        """
        for attempt in range(_MERGEABLE_CHECKS):
            if attempt:
                await self._pause(_MERGEABLE_SECONDS)
            pull = await self._read_for_write(lambda: self._reads.fetch_unchanged(number, head))
            if pull.mergeable is not None:
                return
        raise RefusedError(
            f"GitHub is still computing whether #{number} can merge into {self._branch}: nothing was done",
            "Try again in a moment.",
        )

    async def _read(self, work: Callable[[], Result]) -> Result:
        return await run_in(Lane.FORGE_READS, self._client.call, work)

    async def _read_for_write(self, work: Callable[[], Result]) -> Result:
        """Run a read that precedes a write, in threads that the listing cannot keep busy."""
        return await run_in(Lane.FORGE_WRITES, self._client.call, work)

    async def _write(self, work: Callable[[], Result]) -> Result:
        self._permission.check("GitHub")
        return await run_in(Lane.FORGE_WRITES, self._client.call, work)

    async def _write_head(self, head: str, consent: Consent, work: Callable[[], Result]) -> Result:
        """Run a write that merges a head, or prepares that."""
        await self._check_consent(head, consent)
        return await self._write(work)

    async def _check_consent(self, head: str, consent: Consent) -> None:
        """Refuse a head that changes a protected stage without consent."""
        self._permission.check("GitHub")
        await run_in(Lane.GIT_WRITES, self._consent_check(head, consent))

    def _consent_check(self, head: str, consent: Consent) -> Callable[[], None]:
        """Return the check of one head, to be called in a thread."""
        return functools.partial(self._permission.check_commit, "GitHub", head, consent)
