"""Reading the answers of aiohttp within a size, and refusing redirects."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp

_CHUNK = 1 << 16


class RedirectRefusedError(aiohttp.ClientError):
    """The server redirects, which no request to it needs."""


async def read_whole(response: aiohttp.ClientResponse, size: int) -> bytes | None:
    """Read the decoded body; return None where it is larger than `size` bytes.

    Raises:
        aiohttp.ClientError, TimeoutError: the rest never arrived.
    """
    parts: list[bytes] = []
    total = 0
    while part := await response.content.read(_CHUNK):
        parts.append(part)
        total += len(part)
        if total > size:
            response.close()
            return None
    return b"".join(parts)


async def read_start(response: aiohttp.ClientResponse, size: int) -> bytes:
    """Read the first `size` decoded bytes of the body; the rest is discarded with the connection."""
    parts: list[bytes] = []
    total = 0
    while total < size and (part := await response.content.read(min(_CHUNK, size - total))):
        parts.append(part)
        total += len(part)
    if not response.content.at_eof():
        response.close()
    return b"".join(parts)


def refuse_redirects() -> aiohttp.TraceConfig:
    """Return the trace that stops a session before it sends a request, or its credentials, to another address."""

    async def refuse(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, parameters: aiohttp.TraceRequestRedirectParams
    ) -> None:
        host = urlsplit(parameters.response.headers.get("Location", "")).hostname or "another path"
        raise RedirectRefusedError(f"it redirects to {host}: not followed")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse)
    return trace
