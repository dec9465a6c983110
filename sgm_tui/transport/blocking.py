"""A session of `requests` that reads every answer whole, within limits.

The read timeout of `requests` limits the time between two bytes, and nothing limits the size of an answer or the
target of a redirect. Here the deadline holds for the whole request, down to each read of the socket, headers included.
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
"""The deadline of this thread's request, on the monotonic clock."""

RequestError = requests.RequestException
"""The base of every error that a session raises."""


class AnswerRefusedError(RequestError):
    """The answer exceeds a limit; the message is a predicate of the server: "sent more than 16 MB"."""


class DeadlineError(AnswerRefusedError, requests.Timeout):
    """The request exceeded its total time."""


class _TimedReader(io.RawIOBase):
    """The bytes of a socket until the deadline, however slowly they arrive."""

    def __init__(self, connection: socket.socket, raw: Any, silence: float | None, deadline: float) -> None:
        super().__init__()
        self._connection = connection
        self._raw = raw
        self._silence = silence
        self._deadline = deadline

    def readable(self) -> bool:
        """Return True: the stream is read-only."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Fill the buffer with the next bytes.

        Raises:
            TimeoutError: none arrived, or the deadline has passed.
        """
        self._connection.settimeout(_remaining(self._silence, self._deadline))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        """Close the underlying stream."""
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer whose status line, headers and body are read within the deadline."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        reader = _TimedReader(sock, self.fp.detach(), sock.gettimeout(), _deadline.get())
        self.fp = io.BufferedReader(reader)


class _TimedNames(HTTPConnection):
    """A connection whose host name is resolved within the connect timeout."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            addresses = resolve(name, self.port or 0, _seconds(self.timeout))
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"the name {name} was not resolved: timed out") from error
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        for address in addresses:
            try:
                self.timeout = _remaining(_seconds(self.timeout), _deadline.get())
                self._dns_host = address
                return super()._new_conn()
            except (NewConnectionError, ConnectTimeoutError):
                if address == addresses[-1]:
                    raise
            finally:
                self._dns_host = name
        raise NewConnectionError(self, f"the name {name} has no address")


class _Connection(_TimedNames):
    response_class = _TimedResponse

    def connect(self) -> None:
        """Connect within the remaining time of the request."""
        self.timeout = _remaining(_seconds(self.timeout), _deadline.get())
        super().connect()


class _SecureConnection(HTTPSConnection, _TimedNames):
    response_class = _TimedResponse

    def connect(self) -> None:
        """Connect within the remaining time of the request."""
        self.timeout = _remaining(_seconds(self.timeout), _deadline.get())
        super().connect()


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _BoundedAdapter(HTTPAdapter):
    """Sends one request and reads its whole answer."""

    def __init__(self, limits: Limits, retries: urllib3.Retry) -> None:
        self._limits = limits
        super().__init__(max_retries=retries)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Create the pool with connections that observe the deadline."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Create the pool of a proxy in the same way."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *_arguments: Any, **options: Any) -> requests.Response:
        """Send a request and read its answer.

        Raises:
            AnswerRefusedError: it is too large, takes too long, or redirects to where it is not followed.
        """
        options |= {"stream": True, "timeout": self._limits.silence}
        with _within(self._limits.total):
            try:
                response = super().send(request, **options)
            except requests.RequestException as error:
                raise self._deadline_or(error, request) from error
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
            raise self._deadline_or(_translate(error, request), request) from error
        response.raw.release_conn()
        return b"".join(parts)

    def _deadline_or(self, error: RequestError, request: requests.PreparedRequest) -> RequestError:
        """Return the error, or a DeadlineError if the deadline has passed: the libraries report that in many ways."""
        if time.monotonic() < _deadline.get():
            return error
        return DeadlineError(f"did not finish its answer within {self._limits.total:g} s", request=request)


class BoundedSession(requests.Session):
    """A session that applies one set of limits to every request, whatever adapter a library mounts on it.

    The redirect of a read is followed to another path of the same origin, that of a write never: its body is meant for
    the address it was sent to.
    """

    def __init__(self, limits: Limits, retries: urllib3.Retry) -> None:
        super().__init__()
        self._limits = limits
        self._bounded = _BoundedAdapter(limits, retries)
        self.max_redirects = _MOST_REDIRECTS

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """Return the bounded adapter, even where a library has mounted its own.

        Raises:
            InvalidSchema: the URL is neither http nor https.
        """
        text = url.decode() if isinstance(url, bytes) else url
        if not text.lower().startswith(("http://", "https://")):
            raise requests.exceptions.InvalidSchema(f"No connection adapters were found for {text!r}")
        return self._bounded

    def request(self, method: str | bytes, url: str | bytes, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request; a read follows redirects within its own origin."""
        options["allow_redirects"] = method in _READS
        with _within(self._limits.total):
            return super().request(method, url, *arguments, **options)

    def close(self) -> None:
        """Close every connection."""
        self._bounded.close()
        super().close()


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Set the deadline of this thread's request; an earlier one that is already set stays."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def _remaining(silence: float | None, deadline: float) -> float | None:
    """Return the seconds that the next step may take; None for no limit.

    Raises:
        TimeoutError: the deadline has passed.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the deadline of the request has passed")
    shortest = seconds if silence is None else min(silence, seconds)
    return None if shortest == float("inf") else shortest


def _seconds(timeout: object) -> float | None:
    return float(timeout) if isinstance(timeout, int | float) else None


def _refuse_redirect(request: requests.PreparedRequest, response: requests.Response) -> None:
    """Refuse an answer that redirects to another origin, or redirects a write.

    Raises:
        AnswerRefusedError: for such an answer.
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


def _translate(error: HTTPError, request: requests.PreparedRequest) -> RequestError:
    """Translate an error of urllib3 while reading a body into that of `requests`."""
    if isinstance(error, ReadTimeoutError):
        return requests.ReadTimeout(error, request=request)
    if isinstance(error, DecodeError):
        return requests.exceptions.ContentDecodingError(error, request=request)
    if isinstance(error, ProtocolError):
        return requests.exceptions.ChunkedEncodingError(error, request=request)
    return requests.ConnectionError(error, request=request)
