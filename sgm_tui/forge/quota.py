"""GitHub's rate limits: it counts requests per hour (primary limit) and per minute (secondary limit).

GitHub extends the limit of clients that go on sending requests, so sgm sends nothing until the time it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from sgm_tui.errors import UnreachableError

Limit = Literal["primary", "secondary"]

_DEFAULT_PAUSE = 60.0
"""Seconds to wait where GitHub names no time; doubled with every further refusal."""
_LONGEST_PAUSE = 3600.0
"""GitHub's count restarts every hour: whatever it or a proxy says, there is no need to wait longer."""
_SECONDARY_WORDS = ("secondary rate limit", "abuse detection", "please wait a few minutes")


class PausedError(UnreachableError):
    """A rate limit is in force: nothing was sent, or GitHub refused what was sent."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, "sgm retries reads automatically then; retry failed writes yourself.")
        self.seconds = seconds


class Quota:
    """The rate limit in force, as GitHub last reported it; one per client, shared by its threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._until: datetime | None = None
        self._reason = ""
        self._next_pause = _DEFAULT_PAUSE

    def check(self) -> None:
        """Check that a request may be sent now.

        Raises:
            PausedError: a limit is in force; names its end and the reason.
        """
        paused = self.pause()
        if paused is not None:
            raise paused

    def pause(self) -> PausedError | None:
        """Return the error of the limit in force; None when a request may be sent."""
        if self._until is None:
            return None
        seconds = (self._until - self._now()).total_seconds()
        if seconds <= 0:
            self._until = None
            return None
        return PausedError(f"GitHub: {self._reason} until {self._until.astimezone():%H:%M}", seconds)

    def note_success(self, headers: Mapping[str, object]) -> None:
        """Note an answer that was not refused: it may have been the last one of this hour."""
        self._next_pause = _DEFAULT_PAUSE
        if str(headers.get("x-ratelimit-remaining", "")) == "0":
            self._pause_for(self._seconds_until_reset(headers), "rate limit exceeded")

    def note_refusal(self, limit: Limit, headers: Mapping[str, object]) -> None:
        """Note a refusal because of a limit."""
        requested = _parse_number(headers.get("retry-after"))
        if limit == "primary":
            self._pause_for(self._seconds_until_reset(headers), "rate limit exceeded")
        elif requested is not None:
            self._pause_for(requested, "too many concurrent requests, waiting")
        else:
            self._pause_for(self._next_pause, "too many concurrent requests, waiting")
            self._next_pause = min(self._next_pause * 2, _LONGEST_PAUSE)

    def _pause_for(self, seconds: float, reason: str) -> None:
        self._until = self._now() + timedelta(seconds=min(max(seconds, 1.0), _LONGEST_PAUSE))
        self._reason = reason

    def _seconds_until_reset(self, headers: Mapping[str, object]) -> float:
        """Return the seconds until GitHub's count restarts, by its own clock where it sends it: ours may be wrong."""
        reset = _parse_number(headers.get("x-ratelimit-reset"))
        if reset is None:
            return _parse_number(headers.get("retry-after")) or _DEFAULT_PAUSE
        return reset - (_parse_date(headers.get("date")) or self._now()).timestamp()


def limit_of(status: int, headers: Mapping[str, object], message: str, *, is_page: bool) -> Limit | None:
    """Return the limit a refusal is about; None when it is about something else, such as a permission.

    Args:
        status: of the answer.
        headers: of the answer, with names in lower case.
        message: of the answer.
        is_page: the answer is a web page: GitHub refuses for a missing permission always with a JSON document.
    """
    if status not in {403, 429}:
        return None
    text = message.lower()
    if any(words in text for words in _SECONDARY_WORDS):
        return "secondary"
    if str(headers.get("x-ratelimit-remaining", "")) == "0" or text.startswith("api rate limit exceeded"):
        return "primary"
    return "secondary" if status == 429 or "retry-after" in headers or is_page else None


def _parse_number(value: object) -> float | None:
    text = str(value or "")
    return float(text) if text.isascii() and text.isdigit() else None


def _parse_date(value: object) -> datetime | None:
    try:
        date = parsedate_to_datetime(str(value or ""))
    except ValueError:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
