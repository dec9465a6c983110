"""GitHub's documents as our values, every foreign string cleaned."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.history.trailers import Mark
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.forge.wire import CheckRun, Commit, CommitStatus, Pull, Review
from sgm_tui.untrusted_text import clean

_BAD = frozenset(
    {"failure", "error", "cancelled", "timed_out", "action_required", "startup_failure", "stale"}
)  # fmt: skip
_BLOCK = ("<!-- sgm: ", " -->")
_GOOD = frozenset({"success", "neutral", "skipped"})
_OPINIONS = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})


class _BlockChange(msgspec.Struct, frozen=True):
    """One change as the hidden block of a pull request has it."""

    service: str = ""
    from_: str = msgspec.field(default="", name="from")
    known_bad: str | None = None


class _Block(msgspec.Struct, frozen=True):
    """The hidden block of a pull request of ours."""

    change_id: str = ""
    changes: tuple[_BlockChange, ...] = ()


def pull_of(pull: Pull) -> PullRequest:
    """A pull request as a list has it; what only its own document has (mergeable) is not known from a list."""
    return PullRequest(
        number=pull.number,
        title=clean(pull.title),
        url=clean(pull.html_url),
        author=clean(pull.author),
        branch=clean(pull.head.ref),
        head=clean(pull.head.sha),
        state="merged" if pull.is_merged else pull.state,
        draft=pull.draft,
        created_at=time_of(pull.created_at),
        updated_at=time_of(pull.updated_at),
        merged_at=time_of(pull.merged_at),
        merge_commit=clean(pull.merge_commit_sha),
        labels=tuple(clean(one.name) for one in pull.labels),
        reviewers=_reviewers(pull),
        mergeable=pull.mergeable,
        auto_merge=pull.auto_merge is not None,
    )


def _reviewers(pull: Pull) -> tuple[str, ...]:
    """Who was asked and has not answered yet: "@user" and, of the organisation it is in, "@org/team"."""
    owner = pull.base.repo.owner if pull.base.repo is not None else None
    organisation = clean(owner.login) if owner is not None else ""
    users = (f"@{clean(one.login)}" for one in pull.requested_reviewers)
    teams = (f"@{organisation}/{clean(one.slug)}" for one in pull.requested_teams)
    return (*users, *teams)


def own_change_of(pull: Pull) -> str:
    """The identity of the change sgm made a pull request for; "" where it did not, or where that is not clear.

    Three things have to agree: a branch of ours in this repository, named after the change, and the hidden block.
    Anybody who may push can write all three: who opened it is another question (`is_opened_by`).
    """
    branch = pull.head.ref
    if not branch.startswith("sgm/") or not pull.is_from_its_own_repository:
        return ""
    change = _block_of(pull).change_id
    return change if change and branch.endswith(f"-{change}") else ""


def _block_of(pull: Pull) -> _Block:
    begin, end = _BLOCK
    found = ""
    for line in (pull.body or "").split("\n"):
        _, _, behind = line.partition(f"{begin}{{")
        block, closed, _ = behind.partition(f"}}{end}")
        if closed:
            found = f"{{{block}}}"
            break
    try:
        return msgspec.json.decode(found, type=_Block) if found else _Block()
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return _Block()


def is_opened_by(pull: Pull, login: str) -> bool:
    """Whether an account opened it; False where the account is not known ("")."""
    return bool(login) and pull.author.lower() == login.lower()


def marks_of(pull: Pull, commit: str) -> tuple[Mark, ...]:
    """What the hidden block of a pull request of ours marks as known bad, if it was merged as this commit."""
    if not own_change_of(pull) or not was_merged_as(pull, commit):
        return ()
    by = clean(pull.author)
    return tuple(
        Mark(ServiceName(clean(one.service)), Version(clean(one.from_)), clean(one.known_bad), by)
        for one in _block_of(pull).changes
        if one.known_bad
    )


def was_merged_as(pull: Pull, commit: str) -> bool:
    """Whether a pull request was merged as this commit."""
    return pull.is_merged and pull.merge_commit_sha == commit


def change_of_commit(commit: Commit) -> str:
    """The identity of the change a commit of sgm makes; "" for everybody else's, and for merges."""
    if len(commit.parents) != 1:
        return ""
    lines = commit.commit.message.splitlines()
    found = [line.partition(": ")[2] for line in lines if line.startswith("Sgm-Change-Id: ")]
    return clean(found[-1]).strip() if found else ""


def run_of(run: CheckRun) -> tuple[str, str]:
    """The name of a check run, and its conclusion or, until it has one, its status."""
    word = run.conclusion if run.status == "completed" else run.status
    return clean(run.name), clean(word) or "pending"


def status_of(status: CommitStatus) -> tuple[str, str]:
    """The context of a commit status, and its state."""
    return clean(status.context), clean(status.state) or "pending"


def overall(results: Iterable[tuple[str, str]]) -> str:
    """All checks together: "passing", "failing" or "pending"; "" when there are none, which is none of these."""
    words = [word for _, word in results]
    if not words:
        return ""
    if any(word in _BAD for word in words):
        return "failing"
    return "passing" if all(word in _GOOD for word in words) else "pending"


def review_of(review: Review) -> tuple[str, str]:
    """Who said something, and what kind of thing."""
    return clean(review.user.login if review.user is not None else ""), clean(review.state)


def is_approved(reviews: Iterable[tuple[str, str]]) -> bool:
    """Somebody approved, and nobody's newest word asks for changes; comments change nothing."""
    newest = {who: word for who, word in reviews if who and word in _OPINIONS}
    return "APPROVED" in newest.values() and "CHANGES_REQUESTED" not in newest.values()


def time_of(value: str | None) -> datetime | None:
    """A time of GitHub's as an aware datetime; None for what is none."""
    try:
        found = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
