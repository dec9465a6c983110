"""Conversion of GitHub's documents to domain values, with every foreign string cleaned."""

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
    """One change in the hidden block of a pull request."""

    service: str = ""
    from_: str = msgspec.field(default="", name="from")
    known_bad: str | None = None


class _Block(msgspec.Struct, frozen=True):
    """The hidden block in the body of a pull request that sgm opened."""

    change_id: str = ""
    changes: tuple[_BlockChange, ...] = ()


def to_pull_request(pull: Pull) -> PullRequest:
    """Convert a pull request; `mergeable` is None where the document is an entry of a list."""
    return PullRequest(
        number=pull.number,
        title=clean(pull.title),
        url=clean(pull.html_url),
        author=clean(pull.author),
        branch=clean(pull.head.ref),
        head=clean(pull.head.sha),
        state="merged" if pull.is_merged else pull.state,
        draft=pull.draft,
        created_at=parse_time(pull.created_at),
        updated_at=parse_time(pull.updated_at),
        merged_at=parse_time(pull.merged_at),
        merge_commit=clean(pull.merge_commit_sha),
        labels=tuple(clean(label.name) for label in pull.labels),
        reviewers=_reviewers(pull),
        mergeable=pull.mergeable,
        auto_merge=pull.auto_merge is not None,
    )


def _reviewers(pull: Pull) -> tuple[str, ...]:
    """Return the requested reviewers who have not answered yet: "@user", and "@org/team" of its organisation."""
    owner = pull.base.repo.owner if pull.base.repo is not None else None
    organisation = clean(owner.login) if owner is not None else ""
    users = (f"@{clean(user.login)}" for user in pull.requested_reviewers)
    teams = (f"@{organisation}/{clean(team.slug)}" for team in pull.requested_teams)
    return (*users, *teams)


def change_id_of(pull: Pull) -> str:
    """Return the id of the change that sgm opened a pull request for; "" where it did not, or where that is unclear.

    Three things have to agree: an sgm/ branch in this repository, named after the change, and the hidden block.
    Anybody who may push can write all three; who opened it is checked by `is_opened_by`.
    """
    branch = pull.head.ref
    if not branch.startswith("sgm/") or not pull.is_from_its_own_repository:
        return ""
    change = _block_of(pull).change_id
    return change if change and branch.endswith(f"-{change}") else ""


def _block_of(pull: Pull) -> _Block:
    """Return the first hidden block; an empty one where there is none, or it is malformed."""
    begin, end = _BLOCK
    text = ""
    for line in (pull.body or "").split("\n"):
        _, _, behind = line.partition(f"{begin}{{")
        block, is_closed, _ = behind.partition(f"}}{end}")
        if is_closed:
            text = f"{{{block}}}"
            break
    try:
        return msgspec.json.decode(text, type=_Block) if text else _Block()
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return _Block()


def is_opened_by(pull: Pull, login: str) -> bool:
    """Return whether an account opened a pull request; False where the account is unknown ("")."""
    return bool(login) and pull.author.lower() == login.lower()


def marks_of(pull: Pull, commit: str) -> tuple[Mark, ...]:
    """Return the versions that a pull request of sgm marks as known bad, if it was merged as this commit."""
    if not change_id_of(pull) or not was_merged_as(pull, commit):
        return ()
    author = clean(pull.author)
    return tuple(
        Mark(ServiceName(clean(change.service)), Version(clean(change.from_)), clean(change.known_bad), author)
        for change in _block_of(pull).changes
        if change.known_bad
    )


def was_merged_as(pull: Pull, commit: str) -> bool:
    """Return whether a pull request was merged as this commit."""
    return pull.is_merged and pull.merge_commit_sha == commit


def change_id_of_commit(commit: Commit) -> str:
    """Return the id of the change that a commit of sgm makes; "" for any other commit, and for merges."""
    if len(commit.parents) != 1:
        return ""
    lines = commit.commit.message.splitlines()
    ids = [line.partition(": ")[2] for line in lines if line.startswith("Sgm-Change-Id: ")]
    return clean(ids[-1]).strip() if ids else ""


def result_of_run(run: CheckRun) -> tuple[str, str]:
    """Return the name of a check run, and its conclusion or, until it has one, its status."""
    state = run.conclusion if run.status == "completed" else run.status
    return clean(run.name), clean(state) or "pending"


def result_of_status(status: CommitStatus) -> tuple[str, str]:
    """Return the context of a commit status, and its state."""
    return clean(status.context), clean(status.state) or "pending"


def combine_results(results: Iterable[tuple[str, str]]) -> str:
    """Combine all checks into "passing", "failing" or "pending"; "" when there are none."""
    states = [state for _, state in results]
    if not states:
        return ""
    if any(state in _BAD for state in states):
        return "failing"
    return "passing" if all(state in _GOOD for state in states) else "pending"


def login_and_state(review: Review) -> tuple[str, str]:
    """Return the login of a reviewer, and the state of the review."""
    return clean(review.user.login if review.user is not None else ""), clean(review.state)


def is_approved(reviews: Iterable[tuple[str, str]]) -> bool:
    """Return whether somebody approved, and nobody's newest review requests changes; comments do not count."""
    newest = {login: state for login, state in reviews if login and state in _OPINIONS}
    return "APPROVED" in newest.values() and "CHANGES_REQUESTED" not in newest.values()


def parse_time(value: str | None) -> datetime | None:
    """Parse a time of GitHub's into an aware datetime; return None for anything else."""
    try:
        time = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
