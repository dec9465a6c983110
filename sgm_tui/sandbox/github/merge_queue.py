"""The merge queue of the embedded GitHub: where it is enabled, main is merged into only through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.github.pulls import GitHubError, PullRequest, obstacle

if TYPE_CHECKING:
    from sgm_tui.sandbox.github.state import GitHub

_SECONDS = 5.0
"""Virtual seconds the queue takes to test a pull request on top of those before it."""
_RULE = "Repository rule violations found\n\nChanges must be made through the merge queue\n\n"


class MergeQueue:
    """The queue of one repository; disabled until a test enables it."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._agenda = Agenda(github.clock)
        self.enabled = False

    def run(self) -> None:
        """Merge what has waited long enough."""
        self._agenda.run()

    def refuse_others(self, *, from_queue: bool) -> None:
        """Refuse a direct merge while the queue is enabled.

        Raises:
            GitHubError: 405, it has to go through the queue.
        """
        if self.enabled and not from_queue:
            raise GitHubError(405, _RULE)

    def add(self, pull: PullRequest, login: str, expected: str = "") -> None:
        """Add a pull request to the queue.

        Raises:
            GitHubError: 422 when there is no queue, or something is in its way.
        """
        if not self.enabled:
            raise GitHubError(422, "Merge queue is not enabled for this branch")
        if expected and expected != pull.head_sha:
            raise GitHubError(422, "Head branch was modified. Review and try the merge again.")
        closed = pull.closed is not None
        wrong = "Pull request is closed" if closed else obstacle(pull, self._github.standing(pull))
        if wrong:
            raise GitHubError(422, wrong)
        pull.queued_by, head = login, pull.head_sha
        self._agenda.after(_SECONDS, lambda: self._merge(pull, head))

    def _merge(self, pull: PullRequest, head: str) -> None:
        login, pull.queued_by = pull.queued_by, ""
        if not login or pull.closed is not None:
            return
        try:
            self._github.merge(pull, login, expected=head, from_queue=True)
        except GitHubError as error:
            self._github.comment(pull, "github-merge-queue", f"Removed from the merge queue: {error.message}")
