"""When GitHub may be asked again: it counts requests by the hour (primary limit) and by the minute (secondary).

Whoever goes on asking while it says no is shut out for longer, so nothing is sent until the time it names has come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from sgm_tui.errors import UnreachableError

Limit = Literal["primary", "secondary"]

_PATIENCE = 60.0
"""Seconds to wait where GitHub does not say how long; doubled as long as it goes on."""
_LONGEST = 3600.0
"""GitHub counts anew every hour: whatever it or a proxy says, nobody has to wait longer."""
_SECONDARY_WORDS = ("secondary rate limit", "abuse detection", "please wait a few minutes")


class PausedError(UnreachableError):
    """GitHub wants no request for a while; nothing was sent, or what was sent was not done."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, "sgm retries reads automatically then; retry failed writes yourself.")
        self.seconds = seconds


class Quota:
    """What GitHub last said about being asked too often; one a client, shared by its threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._until: datetime | None = None
        self._why = ""
        self._doubling = _PATIENCE

    def check(self) -> None:
        """Return if GitHub may be asked now.

        Raises:
            PausedError: not yet; says until when and why.
        """
        paused = self.pause()
        if paused is not None:
            raise paused

    def pause(self) -> PausedError | None:
        """Why GitHub must not be asked now; None when it may be."""
        if self._until is None:
            return None
        seconds = (self._until - self._now()).total_seconds()
        if seconds <= 0:
            self._until = None
            return None
        return PausedError(f"GitHub: {self._why} until {self._until.astimezone():%H:%M}", seconds)

    def answered(self, headers: Mapping[str, object]) -> None:
        """An answer that was no refusal: it may have been the last one of this hour."""
        self._doubling = _PATIENCE
        if str(headers.get("x-ratelimit-remaining", "")) == "0":
            self._wait(self._until_reset(headers), "rate limit exceeded")

    def refused(self, limit: Limit, headers: Mapping[str, object]) -> None:
        """A refusal because of too many requests."""
        named = _number(headers.get("retry-after"))
        if limit == "primary":
            self._wait(self._until_reset(headers), "rate limit exceeded")
        elif named is not None:
            self._wait(named, "too many concurrent requests, waiting")
        else:
            self._wait(self._doubling, "too many concurrent requests, waiting")
            self._doubling = min(self._doubling * 2, _LONGEST)

    def _wait(self, seconds: float, why: str) -> None:
        self._until = self._now() + timedelta(seconds=min(max(seconds, 1.0), _LONGEST))
        self._why = why

    def _until_reset(self, headers: Mapping[str, object]) -> float:
        """Seconds until GitHub counts anew, by its own clock where it tells it: ours may be wrong."""
        reset = _number(headers.get("x-ratelimit-reset"))
        if reset is None:
            return _number(headers.get("retry-after")) or _PATIENCE
        return reset - (_date(headers.get("date")) or self._now()).timestamp()


def limit_of(status: int, headers: Mapping[str, object], words: str, *, is_page: bool) -> Limit | None:
    """Which limit a refusal is about; None when it is about something else, a permission for example.

    Args:
        status: of the answer.
        headers: of the answer, names in small letters.
        words: what the answer says.
        is_page: it is a web page instead of a document: GitHub's permissions are always refused in documents.
    """
    if status not in {403, 429}:
        return None
    said = words.lower()
    if any(one in said for one in _SECONDARY_WORDS):
        return "secondary"
    if str(headers.get("x-ratelimit-remaining", "")) == "0" or said.startswith("api rate limit exceeded"):
        return "primary"
    return "secondary" if status == 429 or "retry-after" in headers or is_page else None


def _number(value: object) -> float | None:
    text = str(value or "")
    return float(text) if text.isascii() and text.isdigit() else None


def _date(value: object) -> datetime | None:
    try:
        found = parsedate_to_datetime(str(value or ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
