"""Merge the pull requests of the embedded GitHub, and enable auto-merge, by GitHub's rules and in its words."""

from __future__ import annotations

from collections.abc import Callable

from sgm_tui.sandbox.git.repository import MergeConflictError
from sgm_tui.sandbox.github.pull_requests import PullRequests
from sgm_tui.sandbox.github.pulls import AutoMerge, GitHubError, Method, PullRequest, obstacle

_QUEUE_REQUIRED = "Repository rule violations found\n\nChanges must be made through the merge queue\n\n"


class Merger:
    """Merges the pull requests of one repository; every merge is a real git merge."""

    def __init__(self, pulls: PullRequests, notify_of_push: Callable[[], None]) -> None:
        self._pulls = pulls
        self._notify_of_push = notify_of_push
        self.requires_queue = False
        """Whether a rule of the repository lets only the merge queue merge; off until a test turns it on."""

    def merge(
        self, pull: PullRequest, login: str, method: Method = "merge", *, expected: str = "", title: str = "",
        message: str = "", from_queue: bool = False,
    ) -> str:  # fmt: skip
        """Merge a pull request now, and return the merge commit.

        Raises:
            GitHubError: 405 when something blocks it or only the queue may merge, 409 when its head is not the
                expected one.
        """
        if pull.closed is not None:
            raise GitHubError(405, "Pull Request is not mergeable")
        if expected and expected != pull.head_sha:
            raise GitHubError(409, "Head branch was modified. Review and try the merge again.")
        reason = obstacle(pull, self._pulls.standing(pull))
        if reason:
            raise GitHubError(405, reason)
        if self.requires_queue and not from_queue:
            raise GitHubError(405, _QUEUE_REQUIRED)
        text = self._merge_text(pull, method, title, message)
        clock, author = self._pulls.clock, self._pulls.people.get(login, "")
        try:
            commit = self._pulls.repository.merge(
                pull.base, pull.head_sha, text, at=clock.wall(), method=method, author=author
            )
        except MergeConflictError:
            pull.mergeable = False
            raise GitHubError(405, "Pull Request is not mergeable") from None
        pull.merge_commit, pull.merged_by = commit, login
        pull.merged = pull.closed = pull.updated = clock.now
        pull.auto_merge, pull.requested_users, pull.requested_teams, pull.queued_by = None, [], [], ""
        self._notify_of_push()
        return commit

    def enable_auto_merge(self, pull: PullRequest, auto_merge: AutoMerge, expected: str = "") -> None:
        """Enable auto-merge.

        Raises:
            GitHubError: 422 when it could be merged now, or is blocked by what never goes away by itself: it is
                closed, a draft or in conflict, or its head is not the expected one.
        """
        standing = self._pulls.standing(pull)
        if pull.closed is not None:
            raise GitHubError(422, "Pull request is closed")
        if expected and expected != pull.head_sha:
            raise GitHubError(422, "Head branch was modified. Review and try the merge again.")
        if pull.draft:
            raise GitHubError(422, "Pull request Pull request is in draft status")
        if pull.mergeable is False:
            raise GitHubError(422, "Pull request Pull request is in dirty status")
        if standing.meets_rules:
            raise GitHubError(422, "Pull request Pull request is in clean status")
        pull.auto_merge = auto_merge
        pull.updated = self._pulls.clock.now

    def _merge_text(self, pull: PullRequest, method: Method, title: str, message: str) -> str:
        if method == "merge":
            subject = title or f"Merge pull request #{pull.number} from {self._pulls.owner}/{pull.head}"
            return f"{subject}\n\n{message or pull.title}\n"
        subject = title or f"{pull.title} (#{pull.number})"
        return f"{subject}\n\n{message or self._pulls.repository.message(pull.head_sha)}\n"
