"""Detect concurrent pull requests that change the same key.

One key in git is to be changed by one open pull request. A pull request opened before a push is adopted if it makes the
same change, and blocks the push otherwise. The poll is seconds old by then, so the forge is asked again just before the
push. Two machines can still pass each other between that check and the push; the check is therefore repeated once the
pull request is open: of two pull requests of sgm the older one wins, and the newer is closed with a pointer to it.

What a pull request changes is read from its commits, not from what was polled about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gates.table import gate_level
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.proposal import AdoptedChange, Progress, Proposal
from sgm_tui.fleet.policy import Policy
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.gitops.yaml.values import UnreadableError, read_version
from sgm_tui.operations.file_changes import apply_change
from sgm_tui.operations.proposal import Group, branch_of
from sgm_tui.threads import Lane, run_in


class Commits(Protocol):
    """Read access to the commits of the clone."""

    def has(self, commit: str) -> bool:
        """Return whether the clone has a commit."""
        ...

    def read(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit, or None if the commit does not have it."""
        ...

    def tree(self, commit: str) -> Mapping[str, str]:
        """Return path → content id of every file of a commit."""
        ...

    def merge_base(self, one: str, other: str) -> str:
        """Return the newest common ancestor of two commits, or "" if there is none."""
        ...


class Clone(Commits, Protocol):
    """The clone, with access to its server."""

    async def fetch(self) -> str:
        """Fetch every branch; return the head of the deployed one."""
        ...


class OpenPullRequests(Protocol):
    """The open pull requests of the forge."""

    async def list_open(self) -> tuple[PullRequest, ...]:
        """List the open pull requests against the deployed branch, as they are now.

        `marked` says that sgm opened a pull request, `ours` that this user did.
        """
        ...


@dataclass(frozen=True, slots=True)
class ConcurrentChange:
    """A change, and an open pull request that changes the same key."""

    change: Change
    request: PullRequest
    version: Version
    """The version the pull request sets."""
    is_complete: bool
    """The pull request makes the whole change: once it is merged, nothing of the change is left to do."""

    @property
    def is_same(self) -> bool:
        """Whether the pull request makes exactly this change."""
        return self.is_complete and self.version == self.change.to_version

    @property
    def description(self) -> str:
        """The pull request, its author and what it proposes."""
        change, request = self.change, self.request
        return f"#{request.number} by {request.author} proposes {change.service} {self.version} in {change.place}"


def find_concurrent_changes(
    commits: Commits, head: str, requests: Iterable[PullRequest], changes: Sequence[Change]
) -> list[ConcurrentChange]:
    """Find every open pull request that changes the key of one of `changes`, in the order of `requests`.

    A pull request whose commits are not in the clone (one from a fork) cannot be compared and is skipped.

    Args:
        commits: the clone.
        head: the head of the deployed branch.
        requests: the open pull requests.
        changes: the changes about to be written.
    """
    concurrent: list[ConcurrentChange] = []
    for request in requests:
        base = commits.merge_base(head, request.head) if commits.has(request.head) else ""
        if base:
            before, after = commits.tree(base), commits.tree(request.head)
            touched = [change for change in changes if before.get(change.path) != after.get(change.path)]
            compared = (_compare(commits, base, request, change) for change in touched)
            concurrent += (result for result in compared if result is not None)
    return concurrent


def _compare(commits: Commits, base: str, request: PullRequest, change: Change) -> ConcurrentChange | None:
    old, new = (_version(commits, commit, change) for commit in (base, request.head))
    if new is None or old == new:
        return None
    try:
        file_change = apply_change(commits, request.head, change)
    except EditRefusedError:
        return ConcurrentChange(change, request, new, is_complete=False)
    return ConcurrentChange(change, request, new, is_complete=file_change.before == file_change.after)


def _version(commits: Commits, commit: str, change: Change) -> Version | None:
    data = commits.read(commit, change.path)
    try:
        return None if data is None else Version(read_version(data, change.key))
    except UnreadableError:
        return None


def split_off_adopted(
    commits: Commits, head: str, requests: Sequence[PullRequest], groups: Sequence[Group]
) -> tuple[list[Group], list[AdoptedChange], list[ConcurrentChange]]:
    """Return the groups without changes that open pull requests already make, those changes, and the partial ones.

    A partial one sets the version of a change and not everything that goes with it. A group whose own branch is
    proposed was opened by an earlier attempt; it is returned unchanged, and the pull request is reused when written.
    """
    proposed_branches = {request.branch for request in requests}
    remaining: list[Group] = []
    adopted: list[AdoptedChange] = []
    partial: list[ConcurrentChange] = []
    for group in groups:
        changes = [edit.change for edit in group.edits]
        if branch_of(changes) in proposed_branches:
            remaining.append(group)
            continue
        concurrent = find_concurrent_changes(commits, head, requests, changes)
        same_version = [each for each in concurrent if each.version == each.change.to_version]
        complete = {each.change: each.request for each in reversed(same_version) if each.is_complete}
        adopted += (
            AdoptedChange(change, request.number, request.branch, request.author, group.bundle, group.wave)
            for change, request in complete.items()
        )
        partial += (each for each in same_version if each.change not in complete)
        if edits := tuple(edit for edit in group.edits if edit.change not in complete):
            remaining.append(replace(group, edits=edits))
    return remaining, adopted, partial


def must_be_exclusive(policy: Policy, change: Change) -> bool:
    """Return whether the gate `pull-request` blocks the change while another pull request changes the same key."""
    return gate_level(policy.rules(change.stage, change.service), "pull-request") in {"block", "never"}


def refuse_partial(partial: ConcurrentChange) -> Refusal:
    """Refuse a change whose version, but not all that goes with it, an open pull request already proposes."""
    missing = ", ".join(extra.key for extra in partial.change.extras) or "all of it"
    request = partial.request
    return Refusal(
        partial.change.path,
        f"#{request.number} by {request.author} also proposes {partial.version}, but not {missing}: "
        "merge or close it first",
    )


def describe_adopted(adopted: Iterable[AdoptedChange]) -> Iterator[Refusal]:
    """Describe each adopted change as one for which there is nothing to do."""
    for change in adopted:
        reason = f"#{change.number} by {change.author} already proposes {change.change.to_version}"
        yield Refusal(change.change.path, reason, nothing=True, number=change.number)


class ConflictCheck:
    """Compares a proposal with the other open pull requests, just before its push and just after it is opened."""

    def __init__(self, policy: Policy, clone: Clone, forge: OpenPullRequests) -> None:
        self._policy = policy
        self._clone = clone
        self._forge = forge

    async def list_other_requests(self, proposal: Proposal) -> tuple[PullRequest, ...]:
        """List the other open pull requests; none if the policy, or an override, does not require this check."""
        if not self._exclusive_changes(proposal):
            return ()
        superseded = {old.number for old in proposal.supersedes}
        return tuple(request for request in await self._forge.list_open() if request.number not in superseded)

    async def check_before_push(
        self, proposal: Proposal, head: str, requests: Sequence[PullRequest]
    ) -> Progress | None:
        """Return the final progress of a proposal that must not be pushed because of another pull request, or None.

        Args:
            proposal: what is about to be pushed.
            head: the head of the deployed branch, fetched after `requests` were listed.
            requests: the other open pull requests.
        """
        concurrent = await self._find_concurrent(proposal, head, requests)
        different = next((each for each in concurrent if not each.is_same), None)
        if different is not None:
            text = f"{different.description}: merge or close it"
            return Progress("blocked", proposal, text, url=different.request.url)
        already_proposed = {each.change for each in concurrent}
        if not already_proposed:
            return None
        first = concurrent[0].request
        if len(already_proposed) < len(proposal.edits):
            text = f"{concurrent[0].description} meanwhile: stage the rest again"
            return Progress("blocked", proposal, text, url=first.url)
        text = f"#{first.number} by {first.author} already proposes it"
        return Progress("adopted", proposal, text, first.number, first.url, first.head)

    async def find_older(
        self, proposal: Proposal, opened: PullRequest, checked: Iterable[PullRequest]
    ) -> ConcurrentChange | None:
        """Find the oldest pull request of sgm that was opened before ours and changes the same key.

        Args:
            proposal: what was opened.
            opened: its pull request.
            checked: the pull requests `check_before_push` has compared already.

        Raises:
            SgmError: the forge or the server does not answer.
        """
        already_checked = {(request.number, request.head) for request in checked}
        older = [
            request
            for request in await self.list_other_requests(proposal)
            if request.marked and request.number < opened.number
            if (request.number, request.head) not in already_checked
        ]
        if not older:
            return None
        concurrent = await self._find_concurrent(proposal, await self._clone.fetch(), older)
        return min(concurrent, key=lambda each: each.request.number, default=None)

    async def _find_concurrent(
        self, proposal: Proposal, head: str, requests: Sequence[PullRequest]
    ) -> list[ConcurrentChange]:
        compared = [request for request in requests if request.branch != proposal.branch]
        changes = self._exclusive_changes(proposal)
        return await run_in(Lane.GIT_WRITES, find_concurrent_changes, self._clone, head, compared, changes)

    def _exclusive_changes(self, proposal: Proposal) -> list[Change]:
        """Return the changes whose keys no other pull request may change."""
        if proposal.override is not None and "pull-request" in proposal.override.gates:
            return []
        return [edit.change for edit in proposal.edits if must_be_exclusive(self._policy, edit.change)]


def report_closed_duplicate(older: ConcurrentChange, proposal: Proposal, closed: str) -> Progress:
    """Report that our pull request was closed because an older one changes the same key.

    Args:
        older: the pull request that was opened first.
        proposal: what ours proposed.
        closed: what the forge did to ours, as a sentence.
    """
    request = older.request
    if older.is_same and len(proposal.edits) == 1:
        text = f"#{request.number} by {request.author} was opened first and proposes the same change: {closed}"
        return Progress("adopted", proposal, text, request.number, request.url, request.head)
    return Progress("refused", proposal, f"{older.description} and was opened first: {closed}", url=request.url)


def warn_unchecked(error: SgmError) -> str:
    """Return the warning that could not be checked whether an older pull request changes the same key."""
    return f"could not check for a concurrent pull request: {error.message}"
