"""Reading GitHub's refusals: the reasons in its documents and headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.ages import seconds_waited
from sgm_tui.json_reader import read_json
from sgm_tui.untrusted_text import clean

_LONGEST = 1 << 16
_WARN = timedelta(days=7)
_SYSTEM = re.compile(r"\[Errno -?\d+\] ([^\[\]()']+)")


def explain_no_answer(error: Exception, seconds: float) -> str:
    """Return why there is no answer, without the wrapping of the libraries, each of which repeats the address."""
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    text = str(cause)
    if "timed out" in text:
        return f"did not answer within {seconds_waited(seconds)}"
    if match := _SYSTEM.search(text):
        return f"cannot be reached: {clean(match[1]).strip().lower()}"
    if "Connection aborted" in text or "Connection broken" in text:
        return "closed the connection without an answer"
    if "CERTIFICATE" in text or "SSL" in text:
        return f"is not trusted: {clean(text, 160)}"
    return f"gave no answer: {clean(text, 160)}"


def parse_refusal(text: str) -> Any:
    """Parse the document of a refusal; return {"data": …}, as PyGithub does, for a page or anything overlong."""
    if len(text) > _LONGEST:
        return {"data": text[:_LONGEST]}
    try:
        return read_json(text) if text else None
    except (ValueError, RecursionError):
        return {"data": text}


def is_page(data: object) -> bool:
    """Return whether a web page was answered instead of a document."""
    return isinstance(data, str) or (isinstance(data, dict) and set(data) == {"data"})


def is_graphql_limit(data: object) -> bool:
    """Return whether a document says that the limit of GraphQL, which is counted separately, is exceeded."""
    errors = data.get("errors") if isinstance(data, dict) else None
    rows = errors if isinstance(errors, list) else []
    return any(isinstance(row, dict) and row.get("type") == "RATE_LIMITED" for row in rows)


def message_of(status: int, data: object) -> str:
    """Return the messages of a REST or GraphQL refusal, or else its status."""
    document = data if isinstance(data, dict) else {}
    errors = document.get("errors")
    rows = errors if isinstance(errors, list) else []
    messages = [
        str(document.get("message") or ""),
        *(str(row.get("message", "")) if isinstance(row, dict) else str(row) for row in rows),
    ]
    return clean("; ".join(filter(None, messages)) or f"status {status}")


def missing_permission(message: str, headers: Mapping[str, Any]) -> RefusedError:
    """Return the error of a missing permission, which it names where GitHub does."""
    if str(headers.get("x-github-sso", "")).startswith("required"):
        return RefusedError(f"GitHub refused: {message}", "Authorize the token for the organization's single sign-on.")
    required = clean(headers.get("x-accepted-github-permissions") or headers.get("x-accepted-oauth-scopes"))
    suffix = f"; the token needs {required}" if required else ""
    return RefusedError(
        f"GitHub refused: {message}{suffix}", "Grant the token that permission, or ask someone who has it."
    )


def parse_expiry(value: object) -> datetime | None:
    """Parse when a token expires: "2026-12-01 10:00:00 UTC" or with an offset; return None for anything else."""
    text = str(value or "").replace(" UTC", " +0000")
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None


def expiry_note(expires: datetime | None, now: datetime) -> str:
    """Return a note about a token that expires within a week; "" where it does not, or GitHub names no date."""
    if expires is None or expires - now >= _WARN:
        return ""
    days = (expires - now).days
    return f"the token expires in {days} d" if days > 0 else "the token expires today"
