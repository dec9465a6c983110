"""The limits of an HTTP request: seconds of silence, seconds in total, decoded bytes."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one request, including its redirects and retries."""

    silence: float
    """Seconds between two bytes."""
    total: float
    """Seconds until the last byte: a server that sends one byte a second never exceeds `silence`."""
    size: int
    """Decoded bytes: a small compressed answer may be gigabytes of text."""


def size_text(size: int) -> str:
    """Return a number of bytes in words: "16 MB", "512 KB", "100 bytes"."""
    for unit, shift in (("MB", 20), ("KB", 10)):
        if size >> shift:
            return f"{size >> shift} {unit}"
    return f"{size} bytes"


def is_same_origin(first: str, second: str) -> bool:
    """Return whether two URLs have the same scheme, host and port; False where either has no valid port."""
    try:
        return _origin(first) == _origin(second)
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
