"""Approving, updating and closing pull requests.

Every write is bound to the head a person reviewed, sent once, and its effect is looked up where the answer got lost.
What closes a pull request or deletes a branch first checks who opened it: a branch name, a hidden block and a trailer
can be written by anybody who may push.
"""

from __future__ import annotations

from collections.abc import Callable

from sgm_tui.errors import RefusedError
from sgm_tui.forge.connection import FAILURES, Connection, StatusError, fetch_rows, send_once
from sgm_tui.forge.documents import is_opened_by
from sgm_tui.forge.pull_reads import PullReads
from sgm_tui.forge.wire import Comment, Pull, Review


class PullActions:
    """Actions on the pull requests of one repository; each call blocks its thread."""

    def __init__(self, connection: Connection, repository: str, reads: PullReads) -> None:
        self._connection = connection
        self._root = f"/repos/{repository}"
        self._reads = reads

    def approve(self, number: int, head: str, check_consent: Callable[[], None]) -> str:
        """Approve this head.

        `check_consent` is called where auto-merge is enabled: it raises if the approval would merge into a protected
        stage without consent.
        """
        if self._reads.fetch_unchanged(number, head).auto_merge is not None:
            check_consent()
        outcome = f"#{number} is approved"

        def send() -> str:
            body = {"commit_id": head, "event": "APPROVE"}
            self._connection.write("POST", f"{self._root}/pulls/{number}/reviews", body, Review)
            return outcome

        def effect() -> str | None:
            return outcome if self._reads.is_approved_by_us(number, head) else None

        try:
            return send_once(send, effect, f"#{number} was approved")
        except StatusError as error:
            if error.status == 422 and "own pull request" in error.message.lower():
                raise RefusedError(
                    f"#{number} is your own: GitHub does not allow approving your own pull request",
                    "Ask one of its owners.",
                ) from error
            raise

    def update_branch(self, number: int, head: str, base: str, check_consent: Callable[[], None]) -> str:
        """Merge the base branch into the branch of a pull request that still has this head.

        `check_consent` is called where auto-merge is enabled: it raises if the update would merge into a protected
        stage without consent.
        """
        if self._reads.fetch_unchanged(number, head).auto_merge is not None:
            check_consent()
        outcome = f"#{number} is being updated from its base branch"

        def send() -> str:
            body = {"expected_head_sha": head}
            self._connection.write("PUT", f"{self._root}/pulls/{number}/update-branch", body)
            return outcome

        def effect() -> str | None:
            return outcome if self._reads.fetch(number).head.sha != head else None

        try:
            return send_once(send, effect, f"#{number} was updated from its base branch")
        except StatusError as error:
            if error.status != 422:
                raise
            raise RefusedError(f"#{number} is already up to date, or conflicts with {base}") from error

    def close(self, number: int) -> str:
        """Close a pull request without merging it; delete its branch where we opened it from this repository."""
        pull = self._reads.fetch(number)
        if pull.is_merged:
            return f"#{number} is already merged"
        if pull.state == "open":
            self._close(number)
        if not pull.head.ref.startswith("sgm/") or not pull.is_from_its_own_repository:
            return f"#{number} is closed"
        if not self._connection.login:
            return f"#{number} is closed; its branch stays: GitHub does not say who this token is"
        if not is_opened_by(pull, self._connection.login):
            return f"#{number} is closed; its branch stays: {pull.author or 'somebody else'} opened it"
        try:
            self._connection.write("DELETE", f"{self._root}/git/refs/heads/{pull.head.ref}", None)
        except FAILURES as error:
            if not isinstance(error, StatusError) or error.status not in {404, 422}:
                return f"#{number} is closed; its branch stays ({error})"
        return f"#{number} is closed"

    def _close(self, number: int) -> None:
        def send() -> bool:
            self._connection.write("PATCH", f"{self._root}/pulls/{number}", {"state": "closed"}, Pull)
            return True

        send_once(send, lambda: self._reads.fetch(number).state == "closed" or None, f"#{number} was closed")

    def supersede(self, number: int, head: str, by: str) -> str:
        """Close one of our pull requests with a comment that names its replacement; return "" or why it stays open."""
        pull = self._reads.fetch(number)
        if pull.is_merged:
            return f"#{number} was merged meanwhile"
        if refusal := self._why_not_ours(pull):
            return refusal
        if pull.state != "open":
            return ""
        if pull.head.sha != head:
            return f"#{number} has new commits and stays open"
        text = f"Superseded by {by}."
        path = f"{self._root}/issues/{number}/comments"
        if all(comment.body != text for comment in fetch_rows(self._connection, path, tuple[Comment, ...])):
            self._connection.write("POST", path, {"body": text}, Comment)
        self._close(number)
        return ""

    def _why_not_ours(self, pull: Pull) -> str:
        """Return why a pull request must not be closed for another one; "" where we opened it."""
        stays = "stays as it is" if pull.state != "open" else "stays open"
        if not self._connection.login:
            return f"#{pull.number} {stays}: GitHub does not say who this token is, so whether it is ours is unknown"
        if not is_opened_by(pull, self._connection.login):
            return f"#{pull.number} {stays}: {pull.author or 'somebody else'} opened it"
        return ""
