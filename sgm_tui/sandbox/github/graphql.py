"""The few GraphQL operations without a REST form: auto-merge, drafts, and reading one pull request.

Selections are not evaluated: an answer holds every field, which is more than the query selects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sgm_tui.sandbox.github.pull_requests import OPERATOR
from sgm_tui.sandbox.github.pulls import AutoMerge, GitHubError, PullRequest
from sgm_tui.sandbox.github.state import GitHub

_MUTATION = re.compile(r"mutation[^{]*\{\s*(\w+)")
_NUMBER = re.compile(r"pullRequest\s*\(\s*number:\s*(\d+|\$\w+)")

Document = dict[str, Any]
Mutation = Callable[[GitHub, PullRequest, Mapping[str, Any]], None]


def answer(github: GitHub, query: str, variables: Mapping[str, Any]) -> Document:
    """Answer a GraphQL request; the status is always 200, and failures are in `errors`."""
    try:
        mutation = _MUTATION.search(query)
        if mutation is not None:
            return {"data": {mutation[1]: _mutate(github, mutation[1], variables)}}
        return {"data": _query(github, query, variables)}
    except GitHubError as error:
        kind = {404: "NOT_FOUND", 422: "UNPROCESSABLE"}.get(error.status, "FORBIDDEN")
        return {"data": None, "errors": [{"type": kind, "path": [], "message": error.message}]}


def _mutate(github: GitHub, name: str, variables: Mapping[str, Any]) -> Document:
    arguments: Mapping[str, Any] = variables.get("input") or variables
    mutation = _MUTATIONS.get(name)
    if mutation is None:
        raise GitHubError(422, f"Field '{name}' doesn't exist on type 'Mutation'")
    pull = _node(github, str(arguments.get("pullRequestId", "")))
    mutation(github, pull, arguments)
    actor = {
        "login": OPERATOR,
        "avatarUrl": "",
        "resourcePath": f"/{OPERATOR}",
        "url": f"https://github.com/{OPERATOR}",
    }
    return {
        "actor": actor,
        "clientMutationId": arguments.get("clientMutationId"),
        "pullRequest": _pull_document(github, pull),
    }


def _node(github: GitHub, node: str) -> PullRequest:
    number = node.removeprefix("PR_")
    pull = github.pulls.get(int(number)) if number.isdigit() else None
    if pull is None:
        raise GitHubError(404, f"Could not resolve to a node with the global id of '{node}'.")
    return pull


def _enable(github: GitHub, pull: PullRequest, arguments: Mapping[str, Any]) -> None:
    auto_merge = AutoMerge(
        OPERATOR, str(arguments.get("mergeMethod") or "MERGE"), str(arguments.get("commitHeadline") or ""),
        str(arguments.get("commitBody") or ""),
    )  # fmt: skip
    github.merger.enable_auto_merge(pull, auto_merge, str(arguments.get("expectedHeadOid") or ""))


def _disable(_github: GitHub, pull: PullRequest, _arguments: Mapping[str, Any]) -> None:
    if pull.auto_merge is None:
        raise GitHubError(422, "Can't disable auto-merge for this pull request.")
    pull.auto_merge = None


def _enqueue(github: GitHub, pull: PullRequest, arguments: Mapping[str, Any]) -> None:
    github.queue.add(pull, OPERATOR, str(arguments.get("expectedHeadOid") or ""))


_MUTATIONS: Mapping[str, Mutation] = {
    "enablePullRequestAutoMerge": _enable,
    "disablePullRequestAutoMerge": _disable,
    "enqueuePullRequest": _enqueue,
    "markPullRequestReadyForReview": lambda github, pull, _: github.pulls.set_draft(pull, draft=False),
    "convertPullRequestToDraft": lambda github, pull, _: github.pulls.set_draft(pull, draft=True),
}


def _query(github: GitHub, query: str, variables: Mapping[str, Any]) -> Document:
    if "node(" in query:
        return {
            "node": {"__typename": "PullRequest", **_pull_document(github, _node(github, str(variables.get("id", ""))))}
        }
    data: Document = {}
    if "viewer" in query:
        data["viewer"] = {"login": OPERATOR, "name": github.people[OPERATOR]}
    number = _NUMBER.search(query)
    if number is not None:
        pull_number = variables.get(number[1].removeprefix("$")) if number[1].startswith("$") else number[1]
        pull = github.pulls.get(int(str(pull_number)))
        if pull is None:
            raise GitHubError(404, f"Could not resolve to a PullRequest with the number of {pull_number}.")
        data["repository"] = {"nameWithOwner": github.name, "pullRequest": _pull_document(github, pull)}
    if not data:
        raise GitHubError(422, "This query is not supported by this GitHub.")
    return data


def _pull_document(github: GitHub, pull: PullRequest) -> Document:
    """Return a pull request with GraphQL's field names."""
    standing = github.pulls.standing(pull)
    decision = (
        "CHANGES_REQUESTED"
        if standing.changes_requested
        else "REVIEW_REQUIRED"
        if standing.owners_missing
        else "APPROVED"
    )
    mergeable = {True: "MERGEABLE", False: "CONFLICTING", None: "UNKNOWN"}[pull.mergeable]
    auto = pull.auto_merge
    return {
        "id": f"PR_{pull.number}",
        "number": pull.number,
        "title": pull.title,
        "url": f"https://github.com/{github.name}/pull/{pull.number}",
        "isDraft": pull.draft,
        "state": "MERGED" if pull.merged is not None else pull.state.upper(),
        "headRefName": pull.head,
        "headRefOid": pull.head_sha,
        "reviewDecision": decision,
        "mergeable": mergeable,
        "mergeStateStatus": github.pulls.state_of(pull).upper(),
        "isInMergeQueue": bool(pull.queued_by),
        "isMergeQueueEnabled": github.merger.requires_queue,
        "autoMergeRequest": {"enabledBy": {"login": auto.login}, "mergeMethod": auto.method} if auto else None,
    }
