"""One cluster's API: who we are to it, and raw requests with deadlines.

The `kubernetes` package reads the kubeconfig, authenticates and transports; bytes come out as the server sent them.
Every failure leaves as one error of ours that says what happened, and to whom.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import time
from asyncio import sslproto
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Coroutine, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigLoader, KubeConfigMerger

from sgm_tui.errors import ConflictError, RefusedError, SgmError, UnreachableError, system_words
from sgm_tui.fleet.ages import seconds_waited
from sgm_tui.live.wire import Status
from sgm_tui.permission import NO_CONSENT, Consent, WritePermission
from sgm_tui.threads import Lane, run_in
from sgm_tui.transport.streaming import RedirectRefusedError, read_start, read_whole, refuse_redirects
from sgm_tui.untrusted_text import clean

JSON = "application/json"
_NAMES = f"{JSON};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,{JSON}"
_RIGHTS = "Request this permission: README.md, On your fleet, lists every permission sgm needs."
_KUBECONFIG = "Check the kubeconfig and the cluster's `context` in sgm.yaml."
_LARGEST_ANSWER = 64 << 20
_LARGEST_REFUSAL = 1 << 16
_LARGEST_EVENT = 8 << 20
"""etcd holds no object larger than 1.5 MB."""
_MOST_RETIRED = 4
# asyncio keeps a buffer of 256 KiB for every TLS connection; a hundred quiet watches need no 25 MB for that, and one
# TLS record is never longer than 16 KiB.
sslproto.SSLProtocol.max_size = 32 << 10


class AbsentError(SgmError):
    """The server does not know this kind of object: its CRD is not installed."""


class ForbiddenError(RefusedError):
    """The server knows who we are, and that we may not (403)."""


class BrokenError(UnreachableError):
    """The server was there and the connection broke under us: asking again may do."""


class SilentError(UnreachableError):
    """A watch was accepted and nothing came: a quiet collection, or a connection nobody holds the other end of."""


class TooLargeError(UnreachableError):
    """An answer is larger than anything we hold in memory at once: ask for less."""


class BusyError(UnreachableError):
    """The server is there and has too much to do (429, or 503 with a time)."""

    retry_after = 0.0
    """Seconds it asks to be left alone."""


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
    """Silence after which a watch is asked anew; a real server's bookmarks may be two minutes apart, or never come."""
    watch: int = 240
    """Age at which the server is asked to end a watch."""
    beat: float = 10.0
    """Between two looks whether the server is still there."""
    retry_first: float = 0.5
    retry_most: float = 30.0


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

    def __init__(
        self,
        context: str,
        kubeconfig: Path | None = None,
        pace: Pace | None = None,
        permission: WritePermission | None = None,
        *,
        protected: Collection[str] = (),
    ) -> None:
        """Connect to nothing yet; `protected` names the stages, if protected, that a write here changes."""
        self.context = context
        self.pace = pace or Pace()
        self._kubeconfig = kubeconfig
        self._permission = permission or WritePermission()
        self._protected = protected
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

    async def patch(self, path: str, body: object, *, content_type: str, consent: Consent = NO_CONSENT) -> bytes:
        """Send a PATCH once; it is never repeated, whatever happens.

        Raises:
            UnreachableError, RefusedError, AbsentError: what became of it; RefusedError also where the cluster is of a
                protected stage to which `consent` was not given.
        """
        self._permission.check_stages(self.context, self._protected, consent)
        request = _Request("PATCH", path, body=body, content_type=content_type)
        async with self._asked(request, total=self.pace.unary) as response:
            return await self._whole(response)

    async def lines(self, path: str, params: Mapping[str, str], *, accept: str = JSON) -> AsyncGenerator[bytes, None]:
        """The lines of a watch, until the server ends it or it is old enough to be asked anew.

        Raises:
            SilentError: it was accepted, and not a byte came within the idle deadline.
            UnreachableError: no answer within the idle deadline, or bytes that never make a whole line.
            BrokenError: the connection broke.
        """
        rest, now = b"", asyncio.get_running_loop().time
        oldest = now() + self.pace.watch + self.pace.idle
        request = _Request("GET", path, params, accept)
        async with self._asked(request, idle=self.pace.idle) as response:
            try:
                async with asyncio.timeout(self.pace.idle) as patience:
                    async for chunk in response.content.iter_any():
                        *whole, rest = (rest + chunk).split(b"\n")
                        for line in whole:
                            if line.strip():
                                yield line
                        if len(rest) > _LARGEST_EVENT:
                            raise UnreachableError(f"an event of {self.context} is over {_LARGEST_EVENT >> 20} MB")
                        if now() > oldest:
                            return
                        if whole:
                            patience.reschedule(now() + self.pace.idle)
            except TimeoutError as error:
                if rest:
                    raise
                raise SilentError(f"{self.context} sent nothing for {self.pace.idle:.0f} s") from error

    @contextlib.asynccontextmanager
    async def _asked(
        self, request: _Request, *, total: float | None = None, idle: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request with its deadlines; every failure leaves as an error of ours that says what happened."""
        limits = aiohttp.ClientTimeout(total=total, sock_connect=self.pace.connect, sock_read=idle)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(None if idle is None else self.pace.watch + 2 * idle):
                response = await self._send(request, limits)
                async with response:
                    await self._check(response, request.path)
                    yield response
        except TimeoutError as error:
            # Which of the deadlines ended it is the library's secret: what is told is what was waited.
            waited = seconds_waited(time.monotonic() - begun)
            raise UnreachableError(f"{self.context} did not answer within {waited}") from error
        except aiohttp.ClientConnectorError as error:
            raise UnreachableError(f"{self.context}: {_cause(error)}") from error
        except RedirectRefusedError as error:
            raise UnreachableError(f"{self.context} does not answer as an API server: {clean(error)}") from error
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
                async with self._signing_in():
                    self._client = await self._load()
            return self._client

    async def _load(self) -> Any:
        """Return a client for the context, made from the kubeconfig as it is now."""
        if missing := _missing(self._kubeconfig):
            raise ConfigException(missing)
        with _complaints() as complaints:
            client = await _client(self._kubeconfig, self.context)
        if complaints:
            await client.close()
            raise ConfigException(complaints[0])
        return client

    @contextlib.asynccontextmanager
    async def _signing_in(self) -> AsyncIterator[None]:
        """Bound what gets a credential (a program may hang, or print rubbish) and say whose it was."""
        try:
            async with asyncio.timeout(self.pace.sign_in):
                yield
        except TimeoutError as error:
            said = f"its credential program did not answer within {self.pace.sign_in:.0f} s"
            raise UnreachableError(f"context {self.context}: {said}", _KUBECONFIG) from error
        except (ConfigException, OSError) as error:
            raise UnreachableError(f"context {self.context}: {clean(error)}", _KUBECONFIG) from error
        except (ValueError, LookupError, TypeError) as error:
            # A kubeconfig or an ExecCredential may have any shape; the loader raises whatever it stumbles over.
            said = f"its kubeconfig entry, or what its credential program printed, is not complete ({clean(error)})"
            raise UnreachableError(f"context {self.context}: {said}", _KUBECONFIG) from error

    async def _check(self, response: aiohttp.ClientResponse, path: str) -> None:
        if response.status < 400:
            return
        text = (await read_start(response, _LARGEST_REFUSAL)).decode("utf-8", "replace")
        error = refusal(response.status, _said(text), path, self.context)
        if response.status in {429, 503} and (seconds := response.headers.get("Retry-After", "")).isdecimal():
            error = BusyError(error.message, error.hint)
            error.retry_after = float(seconds)
        raise error

    async def _whole(self, response: aiohttp.ClientResponse) -> bytes:
        whole = await read_whole(response, _LARGEST_ANSWER)
        if whole is None:
            raise TooLargeError(f"an answer of {self.context} is larger than {_LARGEST_ANSWER >> 20} MB")
        return whole


async def _client(kubeconfig: Path | None, context: str) -> Any:
    """Return a signed-in client for a context of one kubeconfig, or of those that KUBECONFIG lists."""
    configuration = type.__call__(Configuration)  # a new one: the class hands out copies of a default
    loading = await run_in(Lane.CREDENTIALS, _loading, kubeconfig, context, configuration)
    if loading is not None:
        await loading
    configuration.trace_configs = [refuse_redirects()]
    # It reads the certificates that are trusted.
    return await run_in(Lane.CREDENTIALS, lambda: ApiClient(configuration=configuration))


def _loading(kubeconfig: Path | None, context: str, configuration: Any) -> Coroutine[Any, Any, None] | None:
    """Read the kubeconfig into `configuration`; return what is left to await where a program or a service signs in.

    It blocks: files are read, and large ones parsed in Python.
    """
    merged = KubeConfigMerger(str(kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION)).config
    _resolve_programs(merged)
    loader = KubeConfigLoader(config_dict=merged, config_base_path=None, active_context=context)
    loading: Coroutine[Any, Any, None] = loader.load_and_set(configuration)
    user = _user_of(merged, context)
    if "exec" in user or "auth-provider" in user:
        return loading
    with contextlib.suppress(StopIteration):
        # Without those it awaits nothing, and is a function like any other.
        loading.send(None)
    return None


def _user_of(merged: Any, context: str) -> Mapping[str, Any]:
    """Return the user entry of a context; an empty one where it has none."""
    name = merged["contexts"].get_with_name(context)["context"].safe_get("user")
    entry = merged["users"].get_with_name(name, safe=True) if name else None
    user = entry.value.get("user") if entry is not None and isinstance(entry.value, dict) else None
    return user if isinstance(user, dict) else {}


def _resolve_programs(merged: Any) -> None:
    """Make relative paths of credential programs absolute.

    A command with a slash counts from the kubeconfig that names it, one without is found on PATH (client-go,
    `tools/clientcmd`, ResolveLocalPaths of an ExecConfig).
    """
    for entry in merged.value["users"] if merged is not None else ():
        user = entry.value.get("user") if isinstance(entry.value, dict) else None
        program = user.get("exec") if isinstance(user, dict) else None
        command = program.get("command") if isinstance(program, dict) else None
        if (
            isinstance(program, dict)
            and isinstance(command, str)
            and "/" in command
            and not Path(command).is_absolute()
        ):
            program["command"] = str(Path(entry.path).absolute().parent / command)


def _missing(kubeconfig: Path | None) -> str:
    """Why there is nothing to read contexts from; "" where there is."""
    if kubeconfig is not None:
        return "" if kubeconfig.is_file() else f"there is no kubeconfig {kubeconfig}"
    named = os.environ.get("KUBECONFIG", "")
    files = [Path(one) for one in named.split(os.pathsep) if one] or [Path("~/.kube/config").expanduser()]
    if any(one.is_file() for one in files):
        return ""
    where = f"KUBECONFIG={named}" if named else "KUBECONFIG is not set, and ~/.kube/config"
    return f"there is no kubeconfig: {where} is not there"


_listener: ContextVar[logging.Handler | None] = ContextVar("listener", default=None)
"""Who waits for the kubeconfig loader, in this task and in the threads it uses."""


class _Complaints(logging.Handler):
    """What the kubeconfig loader logs while one task waits for it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, if it is ours: other clusters load at the same time."""
        if _listener.get() is self:
            self.messages.append(record.getMessage())


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """A credential program that fails is only logged by the loader, which then goes on as nobody."""
    handler, logger = _Complaints(), logging.getLogger("kubernetes.aio.config.kube_config")
    logger.addHandler(handler)
    _listener.set(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)


def _said(text: str) -> str:
    try:
        return clean(msgspec.json.decode(text, type=Status).message or text, 300)
    except (msgspec.MsgspecError, RecursionError):
        return clean(text, 200)


def refusal(status: int, said: str, path: str, context: str) -> SgmError:
    """The error an HTTP status (or a Status in a stream) is, with what to do about it."""
    what = path.rsplit("/", 1)[-1]
    if status == 401:
        return RefusedError(f"{context}: not signed in: {said}", "Renew your credentials for this context.")
    if status == 403:
        return ForbiddenError(f"{context}: no access to {what}: {said}", _RIGHTS)
    if status == 404:
        return AbsentError(f"{context} has no {what}", "Its CRD is not installed there.")
    if status == 410:
        return ExpiredError(f"{context}: {said}")
    if status == 409:
        return ConflictError(f"{context}: {said}", "It has changed meanwhile: refresh and try again.")
    if status == 422:
        return RefusedError(f"{context}: {said}", "It has changed meanwhile: refresh and try again.")
    kind = BusyError if status == 429 else UnreachableError
    return kind(f"{context} answered {status}: {said}")


def _cause(error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {clean(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error
        if isinstance(reason, ssl.SSLError):
            return f"TLS failed: {clean(reason.reason)}"
        return f"cannot connect to {clean(error.host)}:{error.port}: {clean(system_words(reason))}"
    return f"the connection broke: {clean(error) or type(error).__name__}"


def decode(data: bytes | msgspec.Raw, kind: type[Any], connection: ClusterConnection) -> Any:
    """Decode an answer, or say that it is none (a captive portal's page, half a document)."""
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreachableError(f"{connection.context} sent an invalid answer: {clean(error)}") from error


async def beat(connection: ClusterConnection, path: str) -> SgmError | None:
    """Whether the server is there and can read; None when it is, and be it to say that it may not, cannot or has no
    time now; else why not. One name of a collection is asked for: what it holds in memory a server still tells when
    it has lost its storage, and its watches just fall silent then.
    """
    try:
        await connection.get(path, {"limit": "1"}, accept=_NAMES, deadline=connection.pace.connect)
    except (RefusedError, AbsentError, BusyError):
        return None
    except SgmError as error:
        return error
    return None
