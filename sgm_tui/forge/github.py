"""GitHub: the one module that knows PyGithub.

Every call runs in a thread with a deadline. Only reads are retried; a pull request is looked for before one is made,
because an answer that got lost does not mean nothing happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from github import Auth, Github, GithubException, GithubRetry
from github.PullRequest import PullRequest as RemotePull
from github.Repository import Repository as RemoteRepository

from sgm_tui.config import Config
from sgm_tui.errors import RefusedError, SgmError, UnreachableError
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.observed import PullRequest
from sgm_tui.fleet.plan import Between, Proposal
from sgm_tui.fleet.text import clean

Proposes = Callable[[str], tuple[tuple[CellKey, Version], ...]]
Result = TypeVar("Result")

logger = logging.getLogger("sgm.github")

_SECONDS = 10
_MOST_OPEN = 100
_MOST_CLOSED = 30
_MOST_COMMITS = 20
_RECENT = timedelta(days=1)
_BAD = frozenset({"failure", "cancelled", "timed_out", "action_required", "startup_failure", "stale"})
_GOOD = frozenset({"success", "neutral", "skipped"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _now() -> datetime:
    return datetime.now(UTC)


class GithubForge:
    """The pull requests of one repository."""

    def __init__(self, config: Config, token: str, now: Callable[[], datetime] = _now) -> None:
        logging.getLogger("github").handlers.clear()
        near = urlsplit(config.github.api_url).hostname in _LOOPBACK
        self._client = Github(
            base_url=config.github.api_url,
            auth=Auth.Token(token) if token else None,
            timeout=_SECONDS,
            per_page=_MOST_OPEN,
            retry=GithubRetry(total=2, max_rate_limit_wait=1, allowed_methods={"GET"}),
            seconds_between_requests=0 if near else 0.25,
            seconds_between_writes=0 if near else 1.0,
            lazy=True,
        )
        self._repository: RemoteRepository = self._client.get_repo(config.github.repository)
        self._branch = config.repository.branch
        self._now = now
        self._known: dict[int, tuple[tuple[str, str], PullRequest]] = {}

    async def pull_requests(self, proposes: Proposes) -> tuple[PullRequest, ...]:
        """Open pull requests against our branch, and those merged or closed within a day.

        Raises:
            UnreachableError, RefusedError: why they cannot be had.
        """
        return await self._asked(lambda: self._list(proposes))

    async def find(self, branch: str) -> PullRequest | None:
        """The open pull request of a branch of ours."""
        return await self._asked(lambda: self._find(branch))

    async def ended(self, branch: str) -> PullRequest | None:
        """The newest pull request of a branch of ours that was merged or closed."""
        return await self._asked(lambda: self._find(branch, state="closed"))

    async def open(self, proposal: Proposal, head: str) -> tuple[PullRequest, bool, str]:
        """The pull request for a pushed branch: found or made. Whether it was made, and what was left undone."""
        return await self._asked(lambda: self._open(proposal, head))

    async def auto_merge(self, number: int, head: str) -> str:
        """Let it merge by itself once checks and owners agree; "" or why that was left undone."""
        return await self._asked(lambda: self._auto_merge(number, head))

    async def between(self, source: str, old: str, new: str) -> Between:
        """The commits between two versions (tags) of a service's own repository; never raises, it says why not."""
        try:
            return await self._asked(lambda: self._between(source, old, new))
        except SgmError as error:
            return Between(reason=error.message)

    async def approve(self, number: int, head: str) -> str:
        """Approve this head; GitHub lets nobody approve their own.

        Raises:
            UnreachableError, RefusedError: why not; this goes for every action.
        """
        return await self._asked(lambda: self._approve(self._unmoved(number, head), head))

    async def merge(self, number: int, head: str) -> str:
        """Merge this head with a merge commit."""
        return await self._asked(lambda: self._merge(number, head))

    async def let_merge(self, number: int, head: str) -> str:
        """Let this head merge by itself once checks and owners agree."""
        return await self._asked(lambda: self._let_merge(number, head))

    async def stop_auto_merge(self, number: int) -> str:
        """Let it not merge by itself."""
        return await self._asked(lambda: self._stop_auto_merge(number))

    async def update_branch(self, number: int, head: str) -> str:
        """Merge the branch it goes into into its own, if its head is still this one."""
        return await self._asked(lambda: self._update_branch(number, head))

    async def close(self, number: int) -> str:
        """Close it without merging; a branch of ours goes with it, a branch of others stays."""
        return await self._asked(lambda: self._close(number))

    async def _asked(self, work: Callable[[], Result]) -> Result:
        def told() -> Result:
            with _translated():
                return work()

        return await asyncio.to_thread(told)

    def _list(self, proposes: Proposes) -> tuple[PullRequest, ...]:
        open_ones = islice(self._repository.get_pulls(state="open", base=self._branch), _MOST_OPEN)
        found = [self._described(pull, proposes) for pull in open_ones]
        since = self._now() - _RECENT
        closed = self._repository.get_pulls(state="closed", base=self._branch, sort="updated", direction="desc")
        for pull in islice(closed, _MOST_CLOSED):
            if pull.updated_at is None or pull.updated_at < since:
                break
            found.append(self._ended(pull))
        return tuple(found)

    def _ended(self, pull: RemotePull) -> PullRequest:
        """A merged or closed one: what it proposed is remembered from when it was open."""
        known = self._known.get(pull.number)
        return replace(_described(pull), proposes=known[1].proposes if known is not None else ())

    def _described(self, pull: RemotePull, proposes: Proposes) -> PullRequest:
        """An open pull request with its checks and reviews; asked again only while something may still change."""
        stamp = (pull.head.sha, str(pull.updated_at))
        known = self._known.get(pull.number)
        request = replace(_described(pull), proposes=proposes(pull.head.sha))
        if known is not None and known[0] == stamp and known[1].checks == "passing" and known[1].approved:
            request = replace(request, checks="passing", approved=True, mergeable=known[1].mergeable)
        else:
            request = replace(
                request, checks=self._checks(pull.head.sha), approved=_approved(pull), mergeable=pull.mergeable
            )
        self._known[pull.number] = (stamp, request)
        return request

    def _checks(self, sha: str) -> str:
        """Statuses and check runs together: absent is neither passing nor failing."""
        commit = self._repository.get_commit(sha)
        runs = commit.get_check_runs()
        conclusions = [str(run.conclusion) if run.status == "completed" else "pending" for run in runs]
        combined = commit.get_combined_status()
        if combined.total_count:
            conclusions.append({"success": "success", "pending": "pending"}.get(combined.state, "failure"))
        if not conclusions:
            return ""
        if any(one in _BAD for one in conclusions):
            return "failing"
        return "passing" if all(one in _GOOD for one in conclusions) else "pending"

    def _find(self, branch: str, state: str = "open") -> PullRequest | None:
        owner = self._repository.full_name.partition("/")[0]
        pulls = self._repository.get_pulls(state=state, head=f"{owner}:{branch}", base=self._branch)
        found = next((pull for pull in pulls if pull.head.ref == branch), None)
        return _described(found) if found is not None else None

    def _open(self, proposal: Proposal, head: str) -> tuple[PullRequest, bool, str]:
        known = self._find(proposal.branch)
        if known is not None:
            return known, False, ""
        try:
            pull = self._repository.create_pull(
                base=self._branch, head=proposal.branch, title=proposal.title, body=proposal.body
            )
        except GithubException as error:
            adopted = self._find(proposal.branch) if error.status == 422 else None
            if adopted is None:
                raise
            return adopted, False, ""
        left = self._dress(pull, proposal)
        if pull.head.sha != head:
            left.append(f"its head is {pull.head.sha[:7]}, not {head[:7]}")
        return _described(pull), True, "; ".join(left)

    @staticmethod
    def _dress(pull: RemotePull, proposal: Proposal) -> list[str]:
        """Labels and reviewers; what fails here is told, and fails nothing."""
        left: list[str] = []
        if proposal.labels:
            try:
                pull.add_to_labels(*proposal.labels)
            except GithubException as error:
                left.append(f"labels were refused ({_words(error)})")
        users = [one.removeprefix("@") for one in proposal.reviewers if one.startswith("@") and "/" not in one]
        teams = [one.rpartition("/")[2] for one in proposal.reviewers if one.startswith("@") and "/" in one]
        if users or teams:
            try:
                pull.create_review_request(reviewers=users, team_reviewers=teams)
            except GithubException as error:
                left.append(f"reviewers were refused ({_words(error)})")
        if users:
            # Only people can be assigned; a team that owns the path is asked to review and no more.
            try:
                pull.add_to_assignees(*users)
            except GithubException as error:
                left.append(f"assignees were refused ({_words(error)})")
        return left

    def _between(self, source: str, old: str, new: str) -> Between:
        found = self._client.get_repo(source).compare(old, new, comparison_commits_per_page=_MOST_COMMITS)
        commits = [
            f"{one.sha[:7]} {clean(one.commit.message.partition(chr(10))[0])} ({clean(one.commit.author.name)})"
            for one in islice(found.commits, _MOST_COMMITS)
        ]
        return Between(tuple(commits), found.total_commits, clean(found.html_url))

    def _unmoved(self, number: int, head: str) -> RemotePull:
        """The pull request as it is now, if it is still what was seen."""
        pull = self._repository.get_pull(number)
        if pull.head.sha != head:
            raise RefusedError(f"#{number} has new commits: nothing was done", "Look at it again.")
        if pull.state != "open":
            word = "merged" if pull.merged else "closed"
            raise RefusedError(f"#{number} is {word} already: nothing was done")
        return pull

    def _approve(self, pull: RemotePull, head: str) -> str:
        try:
            pull.create_review(commit=self._repository.get_commit(head), event="APPROVE")
        except GithubException as error:
            if error.status == 422 and "own pull request" in _words(error).lower():
                raise RefusedError(
                    f"#{pull.number} is your own: GitHub lets nobody approve their own", "Ask one of its owners."
                ) from error
            raise
        return f"#{pull.number} is approved"

    def _merge(self, number: int, head: str) -> str:
        merged = self._unmoved(number, head).merge(merge_method="merge", sha=head)
        return f"#{number} is merged: {merged.sha[:8]}" if merged.sha else f"#{number} is merged"

    def _let_merge(self, number: int, head: str) -> str:
        self._unmoved(number, head)
        refused = self._auto_merge(number, head)
        if refused:
            raise RefusedError(f"#{number}: {refused}")
        return f"#{number} merges by itself once checks and owners agree"

    def _stop_auto_merge(self, number: int) -> str:
        self._repository.get_pull(number).disable_automerge()
        return f"#{number} waits for somebody to merge it"

    def _update_branch(self, number: int, head: str) -> str:
        if not self._unmoved(number, head).update_branch(expected_head_sha=head):
            raise RefusedError(f"#{number} is up to date already, or does not fit together with {self._branch}")
        return f"#{number} is being brought up to date"

    def _close(self, number: int) -> str:
        pull = self._repository.get_pull(number)
        if pull.state == "open":
            pull.edit(state="closed")
        branch = pull.head.ref
        ours = branch.startswith("sgm/") and pull.head.repo is not None
        if ours and pull.head.repo.full_name == self._repository.full_name:
            try:
                # PyGithub's lazy reference would be deleted at the address it is read from, which GitHub does not know.
                self._client.requester.requestJsonAndCheck("DELETE", f"{self._repository.url}/git/refs/heads/{branch}")
            except GithubException as error:
                if error.status not in {404, 422}:
                    return f"#{number} is closed; its branch stays ({_words(error)})"
        return f"#{number} is closed"

    def _auto_merge(self, number: int, head: str) -> str:
        pull = self._repository.get_pull(number)
        try:
            pull.enable_automerge(merge_method="MERGE", expected_head_oid=head)
        except GithubException as error:
            words = _words(error)
            if "clean status" in words:
                return self._merge_clean(pull, head)
            return f"auto-merge was refused: {words}"
        return ""

    @staticmethod
    def _merge_clean(pull: RemotePull, head: str) -> str:
        """GitHub refuses auto-merge where nothing is left to wait for: then it is an ordinary merge of this head."""
        try:
            pull.merge(merge_method="merge", sha=head)
        except GithubException as error:
            return f"merging was refused: {_words(error)}"
        return ""


def _described(pull: RemotePull) -> PullRequest:
    """The fields a list entry carries; `raw_data` is not touched, because PyGithub would ask for the rest first."""
    return PullRequest(
        number=pull.number,
        title=clean(pull.title),
        url=clean(pull.html_url),
        author=clean(pull.user.login if pull.user else ""),
        branch=clean(pull.head.ref),
        head=pull.head.sha,
        state="merged" if pull.merged_at else clean(pull.state),
        draft=bool(pull.draft),
        created_at=pull.created_at,
        updated_at=pull.updated_at,
        merged_at=pull.merged_at,
        merge_commit=clean(pull.merge_commit_sha),
        labels=tuple(clean(label.name) for label in pull.labels),
        reviewers=tuple(clean(one.login) for one in pull.requested_reviewers or ()),
        auto_merge=bool(pull.auto_merge),
    )


def _approved(pull: RemotePull) -> bool:
    """Somebody approved, and nobody's newest word asks for changes; comments change nothing."""
    newest: dict[str, str] = {}
    for review in pull.get_reviews():
        if review.state in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"} and review.user:
            newest[review.user.login] = review.state
    return "APPROVED" in newest.values() and "CHANGES_REQUESTED" not in newest.values()


@contextmanager
def _translated() -> Iterator[None]:
    """PyGithub's errors as ours."""
    try:
        yield
    except GithubException as error:
        raise _refusal(error) from error
    except requests.Timeout as error:
        raise UnreachableError(f"GitHub did not answer within {_SECONDS} s") from error
    except requests.RequestException as error:
        raise UnreachableError(f"GitHub cannot be reached: {_reason(error)}") from error
    except AssertionError as error:
        # PyGithub asserts that links stay on its own host.
        raise UnreachableError("GitHub answered with links to another host", "Check github.api_url.") from error


def _refusal(error: GithubException) -> RefusedError | UnreachableError:
    words = _words(error)
    if error.status == 401:
        return RefusedError(f"GitHub does not know this token: {words}", "Renew GH_TOKEN, or sign in with gh.")
    if error.status == 404:
        return RefusedError("the repository is not there or not yours to see", "Check github.repository and the token.")
    if error.status in {403, 429}:
        return RefusedError(f"GitHub refused: {words}", "A permission is missing, or the rate limit is used up.")
    if error.status in {405, 409, 422}:
        return RefusedError(f"GitHub refused: {words}")
    return UnreachableError(f"GitHub answered {error.status}: {words}")


def _words(error: GithubException) -> str:
    """What GitHub said, from either of its two kinds of answer."""
    data = error.data if isinstance(error.data, dict) else {}
    errors = data.get("errors") or ()
    said = [str(one.get("message", "")) if isinstance(one, dict) else str(one) for one in errors]
    return clean("; ".join(one for one in (str(data.get("message") or ""), *said) if one) or f"status {error.status}")


def _reason(error: requests.RequestException) -> str:
    return "connection refused" if "Connection refused" in str(error) else clean(error, 160)
