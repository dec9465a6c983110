"""Merging pull requests: at once, through the merge queue, or automatically once checks and owners agree.

Every write is bound to the head a person reviewed, sent once, and its effect is looked up where the answer got lost.
"""

from __future__ import annotations

from sgm_tui.errors import RefusedError, UnreachableError
from sgm_tui.forge.connection import Connection, StatusError, may_have_succeeded, send_once
from sgm_tui.forge.pull_reads import PullReads
from sgm_tui.forge.wire import Merged, Pull

_BASE_MOVED = "base branch was modified"
_QUEUE = "merge queue"


class Merging:
    """Merges the pull requests of one repository; each call blocks its thread."""

    def __init__(self, connection: Connection, repository: str, reads: PullReads) -> None:
        self._connection = connection
        self._root = f"/repos/{repository}"
        self._reads = reads

    def merge(self, number: int, head: str) -> str:
        """Merge this head with a merge commit, or queue it where the repository uses a merge queue.

        GitHub refuses a merge while the base branch changes: the pull request is then checked and merged once more.
        """
        pull = self._reads.fetch_unchanged(number, head)
        try:
            return self._merge_once(number, head)
        except StatusError as error:
            if _QUEUE in error.message.lower():
                return self._enqueue(pull, head)
            if _BASE_MOVED not in error.message.lower():
                raise
        self._reads.fetch_unchanged(number, head)
        return self._merge_once(number, head)

    def _merge_once(self, number: int, head: str) -> str:
        def send() -> str:
            body = {"merge_method": "merge", "sha": head}
            answer = self._connection.write("PUT", f"{self._root}/pulls/{number}/merge", body, Merged)
            if answer is None or not answer.merged:
                raise UnreachableError(f"GitHub did not merge #{number} and gave no reason")
            return f"#{number} is merged: {answer.sha[:8]}" if answer.sha else f"#{number} is merged"

        return send_once(send, lambda: self._outcome_if_merged(number), f"#{number} was merged")

    def _outcome_if_merged(self, number: int) -> str | None:
        pull = self._reads.fetch(number)
        return f"#{number} is merged: {(pull.merge_commit_sha or '')[:8]}" if pull.is_merged else None

    def _enqueue(self, pull: Pull, head: str) -> str:
        """Merge through the repository's merge queue.

        Auto-merge puts a pull request into the queue as soon as possible; where nothing remains to wait for, GitHub
        requires it to be enqueued explicitly.
        """
        values = {"pullRequestId": pull.node_id, "expectedHeadOid": head}
        refusal = self._enable_auto_merge(pull, head)
        if not refusal:
            return f"#{pull.number} merges through the merge queue once checks and reviews pass"
        outcome = f"#{pull.number} is in the merge queue"

        def send() -> str:
            self._connection.mutate("enqueuePullRequest", values)
            return outcome

        try:
            return send_once(send, lambda: self._outcome_if_merged(pull.number), outcome)
        except StatusError as error:
            if may_have_succeeded(error):
                raise
            raise RefusedError(f"#{pull.number}: the merge queue refused it: {error.message} ({refusal})") from error

    def enable_auto_merge(self, number: int, head: str) -> str:
        """Enable auto-merge for this head.

        Raises:
            RefusedError: GitHub refuses it.
        """
        self._reads.fetch_unchanged(number, head)
        refusal = self.try_auto_merge(number, head)
        if refusal:
            raise RefusedError(f"#{number}: {refusal}")
        return f"#{number} will auto-merge once checks and reviews pass"

    def try_auto_merge(self, number: int, head: str) -> str:
        """Enable auto-merge; return "" or why GitHub refuses.

        GitHub refuses auto-merge where nothing remains to wait for: then this head is merged like any other.
        """
        refusal = self._enable_auto_merge(self._reads.fetch(number), head)
        if "clean status" not in refusal:
            return f"auto-merge was refused: {refusal}" if refusal else ""
        try:
            self.merge(number, head)
        except StatusError as error:
            if may_have_succeeded(error):
                raise
            return f"merging was refused: {error.message}"
        except RefusedError as error:
            return f"merging was refused: {error.message}"
        return ""

    def _enable_auto_merge(self, pull: Pull, head: str) -> str:
        values = {"pullRequestId": pull.node_id, "mergeMethod": "MERGE", "expectedHeadOid": head}
        number = pull.number

        def send() -> str:
            self._connection.mutate("enablePullRequestAutoMerge", values)
            return ""

        def effect() -> str | None:
            now = self._reads.fetch(number)
            return "" if now.auto_merge is not None or now.is_merged else None

        try:
            return send_once(send, effect, f"auto-merge of #{number} was enabled")
        except StatusError as error:
            if may_have_succeeded(error):
                raise
            return error.message

    def disable_auto_merge(self, number: int) -> str:
        """Disable auto-merge."""
        outcome = f"#{number}: auto-merge is off"
        values = {"pullRequestId": self._reads.fetch(number).node_id}

        def send() -> str:
            self._connection.mutate("disablePullRequestAutoMerge", values)
            return outcome

        def effect() -> str | None:
            now = self._reads.fetch(number)
            return outcome if now.auto_merge is None and now.state == "open" else None

        return send_once(send, effect, f"#{number}: auto-merge is still on")
