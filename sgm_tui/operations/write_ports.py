"""What writing a plan needs of the clone and of the forge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.plans.proposal import CommitRange, Proposal
from sgm_tui.operations.closed_pull_requests import ClosedPullRequestFinder
from sgm_tui.operations.conflicts import OpenPullRequests
from sgm_tui.operations.superseding import Closer
from sgm_tui.permission import Consent


class Repository(Protocol):
    """The clone of the GitOps repository, and its server."""

    @property
    def branch(self) -> str:
        """The branch that is deployed."""
        ...

    async def fetch(self) -> str:
        """Fetch every branch; return the head of the deployed one."""
        ...

    def head(self) -> str:
        """Return the head of the deployed branch as last fetched."""
        ...

    def has(self, commit: str) -> bool:
        """Return whether the clone has a commit."""
        ...

    def read(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit, or None if the commit does not have it."""
        ...

    def tree(self, commit: str) -> Mapping[str, str]:
        """Return path → content id of every file of a commit."""
        ...

    def heads(self) -> Mapping[str, str]:
        """Return branch → head of every branch of the server, as last fetched."""
        ...

    def merge_base(self, one: str, other: str) -> str:
        """Return the newest common ancestor of two commits, or "" if there is none."""
        ...

    async def commit(self, base: str, writes: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        """Create a commit without moving a branch; return it."""
        ...

    async def push(self, commit: str, branch: str, expected: str, consent: Consent) -> None:
        """Point a branch of the server to a commit, if it still points to `expected`."""
        ...

    async def delete(self, branch: str, expected: str) -> None:
        """Delete a branch of the server, if it still points to `expected`."""
        ...


class Forge(ClosedPullRequestFinder, Closer, OpenPullRequests, Protocol):
    """The forge, where pull requests are opened."""

    async def open(self, proposal: Proposal, head: str, consent: Consent) -> tuple[PullRequest, bool, str]:
        """Find or create the pull request of a pushed branch.

        Return it, whether it was created, and what could not be done (labels, reviewers), or "".
        """
        ...

    async def try_auto_merge(self, number: int, head: str, consent: Consent) -> str:
        """Enable auto-merge; return "" or the reason the forge refuses it."""
        ...

    async def close(self, number: int) -> str:
        """Close a pull request of ours and delete its branch; return what was done, as a sentence."""
        ...

    async def compare(self, source: str, old: str, new: str) -> CommitRange:
        """Return the commits between two versions of a service's own repository."""
        ...
