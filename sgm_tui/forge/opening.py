"""Finding the pull request of a branch, and opening it where there is none.

A lookup that failed is not "none": nothing is opened, and nothing taken back, on an answer that cannot be read.
"""

from __future__ import annotations

from urllib.parse import quote

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.plans.proposal import ClosedPullRequest, Proposal
from sgm_tui.forge.assignment import dress, is_dressed
from sgm_tui.forge.connection import LOST, Connection, StatusError, is_lost
from sgm_tui.forge.documents import pull_of, time_of
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
        """The newest pull request of a branch of this repository in a state; None where there is none.

        Raises:
            UnreachableError: the answer cannot be read, or is about something else.
        """
        pull = self._newest(branch, state)
        return None if pull is None else pull_of(pull)

    def _newest(self, branch: str, state: str) -> Pull | None:
        head, base = quote(f"{self._owner}:{branch}"), quote(self._base, safe="")
        path = f"{self._root}/pulls?state={state}&head={head}&base={base}&per_page=100"
        rows = self._connection.read(path, tuple[Pull, ...])
        for pull in rows:
            if pull.head.ref.lower() != branch.lower() or pull.state != state:
                raise UnreachableError(
                    f"GitHub's answer about the branch {branch} lists #{pull.number} of {clean(pull.head.ref, 80)}",
                    _HINT,
                )
        own = (one for one in rows if one.head.ref == branch and one.is_from_its_own_repository)
        return max(own, key=lambda one: one.number, default=None)

    def closed_earlier(self, branch: str) -> ClosedPullRequest | None:
        """The newest pull request of a branch, if it was closed without being merged.

        Raises:
            StatusError, UnreachableError: nobody knows.
        """
        pull = self._newest(branch, "closed")
        if pull is None or pull.is_merged:
            return None
        issue = self._connection.read(f"{self._root}/issues/{pull.number}", Issue)
        by = clean(issue.closed_by.login) if issue.closed_by is not None else ""
        return ClosedPullRequest(pull.number, by, time_of(issue.closed_at), clean(pull.html_url))

    def open(self, proposal: Proposal, head: str) -> tuple[PullRequest, bool, str]:
        """The pull request for a pushed branch: found or made. Whether it was made, and what was left undone."""
        there = self._newest(proposal.branch, "open")
        if there is not None:
            # Whoever opened it may have died before the owners were asked.
            refusals = [] if is_dressed(pull_of(there), proposal) else self._dress(there, proposal)
            return pull_of(there), False, "; ".join(refusals)
        body = {"base": self._base, "head": proposal.branch, "title": proposal.title, "body": proposal.body}
        try:
            pull = self._connection.write("POST", f"{self._root}/pulls", body, Pull)
        except LOST as error:
            pull = self._after_failed_create(proposal.branch, error)
            if isinstance(error, StatusError) and error.status == 422:
                return pull_of(pull), False, ""
        if pull is None:
            raise UnreachableError(f"GitHub did not say which pull request it opened for {proposal.branch}")
        refusals = self._dress(pull, proposal)
        if pull.head.sha != head:
            refusals.append(f"its head is {clean(pull.head.sha[:7])}, not {head[:7]}")
        return pull_of(pull), True, "; ".join(refusals)

    def _dress(self, pull: Pull, proposal: Proposal) -> list[str]:
        return dress(self._connection, self._root, pull, proposal)

    def _after_failed_create(self, branch: str, error: Exception) -> Pull:
        """The pull request if it exists anyway: somebody was faster, or only the answer got lost.

        Raises:
            UnreachableError: nobody knows whether it was made.
            StatusError: it was not made.
        """
        if not is_lost(error) and not (isinstance(error, StatusError) and error.status == 422):
            raise error
        try:
            pull = self._newest(branch, "open")
        except LOST as second:
            raise UnreachableError(
                "GitHub's answer was lost, and sgm cannot check whether the pull request was opened",
                "Try again: sgm finds it if it was.",
            ) from second
        if pull is None:
            raise error
        return pull
