"""The life of pull requests on the embedded GitHub, in virtual time: checks, reviews, merging.

Checks run for every pushed head; reviewers are asked because CODEOWNERS says so and agree after a while, the sooner
the less is at stake; with auto-merge it merges itself as soon as nothing is in the way. Merges are real.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sgm_tui.sandbox.github.checks import CHECKS

Method = Literal["merge", "squash", "rebase"]

PASSING = frozenset({"success", "neutral", "skipped"})


class GitHubError(Exception):
    """A refusal, with the HTTP status it has."""

    def __init__(self, status: int, message: str, errors: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = list(errors)


@dataclass(slots=True)
class CheckRun:
    """One check of one commit; moments are virtual."""

    id: int
    name: str
    queued: float
    started: float
    completed: float
    conclusion: str
    title: str
    summary: str

    def status(self, now: float) -> str:
        """queued, in_progress or completed."""
        return "completed" if now >= self.completed else "in_progress" if now >= self.started else "queued"


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody thought of a head."""

    id: int
    login: str
    state: str
    body: str
    at: float
    commit: str


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said."""

    id: int
    login: str
    body: str
    at: float


@dataclass(frozen=True, slots=True)
class AutoMerge:
    """A pull request that is to merge itself."""

    login: str
    method: str
    title: str = ""
    message: str = ""


@dataclass(slots=True)
class PullRequest:
    """One pull request; moments are virtual, except what git has recorded of merged ones."""

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
    """Who closed it without merging it; "" where nobody did, or its branch went away."""
    fork: str = ""
    """The repository its branch is in, "mia/gitops"; "" for the one it goes into."""
    queued_by: str = ""
    """Who put it into the merge queue, while it waits there."""
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    requested_users: list[str] = field(default_factory=list)
    requested_teams: list[str] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    auto_merge: AutoMerge | None = None
    mergeable: bool | None = None
    """None while GitHub has not tried yet."""

    @property
    def state(self) -> str:
        """open or closed."""
        return "open" if self.closed is None else "closed"

    def opinions(self) -> Mapping[str, Review]:
        """The review of each person that counts; comments change no opinion."""
        counting = {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}
        return {one.login: one for one in self.reviews if one.state in counting}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is still in a pull request's way."""

    checks_missing: Sequence[str]
    checks_failed: Sequence[str]
    owners_missing: Sequence[tuple[str, ...]]
    changes_requested: bool

    @property
    def free(self) -> bool:
        """Whether the branch's rules are met."""
        return not (self.checks_missing or self.checks_failed or self.owners_missing or self.changes_requested)


def standing(
    pull: PullRequest, runs: Iterable[CheckRun], owners: Iterable[tuple[str, ...]], teams: Mapping[str, Sequence[str]],
    now: float,
) -> Standing:  # fmt: skip
    """Hold a pull request against the rules of its base branch.

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
    """Everybody who may speak for these owners, by login."""
    logins: set[str] = set()
    for owner in owners:
        _, slash, slug = owner.partition("/")
        logins.update(teams.get(slug, ()) if slash else (owner.removeprefix("@"),))
    return logins


def mergeable_state(pull: PullRequest, standing: Standing) -> str:
    """GitHub's one word for it."""
    if pull.closed is not None or pull.mergeable is None:
        return "unknown"
    if not pull.mergeable:
        return "dirty"
    if pull.draft:
        return "draft"
    return "clean" if standing.free else "blocked"


def obstacle(pull: PullRequest, standing: Standing) -> str:
    """Why it cannot be merged, in GitHub's words; "" when it can."""
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
