"""Reading pull requests as they are now, before one is changed."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from sgm_tui.errors import RefusedError, UnreachableError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.history.trailers import Mark
from sgm_tui.forge.conditional import Conditional, whole_page
from sgm_tui.forge.connection import Connection, StatusError, fetch_rows
from sgm_tui.forge.documents import change_id_of, is_opened_by, marks_of, to_pull_request, was_merged_as
from sgm_tui.forge.wire import Pull, Review

_MOST_OPEN = 5000


class PullReads:
    """The pull requests of one repository, fetched and never remembered; each call blocks its thread."""

    def __init__(self, connection: Connection, repository: str, branch: str) -> None:
        """`branch` is the one that pull requests go into."""
        self._connection = connection
        self._repository = repository
        self._root = f"/repos/{repository}"
        self._branch = branch

    def fetch(self, number: int) -> Pull:
        """Fetch a pull request."""
        return self._connection.read(f"{self._root}/pulls/{number}", Pull)

    def fetch_unchanged(self, number: int, head: str) -> Pull:
        """Fetch a pull request that is open and still has the head a person reviewed.

        Raises:
            RefusedError: it has other commits, or is no longer open.
        """
        pull = self.fetch(number)
        if pull.head.sha != head:
            raise RefusedError(f"#{number} has new commits: nothing was done", "Review it and try again.")
        if pull.state != "open":
            word = "merged" if pull.is_merged else "closed"
            raise RefusedError(f"#{number} is already {word}: nothing was done")
        return pull

    def fetch_with_approval(self, number: int) -> PullRequest:
        """Fetch a pull request; its `approved` tells whether this account approved its head."""
        pull = self.fetch(number)
        return replace(to_pull_request(pull), approved=self.is_approved_by_us(number, pull.head.sha))

    def is_approved_by_us(self, number: int, head: str) -> bool:
        """Return whether this account approved that head; False where GitHub does not say which account it is."""
        login = self._connection.login.lower()
        reviews = fetch_rows(self._connection, f"{self._root}/pulls/{number}/reviews", tuple[Review, ...])
        ours = (review for review in reviews if review.user is not None and review.user.login.lower() == login)
        return bool(login) and any(review.state == "APPROVED" and review.commit_id == head for review in ours)

    def list_open(self) -> tuple[PullRequest, ...]:
        """Return every open pull request; `ours` where this account opened it with sgm.

        Raises:
            UnreachableError: they cannot all be read.
        """
        login = self._connection.login

        def row(pull: Pull) -> PullRequest:
            is_marked = bool(change_id_of(pull))
            return replace(to_pull_request(pull), marked=is_marked, ours=is_marked and is_opened_by(pull, login))

        path = f"{self._root}/pulls?state=open&base={quote(self._branch, safe='')}"
        reads = Conditional(self._connection.get_if_changed)
        rows, is_cut = reads.rows(path, tuple[Pull, ...], whole_page, row, _MOST_OPEN)
        if is_cut:
            raise UnreachableError(f"{self._repository} has more open pull requests than can be read ({_MOST_OPEN})")
        return rows

    def fetch_marks(self, number: int, commit: str) -> tuple[Mark, ...]:
        """Return the versions that a pull request of sgm, merged as this commit, marks as known bad."""
        try:
            return marks_of(self.fetch(number), commit)
        except StatusError as error:
            if error.status != 404:
                raise
            return ()  # the number in the commit's message belongs to another repository

    def find_merged(self, commit: str) -> int:
        """Return the number of the pull request that was merged as a commit; 0 when none was."""
        pulls = fetch_rows(self._connection, f"{self._root}/commits/{commit}/pulls", tuple[Pull, ...])
        return next((pull.number for pull in pulls if was_merged_as(pull, commit)), 0)
