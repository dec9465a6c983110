"""One cluster's API: who we are to it, raw requests with deadlines, and following a collection for ever.

The `kubernetes` package reads the kubeconfig, authenticates and transports; bytes come out as the server sent them.
`follow` is list → watch → 410 → back-off as one endless stream that never raises: a UI can tell *empty* from
*loading* by `Listed`, and learns of every trouble as data.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from kubernetes.aio.config import new_client_from_config
from kubernetes.aio.config.config_exception import ConfigException

from sgm_tui.errors import RefusedError, SgmError, UnreachableError
from sgm_tui.fleet.text import clean
from sgm_tui.live.wire import Envelope, Metadata, RawEvent, RawList, Status

JSON = "application/json"
_PAGE = 500
_LARGEST_ANSWER = 64 << 20
_LARGEST_EVENT = 8 << 20
"""etcd holds no object larger than 1.5 MB."""
_MOST_RETIRED = 4
_SHORT = 1.0
_BATCH = 200
"""Objects decoded at a stretch: some ten milliseconds."""


class AbsentError(SgmError):
    """The server does not know this kind of object: its CRD is not installed."""


class BrokenError(UnreachableError):
    """The server was there and the connection broke under us: asking again may do."""


class ExpiredError(SgmError):
    """The revision to go on from is too old (410): list again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long we wait for what, in seconds."""

    connect: float = 5.0
    sign_in: float = 30.0
    """For the kubeconfig and whatever program it names to get a credential."""
    unary: float = 10.0
    """Whole time of a request that is not a watch; read time-outs alone do not stop a slow loris."""
    list_page: float = 30.0
    idle: float = 75.0
    """Silence after which a watch is given up; bookmarks come about once a minute."""
    watch: int = 240
    """Age at which the server is asked to end a watch."""
    beat: float = 10.0
    """Between two looks whether the server is still there."""
    retry_first: float = 0.5
    retry_most: float = 30.0


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything there is now, still raw."""

    items: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Changed:
    """One object came, changed or went."""

    type: str
    object: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Beat:
    """Nothing new, and the server said so."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """It does not work; the next try comes in `retry_in` seconds."""

    error: SgmError
    retry_in: float


Followed = Listed | Changed | Beat | Trouble


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked, all but how long we wait."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    accept: str = JSON
    body: object = None
    content_type: str = JSON


class ClusterConnection:
    """One context of the kubeconfig."""

    def __init__(self, context: str, kubeconfig: Path | None = None, pace: Pace | None = None) -> None:
        self.context = context
        self.pace = pace or Pace()
        self._kubeconfig = kubeconfig
        self._client: Any = None
        self._retired: list[Any] = []
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Let go of every socket."""
        clients, self._client, self._retired = [self._client, *self._retired], None, []
        for client in clients:
            if client is not None:
                await client.close()

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, accept: str = JSON, deadline: float | None = None
    ) -> bytes:
        """The whole answer to a GET.

        Raises:
            UnreachableError, RefusedError, AbsentError, ExpiredError: why there is none.
        """
        request = _Request("GET", path, params or {}, accept)
        async with self._asked(request, total=deadline or self.pace.unary) as response:
            return await self._whole(response)

    async def patch(self, path: str, body: object, *, content_type: str) -> bytes:
        """Send a PATCH once; it is never repeated, whatever happens.

        Raises:
            UnreachableError, RefusedError, AbsentError: what became of it.
        """
        request = _Request("PATCH", path, body=body, content_type=content_type)
        async with self._asked(request, total=self.pace.unary) as response:
            return await self._whole(response)

    async def lines(self, path: str, params: Mapping[str, str], *, accept: str = JSON) -> AsyncGenerator[bytes, None]:
        """The lines of a watch, until the server ends it or it is old enough to be asked anew.

        Raises:
            UnreachableError: no whole line within the idle deadline (bytes that never make one are silence too).
            BrokenError: the connection broke.
        """
        rest, now = b"", asyncio.get_running_loop().time
        oldest = now() + self.pace.watch + self.pace.idle
        request = _Request("GET", path, params, accept)
        async with self._asked(request, idle=self.pace.idle) as response, asyncio.timeout(self.pace.idle) as patience:
            async for chunk in response.content.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    if line.strip():
                        yield line
                if len(rest) > _LARGEST_EVENT:
                    raise UnreachableError(f"an event of {self.context} is larger than {_LARGEST_EVENT >> 20} MB")
                if now() > oldest:
                    return
                if whole:
                    patience.reschedule(now() + self.pace.idle)

    @contextlib.asynccontextmanager
    async def _asked(
        self, request: _Request, *, total: float | None = None, idle: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request with its deadlines; every failure leaves as an error of ours that says what happened."""
        limits = aiohttp.ClientTimeout(total=total, sock_connect=self.pace.connect, sock_read=idle)
        try:
            async with asyncio.timeout(None if idle is None else self.pace.watch + 2 * idle):
                response = await self._send(request, limits)
                async with response:
                    await self._check(response, request.path)
                    yield response
        except TimeoutError as error:
            raise UnreachableError(f"{self.context} did not answer within {idle or total or 0:.0f} s") from error
        except aiohttp.ClientConnectorError as error:
            raise UnreachableError(f"{self.context}: {_cause(error)}") from error
        except aiohttp.ClientError as error:
            raise BrokenError(f"{self.context}: {_cause(error)}") from error

    async def _send(self, request: _Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """Send it; a credential that has run out is renewed once, and only reads are sent again."""
        client = await self._open()
        response = await self._send_with(client, request, limits)
        if response.status != 401 or request.method != "GET":
            return response
        response.release()
        if self._client is client:
            # Others may still be reading through it: it is closed at the end.
            self._retired.append(client)
            self._client = None
            if len(self._retired) > _MOST_RETIRED:
                await self._retired.pop(0).close()
        return await self._send_with(await self._open(), request, limits)

    async def _send_with(self, client: Any, request: _Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = {"Accept": request.accept, "Content-Type": request.content_type, "User-Agent": "sgm-tui"}
        async with self._signing_in():
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
                file = str(self._kubeconfig) if self._kubeconfig else None
                async with self._signing_in():
                    with _complaints() as complaints:
                        client = await new_client_from_config(file, self.context, persist_config=False)
                    if complaints:
                        await client.close()
                        raise ConfigException(complaints[0])
                self._client = client
            return self._client

    @contextlib.asynccontextmanager
    async def _signing_in(self) -> AsyncIterator[None]:
        """Bound what gets a credential (a program may hang, or print rubbish) and say whose it was."""
        hint = "Check the kubeconfig and the cluster's `context` in sgm.yaml."
        try:
            async with asyncio.timeout(self.pace.sign_in):
                yield
        except TimeoutError as error:
            said = f"its credential program did not answer within {self.pace.sign_in:.0f} s"
            raise UnreachableError(f"context {self.context}: {said}", hint) from error
        except (ConfigException, OSError, ValueError, LookupError, TypeError) as error:
            # A kubeconfig or an ExecCredential may have any shape; the loader raises whatever it stumbles over.
            raise UnreachableError(f"context {self.context}: {clean(error)}", hint) from error

    async def _check(self, response: aiohttp.ClientResponse, path: str) -> None:
        if response.status < 400:
            return
        text = await response.text(errors="replace")
        raise _refusal(response.status, _said(text), path, self.context)

    async def _whole(self, response: aiohttp.ClientResponse) -> bytes:
        data = await response.content.read(_LARGEST_ANSWER + 1)
        parts = [data]
        while data and sum(map(len, parts)) <= _LARGEST_ANSWER:
            data = await response.content.read(_LARGEST_ANSWER)
            parts.append(data)
        whole = b"".join(parts)
        if len(whole) > _LARGEST_ANSWER:
            raise UnreachableError(f"an answer of {self.context} is larger than {_LARGEST_ANSWER >> 20} MB")
        return whole


class _Complaints(logging.Handler):
    """What the kubeconfig loader logs while one task waits for it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self._task = asyncio.current_task()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, if it is ours: other clusters load at the same time."""
        if asyncio.current_task() is self._task:
            self.messages.append(record.getMessage())


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """A credential program that fails is only logged by the loader, which then goes on as nobody."""
    handler, logger = _Complaints(), logging.getLogger("kubernetes.aio.config.kube_config")
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)


def _said(text: str) -> str:
    try:
        return clean(msgspec.json.decode(text, type=Status).message or text, 300)
    except msgspec.MsgspecError:
        return clean(text, 200)


def _refusal(status: int, said: str, path: str, context: str) -> SgmError:
    what = path.rsplit("/", 1)[-1]
    if status == 401:
        return RefusedError(f"{context}: not signed in: {said}", "Renew your credentials for this context.")
    if status == 403:
        return RefusedError(f"{context}: no access to {what}: {said}", "Ask for the rights `sgm rbac` lists.")
    if status == 404:
        return AbsentError(f"{context} has no {what}", "Its CRD is not installed there.")
    if status == 410:
        return ExpiredError(f"{context}: {said}")
    if status in {409, 422}:
        return RefusedError(f"{context}: {said}", "It has changed meanwhile: look again.")
    return UnreachableError(f"{context} answered {status}: {said}")


def _cause(error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {clean(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error
        if isinstance(reason, ssl.SSLError):
            return f"TLS failed: {clean(reason.reason)}"
        return f"cannot connect to {clean(error.host)}:{error.port}: {clean(reason.strerror or reason)}"
    return f"the connection broke: {clean(error) or type(error).__name__}"


@dataclass(slots=True)
class Backoff:
    """Growing, jittered waits; a success starts over, and so does a while without trouble."""

    pace: Pace
    chance: random.Random = field(default_factory=random.Random)
    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    forgiven_at: float = 0.0

    def next(self) -> float:
        """Seconds to wait before the next try."""
        now = self.clock()
        if now > self.forgiven_at:
            self.failures = 0
        self.forgiven_at = now + 3 * self.pace.retry_most
        self.failures += 1
        longest = min(self.pace.retry_most, self.pace.retry_first * 2 ** (self.failures - 1))
        return self.chance.uniform(longest / 2, longest)

    def reset(self) -> None:
        """It works again."""
        self.failures = 0


async def list_all(
    connection: ClusterConnection, path: str, selector: Mapping[str, str] | None = None
) -> tuple[list[msgspec.Raw], str]:
    """Every item of a collection, page by page, and the revision of the list."""
    items: list[msgspec.Raw] = []
    params = {**(selector or {}), "limit": str(_PAGE)}
    while True:
        data = await connection.get(path, params, deadline=connection.pace.list_page)
        page = decode(data, RawList, connection)
        items += page.items or []
        if not page.metadata.continue_:
            return items, page.metadata.resource_version
        params = {**params, "continue": page.metadata.continue_}


def decode(data: bytes | msgspec.Raw, kind: type[Any], connection: ClusterConnection) -> Any:
    """Decode an answer, or say that it is none (a captive portal's page, half a document)."""
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreachableError(f"{connection.context} gave a bad answer: {clean(error)}") from error


@dataclass(frozen=True, slots=True)
class Collection:
    """What is followed, and by which cluster's API."""

    connection: ClusterConnection
    path: str
    selector: Mapping[str, str] = field(default_factory=dict)
    """`labelSelector`, where the server can leave out what we would throw away."""


async def follow(
    collection: Collection, backoff: Backoff | None = None, *, wake: asyncio.Event | None = None
) -> AsyncIterator[Followed]:
    """List and watch a collection for ever; troubles are items of the stream, not exceptions.

    Args:
        collection: what to follow.
        backoff: how troubles are paced.
        wake: set it to end a back-off early.
    """
    waits = backoff or Backoff(collection.connection.pace)
    while True:
        try:
            items, version = await list_all(collection.connection, collection.path, collection.selector)
            yield Listed(items)
            async with contextlib.aclosing(_watch(collection, version, waits)) as events:
                async for event in events:
                    yield event
        except ExpiredError:
            # The revision is too old: list anew, but never in a tight loop.
            await _wait(waits.next(), wake)
        except SgmError as error:
            pause = waits.next()
            yield Trouble(error, pause)
            await _wait(pause, wake)


async def _wait(seconds: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()
    wake.clear()


async def _watch(collection: Collection, version: str, waits: Backoff) -> AsyncGenerator[Changed | Beat, None]:
    """Watches one after the other, each going on where the last one ended; returns only by an exception.

    A connection that breaks after it brought something is taken up again at once: routers and load balancers cut
    streams all the time, and a new list of everything is what they must not cost.
    """
    connection = collection.connection
    while True:
        params = {
            **collection.selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(connection.pace.watch),
        }
        seen, began = False, waits.clock()
        try:
            async with contextlib.aclosing(connection.lines(collection.path, params)) as lines:
                async for line in lines:
                    event, version = _event(line, version, collection)
                    seen = True
                    waits.reset()
                    yield event
        except BrokenError:
            if not seen:
                raise
        if not seen or waits.clock() - began < _SHORT:
            # A watch that ends at once would be asked again hundreds of times a second.
            await asyncio.sleep(waits.next())
        yield Beat()


def _event(line: bytes, version: str, collection: Collection) -> tuple[Changed | Beat, str]:
    """What a line says, and the revision it brings us to."""
    connection = collection.connection
    event = decode(line, RawEvent, connection)
    if event.type == "ERROR":
        status = decode(event.object, Status, connection)
        raise _refusal(status.code or 500, clean(status.message), collection.path, connection.context)
    envelope = decode(event.object, Envelope, connection)
    version = envelope.metadata.resource_version or version
    return (Beat() if event.type == "BOOKMARK" else Changed(event.type, event.object)), version


async def unhurried(items: Sequence[msgspec.Raw]) -> AsyncIterator[msgspec.Raw]:
    """The items of a long list, letting keys and frames through between them: thirty thousand take a second."""
    for number, raw in enumerate(items, 1):
        yield raw
        if number % _BATCH == 0:
            await asyncio.sleep(0)


def unreadable(raw: msgspec.Raw) -> Metadata | None:
    """Whose object it is that cannot be read, so that its cell can say so; None when not even that can be."""
    try:
        return msgspec.json.decode(raw, type=Envelope, strict=False).metadata
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


async def beat(connection: ClusterConnection) -> SgmError | None:
    """Whether the server is there; None when it is, else why not."""
    try:
        await connection.get("/version", deadline=connection.pace.connect)
    except RefusedError:
        return None
    except SgmError as error:
        return error
    return None
