"""GitHub: the one module that knows PyGithub.

PyGithub authenticates and paces; every answer is read within limits (`transport`) and decoded against a type (`wire`).
Every call runs in a thread with a deadline. Only reads are retried; a pull request is looked for before one is made,
because an answer that got lost does not mean nothing happened.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from github import Auth
from github.GithubException import GithubException
from github.Requester import HTTPRequestsConnectionClass, Requester

from sgm_tui.config.schema import Config
from sgm_tui.errors import RefusedError, SgmError, UnreachableError
from sgm_tui.fleet.ages import seconds_waited
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.history.trailers import Mark
from sgm_tui.fleet.plans.proposal import ClosedPullRequest, CommitRange, Proposal
from sgm_tui.forge.actions import PullActions
from sgm_tui.forge.comparing import between
from sgm_tui.forge.conditional import Answer, Conditional
from sgm_tui.forge.connection import StatusError, refusal_of, rows_of
from sgm_tui.forge.documents import marks_of, pull_of, was_merged_as
from sgm_tui.forge.listing import Listing, MergedChanges, Proposed, ProposedChanges, open_ones
from sgm_tui.forge.opening import Opening
from sgm_tui.forge.quota import Quota, limit_of
from sgm_tui.forge.refusals import document_of, expiry_note, expiry_of, is_counted, is_page, unanswered
from sgm_tui.forge.wire import Account, GraphqlAnswer, Kind, Pull, decode
from sgm_tui.permission import NO_CONSENT, Consent, WritePermission
from sgm_tui.threads import Lane, run_in
from sgm_tui.transport.blocking import AnswerRefusedError, BoundedSession
from sgm_tui.transport.limits import Limits
from sgm_tui.untrusted_text import clean, harmless

Result = TypeVar("Result")

logger = logging.getLogger("sgm.github")

_LIMITS = Limits(silence=10.0, total=20.0, size=16 << 20)
"""A page of a hundred pull requests with the longest bodies GitHub takes is half of that."""
_APART = 0.1
"""Seconds between two requests; GitHub counts bursts of a minute (its secondary limit)."""
_APART_WRITING = 1.0
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
_WRITTEN = frozenset({200, 201, 202, 204})


def _now() -> datetime:
    return datetime.now(UTC)


def _nobody_knows(_commit: str) -> Proposed | None:
    return None


class _Exchange(HTTPRequestsConnectionClass):
    """One request of PyGithub's, sent through our session; made for each, because it holds what is asked."""

    def __init__(self, origin: str, session: BoundedSession) -> None:
        self._origin = origin
        self._bounded = session

    def getresponse(self) -> Any:
        """Send what `request` was given."""
        response = self._bounded.request(self.verb, f"{self._origin}{self.url}", data=self.input, headers=self.headers)
        if response.status_code == 202 and self.verb == "GET":
            # PyGithub would ask again every two seconds, for ever.
            raise AnswerRefusedError("is still preparing its answer (202)")
        return _ReadResponse(response)

    def close(self) -> None:
        """Leave the session open: it is shared."""


class _ReadResponse:
    """An answer as PyGithub takes it."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self._response = response

    def getheaders(self) -> Any:
        """Its headers."""
        return self._response.headers.items()

    def read(self) -> str:
        """Its text: JSON is UTF-8, and guessing at megabytes takes minutes."""
        return self._response.content.decode("utf-8", "replace")


class _Connection:
    """The client of one repository: with our limits, our token, and its errors in our words."""

    def __init__(
        self,
        config: Config,
        token: str,
        now: Callable[[], datetime],
        again: Callable[[], str] | None,
        unsent: Callable[[], str],
    ) -> None:
        logging.getLogger("github").handlers.clear()
        self._config = config
        self._token = token
        self._again = again
        self._unsent = unsent
        self._quota = Quota(now)
        self._session = BoundedSession(_LIMITS, _RETRY)
        # Set, so that a netrc cannot put another credential over the token.
        self._session.auth = Requester.noopAuth
        self.expires: datetime | None = None
        """When the token expires, where GitHub says so."""
        self._connect()

    def _connect(self) -> None:
        parts = urlsplit(self._config.github.api_url)
        near = parts.hostname in _LOOPBACK
        self._origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._login: str | None = None
        self._requester = Requester(
            auth=Auth.Token(self._token) if self._token else None,
            base_url=self._config.github.api_url,
            timeout=round(_LIMITS.silence),
            user_agent="sgm-tui",
            per_page=100,
            verify=True,
            retry=None,
            pool_size=None,
            seconds_between_requests=0 if near else _APART,
            seconds_between_writes=0 if near else _APART_WRITING,
        )

    @property
    def me(self) -> str:
        """The login GitHub knows us by; "" where it does not say, as to the token of an app. Asked for once a token."""
        if self._login is None:
            try:
                self._login = self.read("/user", Account).login
            except StatusError as error:
                if error.status not in {403, 404}:
                    raise
                self._login = ""
        return self._login

    def told(self, work: Callable[[], Result]) -> Result:
        """What GitHub answers, or why it does not, in our words; nothing is sent while it wants no request."""
        self._quota.check()
        if not self._token and self._config.github.token_file is not None:
            self._is_renewed()  # it could not be read before, and says so if it still cannot be
        with self._translated():
            try:
                return work()
            except StatusError as error:
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
        """One GET; None when nothing has changed since `mark`."""
        status, headers, text = self._send("GET", path, None, {"If-None-Match": mark} if mark else {})
        if status == 304:
            return None
        if status != 200:
            raise UnreachableError(f"GitHub answered {status} to {path.partition('?')[0]}", "Check github.api_url.")
        links = requests.utils.parse_header_links(str(headers.get("link", "")))
        return Answer(str(headers.get("etag", "")), text, any(one.get("rel") == "next" for one in links))

    def read(self, path: str, kind: type[Kind]) -> Kind:
        """One document."""
        answer = self.ask(path, "")
        if answer is None:
            raise UnreachableError("GitHub answered 304 to an unconditional request")
        return decode(answer.text, kind, path.partition("?")[0])

    def write(self, verb: str, path: str, body: object, kind: type[Kind] | None = None) -> Kind | None:
        """Send a write once."""
        status, _, text = self._send(verb, path, body)
        if status not in _WRITTEN:
            raise UnreachableError(f"GitHub answered {status} to {path.partition('?')[0]}", "Check github.api_url.")
        return None if kind is None else decode(text, kind, path)

    def mutate(self, name: str, values: Mapping[str, object]) -> None:
        """Send a GraphQL mutation once."""
        query = (
            f"mutation Mutation($input: {name[0].upper()}{name[1:]}Input!) "
            f"{{ {name}(input: $input) {{ clientMutationId }} }}"
        )
        body = {"query": query, "variables": {"input": dict(values)}}
        _, headers, text = self._send("POST", self._requester.graphql_url, body)
        answer = decode(text, GraphqlAnswer, name)
        if answer.errors:
            raise self._refused(422, document_of(text), headers)
        if answer.data is None or answer.data.get(name) is None:
            raise UnreachableError(f"GitHub's answer to {name} does not show whether it succeeded")

    def _send(
        self, verb: str, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, Any], str]:
        self._quota.check()
        status, fields, text = self._requester.requestJson(
            verb, path, headers=dict(headers or {}), input=harmless(body), cnx=_Exchange(self._origin, self._session)
        )
        if status >= 400:
            raise self._refused(status, document_of(text), fields)
        self._quota.answered(fields)
        self.expires = expiry_of(fields.get("github-authentication-token-expiration"))
        return status, fields, text

    def _refused(self, status: int, data: object, headers: Mapping[str, Any]) -> StatusError | UnreachableError:
        """The error of an answer: a limit, which is waited for, or what GitHub says."""
        error = StatusError(status, data, headers)
        limit = limit_of(status, headers, error.words, is_page=is_page(data))
        limit = "primary" if is_counted(data) else limit
        if limit is None:
            return error
        self._quota.refused(limit, headers)
        return self._quota.pause() or UnreachableError(f"GitHub refused: {error.words}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The library's errors, and refusals, as ours; a read may be tried again: what is told is what was waited."""
        begun = time.monotonic()
        try:
            yield
        except StatusError as error:
            raise refusal_of(error, self._config.github.repository, self.unsent) from error
        except AnswerRefusedError as error:
            raise UnreachableError(f"GitHub {error}", "Check github.api_url and github.repository.") from error
        except requests.Timeout as error:
            waited = seconds_waited(time.monotonic() - begun)
            raise UnreachableError(f"GitHub did not answer within {waited}") from error
        except requests.RequestException as error:
            raise UnreachableError(f"GitHub {unanswered(error, time.monotonic() - begun)}") from error
        except (GithubException, AssertionError, RuntimeError) as error:
            raise UnreachableError(f"GitHub request failed: {clean(error, 160)}", "Check github.api_url.") from error

    @property
    def unsent(self) -> str:
        """Why a token that is there is not sent; "" where one is sent, or there is none."""
        return "" if self._token else self._unsent()


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
        permission: WritePermission | None = None,
        unsent: Callable[[], str] = str,
    ) -> None:
        """Connect to nothing yet.

        Args:
            config: where GitHub is, and the repository.
            token: who we are; "" asks as nobody.
            now: the time.
            again: reads the token anew, for when GitHub does not know it any more.
            pause: waits some seconds.
            permission: whether anything may be written.
            unsent: says why a token that is there is not sent; "" where that is not so.
        """
        self._config = config
        self._pause = pause
        self._permission = permission or WritePermission()
        self._now = now
        self._branch = config.repository.branch
        self._connection = _Connection(config, token, now, again, unsent)
        repository, connection = config.github.repository, self._connection
        self._actions = PullActions(connection, repository)
        self._opening = Opening(connection, repository, self._branch)
        self._listing = Listing(Conditional(connection.ask), repository, self._branch, now, lambda: connection.me)

    @property
    def note(self) -> str:
        """What a person should know though everything works; "" when there is nothing."""
        expires = expiry_note(self._connection.expires, self._now())
        return "; ".join(one for one in (expires, self._listing.note, self._connection.unsent) if one)

    async def list_recent(
        self, proposes: ProposedChanges, brought: MergedChanges = _nobody_knows
    ) -> tuple[PullRequest, ...]:
        """Open pull requests against our branch, and those merged or closed within a day.

        Raises:
            UnreachableError, RefusedError: why they cannot be had.
        """
        return await self._asked(lambda: self._listing.look(proposes, brought))

    async def list_open(self) -> tuple[PullRequest, ...]:
        """Every open pull request against our branch as the list has it now; `ours` where we opened it with sgm."""
        return await self._sent(self._opened)

    async def fetch(self, number: int) -> PullRequest:
        """One as it is now; `approved` says whether we ourselves approved its head."""
        return await self._sent(lambda: self._standing(number))

    async def find_open(self, branch: str) -> PullRequest | None:
        """The open pull request of a branch of ours."""
        return await self._sent(lambda: self._opening.find(branch))

    async def find_ended(self, branch: str) -> PullRequest | None:
        """The newest pull request of a branch of ours that was merged or closed."""
        return await self._sent(lambda: self._opening.find(branch, "closed"))

    async def find_closed(self, branch: str) -> ClosedPullRequest | None:
        """The newest pull request of a branch of ours, if somebody closed it without merging it."""
        return await self._sent(lambda: self._opening.closed_earlier(branch))

    async def fetch_marks(self, number: int, commit: str) -> tuple[Mark, ...]:
        """The versions a pull request of ours, merged as this commit, marks as known bad."""
        return await self._asked(lambda: self._marks_of(number, commit))

    async def find_merged(self, commit: str) -> int:
        """The pull request that was merged as this commit; 0 when none was."""
        return await self._asked(lambda: self._number_of(commit))

    async def open(self, proposal: Proposal, head: str, consent: Consent = NO_CONSENT) -> tuple[PullRequest, bool, str]:
        """The pull request for a pushed branch: found or made. Whether it was made, and what was left undone."""
        return await self._changed(head, consent, lambda: self._opening.open(proposal, head))

    async def try_auto_merge(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Let it merge by itself once checks and owners agree; "" or why that was left undone."""
        return await self._changed(head, consent, lambda: self._actions.auto_merge(number, head))

    async def compare(self, source: str, old: str, new: str) -> CommitRange:
        """The commits between two versions (tags) of a service's own repository; never raises, it says why not."""
        try:
            return await self._asked(lambda: between(self._connection, source, old, new))
        except SgmError as error:
            return CommitRange(reason=error.message)

    async def approve(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Approve this head; GitHub lets nobody approve their own.

        What has auto-merge enabled merges once it is approved: that takes consent like a merge.

        Raises:
            UnreachableError, RefusedError: why not; this goes for every action.
        """
        return await self._written(lambda: self._actions.approve(number, head, self._lock(head, consent)))

    async def merge(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Merge this head with a merge commit, as soon as GitHub knows whether it fits."""
        await self._must_be_accepted(head, consent)
        await self._until_known(number, head)
        return await self._written(lambda: self._actions.merge(number, head))

    async def enable_auto_merge(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Let this head merge by itself once checks and owners agree."""
        return await self._changed(head, consent, lambda: self._actions.let_merge(number, head))

    async def disable_auto_merge(self, number: int) -> str:
        """Let it not merge by itself."""
        return await self._written(lambda: self._actions.stop_auto_merge(number))

    async def update_branch(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Merge the branch it goes into into its own, if its head is still this one.

        What has auto-merge enabled may merge once it is up to date: that takes consent like a merge.
        """
        lock = self._lock(head, consent)
        return await self._written(lambda: self._actions.update_branch(number, head, self._branch, lock))

    async def close(self, number: int) -> str:
        """Close it without merging; its branch goes with it where we opened it, the branches of others stay."""
        return await self._written(lambda: self._actions.close(number))

    async def supersede(self, number: int, head: str, by: str) -> str:
        """Close one of ours that another change takes the place of, if its head is still this one.

        Args:
            number: the pull request to be closed.
            head: what a person saw of it.
            by: what takes its place, "#57" or a commit; it is named in a comment, once however often this is tried.

        Returns:
            "", or why it was left as it is.
        """
        return await self._written(lambda: self._actions.supersede(number, head, by))

    async def _until_known(self, number: int, head: str) -> None:
        """Wait while GitHub works out whether a pull request fits onto its branch.

        Raises:
            RefusedError: it takes too long, or the pull request has moved.
        """
        for look in range(_LOOKS):
            if look:
                await self._pause(_LOOK_SECONDS)
            if await self._sent(lambda: self._actions.unmoved(number, head).mergeable) is not None:
                return
        raise RefusedError(
            f"GitHub is still computing whether #{number} can merge into {self._branch}: nothing was done",
            "Try again in a moment.",
        )

    async def _asked(self, work: Callable[[], Result]) -> Result:
        return await run_in(Lane.FORGE_READS, self._connection.told, work)

    async def _sent(self, work: Callable[[], Result]) -> Result:
        """Run a write, or what is read just before one, in threads the listing cannot keep busy."""
        return await run_in(Lane.FORGE_WRITES, self._connection.told, work)

    async def _written(self, work: Callable[[], Result]) -> Result:
        self._permission.check("GitHub")
        return await self._sent(work)

    async def _changed(self, head: str, consent: Consent, work: Callable[[], Result]) -> Result:
        """Send a write that brings a head into the branch, or on its way there."""
        await self._must_be_accepted(head, consent)
        return await self._written(work)

    async def _must_be_accepted(self, head: str, consent: Consent) -> None:
        """Refuse a head that changes a protected stage without consent."""
        self._permission.check("GitHub")
        await run_in(Lane.GIT_WRITES, self._lock(head, consent))

    def _lock(self, head: str, consent: Consent) -> Callable[[], None]:
        """The check of one head, to be called in a thread."""
        return functools.partial(self._permission.check_commit, "GitHub", head, consent)

    def _opened(self) -> tuple[PullRequest, ...]:
        connection = self._connection
        return open_ones(connection.ask, self._config.github.repository, self._branch, connection.me)

    def _standing(self, number: int) -> PullRequest:
        pull = self._actions.pull(number)
        return replace(pull_of(pull), approved=self._actions.reviewed(number, pull.head.sha))

    def _marks_of(self, number: int, commit: str) -> tuple[Mark, ...]:
        try:
            return marks_of(self._actions.pull(number), commit)
        except StatusError as error:
            if error.status != 404:
                raise
            return ()  # the number in the commit's message is nobody's here

    def _number_of(self, commit: str) -> int:
        """Of the pull requests a commit is in, the one that was merged as it; 0 when none was."""
        path = f"/repos/{self._config.github.repository}/commits/{commit}/pulls"
        pulls = rows_of(self._connection, path, tuple[Pull, ...])
        return next((one.number for one in pulls if was_merged_as(one, commit)), 0)
