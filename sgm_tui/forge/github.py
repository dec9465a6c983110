"""GitHub: the one module that knows PyGithub.

Every call runs in a thread with a deadline. Only reads are retried; a pull request is looked for before one is made,
because an answer that got lost does not mean nothing happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from github import Auth, Github, GithubException, UnknownObjectException
from github.PullRequest import PullRequest as RemotePull
from github.Repository import Repository as RemoteRepository

from sgm_tui.config import Config
from sgm_tui.errors import RefusedError, SgmError, UnreachableError
from sgm_tui.fleet.observed import PullRequest
from sgm_tui.fleet.proposal import Between, Proposal
from sgm_tui.fleet.text import clean
from sgm_tui.fleet.trailers import Mark
from sgm_tui.forge import refusals
from sgm_tui.forge.conditional import Answer, Conditional
from sgm_tui.forge.documents import marks_of, number_of, pull_of
from sgm_tui.forge.dressing import dress, is_dressed
from sgm_tui.forge.listing import Brought, Listing, Proposed, Proposes, open_ones, pull_of_branch
from sgm_tui.forge.quota import Quota, limit_of
from sgm_tui.threads import Lane, run_in

Result = TypeVar("Result")

logger = logging.getLogger("sgm.github")

_SECONDS = 10
_APART = 0.1
"""Seconds between two requests; GitHub counts bursts of a minute (its secondary limit)."""
_APART_WRITING = 1.0
_MOST_COMMITS = 20
_LOOKS = 10
_LOOK_SECONDS = 3.0
"""How often, and how far apart, it is looked whether GitHub has worked out if a pull request fits."""
_RETRY = urllib3.Retry(
    total=2,
    status_forcelist=[500, 502, 503, 504],
    allowed_methods={"GET"},
    raise_on_status=False,
    respect_retry_after_header=False,
)
"""What PyGithub retries by itself is limits too, asleep in the middle of a call: `Quota` waits better."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _now() -> datetime:
    return datetime.now(UTC)


def _nobody_knows(_commit: str) -> Proposed | None:
    return None


class _Connection:
    """PyGithub's client of one repository: with our limits, our token, and its errors in our words."""

    def __init__(
        self, config: Config, token: str, now: Callable[[], datetime], again: Callable[[], str] | None
    ) -> None:
        logging.getLogger("github").handlers.clear()
        self._config = config
        self._token = token
        self._again = again
        self._quota = Quota(now)
        self.expires: datetime | None = None
        """When the token expires, where GitHub says so."""
        self._connect()

    def _connect(self) -> None:
        near = urlsplit(self._config.github.api_url).hostname in _LOOPBACK
        self.client = Github(
            base_url=self._config.github.api_url,
            auth=Auth.Token(self._token) if self._token else None,
            timeout=_SECONDS,
            retry=_RETRY,
            seconds_between_requests=0 if near else _APART,
            seconds_between_writes=0 if near else _APART_WRITING,
            lazy=True,
        )
        self.repository: RemoteRepository = self.client.get_repo(self._config.github.repository)

    def told(self, work: Callable[[], Result]) -> Result:
        """What GitHub answers, or why it does not, in our words; nothing is sent while it wants no request."""
        self._quota.check()
        if not self._token and self._config.github.token_file is not None:
            self._is_renewed()  # it could not be read before, and says so if it still cannot be
        with self._translated():
            try:
                return work()
            except GithubException as error:
                # 401 means that nothing was done: asking once more with a token that was renewed doubles nothing.
                if error.status != 401 or not self._is_renewed():
                    raise
                return work()

    def _is_renewed(self) -> bool:
        """Whether there is another token than the one GitHub does not know."""
        token = self._again() if self._again is not None else self._token
        if token == self._token:
            return False
        self._token = token
        self._connect()
        return True

    def ask(self, path: str, mark: str) -> Answer | None:
        """One GET, through PyGithub's connection; None when nothing has changed since `mark`."""
        self._quota.check()
        given = {"If-None-Match": mark} if mark else {}
        status, headers, text = self.client.requester.requestJson("GET", path, headers=given)
        if status == 304:
            self._heard(headers)
            return None
        document = refusals.document_of(text)
        if status >= 400:
            raise self.client.requester.createException(status, headers, document)
        self._heard(headers)
        return Answer(str(headers.get("etag", "")), document)

    def _heard(self, headers: Mapping[str, Any]) -> None:
        self._quota.answered(headers)
        self.expires = refusals.expiry_of(headers.get("github-authentication-token-expiration"))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """PyGithub's errors as ours."""
        try:
            yield
        except GithubException as error:
            raise self._refusal(error) from error
        except requests.Timeout as error:
            raise UnreachableError(f"GitHub did not answer within {_SECONDS} s") from error
        except requests.RequestException as error:
            raise UnreachableError(f"GitHub {refusals.unanswered(error, _SECONDS)}") from error
        except AssertionError as error:
            # PyGithub asserts that links stay on its own host.
            raise UnreachableError("GitHub answered with links to another host", "Check github.api_url.") from error

    def _refusal(self, error: GithubException) -> RefusedError | UnreachableError:
        words, headers = _words(error), error.headers or {}
        limit = limit_of(error.status, headers, words, is_page=refusals.is_page(error.data))
        limit = "primary" if refusals.is_counted(error.data) else limit
        if limit is not None:
            self._quota.refused(limit, headers)
            return self._quota.pause() or UnreachableError(f"GitHub refused: {words}")
        if error.status == 401:
            return RefusedError(f"GitHub does not know this token: {words}", "Renew GH_TOKEN, or sign in with gh.")
        if error.status == 404:
            hint = "Check github.repository, and what the token may see."
            return RefusedError(f"{self._config.github.repository}: not found or no access", hint)
        if error.status == 403:
            return refusals.forbidden(words, headers)
        if error.status in {405, 409, 422}:
            return RefusedError(f"GitHub refused: {words}")
        return UnreachableError(f"GitHub answered {error.status}: {words}")


class GithubForge:
    """The pull requests of one repository."""

    def __init__(
        self,
        config: Config,
        token: str,
        now: Callable[[], datetime] = _now,
        *,
        again: Callable[[], str] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Connect to nothing yet.

        Args:
            config: where GitHub is, and the repository.
            token: who we are; "" asks as nobody.
            now: the time.
            again: reads the token anew, for when GitHub does not know it any more.
            pause: waits some seconds.
        """
        self._config = config
        self._pause = pause
        self._now = now
        self._branch = config.repository.branch
        self._connection = _Connection(config, token, now, again)
        self._listing = Listing(Conditional(self._connection.ask), config.github.repository, self._branch, now)

    @property
    def _repository(self) -> RemoteRepository:
        return self._connection.repository

    @property
    def note(self) -> str:
        """What a person should know though everything works; "" when there is nothing."""
        expires = refusals.expiry_note(self._connection.expires, self._now())
        return "; ".join(one for one in (expires, self._listing.note) if one)

    async def pull_requests(self, proposes: Proposes, brought: Brought = _nobody_knows) -> tuple[PullRequest, ...]:
        """Open pull requests against our branch, and those merged or closed within a day.

        Raises:
            UnreachableError, RefusedError: why they cannot be had.
        """
        return await self._asked(lambda: self._listing.look(proposes, brought))

    async def opened(self) -> tuple[PullRequest, ...]:
        """Every open pull request against our branch as the list has it now; `ours` where sgm made it."""
        return await self._sent(self._opened)

    async def standing(self, number: int) -> PullRequest:
        """One as it is now; `approved` says whether we ourselves approved its head."""
        return await self._sent(lambda: self._standing(number))

    async def find(self, branch: str) -> PullRequest | None:
        """The open pull request of a branch of ours."""
        return await self._sent(lambda: self._find(branch))

    async def ended(self, branch: str) -> PullRequest | None:
        """The newest pull request of a branch of ours that was merged or closed."""
        return await self._sent(lambda: self._find(branch, state="closed"))

    async def marks_of(self, number: int, commit: str) -> tuple[Mark, ...]:
        """The versions a pull request of ours, merged as this commit, marks as known bad."""
        return await self._asked(lambda: _marks_of(self._repository, number, commit))

    async def number_of(self, commit: str) -> int:
        """The pull request that was merged as this commit; 0 when none was."""
        return await self._asked(lambda: number_of(self._repository.get_commit(commit).get_pulls(), commit))

    async def open(self, proposal: Proposal, head: str) -> tuple[PullRequest, bool, str]:
        """The pull request for a pushed branch: found or made. Whether it was made, and what was left undone."""
        return await self._sent(lambda: self._open(proposal, head))

    async def auto_merge(self, number: int, head: str) -> str:
        """Let it merge by itself once checks and owners agree; "" or why that was left undone."""
        return await self._sent(lambda: self._auto_merge(number, head))

    async def between(self, source: str, old: str, new: str) -> Between:
        """The commits between two versions (tags) of a service's own repository; never raises, it says why not."""
        try:
            return await self._asked(lambda: _between(self._connection.client.get_repo(source), source, old, new))
        except SgmError as error:
            return Between(reason=error.message)

    async def approve(self, number: int, head: str) -> str:
        """Approve this head; GitHub lets nobody approve their own.

        Raises:
            UnreachableError, RefusedError: why not; this goes for every action.
        """
        return await self._sent(lambda: self._approve(self._unmoved(number, head), head))

    async def merge(self, number: int, head: str) -> str:
        """Merge this head with a merge commit, as soon as GitHub knows whether it fits."""
        await self._until_known(number, head)
        return await self._sent(lambda: self._merge(number, head))

    async def let_merge(self, number: int, head: str) -> str:
        """Let this head merge by itself once checks and owners agree."""
        return await self._sent(lambda: self._let_merge(number, head))

    async def stop_auto_merge(self, number: int) -> str:
        """Let it not merge by itself."""
        return await self._sent(lambda: self._stop_auto_merge(number))

    async def update_branch(self, number: int, head: str) -> str:
        """Merge the branch it goes into into its own, if its head is still this one."""
        return await self._sent(lambda: self._update_branch(number, head))

    async def close(self, number: int) -> str:
        """Close it without merging; a branch of ours goes with it, a branch of others stays."""
        return await self._sent(lambda: self._close(number))

    async def supersede(self, number: int, head: str, by: str) -> str:
        """Close one of ours that another change takes the place of, if its head is still this one.

        Args:
            number: the pull request to be closed.
            head: what a person saw of it.
            by: what takes its place, "#57" or a commit; it is named in a comment, once however often this is tried.

        Returns:
            "", or why it was left as it is.
        """
        return await self._sent(lambda: self._supersede(number, head, by))

    async def _until_known(self, number: int, head: str) -> None:
        """Wait while GitHub works out whether a pull request fits onto its branch.

        Raises:
            RefusedError: it takes too long, or the pull request has moved.
        """
        for look in range(_LOOKS):
            if look:
                await self._pause(_LOOK_SECONDS)
            if await self._sent(lambda: self._unmoved(number, head).mergeable) is not None:
                return
        raise RefusedError(
            f"GitHub still works out whether #{number} fits onto {self._branch}: nothing was done",
            "Try again in a moment.",
        )

    async def _asked(self, work: Callable[[], Result]) -> Result:
        return await run_in(Lane.FORGE_READS, self._connection.told, work)

    async def _sent(self, work: Callable[[], Result]) -> Result:
        """Run a write, or what is read just before one, in threads the listing cannot keep busy."""
        return await run_in(Lane.FORGE_WRITES, self._connection.told, work)

    def _find(self, branch: str, state: str = "open") -> PullRequest | None:
        return pull_of_branch(self._connection.ask, self._config.github.repository, branch, self._branch, state)

    def _opened(self) -> tuple[PullRequest, ...]:
        return open_ones(self._connection.ask, self._config.github.repository, self._branch)

    def _standing(self, number: int) -> PullRequest:
        pull = self._repository.get_pull(number)
        me, found = self._connection.client.get_user().login, pull_of(pull.raw_data)
        ours = (one for one in pull.get_reviews() if one.user is not None and one.user.login == me)
        return replace(found, approved=any(one.state == "APPROVED" and one.commit_id == found.head for one in ours))

    def _open(self, proposal: Proposal, head: str) -> tuple[PullRequest, bool, str]:
        known = self._find(proposal.branch)
        if known is not None:
            # Whoever opened it may have died before the owners were asked.
            left = [] if is_dressed(known, proposal) else self._dress(self._repository.get_pull(known.number), proposal)
            return known, False, "; ".join(left)
        try:
            pull = self._repository.create_pull(
                base=self._branch, head=proposal.branch, title=proposal.title, body=proposal.body
            )
        except (GithubException, requests.RequestException) as error:
            adopted = self._made_all_the_same(proposal.branch, error)
            if adopted is None:
                raise
            if isinstance(error, GithubException) and error.status == 422:
                return adopted, False, ""
            pull = self._repository.get_pull(adopted.number)
        left = self._dress(pull, proposal)
        if pull.head.sha != head:
            left.append(f"its head is {pull.head.sha[:7]}, not {head[:7]}")
        return pull_of(pull.raw_data), True, "; ".join(left)

    def _dress(self, pull: RemotePull, proposal: Proposal) -> list[str]:
        return dress(pull, proposal, self._config.github.repository.partition("/")[0], _tried)

    def _made_all_the_same(self, branch: str, error: Exception) -> PullRequest | None:
        """The pull request whose making failed, if it is there: somebody was faster, or only the answer got lost.

        Raises:
            UnreachableError: nobody knows whether it was made.
        """
        if isinstance(error, GithubException) and error.status != 422 and error.status < 500:
            return None
        try:
            return self._find(branch)
        except (GithubException, requests.RequestException) as second:
            raise UnreachableError(
                "GitHub's answer got lost, and it cannot be asked whether the pull request was made",
                "Try again: it is found if it was.",
            ) from second

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
                self._connection.client.requester.requestJsonAndCheck(
                    "DELETE", f"{self._repository.url}/git/refs/heads/{branch}"
                )
            except GithubException as error:
                if error.status not in {404, 422}:
                    return f"#{number} is closed; its branch stays ({_words(error)})"
        return f"#{number} is closed"

    def _supersede(self, number: int, head: str, by: str) -> str:
        pull = self._repository.get_pull(number)
        if pull.state != "open":
            return f"#{number} was merged meanwhile" if pull.merged else ""
        if pull.head.sha != head:
            return f"#{number} has new commits and stays open"
        text = f"Superseded by {by}."
        if all(one.body != text for one in pull.get_issue_comments()):
            pull.create_issue_comment(text)
        pull.edit(state="closed")
        return ""

    def _auto_merge(self, number: int, head: str) -> str:
        pull = self._repository.get_pull(number)
        try:
            pull.enable_automerge(merge_method="MERGE", expected_head_oid=head)
        except GithubException as error:
            words = _words(error)
            if "clean status" in words:
                return _merge_clean(pull, head)
            return f"auto-merge was refused: {words}"
        return ""


def _between(repository: RemoteRepository, source: str, old: str, new: str) -> Between:
    try:
        found = repository.compare(old, new, comparison_commits_per_page=_MOST_COMMITS)
    except GithubException as error:
        if error.status != 404:
            raise
        raise RefusedError(f"{source}: not found or no access, or it has no tag {old} or {new}") from error
    commits = [
        f"{one.sha[:7]} {clean(one.commit.message.partition(chr(10))[0])} ({clean(one.commit.author.name)})"
        for one in islice(found.commits, _MOST_COMMITS)
    ]
    return Between(tuple(commits), found.total_commits, clean(found.html_url))


def _marks_of(repository: RemoteRepository, number: int, commit: str) -> tuple[Mark, ...]:
    try:
        return marks_of(repository.get_pull(number).raw_data, commit)
    except UnknownObjectException:
        return ()  # the number in the commit's message is nobody's here


def _tried(work: Callable[[], object]) -> str:
    """What is no more than an addition: why GitHub refused it; "" when it did not."""
    try:
        work()
    except GithubException as error:
        return _words(error)
    return ""


def _merge_clean(pull: RemotePull, head: str) -> str:
    """GitHub refuses auto-merge where nothing is left to wait for: then it is an ordinary merge of this head."""
    told = _tried(lambda: pull.merge(merge_method="merge", sha=head))
    return f"merging was refused: {told}" if told else ""


def _words(error: GithubException) -> str:
    return refusals.words_of(error.status, error.data)
