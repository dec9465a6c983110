"""What GitHub's refusals say, read from its documents and headers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.ages import seconds_waited
from sgm_tui.untrusted_text import clean

_LONGEST = 1 << 16
_WARN = timedelta(days=7)
_SYSTEM = re.compile(r"\[Errno -?\d+\] ([^\[\]()']+)")


def unanswered(error: Exception, seconds: float) -> str:
    """Why there is no answer, dug out of the libraries' wrapping: each of them repeats the whole address."""
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    text = str(cause)
    if "timed out" in text:
        return f"did not answer within {seconds_waited(seconds)}"
    if found := _SYSTEM.search(text):
        return f"cannot be reached: {clean(found[1]).strip().lower()}"
    if "Connection aborted" in text or "Connection broken" in text:
        return "closed the connection without an answer"
    if "CERTIFICATE" in text or "SSL" in text:
        return f"is not trusted: {clean(text, 160)}"
    return f"gave no answer: {clean(text, 160)}"


def document_of(text: str) -> Any:
    """The document of a refusal; {"data": …} for a page, as PyGithub has it, and for what no refusal is as long as."""
    if len(text) > _LONGEST:
        return {"data": text[:_LONGEST]}
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return {"data": text}


def is_page(data: object) -> bool:
    """A web page was answered instead of a document."""
    return isinstance(data, str) or (isinstance(data, dict) and set(data) == {"data"})


def is_counted(data: object) -> bool:
    """GraphQL counts by itself, and says that it is used up in a document of its own."""
    errors = data.get("errors") if isinstance(data, dict) else None
    rows = errors if isinstance(errors, list) else []
    return any(isinstance(one, dict) and one.get("type") == "RATE_LIMITED" for one in rows)


def words_of(status: int, data: object) -> str:
    """What GitHub said, from either of its two kinds of answer."""
    document = data if isinstance(data, dict) else {}
    errors = document.get("errors")
    rows = errors if isinstance(errors, list) else []
    said = [str(one.get("message", "")) if isinstance(one, dict) else str(one) for one in rows]
    return clean("; ".join(one for one in (str(document.get("message") or ""), *said) if one) or f"status {status}")


def forbidden(words: str, headers: Mapping[str, Any]) -> RefusedError:
    """A permission is missing: which one, in GitHub's own names where it says so."""
    if str(headers.get("x-github-sso", "")).startswith("required"):
        return RefusedError(f"GitHub refused: {words}", "Authorize the token for the organization's single sign-on.")
    wanted = clean(headers.get("x-accepted-github-permissions") or headers.get("x-accepted-oauth-scopes"))
    named = f"; the token needs {wanted}" if wanted else ""
    return RefusedError(
        f"GitHub refused: {words}{named}", "Grant the token that permission, or ask someone who has it."
    )


def expiry_of(value: object) -> datetime | None:
    """When a token expires: "2026-12-01 10:00:00 UTC" or with an offset; None when GitHub does not say."""
    text = str(value or "").replace(" UTC", " +0000")
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None


def expiry_note(expires: datetime | None, now: datetime) -> str:
    """Return what to say of a token that expires within a week; "" where it does not, or GitHub names no date."""
    if expires is None or expires - now >= _WARN:
        return ""
    days = (expires - now).days
    return f"the token expires in {days} d" if days > 0 else "the token expires today"
