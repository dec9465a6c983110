"""What open pull requests bring of a change, read from git: the same, or something else in its place.

One place in git is to be changed by one open pull request. Which ones change it is told from their commits, not from
what was polled of them, so that it holds at the moment of writing too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.proposal import AdoptedChange
from sgm_tui.fleet.policy import Policy
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.gitops.yaml.values import UnreadableError, read_version
from sgm_tui.operations.proposal import Group, branch_of
from sgm_tui.operations.writing import written


class Commits(Protocol):
    """The clone, as far as pull requests are compared in it."""

    def has(self, commit: str) -> bool:
        """Whether a commit is here."""
        ...

    def read(self, commit: str, path: str) -> bytes | None:
        """A file of a commit."""
        ...

    def tree(self, commit: str) -> Mapping[str, str]:
        """Path → content id of every file of a commit."""
        ...

    def merge_base(self, one: str, other: str) -> str:
        """The newest common ancestor of two commits; "" when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Claim:
    """An open pull request that changes what a change wants to change."""

    change: Change
    request: PullRequest
    version: Version
    """What it wants there."""
    whole: bool
    """It brings everything the change would: merged, nothing of the change is left to do."""


def claims(commits: Commits, head: str, requests: Iterable[PullRequest], changes: Sequence[Change]) -> list[Claim]:
    """Every open pull request that changes the key of one of these changes, in the order of the requests.

    One whose commits are not in the clone (of a fork) cannot be compared, and is left out.

    Args:
        commits: the clone.
        head: the head of the deployed branch.
        requests: the open ones.
        changes: what is to be written.
    """
    found: list[Claim] = []
    for request in requests:
        base = commits.merge_base(head, request.head) if commits.has(request.head) else ""
        if base:
            before, after = commits.tree(base), commits.tree(request.head)
            touched = [one for one in changes if before.get(one.path) != after.get(one.path)]
            found += (claim for one in touched if (claim := _claim(commits, base, request, one)) is not None)
    return found


def _claim(commits: Commits, base: str, request: PullRequest, change: Change) -> Claim | None:
    then, now = (_version(commits, commit, change) for commit in (base, request.head))
    if now is None or then == now:
        return None
    try:
        made = written(commits, request.head, change)
    except EditRefusedError:
        return Claim(change, request, now, whole=False)
    return Claim(change, request, now, whole=made.before == made.after)


def _version(commits: Commits, commit: str, change: Change) -> Version | None:
    data = commits.read(commit, change.path)
    try:
        return None if data is None else Version(read_version(data, change.key))
    except UnreadableError:
        return None


def without_adopted(
    commits: Commits, head: str, requests: Sequence[PullRequest], groups: Sequence[Group]
) -> tuple[list[Group], list[AdoptedChange], list[Claim]]:
    """The groups without what an open pull request brings already, that, and what brings the same only in part.

    A group whose very branch is proposed is what an earlier try opened: it is left whole, and found when written.
    """
    proposed = {one.branch for one in requests}
    left: list[Group] = []
    adopted: list[AdoptedChange] = []
    parts: list[Claim] = []
    for group in groups:
        changes = [edit.change for edit in group.edits]
        if branch_of(changes) in proposed:
            left.append(group)
            continue
        same = [one for one in claims(commits, head, requests, changes) if one.version == one.change.to_version]
        whole = {one.change: one.request for one in reversed(same) if one.whole}
        adopted += (
            AdoptedChange(change, request.number, request.branch, request.author, group.bundle, group.wave)
            for change, request in whole.items()
        )
        parts += (one for one in same if one.change not in whole)
        if edits := tuple(edit for edit in group.edits if edit.change not in whole):
            left.append(replace(group, edits=edits))
    return left, adopted, parts


def stops(policy: Policy, change: Change) -> bool:
    """Whether the policy lets another open pull request be in the way of a change."""
    return policy.rules(change.stage, change.service).level("pull-request") in {"block", "never"}


def in_part(claim: Claim) -> Refusal:
    """What brings the version, and not all that is to go with it: neither adopted nor doubled."""
    more = ", ".join(extra.key for extra in claim.change.extras) or "all of it"
    request = claim.request
    return Refusal(
        claim.change.path,
        f"#{request.number} by {request.author} also proposes {claim.version}, but not {more}: merge or close it first",
    )


def told(adopted: Iterable[AdoptedChange]) -> Iterator[Refusal]:
    """What is adopted, as what there is nothing to do about."""
    for one in adopted:
        reason = f"#{one.number} by {one.author} already proposes {one.change.to_version}"
        yield Refusal(one.change.path, reason, nothing=True, number=one.number)
