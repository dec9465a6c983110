"""GitHub's documents as types: an answer of another shape is an error that says where it differs, never "none".

Only the fields sgm uses are declared; those that GitHub always sends are required.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from sgm_tui.errors import UnreachableError
from sgm_tui.untrusted_text import clean

Kind = TypeVar("Kind")
Name = Annotated[str, msgspec.Meta(min_length=1)]
Number = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]

_HINT = "Check github.api_url: the server there may not be GitHub."


class Wire(msgspec.Struct, gc=False, frozen=True):
    """Base of every decoded type."""


class Account(Wire, frozen=True):
    """A user, an organization or an app."""

    login: Name


class Team(Wire, frozen=True):
    """A team of an organization."""

    slug: Name


class Label(Wire, frozen=True):
    """A label."""

    name: str


class Repository(Wire, frozen=True):
    """A repository, as its pull requests name it."""

    full_name: Name
    owner: Account | None = None


class End(Wire, frozen=True):
    """The head or the base of a pull request."""

    ref: Name
    sha: Name
    repo: Repository | None = None
    """None where the fork has been deleted."""


class AutoMerge(Wire, frozen=True):
    """The auto-merge setting of a pull request that has it enabled."""

    merge_method: str = ""


class Pull(Wire, frozen=True):
    """A pull request; lists leave out what GitHub has to compute (`mergeable`)."""

    number: Number
    state: Literal["open", "closed"]
    title: str
    html_url: str
    user: Account | None
    head: End
    base: End
    node_id: str = ""
    body: str | None = None
    draft: bool = False
    created_at: str | None = None
    updated_at: str | None = None
    merged_at: str | None = None
    merge_commit_sha: str | None = None
    labels: tuple[Label, ...] = ()
    requested_reviewers: tuple[Account, ...] = ()
    requested_teams: tuple[Team, ...] = ()
    mergeable: bool | None = None
    auto_merge: AutoMerge | None = None

    @property
    def author(self) -> str:
        """The login of the author; "" where the account no longer exists."""
        return self.user.login if self.user is not None else ""

    @property
    def is_merged(self) -> bool:
        """Whether it was merged."""
        return bool(self.merged_at)

    @property
    def is_from_its_own_repository(self) -> bool:
        """Whether its branch is in the repository it is merged into, not in a fork."""
        head, base = self.head.repo, self.base.repo
        return head is not None and base is not None and head.full_name.lower() == base.full_name.lower()


class Issue(Wire, frozen=True):
    """The issue that every pull request also is."""

    number: Number
    state: Literal["open", "closed"]
    closed_by: Account | None = None
    closed_at: str | None = None


class Comment(Wire, frozen=True):
    """A comment of an issue."""

    body: str | None


class Review(Wire, frozen=True):
    """A review."""

    state: Name
    user: Account | None
    commit_id: str | None = None


class Author(Wire, frozen=True):
    """The author of a commit."""

    name: str = ""


class GitCommit(Wire, frozen=True):
    """The commit object of git."""

    message: str
    author: Author | None = None


class Parent(Wire, frozen=True):
    """A parent of a commit."""

    sha: Name


class Commit(Wire, frozen=True):
    """A commit."""

    sha: Name
    commit: GitCommit
    parents: tuple[Parent, ...]


class Comparison(Wire, frozen=True):
    """The commits between two revisions."""

    commits: tuple[Commit, ...]
    total_commits: Count
    html_url: str = ""


class CheckRun(Wire, frozen=True):
    """One check of a commit."""

    name: str
    status: Name
    conclusion: str | None = None


class CheckRuns(Wire, frozen=True):
    """A page of the checks of a commit."""

    total_count: Count
    check_runs: tuple[CheckRun, ...]


class CommitStatus(Wire, frozen=True):
    """One commit status."""

    context: str
    state: Name


class CombinedStatus(Wire, frozen=True):
    """A page of the statuses of a commit."""

    statuses: tuple[CommitStatus, ...]
    total_count: Count | None = None


class Merged(Wire, frozen=True):
    """The answer to a merge."""

    merged: bool
    sha: str | None = None


class GraphqlError(Wire, frozen=True):
    """The reason of a GraphQL refusal."""

    message: str = ""
    type: str = ""


class GraphqlAnswer(Wire, frozen=True):
    """An answer of GraphQL; a refusal also has status 200."""

    data: dict[str, Any] | None = None
    errors: tuple[GraphqlError, ...] | None = None


def decode(text: str, kind: type[Kind], what: str) -> Kind:
    """Decode an answer.

    Args:
        text: the answer.
        kind: the expected type.
        what: the path of the request, for the error.

    Raises:
        UnreachableError: it is something else: a page, nothing, or half a document.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        reason = clean(error, 160) if text.strip() else "it is empty"
        raise UnreachableError(f"GitHub's answer to {clean(what, 120)} cannot be read: {reason}", _HINT) from error
