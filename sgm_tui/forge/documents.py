"""GitHub's documents as our values: cleaned, and robust against fields that are missing or of another kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.observed import PullRequest
from sgm_tui.fleet.text import clean
from sgm_tui.fleet.trailers import Mark

_BAD = frozenset(
    {"failure", "error", "cancelled", "timed_out", "action_required", "startup_failure", "stale"}
)  # fmt: skip
_BLOCK = re.compile(r"<!-- sgm: (\{.*?\}) -->")
_GOOD = frozenset({"success", "neutral", "skipped"})
_OPINIONS = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})


def pull_of(document: Any) -> PullRequest:
    """A pull request as a list has it; what only its own document has (mergeable) is not known from a list.

    Raises:
        UnreachableError: this is no pull request.
    """
    number, head = at(document, "number"), at(document, "head", "sha")
    if not isinstance(number, int) or not isinstance(head, str):
        raise UnreachableError("GitHub answered with something that is no pull request", "Check github.api_url.")
    merged_at = _time(at(document, "merged_at"))
    mergeable = at(document, "mergeable")
    return PullRequest(
        number=number,
        title=clean(at(document, "title")),
        url=clean(at(document, "html_url")),
        author=clean(at(document, "user", "login")),
        branch=clean(at(document, "head", "ref")),
        head=clean(head),
        state="merged" if merged_at else clean(at(document, "state")),
        draft=bool(at(document, "draft")),
        created_at=_time(at(document, "created_at")),
        updated_at=_time(at(document, "updated_at")),
        merged_at=merged_at,
        merge_commit=clean(at(document, "merge_commit_sha")),
        labels=_texts(at(document, "labels"), "name"),
        reviewers=_reviewers(document),
        mergeable=mergeable if isinstance(mergeable, bool) else None,
        auto_merge=bool(at(document, "auto_merge")),
    )


def _reviewers(document: Any) -> tuple[str, ...]:
    """Who was asked and has not answered yet: "@user" and, of the organisation it is in, "@org/team"."""
    organisation = clean(at(document, "base", "repo", "owner", "login"))
    users = (f"@{one}" for one in _texts(at(document, "requested_reviewers"), "login"))
    teams = (f"@{organisation}/{one}" for one in _texts(at(document, "requested_teams"), "slug"))
    return (*users, *teams)


def own_change_of(document: Any) -> str:
    """The identity of the change sgm made a pull request for; "" where it did not, or where that is not clear.

    Three things have to agree: a branch of ours in this repository, named after the change, and the hidden block.
    """
    branch = at(document, "head", "ref")
    homes = {at(document, end, "repo", "full_name") for end in ("head", "base")}
    if not isinstance(branch, str) or not branch.startswith("sgm/") or len(homes) != 1:
        return ""
    found = _BLOCK.search(str(at(document, "body") or ""))
    try:
        change = at(json.loads(found[1]), "change_id") if found else None
    except ValueError:
        return ""
    return change if isinstance(change, str) and change and branch.endswith(f"-{change}") else ""


def marks_of(document: Any, commit: str) -> tuple[Mark, ...]:
    """What the hidden block of a pull request of ours marks as known bad, if it was merged as this commit."""
    if not own_change_of(document) or not _was_merged_as(document, commit):
        return ()
    found = _BLOCK.search(str(at(document, "body") or ""))
    changes = at(json.loads(found[1]), "changes") if found else None
    by = clean(at(document, "user", "login"))
    return tuple(
        Mark(ServiceName(clean(at(one, "service"))), Version(clean(at(one, "from"))), clean(at(one, "known_bad")), by)
        for one in (changes if isinstance(changes, list) else ())
        if at(one, "known_bad")
    )


def number_of(brought: Iterable[Any], commit: str) -> int:
    """Of the pull requests a commit is in, the one that was merged as it; 0 when none was."""
    documents = (one.raw_data for one in brought)
    return next((int(one["number"]) for one in documents if _was_merged_as(one, commit)), 0)


def _was_merged_as(document: Any, commit: str) -> bool:
    return at(document, "merge_commit_sha") == commit and bool(at(document, "merged_at"))


def change_of_commit(document: Any) -> str:
    """The identity of the change a commit of sgm makes; "" for everybody else's, and for merges."""
    parents = at(document, "parents")
    if not isinstance(parents, list) or len(parents) != 1:
        return ""
    message = str(at(document, "commit", "message") or "")
    found = [line.partition(": ")[2] for line in message.splitlines() if line.startswith("Sgm-Change-Id: ")]
    return clean(found[-1]).strip() if found else ""


def mergeable_of(document: Any) -> bool | None:
    """Whether it fits onto its branch; None while GitHub works it out."""
    found = at(document, "mergeable")
    return found if isinstance(found, bool) else None


def run_of(document: Any) -> tuple[str, str]:
    """The name of a check run, and its conclusion or, until it has one, its status."""
    ended = at(document, "status") == "completed"
    word = at(document, "conclusion") if ended else at(document, "status")
    return clean(at(document, "name")), clean(word) or "pending"


def status_of(document: Any) -> tuple[str, str]:
    """The context of a commit status, and its state."""
    return clean(at(document, "context")), clean(at(document, "state")) or "pending"


def overall(results: Iterable[tuple[str, str]]) -> str:
    """All checks together: "passing", "failing" or "pending"; "" when there are none, which is none of these."""
    words = [word for _, word in results]
    if not words:
        return ""
    if any(word in _BAD for word in words):
        return "failing"
    return "passing" if all(word in _GOOD for word in words) else "pending"


def review_of(document: Any) -> tuple[str, str]:
    """Who said something, and what kind of thing."""
    return clean(at(document, "user", "login")), clean(at(document, "state"))


def is_approved(reviews: Iterable[tuple[str, str]]) -> bool:
    """Somebody approved, and nobody's newest word asks for changes; comments change nothing."""
    newest = {who: word for who, word in reviews if who and word in _OPINIONS}
    return "APPROVED" in newest.values() and "CHANGES_REQUESTED" not in newest.values()


def at(document: Any, *path: str) -> Any:
    """What a document holds at a path; None where it does not go that far."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document


def _texts(rows: Any, name: str) -> tuple[str, ...]:
    return tuple(clean(at(one, name)) for one in rows) if isinstance(rows, list) else ()


def _time(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
