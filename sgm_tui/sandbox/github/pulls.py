"""Pull requests of the embedded GitHub with their checks and reviews, and the rules that decide their merge.

Checks run for every pushed head. CODEOWNERS decides which reviewers are requested; they approve after a while, sooner
the less is at stake. With auto-merge a pull request merges as soon as nothing blocks it. Merges are real git merges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sgm_tui.sandbox.github.checks import CHECKS

Method = Literal["merge", "squash", "rebase"]

PASSING = frozenset({"success", "neutral", "skipped"})


class GitHubError(Exception):
    """A refusal with its HTTP status."""

    def __init__(self, status: int, message: str, errors: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = list(errors)


@dataclass(slots=True)
class CheckRun:
    """A check of one commit; its times are virtual."""

    id: int
    name: str
    queued: float
    started: float
    completed: float
    conclusion: str
    title: str
    summary: str

    def status(self, now: float) -> str:
        """Return queued, in_progress or completed."""
        return "completed" if now >= self.completed else "in_progress" if now >= self.started else "queued"


@dataclass(frozen=True, slots=True)
class Review:
    """A person's review of one head."""

    id: int
    login: str
    state: str
    body: str
    at: float
    commit: str


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of a person."""

    id: int
    login: str
    body: str
    at: float


@dataclass(frozen=True, slots=True)
class AutoMerge:
    """The auto-merge setting of a pull request."""

    login: str
    method: str
    title: str = ""
    message: str = ""


@dataclass(slots=True)
class PullRequest:
    """A pull request; its times are virtual, except those that git recorded of merged ones."""

    number: int
    title: str
    body: str
    head: str
    base: str
    head_sha: str
    base_sha: str
    login: str
    created: float
    updated: float
    draft: bool = False
    closed: float | None = None
    merged: float | None = None
    merged_by: str = ""
    merge_commit: str = ""
    closed_by: str = ""
    """Who closed it without merging; "" if nobody did, or if its branch was deleted."""
    fork: str = ""
    """The repository of its branch if that is a fork, such as "mia/gitops"; "" for the base repository."""
    queued_by: str = ""
    """Who added it to the merge queue, while it is queued."""
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    requested_users: list[str] = field(default_factory=list)
    requested_teams: list[str] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    auto_merge: AutoMerge | None = None
    mergeable: bool | None = None
    """None while GitHub has not computed it yet."""

    @property
    def state(self) -> str:
        """Return open or closed."""
        return "open" if self.closed is None else "closed"

    def opinions(self) -> Mapping[str, Review]:
        """Return the review of each person that counts; a comment does not replace a verdict."""
        counting = {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}
        return {one.login: one for one in self.reviews if one.state in counting}


@dataclass(frozen=True, slots=True)
class Standing:
    """What still blocks the merge of a pull request."""

    checks_missing: Sequence[str]
    checks_failed: Sequence[str]
    owners_missing: Sequence[tuple[str, ...]]
    changes_requested: bool

    @property
    def meets_rules(self) -> bool:
        """Return whether the rules of the base branch are met."""
        return not (self.checks_missing or self.checks_failed or self.owners_missing or self.changes_requested)


def standing(
    pull: PullRequest, runs: Iterable[CheckRun], owners: Iterable[tuple[str, ...]], teams: Mapping[str, Sequence[str]],
    now: float,
) -> Standing:  # fmt: skip
    """Evaluate a pull request by the rules of its base branch.

    Args:
        runs: the checks of its head.
        owners: the owner sets of its files, each of which has to agree.
        teams: who is in each team, by its slug.
    """
    done = {one.name: one.conclusion for one in runs if one.status(now) == "completed"}
    opinions = pull.opinions()
    approved = {login for login, review in opinions.items() if review.state == "APPROVED" and login != pull.login}
    return Standing(
        [name for name in CHECKS if name not in done],
        [name for name in CHECKS if name in done and done[name] not in PASSING],
        [one for one in owners if not approved & members(one, teams)],
        any(review.state == "CHANGES_REQUESTED" for review in opinions.values()),
    )


def members(owners: Iterable[str], teams: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the logins of everybody who may approve for these owners."""
    logins: set[str] = set()
    for owner in owners:
        _, slash, slug = owner.partition("/")
        logins.update(teams.get(slug, ()) if slash else (owner.removeprefix("@"),))
    return logins


def mergeable_state(pull: PullRequest, standing: Standing) -> str:
    """Return GitHub's `mergeable_state`."""
    if pull.closed is not None or pull.mergeable is None:
        return "unknown"
    if not pull.mergeable:
        return "dirty"
    if pull.draft:
        return "draft"
    return "clean" if standing.meets_rules else "blocked"


def obstacle(pull: PullRequest, standing: Standing) -> str:
    """Return why it cannot be merged, in GitHub's words; "" if it can."""
    if pull.draft:
        return "Pull Request is still a draft"
    if pull.mergeable is False:
        return "Pull Request is not mergeable"
    if standing.changes_requested:
        return "Changes have been requested."
    if standing.owners_missing:
        return "At least 1 approving review is required by reviewers with write access. Waiting on code owner review."
    if standing.checks_failed or standing.checks_missing:
        waiting = [*standing.checks_failed, *standing.checks_missing]
        failed = " failing" if standing.checks_failed else " expected"
        return f"{len(waiting)} of {len(CHECKS)} required status checks are{failed}: {', '.join(waiting)}."
    return ""
