"""The merge queue of the embedded GitHub: where a rule requires it, only it merges into main."""

from __future__ import annotations

from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.github.merging import Merger
from sgm_tui.sandbox.github.pull_requests import PullRequests
from sgm_tui.sandbox.github.pulls import GitHubError, PullRequest, obstacle

_SECONDS = 5.0
"""Virtual seconds the queue takes to test a pull request on top of those before it."""


class MergeQueue:
    """The queue of one repository."""

    def __init__(self, pulls: PullRequests, merger: Merger) -> None:
        self._pulls = pulls
        self._merger = merger
        self._agenda = Agenda(pulls.clock)

    def run(self) -> None:
        """Merge every pull request whose time in the queue is over."""
        self._agenda.run()

    def add(self, pull: PullRequest, login: str, expected: str = "") -> None:
        """Add a pull request to the queue.

        Raises:
            GitHubError: 422 when the repository has no queue, or something blocks the pull request.
        """
        if not self._merger.requires_queue:
            raise GitHubError(422, "Merge queue is not enabled for this branch")
        if expected and expected != pull.head_sha:
            raise GitHubError(422, "Head branch was modified. Review and try the merge again.")
        is_closed = pull.closed is not None
        reason = "Pull request is closed" if is_closed else obstacle(pull, self._pulls.standing(pull))
        if reason:
            raise GitHubError(422, reason)
        pull.queued_by, head = login, pull.head_sha
        self._agenda.after(_SECONDS, lambda: self._merge(pull, head))

    def _merge(self, pull: PullRequest, head: str) -> None:
        login, pull.queued_by = pull.queued_by, ""
        if not login or pull.closed is not None:
            return
        try:
            self._merger.merge(pull, login, expected=head, from_queue=True)
        except GitHubError as error:
            self._pulls.comment(pull, "github-merge-queue", f"Removed from the merge queue: {error.message}")
