"""Update the branch of a pull request, as GitHub's "Update branch" button does."""

from __future__ import annotations

from sgm_tui.sandbox.git.repository import MergeConflictError
from sgm_tui.sandbox.github.pulls import GitHubError, PullRequest
from sgm_tui.sandbox.github.state import GitHub


def update_branch(github: GitHub, pull: PullRequest, expected: str = "") -> None:
    """Merge the base branch into the pull request's branch.

    Raises:
        GitHubError: 422 when it has another head, nothing is new, or the two do not fit together.
    """
    base = github.repository.head(pull.base)
    if expected and expected != pull.head_sha:
        raise GitHubError(422, "expected head sha didn’t match current head ref.")
    if github.repository.contains(pull.head_sha, base):
        raise GitHubError(422, "There are no new commits on the base branch.")
    try:
        github.repository.merge(pull.head, base, f"Merge {pull.base} into {pull.head}", at=github.clock.wall())
    except MergeConflictError:
        raise GitHubError(422, "merge conflict between base and head") from None
    pull.updated = github.clock.now
    github.notify_of_push()
