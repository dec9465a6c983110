"""The pull requests of the embedded GitHub: open, close, review and comment on them, and say what blocks each.

Merging stands in `merging`; what happens by itself (checks, reviews, auto-merge) in `automation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.github.pulls import (
    CheckRun,
    Comment,
    GitHubError,
    PullRequest,
    Review,
    Standing,
    mergeable_state,
    standing,
)
from sgm_tui.sandbox.github.reviewers import Reviewers

OPERATOR = "operator"
"""The owner of the sandbox's token."""


class PullRequests(Mapping[int, PullRequest]):
    """The pull requests of one repository, by number."""

    def __init__(self, name: str, repository: Repository, clock: Clock, people: Mapping[str, str]) -> None:
        self.owner = name.partition("/")[0]
        """The organization that owns the repository."""
        self.repository = repository
        self.clock = clock
        self.people = people
        """Full names by login."""
        self.reviewers = Reviewers(repository, set(people) - {OPERATOR})
        self.runs: dict[str, list[CheckRun]] = {}
        """The checks of each head, by its commit."""
        self.on_new_head: list[Callable[[PullRequest], None]] = []
        """Called with a pull request that was opened or reopened, and after each push to its branch."""
        self.on_ready: list[Callable[[PullRequest], None]] = []
        """Called with a pull request that is no draft any more."""
        self._pulls: dict[int, PullRequest] = {}
        self._last_id = 1000

    def __getitem__(self, number: int) -> PullRequest:
        """Return a pull request by its number."""
        return self._pulls[number]

    def __iter__(self) -> Iterator[int]:
        """Iterate over the numbers, in the order in which the pull requests were added."""
        return iter(self._pulls)

    def __len__(self) -> int:
        """Return how many pull requests there are."""
        return len(self._pulls)

    def add(self, pull: PullRequest) -> None:
        """Add a pull request of an earlier sandbox or of the git history, without notifying anybody."""
        self._pulls[pull.number] = pull

    def new_id(self) -> int:
        """Return the next number of a review, a comment or a check."""
        self._last_id += 1
        return self._last_id

    def open(
        self, head: str, title: str, body: str = "", *, base: str = "main", login: str = "", draft: bool = False,
        labels: Sequence[str] = (),
    ) -> PullRequest:  # fmt: skip
        """Open a pull request for a branch; without a login, in the name of the author of its head.

        Raises:
            GitHubError: 422 as GitHub refuses it: no such branch, nothing to merge, or one is open already.
        """
        self._require_openable(head, base)
        now = self.clock.now
        number = max(self._pulls, default=0) + 1
        pull = PullRequest(
            number, title, body, head, base, self.repository.head(head), self.repository.head(base),
            login or self._author_of(head), now, now, draft, labels=list(labels),
        )  # fmt: skip
        self._pulls[number] = pull
        self.notify_of_new_head(pull)
        return pull

    def close(self, pull: PullRequest, login: str = "") -> None:
        """Close a pull request without merging it; without a login, because its branch was deleted."""
        if pull.closed is None:
            pull.closed = pull.updated = self.clock.now
            pull.auto_merge, pull.closed_by, pull.queued_by = None, login, ""

    def reopen(self, pull: PullRequest) -> None:
        """Reopen a closed pull request.

        Raises:
            GitHubError: 422 when it is merged, its branch was deleted, or another one of the branch is open.
        """
        if pull.merged is not None:
            raise GitHubError(
                422, "Validation Failed", [_custom("state", "cannot be changed. The pull request is merged.")]
            )
        self._require_openable(pull.head, pull.base)
        pull.closed = None
        pull.updated = self.clock.now
        pull.head_sha = self.repository.head(pull.head)
        self.notify_of_new_head(pull)

    def set_draft(self, pull: PullRequest, *, draft: bool) -> None:
        """Convert a pull request to a draft, or mark it as ready for review."""
        was_draft, pull.draft, pull.updated = pull.draft, draft, self.clock.now
        if was_draft and not draft:
            for listener in self.on_ready:
                listener(pull)

    def review(self, pull: PullRequest, login: str, state: str, body: str = "") -> Review:
        """Record a review of the current head."""
        review = Review(self.new_id(), login, state, body, self.clock.now, pull.head_sha)
        pull.reviews.append(review)
        pull.requested_users = [user for user in pull.requested_users if user != login]
        teams = self.reviewers.teams
        pull.requested_teams = [slug for slug in pull.requested_teams if login not in teams.get(slug, ())]
        pull.updated = self.clock.now
        return review

    def comment(self, pull: PullRequest, login: str, body: str) -> Comment:
        """Record a comment."""
        comment = Comment(self.new_id(), login, body, self.clock.now)
        pull.comments.append(comment)
        pull.updated = self.clock.now
        return comment

    def standing(self, pull: PullRequest) -> Standing:
        """Return what still blocks the merge of a pull request."""
        owners = self.reviewers.owners(pull)
        return standing(pull, self.runs.get(pull.head_sha, ()), owners, self.reviewers.teams, self.clock.now)

    def state_of(self, pull: PullRequest) -> str:
        """Return its `mergeable_state`."""
        return mergeable_state(pull, self.standing(pull)) if pull.closed is None else "unknown"

    def notify_of_new_head(self, pull: PullRequest) -> None:
        """Notify the listeners that a pull request has a head whose checks and reviews have to start."""
        for listener in self.on_new_head:
            listener(pull)

    def _require_openable(self, head: str, base: str) -> None:
        """Refuse a pull request between these branches as GitHub does.

        Raises:
            GitHubError: 422: no such branch, nothing to merge, or one is open already.
        """
        repository = self.repository
        if not repository.head(base):
            raise GitHubError(422, "Validation Failed", [_invalid("base")])
        if not repository.head(head):
            raise GitHubError(422, "Validation Failed", [_invalid("head")])
        if any(pull.head == head and pull.base == base and pull.closed is None for pull in self._pulls.values()):
            raise GitHubError(
                422, "Validation Failed", [_custom("", f"A pull request already exists for {self.owner}:{head}.")]
            )
        if repository.contains(repository.head(base), repository.head(head)):
            raise GitHubError(422, "Validation Failed", [_custom("", f"No commits between {base} and {head}")])

    def _author_of(self, branch: str) -> str:
        name, _, _ = self.repository.author(self.repository.head(branch))
        return next((login for login, full_name in self.people.items() if full_name == name), OPERATOR)


def _invalid(field: str) -> dict[str, str]:
    return {"resource": "PullRequest", "field": field, "code": "invalid"}


def _custom(field: str, message: str) -> dict[str, str]:
    details = {"field": field} if field else {}
    return {"resource": "PullRequest", "code": "custom", **details, "message": message}
