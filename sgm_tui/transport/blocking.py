"""A requests session whose every answer is read whole within limits.

The read timeout of requests counts silence between two bytes, and nothing bounds an answer's size or where a redirect
leads. Here the deadline holds for the whole request, down to the single read of the socket, headers included.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from sgm_tui.transport.limits import Limits, is_same_origin, size_text
from sgm_tui.transport.resolving import resolve

_CHUNK = 1 << 16
_MOST_REDIRECTS = 5
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))
"""When the request of this thread has to be over, on the monotonic clock."""


class AnswerRefusedError(requests.RequestException):
    """The answer breaks a limit; the text goes on from the server's name: "sent more than 16 MB"."""


class DeadlineError(AnswerRefusedError, requests.Timeout):
    """The request was not over within its total time."""


class _TimedReader(io.RawIOBase):
    """The bytes of a socket until the deadline, however slowly they come."""

    def __init__(self, connection: socket.socket, raw: Any, silence: float | None, deadline: float) -> None:
        super().__init__()
        self._connection = connection
        self._raw = raw
        self._silence = silence
        self._deadline = deadline

    def readable(self) -> bool:
        """Return True: it is only read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Fill the buffer with what comes next.

        Raises:
            TimeoutError: nothing came, or the deadline has passed.
        """
        self._connection.settimeout(_remaining(self._silence, self._deadline))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        """Close the underlying stream."""
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer whose status line, headers and body are read under the deadline."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        reader = _TimedReader(sock, self.fp.detach(), sock.gettimeout(), _deadline.get())
        self.fp = io.BufferedReader(reader)


class _TimedNames(HTTPConnection):
    """A connection whose host name is resolved within the time to connect."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            addresses = resolve(name, self.port or 0, _seconds(self.timeout))
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"the name {name} was not resolved: timed out") from error
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        for rest in range(len(addresses) - 1, -1, -1):
            try:
                self.timeout = _remaining(_seconds(self.timeout), _deadline.get())
                self._dns_host = addresses[len(addresses) - 1 - rest]
                return super()._new_conn()
            except (NewConnectionError, ConnectTimeoutError):
                if not rest:
                    raise
            finally:
                self._dns_host = name
        raise NewConnectionError(self, f"the name {name} has no address")


class _Connection(_TimedNames):
    response_class = _TimedResponse

    def connect(self) -> None:
        """Connect within what is left of the request's time."""
        self.timeout = _remaining(_seconds(self.timeout), _deadline.get())
        super().connect()


class _SecureConnection(HTTPSConnection, _TimedNames):
    response_class = _TimedResponse

    def connect(self) -> None:
        """Connect within what is left of the request's time."""
        self.timeout = _remaining(_seconds(self.timeout), _deadline.get())
        super().connect()


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _BoundedAdapter(HTTPAdapter):
    """Sends one request and reads its answer whole."""

    def __init__(self, limits: Limits, retries: urllib3.Retry) -> None:
        self._limits = limits
        super().__init__(max_retries=retries)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pool with connections that know the deadline."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the pool of a proxy the same way."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *_arguments: Any, **options: Any) -> requests.Response:
        """Send it; the answer that is returned has been read.

        Raises:
            AnswerRefusedError: it is too large, took too long, or redirects to where it is not followed.
        """
        options |= {"stream": True, "timeout": self._limits.silence}
        with _within(self._limits.total):
            try:
                response = super().send(request, **options)
            except requests.RequestException as error:
                raise self._late(request, error) from error
            try:
                _refuse_redirect(request, response)
                response.raw = io.BytesIO(self._read(request, response))
            except BaseException:
                response.close()
                raise
            return response

    def _read(self, request: requests.PreparedRequest, response: requests.Response) -> bytes:
        """Read the decoded body."""
        parts: list[bytes] = []
        size = 0
        try:
            while part := response.raw.read1(_CHUNK, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > self._limits.size:
                    raise AnswerRefusedError(f"sent more than {size_text(self._limits.size)}", request=request)
        except HTTPError as error:
            raise self._late(request, _translated(error, request)) from error
        response.raw.release_conn()
        return b"".join(parts)

    def _late(self, request: requests.PreparedRequest, error: requests.RequestException) -> requests.RequestException:
        """The error itself, or that the deadline has passed, which libraries call all kinds of names."""
        if time.monotonic() < _deadline.get():
            return error
        return DeadlineError(f"did not finish its answer within {self._limits.total:g} s", request=request)


class BoundedSession(requests.Session):
    """A session that applies one set of limits to every request, whatever is mounted on it.

    A read is followed to another path of the same origin, a write never: what it carries is for the address it was
    sent to.
    """

    def __init__(self, limits: Limits, retries: urllib3.Retry) -> None:
        super().__init__()
        self._limits = limits
        self._bounded = _BoundedAdapter(limits, retries)
        self.max_redirects = _MOST_REDIRECTS

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """Return the bounded adapter, also where a library has mounted its own.

        Raises:
            InvalidSchema: the URL is neither http nor https.
        """
        text = url.decode() if isinstance(url, bytes) else url
        if not text.lower().startswith(("http://", "https://")):
            raise requests.exceptions.InvalidSchema(f"No connection adapters were found for {text!r}")
        return self._bounded

    def request(self, method: str | bytes, url: str | bytes, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request; a read follows the redirects of its own server."""
        options["allow_redirects"] = method in _READS
        with _within(self._limits.total):
            return super().request(method, url, *arguments, **options)

    def close(self) -> None:
        """Close every connection."""
        self._bounded.close()
        super().close()


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Set the deadline of this thread's request; one that is set already is not moved away."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def _remaining(silence: float | None, deadline: float) -> float | None:
    """Seconds the next step may take; None without a limit.

    Raises:
        TimeoutError: none are left.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the deadline of the request has passed")
    shortest = seconds if silence is None else min(silence, seconds)
    return None if shortest == float("inf") else shortest


def _seconds(timeout: object) -> float | None:
    return float(timeout) if isinstance(timeout, int | float) else None


def _refuse_redirect(request: requests.PreparedRequest, response: requests.Response) -> None:
    """Return unless the answer redirects to another origin, or redirects a write.

    Raises:
        AnswerRefusedError: it does.
    """
    target = response.headers.get("location", "")
    if not response.is_redirect:
        return
    address = requests.compat.urljoin(request.url or "", target)
    host = requests.compat.urlsplit(address).hostname or "nowhere"
    if not is_same_origin(request.url or "", address):
        raise AnswerRefusedError(f"redirects to another server ({host}): not followed", request=request)
    if request.method not in _READS:
        raise AnswerRefusedError(f"redirects a {request.method}: not followed, nothing was sent again", request=request)


def _translated(error: HTTPError, request: requests.PreparedRequest) -> requests.RequestException:
    """An error of urllib3 while reading a body, as requests calls it."""
    if isinstance(error, ReadTimeoutError):
        return requests.ReadTimeout(error, request=request)
    if isinstance(error, DecodeError):
        return requests.exceptions.ContentDecodingError(error, request=request)
    if isinstance(error, ProtocolError):
        return requests.exceptions.ChunkedEncodingError(error, request=request)
    return requests.ConnectionError(error, request=request)
