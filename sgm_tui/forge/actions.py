"""What is done to a pull request: bound to the head a person saw, sent once, and looked up where the answer got lost.

What closes or deletes asks who opened it: a branch name, a hidden block and a trailer can be written by anybody who
may push.
"""

from __future__ import annotations

from collections.abc import Callable

from sgm_tui.errors import RefusedError, UnreachableError
from sgm_tui.forge.connection import LOST, Connection, StatusError, is_lost, resolved, rows_of
from sgm_tui.forge.documents import is_opened_by
from sgm_tui.forge.wire import Comment, Merged, Pull, Review

_BASE_MOVED = "base branch was modified"
_QUEUE = "merge queue"


class PullActions:
    """The actions on the pull requests of one repository; each is one thread's."""

    def __init__(self, connection: Connection, repository: str) -> None:
        self._connection = connection
        self._root = f"/repos/{repository}"

    def pull(self, number: int) -> Pull:
        """One as it is now."""
        return self._connection.read(f"{self._root}/pulls/{number}", Pull)

    def unmoved(self, number: int, head: str) -> Pull:
        """One as it is now, if it is still what a person saw.

        Raises:
            RefusedError: it has other commits, or is open no more.
        """
        pull = self.pull(number)
        if pull.head.sha != head:
            raise RefusedError(f"#{number} has new commits: nothing was done", "Review it and try again.")
        if pull.state != "open":
            word = "merged" if pull.is_merged else "closed"
            raise RefusedError(f"#{number} is already {word}: nothing was done")
        return pull

    def reviewed(self, number: int, head: str) -> bool:
        """Whether we ourselves approved this head; False where GitHub does not say who we are."""
        me = self._connection.me.lower()
        reviews = rows_of(self._connection, f"{self._root}/pulls/{number}/reviews", tuple[Review, ...])
        mine = (one for one in reviews if one.user is not None and one.user.login.lower() == me)
        return bool(me) and any(one.state == "APPROVED" and one.commit_id == head for one in mine)

    def approve(self, number: int, head: str, must_be_accepted: Callable[[], None]) -> str:
        """Approve this head; `must_be_accepted` refuses what then merges into a protected stage without consent."""
        if self.unmoved(number, head).auto_merge is not None:
            must_be_accepted()
        text = f"#{number} is approved"

        def send() -> str:
            body = {"commit_id": head, "event": "APPROVE"}
            self._connection.write("POST", f"{self._root}/pulls/{number}/reviews", body, Review)
            return text

        try:
            return resolved(send, lambda: text if self.reviewed(number, head) else None, f"#{number} was approved")
        except StatusError as error:
            if error.status == 422 and "own pull request" in error.words.lower():
                raise RefusedError(
                    f"#{number} is your own: GitHub does not allow approving your own pull request",
                    "Ask one of its owners.",
                ) from error
            raise

    def merge(self, number: int, head: str) -> str:
        """Merge this head with a merge commit, or put it into the queue the repository wants.

        GitHub refuses a merge while the base branch moves under it; it is looked at anew and asked for once more.
        """
        pull = self.unmoved(number, head)
        try:
            return self._merge(number, head)
        except StatusError as error:
            if _QUEUE in error.words.lower():
                return self._queue(pull, head)
            if _BASE_MOVED not in error.words.lower():
                raise
        self.unmoved(number, head)
        return self._merge(number, head)

    def _merge(self, number: int, head: str) -> str:
        def send() -> str:
            body = {"merge_method": "merge", "sha": head}
            answer = self._connection.write("PUT", f"{self._root}/pulls/{number}/merge", body, Merged)
            if answer is None or not answer.merged:
                raise UnreachableError(f"GitHub did not merge #{number} and gave no reason")
            return f"#{number} is merged: {answer.sha[:8]}" if answer.sha else f"#{number} is merged"

        return resolved(send, lambda: self._merged(number), f"#{number} was merged")

    def _merged(self, number: int) -> str | None:
        pull = self.pull(number)
        return f"#{number} is merged: {(pull.merge_commit_sha or '')[:8]}" if pull.is_merged else None

    def _queue(self, pull: Pull, head: str) -> str:
        """Let it merge through the repository's merge queue.

        Auto-merge puts it there as soon as it may; where nothing is left to wait for, GitHub wants it put there.
        """
        values = {"pullRequestId": pull.node_id, "expectedHeadOid": head}
        refusal = self.enable_auto_merge(pull, head)
        if not refusal:
            return f"#{pull.number} merges through the merge queue once checks and reviews pass"
        text = f"#{pull.number} is in the merge queue"

        def send() -> str:
            self._connection.mutate("enqueuePullRequest", values)
            return text

        try:
            return resolved(send, lambda: self._merged(pull.number), f"#{pull.number} is in the merge queue")
        except StatusError as error:
            if is_lost(error):
                raise
            raise RefusedError(f"#{pull.number}: the merge queue refused it: {error.words} ({refusal})") from error

    def let_merge(self, number: int, head: str) -> str:
        """Let this head merge by itself once checks and owners agree."""
        self.unmoved(number, head)
        refusal = self.auto_merge(number, head)
        if refusal:
            raise RefusedError(f"#{number}: {refusal}")
        return f"#{number} will auto-merge once checks and reviews pass"

    def auto_merge(self, number: int, head: str) -> str:
        """Let it merge by itself; "" or why GitHub refuses.

        GitHub refuses auto-merge where nothing is left to wait for: then it is an ordinary merge of this head.
        """
        refusal = self.enable_auto_merge(self.pull(number), head)
        if "clean status" not in refusal:
            return f"auto-merge was refused: {refusal}" if refusal else ""
        try:
            self.merge(number, head)
        except StatusError as error:
            if is_lost(error):
                raise
            return f"merging was refused: {error.words}"
        except RefusedError as error:
            return f"merging was refused: {error.message}"
        return ""

    def enable_auto_merge(self, pull: Pull, head: str) -> str:
        """Turn auto-merge on; "" or why GitHub refuses."""
        values = {"pullRequestId": pull.node_id, "mergeMethod": "MERGE", "expectedHeadOid": head}
        number = pull.number

        def send() -> str:
            self._connection.mutate("enablePullRequestAutoMerge", values)
            return ""

        def effect() -> str | None:
            now = self.pull(number)
            return "" if now.auto_merge is not None or now.is_merged else None

        try:
            return resolved(send, effect, f"auto-merge of #{number} was enabled")
        except StatusError as error:
            if is_lost(error):
                raise
            return error.words

    def stop_auto_merge(self, number: int) -> str:
        """Turn auto-merge off."""
        text = f"#{number}: auto-merge is off"
        values = {"pullRequestId": self.pull(number).node_id}

        def send() -> str:
            self._connection.mutate("disablePullRequestAutoMerge", values)
            return text

        def effect() -> str | None:
            now = self.pull(number)
            return text if now.auto_merge is None and now.state == "open" else None

        return resolved(send, effect, f"#{number}: auto-merge is still on")

    def update_branch(self, number: int, head: str, base: str, must_be_accepted: Callable[[], None]) -> str:
        """Merge the branch it goes into into its own, if its head is still this one.

        `must_be_accepted` refuses what then merges into a protected stage without consent.
        """
        if self.unmoved(number, head).auto_merge is not None:
            must_be_accepted()
        text = f"#{number} is being updated from its base branch"

        def send() -> str:
            body = {"expected_head_sha": head}
            self._connection.write("PUT", f"{self._root}/pulls/{number}/update-branch", body)
            return text

        try:
            return resolved(
                send,
                lambda: text if self.pull(number).head.sha != head else None,
                f"#{number} was updated from its base branch",
            )
        except StatusError as error:
            if error.status != 422:
                raise
            raise RefusedError(f"#{number} is already up to date, or conflicts with {base}") from error

    def close(self, number: int) -> str:
        """Close it without merging; the branch goes along where we opened it from this repository."""
        pull = self.pull(number)
        if pull.is_merged:
            return f"#{number} is already merged"
        if pull.state == "open":
            self._close(number)
        if not pull.head.ref.startswith("sgm/") or not pull.is_from_its_own_repository:
            return f"#{number} is closed"
        if not self._connection.me:
            return f"#{number} is closed; its branch stays: GitHub does not say who this token is"
        if not is_opened_by(pull, self._connection.me):
            return f"#{number} is closed; its branch stays: {pull.author or 'somebody else'} opened it"
        try:
            self._connection.write("DELETE", f"{self._root}/git/refs/heads/{pull.head.ref}", None)
        except LOST as error:
            if not isinstance(error, StatusError) or error.status not in {404, 422}:
                return f"#{number} is closed; its branch stays ({error})"
        return f"#{number} is closed"

    def _close(self, number: int) -> None:
        def send() -> bool:
            self._connection.write("PATCH", f"{self._root}/pulls/{number}", {"state": "closed"}, Pull)
            return True

        resolved(send, lambda: self.pull(number).state == "closed" or None, f"#{number} was closed")

    def supersede(self, number: int, head: str, by: str) -> str:
        """Close one of ours with a comment that names what takes its place; "" or why it was left as it is."""
        pull = self.pull(number)
        if pull.is_merged:
            return f"#{number} was merged meanwhile"
        if refusal := self._why_not_ours(pull):
            return refusal
        if pull.state != "open":
            return ""
        if pull.head.sha != head:
            return f"#{number} has new commits and stays open"
        text = f"Superseded by {by}."
        comments = f"{self._root}/issues/{number}/comments"
        if all(one.body != text for one in rows_of(self._connection, comments, tuple[Comment, ...])):
            self._connection.write("POST", comments, {"body": text}, Comment)
        self._close(number)
        return ""

    def _why_not_ours(self, pull: Pull) -> str:
        """Why it must not be closed for another one; "" where we opened it."""
        stays = "stays as it is" if pull.state != "open" else "stays open"
        if not self._connection.me:
            return f"#{pull.number} {stays}: GitHub does not say who this token is, so whether it is ours is unknown"
        if not is_opened_by(pull, self._connection.me):
            return f"#{pull.number} {stays}: {pull.author or 'somebody else'} opened it"
        return ""
