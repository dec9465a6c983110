"""Finding the pull request of a branch, and opening it where there is none.

A failed lookup does not mean that there is none: nothing is opened or undone on an answer that cannot be read.
"""

from __future__ import annotations

from urllib.parse import quote

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.plans.proposal import ClosedPullRequest, Proposal
from sgm_tui.forge.assignment import assign, is_assigned
from sgm_tui.forge.connection import FAILURES, Connection, StatusError, may_have_succeeded
from sgm_tui.forge.documents import parse_time, to_pull_request
from sgm_tui.forge.wire import Issue, Pull
from sgm_tui.untrusted_text import clean

_HINT = "Check github.api_url: the server there may not be GitHub."


class Opening:
    """The pull requests of one repository by their branch."""

    def __init__(self, connection: Connection, repository: str, base: str) -> None:
        self._connection = connection
        self._repository = repository
        self._owner = repository.partition("/")[0]
        self._root = f"/repos/{repository}"
        self._base = base

    def find(self, branch: str, state: str = "open") -> PullRequest | None:
        """Return the newest pull request of a branch of this repository in a state; None where there is none.

        Raises:
            UnreachableError: the answer cannot be read, or is about another branch.
        """
        pull = self._find_newest(branch, state)
        return None if pull is None else to_pull_request(pull)

    def _find_newest(self, branch: str, state: str) -> Pull | None:
        head, base = quote(f"{self._owner}:{branch}"), quote(self._base, safe="")
        path = f"{self._root}/pulls?state={state}&head={head}&base={base}&per_page=100"
        rows = self._connection.read(path, tuple[Pull, ...])
        for pull in rows:
            if pull.head.ref.lower() != branch.lower() or pull.state != state:
                raise UnreachableError(
                    f"GitHub's answer about the branch {branch} lists #{pull.number} of {clean(pull.head.ref, 80)}",
                    _HINT,
                )
        own = (pull for pull in rows if pull.head.ref == branch and pull.is_from_its_own_repository)
        return max(own, key=lambda pull: pull.number, default=None)

    def find_closed(self, branch: str) -> ClosedPullRequest | None:
        """Return the newest pull request of a branch, if it was closed without being merged.

        Raises:
            StatusError, UnreachableError: it cannot be determined.
        """
        pull = self._find_newest(branch, "closed")
        if pull is None or pull.is_merged:
            return None
        issue = self._connection.read(f"{self._root}/issues/{pull.number}", Issue)
        by = clean(issue.closed_by.login) if issue.closed_by is not None else ""
        return ClosedPullRequest(pull.number, by, parse_time(issue.closed_at), clean(pull.html_url))

    def open(self, proposal: Proposal, head: str) -> tuple[PullRequest, bool, str]:
        """Find or open the pull request of a pushed branch.

        Returns:
            The pull request, whether it was opened now, and what GitHub refused of its reviewers and labels.
        """
        existing = self._find_newest(proposal.branch, "open")
        if existing is not None:
            # The process that opened it may have ended before it requested the reviews.
            request = to_pull_request(existing)
            refusals = [] if is_assigned(request, proposal) else self._assign(existing, proposal)
            return request, False, "; ".join(refusals)
        body = {"base": self._base, "head": proposal.branch, "title": proposal.title, "body": proposal.body}
        try:
            pull = self._connection.write("POST", f"{self._root}/pulls", body, Pull)
        except FAILURES as error:
            pull = self._find_after_failed_create(proposal.branch, error)
            if isinstance(error, StatusError) and error.status == 422:
                return to_pull_request(pull), False, ""
        if pull is None:
            raise UnreachableError(f"GitHub did not say which pull request it opened for {proposal.branch}")
        refusals = self._assign(pull, proposal)
        if pull.head.sha != head:
            refusals.append(f"its head is {clean(pull.head.sha[:7])}, not {head[:7]}")
        return to_pull_request(pull), True, "; ".join(refusals)

    def _assign(self, pull: Pull, proposal: Proposal) -> list[str]:
        return assign(self._connection, self._root, pull, proposal)

    def _find_after_failed_create(self, branch: str, error: Exception) -> Pull:
        """After a failed create, return the pull request if it exists: opened concurrently, or the answer got lost.

        Raises:
            UnreachableError: whether it was opened cannot be determined.
            StatusError: it was not opened.
        """
        if not may_have_succeeded(error) and not (isinstance(error, StatusError) and error.status == 422):
            raise error
        try:
            pull = self._find_newest(branch, "open")
        except FAILURES as second:
            raise UnreachableError(
                "GitHub's answer was lost, and sgm cannot check whether the pull request was opened",
                "Try again: sgm finds it if it was.",
            ) from second
        if pull is None:
            raise error
        return pull
