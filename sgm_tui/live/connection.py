"""The connection to one cluster's API: raw requests with deadlines.

Bodies are returned as the server sent them. Every failure is translated into an SgmError that says what happened, and
to which cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from asyncio import sslproto
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from sgm_tui.errors import ConflictError, RefusedError, SgmError, UnreachableError, describe_os_error
from sgm_tui.fleet.ages import seconds_waited
from sgm_tui.live.kubeconfig import load_client, signing_in
from sgm_tui.live.wire import MALFORMED, Status
from sgm_tui.permission import NO_CONSENT, Consent, WritePermission
from sgm_tui.transport.streaming import RedirectRefusedError, read_start, read_whole
from sgm_tui.untrusted_text import clean

JSON = "application/json"
_NAMES = f"{JSON};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,{JSON}"
_RIGHTS = "Request this permission: README.md, On your fleet, lists every permission sgm needs."

_LARGEST_ANSWER = 64 << 20
_LARGEST_REFUSAL = 1 << 16
_LARGEST_EVENT = 8 << 20
"""etcd holds no object larger than 1.5 MB."""
_MOST_RETIRED = 4
# asyncio keeps a buffer of 256 KiB for every TLS connection; a hundred quiet watches need no 25 MB for that, and one
# TLS record is never longer than 16 KiB.
sslproto.SSLProtocol.max_size = 32 << 10


class AbsentError(SgmError):
    """The object does not exist, or the server does not know its kind because the CRD is not installed (404)."""


class ForbiddenError(RefusedError):
    """The account lacks a permission (403)."""


class BrokenError(UnreachableError):
    """The connection broke while it was used; another attempt may succeed."""


class SilentError(UnreachableError):
    """A watch was accepted and sent nothing: the collection is quiet, or the connection is half-open."""


class TooLargeError(UnreachableError):
    """An answer is larger than sgm holds in memory; request a smaller page."""


class BusyError(UnreachableError):
    """The server is overloaded (429, or 503 with Retry-After)."""

    retry_after = 0.0
    """Seconds after which the server accepts another request, as far as it names a time."""


class ExpiredError(SgmError):
    """The revision to continue a watch from is too old (410): list again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Deadlines and intervals of a cluster's requests, in seconds."""

    connect: float = 5.0
    sign_in: float = 30.0
    """For reading the kubeconfig and running a credential program that it names."""
    unary: float = 10.0
    """The whole time of a request other than a watch: a read timeout alone does not stop a server that trickles."""
    list_page: float = 30.0
    idle: float = 75.0
    """Silence after which a watch is reconnected; a server's bookmarks may be two minutes apart, or never come."""
    watch: int = 240
    """Age at which the server is asked to end a watch."""
    probe: float = 10.0
    """Interval between two probes of the server."""
    retry_first: float = 0.5
    retry_most: float = 30.0


@dataclass(frozen=True, slots=True)
class _Request:
    """A request without its deadlines."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    accept: str = JSON
    body: object = None
    content_type: str = JSON


class ClusterConnection:
    """A client for one context of the kubeconfig."""

    def __init__(
        self,
        context: str,
        kubeconfig: Path | None = None,
        pace: Pace | None = None,
        permission: WritePermission | None = None,
        *,
        protected: Collection[str] = (),
    ) -> None:
        """Connect to nothing yet; `protected` names the protected stages that a write here changes."""
        self.context = context
        self.pace = pace or Pace()
        self._kubeconfig = kubeconfig
        self._permission = permission or WritePermission()
        self._protected = protected
        self._client: Any = None
        self._retired: list[Any] = []
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close every socket."""
        clients, self._client, self._retired = [self._client, *self._retired], None, []
        for client in clients:
            if client is not None:
                await client.close()

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, accept: str = JSON, deadline: float | None = None
    ) -> bytes:
        """Send a GET and return the body; `deadline` is in seconds for the whole request.

        Raises:
            UnreachableError, RefusedError, AbsentError, ExpiredError: the request failed.
        """
        request = _Request("GET", path, params or {}, accept)
        async with self._request(request, total=deadline or self.pace.unary) as response:
            return await self._read_body(response)

    async def patch(self, path: str, body: object, *, content_type: str, consent: Consent = NO_CONSENT) -> bytes:
        """Send a PATCH once; it is never repeated, whatever happens.

        Raises:
            UnreachableError, RefusedError, AbsentError: the request failed; RefusedError also where the cluster is of a
                protected stage to which `consent` was not given. After an UnreachableError it may have been applied.
        """
        self._permission.check_stages(self.context, self._protected, consent)
        request = _Request("PATCH", path, body=body, content_type=content_type)
        async with self._request(request, total=self.pace.unary) as response:
            return await self._read_body(response)

    async def lines(self, path: str, params: Mapping[str, str], *, accept: str = JSON) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a watch, until the server ends it or it has reached its greatest age.

        Raises:
            SilentError: the watch was accepted, and not a byte came within the idle deadline.
            UnreachableError: no answer within the idle deadline, or bytes that never make a whole line.
            BrokenError: the connection broke.
        """
        partial, now = b"", asyncio.get_running_loop().time
        end = now() + self.pace.watch + self.pace.idle
        request = _Request("GET", path, params, accept)
        async with self._request(request, idle=self.pace.idle) as response:
            try:
                async with asyncio.timeout(self.pace.idle) as idle_deadline:
                    async for chunk in response.content.iter_any():
                        *lines, partial = (partial + chunk).split(b"\n")
                        for line in lines:
                            if line.strip():
                                yield line
                        if len(partial) > _LARGEST_EVENT:
                            raise UnreachableError(f"an event of {self.context} is over {_LARGEST_EVENT >> 20} MB")
                        if now() > end:
                            return
                        if lines:
                            idle_deadline.reschedule(now() + self.pace.idle)
            except TimeoutError as error:
                if partial:
                    raise
                raise SilentError(f"{self.context} sent nothing for {self.pace.idle:.0f} s") from error

    @contextlib.asynccontextmanager
    async def _request(
        self, request: _Request, *, total: float | None = None, idle: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request with its deadlines, and translate every failure into an SgmError."""
        limits = aiohttp.ClientTimeout(total=total, sock_connect=self.pace.connect, sock_read=idle)
        start = time.monotonic()
        try:
            async with asyncio.timeout(None if idle is None else self.pace.watch + 2 * idle):
                response = await self._send(request, limits)
                async with response:
                    await self._check(response, request.path)
                    yield response
        except TimeoutError as error:
            # The library does not tell which of the deadlines has passed, so the message names the time that was.
            waited = seconds_waited(time.monotonic() - start)
            raise UnreachableError(f"{self.context} did not answer within {waited}") from error
        except aiohttp.ClientConnectorError as error:
            raise UnreachableError(f"{self.context}: {_cause(error)}") from error
        except RedirectRefusedError as error:
            raise UnreachableError(f"{self.context} does not answer as an API server: {clean(error)}") from error
        except aiohttp.ClientError as error:
            raise BrokenError(f"{self.context}: {_cause(error)}") from error

    async def _send(self, request: _Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """Send a request; after a 401 renew the credential and, for a read only, send it once more."""
        client = await self._open()
        response = await self._send_with(client, request, limits)
        if response.status != 401 or request.method != "GET":
            return response
        response.release()
        if self._client is client:
            # Another request may still be reading through it: it is closed at the end.
            self._retired.append(client)
            self._client = None
            if len(self._retired) > _MOST_RETIRED:
                await self._retired.pop(0).close()
        return await self._send_with(await self._open(), request, limits)

    async def _send_with(self, client: Any, request: _Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = {"Accept": request.accept, "Content-Type": request.content_type, "User-Agent": "sgm-tui"}
        async with signing_in(self.context, self.pace.sign_in):
            auth = (await client.configuration.auth_settings()).get("BearerToken")
        if auth:
            headers["Authorization"] = auth["value"]
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in request.params.items())
        url = client.configuration.host.rstrip("/") + request.path + (f"?{query}" if query else "")
        answer = await client.rest_client.request(
            request.method, url, headers=headers, body=request.body, _request_timeout=limits
        )
        response: aiohttp.ClientResponse = answer.response
        return response

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                async with signing_in(self.context, self.pace.sign_in):
                    self._client = await load_client(self._kubeconfig, self.context)
            return self._client

    async def _check(self, response: aiohttp.ClientResponse, path: str) -> None:
        if response.status < 400:
            return
        text = (await read_start(response, _LARGEST_REFUSAL)).decode("utf-8", "replace")
        error = refusal(response.status, _message_of(text), path, self.context)
        if response.status in {429, 503} and (seconds := response.headers.get("Retry-After", "")).isdecimal():
            error = BusyError(error.message, error.hint)
            error.retry_after = float(seconds)
        raise error

    async def _read_body(self, response: aiohttp.ClientResponse) -> bytes:
        body = await read_whole(response, _LARGEST_ANSWER)
        if body is None:
            raise TooLargeError(f"an answer of {self.context} is larger than {_LARGEST_ANSWER >> 20} MB")
        return body


def _message_of(text: str) -> str:
    """Return the message of a Status, or the text of anything else, shortened."""
    try:
        return clean(msgspec.json.decode(text, type=Status).message or text, 300)
    except (msgspec.MsgspecError, RecursionError):
        return clean(text, 200)


def refusal(status: int, message: str, path: str, context: str) -> SgmError:
    """Return the error for an HTTP status, or for a Status in a stream, with a hint what to do about it."""
    resource = path.rsplit("/", 1)[-1]
    if status == 401:
        return RefusedError(f"{context}: not signed in: {message}", "Renew your credentials for this context.")
    if status == 403:
        return ForbiddenError(f"{context}: no access to {resource}: {message}", _RIGHTS)
    if status == 404:
        return AbsentError(f"{context} has no {resource}", "Its CRD is not installed there.")
    if status == 410:
        return ExpiredError(f"{context}: {message}")
    if status == 409:
        return ConflictError(f"{context}: {message}", "It has changed meanwhile: refresh and try again.")
    if status == 422:
        return RefusedError(f"{context}: {message}", "It has changed meanwhile: refresh and try again.")
    kind = BusyError if status == 429 else UnreachableError
    return kind(f"{context} answered {status}: {message}")


def _cause(error: aiohttp.ClientError) -> str:
    """Return why a connection failed."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {clean(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error
        if isinstance(reason, ssl.SSLError):
            return f"TLS failed: {clean(reason.reason)}"
        return f"cannot connect to {clean(error.host)}:{error.port}: {clean(describe_os_error(reason))}"
    return f"the connection broke: {clean(error) or type(error).__name__}"


def decode(data: bytes | msgspec.Raw, kind: type[Any], connection: ClusterConnection) -> Any:
    """Decode an answer as `kind`.

    Raises:
        UnreachableError: it is something else: a captive portal's page, or half a document.
    """
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except MALFORMED as error:
        raise UnreachableError(f"{connection.context} sent an invalid answer: {clean(error)}") from error


async def probe(connection: ClusterConnection, path: str) -> SgmError | None:
    """Return None if the API server responds at all (403, 404 and 429 included), else the error.

    It lists one object of the collection, because a server that lost etcd still answers from memory while its watches
    fall silent.
    """
    try:
        await connection.get(path, {"limit": "1"}, accept=_NAMES, deadline=connection.pace.connect)
    except (RefusedError, AbsentError, BusyError):
        return None
    except SgmError as error:
        return error
    return None
