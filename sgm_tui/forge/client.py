"""The HTTP client of one GitHub repository: the one module that knows PyGithub.

PyGithub authenticates and paces; every answer is read within limits (`transport`) and decoded against a type (`wire`).
Only reads are retried.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from github import Auth
from github.GithubException import GithubException
from github.Requester import HTTPRequestsConnectionClass, Requester

from sgm_tui.config.schema import Config
from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.ages import seconds_waited
from sgm_tui.forge.conditional import Answer
from sgm_tui.forge.connection import StatusError, to_error
from sgm_tui.forge.quota import Quota, limit_of
from sgm_tui.forge.refusals import (
    explain_no_answer,
    is_graphql_limit,
    is_page,
    parse_expiry,
    parse_refusal,
)
from sgm_tui.forge.wire import Account, GraphqlAnswer, Kind, decode
from sgm_tui.transport.blocking import AnswerRefusedError, BoundedSession
from sgm_tui.transport.limits import Limits
from sgm_tui.untrusted_text import clean, sanitize

Result = TypeVar("Result")

_LIMITS = Limits(silence=10.0, total=20.0, size=16 << 20)
"""A page of a hundred pull requests with the longest bodies GitHub accepts is half of that size."""
_READ_INTERVAL = 0.1
"""Seconds between two requests; GitHub also counts the requests of a minute (its secondary limit)."""
_WRITE_INTERVAL = 1.0
_RETRY = urllib3.Retry(
    total=2,
    status_forcelist=[500, 502, 503, 504],
    allowed_methods={"GET"},
    raise_on_status=False,
    respect_retry_after_header=False,
)
"""Replaces the retries of PyGithub, which sleeps in the middle of a call when a limit is reached: see `Quota`."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WRITE_SUCCEEDED = frozenset({200, 201, 202, 204})
_CHECK_API_URL = "Check github.api_url."


class _Exchange(HTTPRequestsConnectionClass):
    """One request of PyGithub's, sent through the bounded session; one object per request, because it holds it."""

    def __init__(self, origin: str, session: BoundedSession) -> None:
        self._origin = origin
        self._bounded = session

    def getresponse(self) -> Any:
        """Send what PyGithub has passed to `request`."""
        response = self._bounded.request(self.verb, f"{self._origin}{self.url}", data=self.input, headers=self.headers)
        if response.status_code == 202 and self.verb == "GET":
            # PyGithub would repeat the request every two seconds, without end.
            raise AnswerRefusedError("is still preparing its answer (202)")
        return _ReadResponse(response)

    def close(self) -> None:
        """Leave the session open: it is shared."""


class _ReadResponse:
    """A response with the methods that PyGithub calls."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self._response = response

    def getheaders(self) -> Any:
        """Return the headers."""
        return self._response.headers.items()

    def read(self) -> str:
        """Return the body as text: JSON is UTF-8, and guessing the encoding of megabytes takes minutes."""
        return self._response.content.decode("utf-8", "replace")


class GithubClient:
    """Typed requests to one repository, with limits, a token that is renewed, and GitHub's errors as SgmErrors."""

    def __init__(
        self,
        config: Config,
        token: str,
        now: Callable[[], datetime],
        read_token: Callable[[], str] | None,
        why_unsent: Callable[[], str],
    ) -> None:
        """Connect to nothing yet.

        Args:
            config: where GitHub is, and the repository.
            token: the credential; "" sends none.
            now: returns the time.
            read_token: reads the token again, for when GitHub rejects it.
            why_unsent: returns why a token that exists is not sent; "" where that is not so.
        """
        logging.getLogger("github").handlers.clear()
        self._config = config
        self._token = token
        self._read_token = read_token
        self._why_unsent = why_unsent
        self._quota = Quota(now)
        self._session = BoundedSession(_LIMITS, _RETRY)
        # Set, so that a netrc cannot replace the token with another credential.
        self._session.auth = Requester.noopAuth
        self.expires: datetime | None = None
        """When the token expires, where GitHub names a date."""
        self._connect()

    def _connect(self) -> None:
        parts = urlsplit(self._config.github.api_url)
        is_local = parts.hostname in _LOOPBACK
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
            seconds_between_requests=0 if is_local else _READ_INTERVAL,
            seconds_between_writes=0 if is_local else _WRITE_INTERVAL,
        )

    @property
    def login(self) -> str:
        """The login the token belongs to; "" where GitHub does not say, as for the token of an app.

        It is fetched once per token.
        """
        if self._login is None:
            try:
                self._login = self.read("/user", Account).login
            except StatusError as error:
                if error.status not in {403, 404}:
                    raise
                self._login = ""
        return self._login

    @property
    def why_unsent(self) -> str:
        """Why a token that exists is not sent; "" where one is sent, or there is none."""
        return "" if self._token else self._why_unsent()

    def call(self, work: Callable[[], Result]) -> Result:
        """Run `work` against GitHub and translate its errors; fail at once while rate limited.

        Raises:
            UnreachableError, RefusedError: the translated error.
        """
        self._quota.check()
        if not self._token and self._config.github.token_file is not None:
            self._renew_token()  # it could not be read before; raises if it still cannot be
        with self._translated_errors():
            try:
                return work()
            except StatusError as error:
                # 401 means that nothing was done: repeating it with a renewed token doubles nothing.
                if error.status != 401 or not self._renew_token():
                    raise
                return work()

    def _renew_token(self) -> bool:
        """Read the token again; return whether it is another one."""
        token = self._read_token() if self._read_token is not None else self._token
        if token == self._token:
            return False
        self._token = token
        self._connect()
        return True

    def get_if_changed(self, path: str, etag: str) -> Answer | None:
        """Send one GET; return None when nothing has changed since the answer with that ETag."""
        status, headers, text = self._send("GET", path, None, {"If-None-Match": etag} if etag else {})
        if status == 304:
            return None
        if status != 200:
            raise UnreachableError(f"GitHub answered {status} to {path.partition('?')[0]}", _CHECK_API_URL)
        links = requests.utils.parse_header_links(str(headers.get("link", "")))
        return Answer(str(headers.get("etag", "")), text, any(link.get("rel") == "next" for link in links))

    def read(self, path: str, kind: type[Kind]) -> Kind:
        """Fetch one document."""
        answer = self.get_if_changed(path, "")
        if answer is None:
            raise UnreachableError("GitHub answered 304 to an unconditional request")
        return decode(answer.text, kind, path.partition("?")[0])

    def write(self, verb: str, path: str, body: object, kind: type[Kind] | None = None) -> Kind | None:
        """Send a write once."""
        status, _, text = self._send(verb, path, body)
        if status not in _WRITE_SUCCEEDED:
            raise UnreachableError(f"GitHub answered {status} to {path.partition('?')[0]}", _CHECK_API_URL)
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
            raise self._to_error(422, parse_refusal(text), headers)
        if answer.data is None or answer.data.get(name) is None:
            raise UnreachableError(f"GitHub's answer to {name} does not show whether it succeeded")

    def _send(
        self, verb: str, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, Any], str]:
        """Send one request; return status, headers and body.

        Raises:
            StatusError, UnreachableError: the status is 400 or greater.
        """
        self._quota.check()
        status, fields, text = self._requester.requestJson(
            verb, path, headers=dict(headers or {}), input=sanitize(body), cnx=_Exchange(self._origin, self._session)
        )
        if status >= 400:
            raise self._to_error(status, parse_refusal(text), fields)
        self._quota.note_success(fields)
        self.expires = parse_expiry(fields.get("github-authentication-token-expiration"))
        return status, fields, text

    def _to_error(self, status: int, data: object, headers: Mapping[str, Any]) -> StatusError | UnreachableError:
        """Return the error of a refusal: a rate limit, which pauses all requests, or what GitHub reports."""
        error = StatusError(status, data, headers)
        limit = limit_of(status, headers, error.message, is_page=is_page(data))
        limit = "primary" if is_graphql_limit(data) else limit
        if limit is None:
            return error
        self._quota.note_refusal(limit, headers)
        return self._quota.pause() or UnreachableError(f"GitHub refused: {error.message}")

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Translate refusals and the errors of the libraries into SgmErrors.

        A read may have been retried, so a timeout is reported with the time that has passed.
        """
        start = time.monotonic()
        try:
            yield
        except StatusError as error:
            raise to_error(error, self._config.github.repository, self.why_unsent) from error
        except AnswerRefusedError as error:
            raise UnreachableError(f"GitHub {error}", "Check github.api_url and github.repository.") from error
        except requests.Timeout as error:
            waited = seconds_waited(time.monotonic() - start)
            raise UnreachableError(f"GitHub did not answer within {waited}") from error
        except requests.RequestException as error:
            raise UnreachableError(f"GitHub {explain_no_answer(error, time.monotonic() - start)}") from error
        except (GithubException, AssertionError, RuntimeError) as error:
            raise UnreachableError(f"GitHub request failed: {clean(error, 160)}", _CHECK_API_URL) from error
