"""GitHub's REST API of pull requests and of their issues."""

from __future__ import annotations

from collections.abc import Sequence

from sgm_tui.sandbox.github.branches import update_branch
from sgm_tui.sandbox.github.call import Call, Reply, Route, Rows, not_found
from sgm_tui.sandbox.github.pull_requests import OPERATOR
from sgm_tui.sandbox.github.pulls import GitHubError, Method, PullRequest

_METHODS: dict[str, Method] = {"merge": "merge", "squash": "squash", "rebase": "rebase"}
_NO_COLLABORATOR = (
    "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a "
    "collaborator of the"
)
_EVENTS = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def _list_pulls(call: Call) -> Reply:
    state = call.query.get("state", "open")
    owner, _, head = call.query.get("head", "").partition(":")
    base = call.query.get("base", "")
    pulls = [
        pull
        for pull in call.github.pulls.values()
        if state in {"all", pull.state}
        and head in {"", pull.head}
        and owner in {"", (pull.fork or call.github.name).partition("/")[0]}
        and base in {"", pull.base}
    ]
    by_update = call.query.get("sort", "created") == "updated"
    newest_first = call.query.get("direction", "desc") == "desc"
    pulls.sort(key=lambda pull: (pull.updated if by_update else 0.0, pull.number), reverse=newest_first)
    return Reply(Rows(pulls, call.write.pull))


def _pull(call: Call) -> Reply:
    return Reply(call.write.pull(call.pull, full=True))


def _create(call: Call) -> Reply:
    head, base = call.required("head", "base")
    title = call.text("title")
    if not title:
        raise GitHubError(
            422, "Validation Failed", [{"resource": "PullRequest", "code": "missing_field", "field": "title"}]
        )
    owner, colon, branch = head.partition(":")
    if colon and owner != call.github.name.partition("/")[0]:
        raise GitHubError(422, "Validation Failed", [{"resource": "PullRequest", "field": "head", "code": "invalid"}])
    pull = call.github.pulls.open(
        branch if colon else head,
        title,
        call.text("body"),
        base=base,
        login=OPERATOR,
        draft=bool(call.body.get("draft")),
    )
    return Reply(call.write.pull(pull, full=True), 201)


def _edit(call: Call) -> Reply:
    pull = call.pull
    pull.title = call.text("title") or pull.title
    if "body" in call.body:
        pull.body = call.text("body")
    state = call.text("state")
    if state == "closed":
        call.github.pulls.close(pull, OPERATOR)
    elif state == "open" and pull.closed is not None:
        call.github.pulls.reopen(pull)
    pull.updated = call.github.clock.now
    return Reply(call.write.pull(pull, full=True))


def _merge(call: Call) -> Reply:
    method = _METHODS.get(call.text("merge_method", "merge"))
    if method is None:
        raise GitHubError(422, "Invalid request.\n\nmerge_method must be one of merge, squash, rebase.")
    sha = call.github.merger.merge(
        call.pull, OPERATOR, method, expected=call.text("sha"), title=call.text("commit_title"),
        message=call.text("commit_message"),
    )  # fmt: skip
    return Reply({"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def _update_branch(call: Call) -> Reply:
    update_branch(call.github, call.pull, call.text("expected_head_sha"))
    return Reply({"message": "Updating pull request branch.", "url": call.write.pull(call.pull)["html_url"]}, 202)


def _is_merged(call: Call) -> Reply:
    if call.pull.merged is None:
        raise not_found()
    return Reply(None, 204)


def _files(call: Call) -> Reply:
    pull = call.pull
    return Reply(Rows(call.write.changes(pull), lambda one: call.write.file(one, pull.head_sha)))


def _commits(call: Call) -> Reply:
    pull = call.pull
    return Reply(Rows(call.github.repository.commits(pull.base_sha, pull.head_sha), call.write.commit))


def _reviews(call: Call) -> Reply:
    pull = call.pull
    return Reply(Rows(pull.reviews, lambda one: call.write.review(pull, one)))


def _review(call: Call) -> Reply:
    pull = call.pull
    state = _EVENTS.get(call.text("event", "COMMENT"))
    if state is None:
        raise GitHubError(
            422, "Validation Failed", [{"resource": "PullRequestReview", "field": "event", "code": "invalid"}]
        )
    if state == "APPROVED" and pull.login == OPERATOR:
        raise GitHubError(422, "Unprocessable Entity", ["Can not approve your own pull request"])
    return Reply(call.write.review(pull, call.github.pulls.review(pull, OPERATOR, state, call.text("body"))))


def _requested_reviewers(call: Call) -> Reply:
    pull = call.pull
    return Reply({
        "users": [call.write.user(one) for one in pull.requested_users],
        "teams": [call.write.team(one) for one in pull.requested_teams],
    })  # fmt: skip


def _request(call: Call) -> Reply:
    pull, users, teams = call.pull, call.texts("reviewers"), call.texts("team_reviewers")
    if pull.login in users:
        raise GitHubError(422, "Review cannot be requested from pull request author.")
    if any(one not in call.github.people for one in users):
        raise GitHubError(422, f"{_NO_COLLABORATOR} {call.github.name} repository.")
    pull.requested_users += _merge_names(users, pull.requested_users)
    pull.requested_teams += _merge_names(teams, pull.requested_teams)
    return Reply(call.write.pull(pull), 201)


def _remove_reviewers(call: Call) -> Reply:
    pull, users, teams = call.pull, call.texts("reviewers"), call.texts("team_reviewers")
    pull.requested_users = [one for one in pull.requested_users if one not in users]
    pull.requested_teams = [one for one in pull.requested_teams if one not in teams]
    return Reply(call.write.pull(pull))


def _merge_names(names: Sequence[str], present: Sequence[str]) -> list[str]:
    return [one for one in dict.fromkeys(names) if one not in present]


def _issue(call: Call) -> Reply:
    return Reply(call.write.issue(call.pull))


def _edit_issue(call: Call) -> Reply:
    pull = call.pull
    if "labels" in call.body:
        _label(call, pull, call.texts("labels"), replace=True)
    _edit(call)
    return Reply(call.write.issue(pull))


def _labels(call: Call) -> Reply:
    return Reply(Rows(list(call.pull.labels), call.write.label))


def _add_labels(call: Call) -> Reply:
    return _label(call, call.pull, call.texts("labels"), replace=False)


def _set_labels(call: Call) -> Reply:
    return _label(call, call.pull, call.texts("labels"), replace=True)


def _label(call: Call, pull: PullRequest, names: Sequence[str], *, replace: bool) -> Reply:
    labels = [] if replace else pull.labels
    pull.labels = [*labels, *_merge_names(names, labels)]
    for name in pull.labels:
        call.github.labels.setdefault(name, "ededed")
    pull.updated = call.github.clock.now
    return Reply([call.write.label(one) for one in pull.labels])


def _clear_labels(call: Call) -> Reply:
    call.pull.labels = []
    return Reply(None, 204)


def _remove_label(call: Call) -> Reply:
    pull, name = call.pull, call.match["name"]
    if name not in pull.labels:
        raise GitHubError(404, "Label does not exist")
    pull.labels = [one for one in pull.labels if one != name]
    return Reply([call.write.label(one) for one in pull.labels])


def _comments(call: Call) -> Reply:
    pull = call.pull
    return Reply(Rows(pull.comments, lambda one: call.write.comment(pull, one)))


def _comment(call: Call) -> Reply:
    pull = call.pull
    (body,) = call.required("body")
    return Reply(call.write.comment(pull, call.github.pulls.comment(pull, OPERATOR, body)), 201)


def _assign(call: Call) -> Reply:
    pull = call.pull
    pull.assignees += _merge_names(
        [one for one in call.texts("assignees") if one in call.github.people], pull.assignees
    )
    return Reply(call.write.issue(pull), 201)


def _unassign(call: Call) -> Reply:
    pull, names = call.pull, call.texts("assignees")
    pull.assignees = [one for one in pull.assignees if one not in names]
    return Reply(call.write.issue(pull))


def _no_content(call: Call) -> Reply:
    del call
    return Reply([])


PULL_ROUTES: Sequence[Route] = (
    ("GET", "/pulls", _list_pulls),
    ("POST", "/pulls", _create),
    ("GET", r"/pulls/{number:\d+}", _pull),
    ("PATCH", r"/pulls/{number:\d+}", _edit),
    ("GET", r"/pulls/{number:\d+}/merge", _is_merged),
    ("PUT", r"/pulls/{number:\d+}/merge", _merge),
    ("PUT", r"/pulls/{number:\d+}/update-branch", _update_branch),
    ("GET", r"/pulls/{number:\d+}/files", _files),
    ("GET", r"/pulls/{number:\d+}/commits", _commits),
    ("GET", r"/pulls/{number:\d+}/comments", _no_content),
    ("GET", r"/pulls/{number:\d+}/reviews", _reviews),
    ("POST", r"/pulls/{number:\d+}/reviews", _review),
    ("GET", r"/pulls/{number:\d+}/requested_reviewers", _requested_reviewers),
    ("POST", r"/pulls/{number:\d+}/requested_reviewers", _request),
    ("DELETE", r"/pulls/{number:\d+}/requested_reviewers", _remove_reviewers),
    ("GET", r"/issues/{number:\d+}", _issue),
    ("PATCH", r"/issues/{number:\d+}", _edit_issue),
    ("GET", r"/issues/{number:\d+}/labels", _labels),
    ("POST", r"/issues/{number:\d+}/labels", _add_labels),
    ("PUT", r"/issues/{number:\d+}/labels", _set_labels),
    ("DELETE", r"/issues/{number:\d+}/labels", _clear_labels),
    ("DELETE", r"/issues/{number:\d+}/labels/{name}", _remove_label),
    ("GET", r"/issues/{number:\d+}/comments", _comments),
    ("POST", r"/issues/{number:\d+}/comments", _comment),
    ("POST", r"/issues/{number:\d+}/assignees", _assign),
    ("DELETE", r"/issues/{number:\d+}/assignees", _unassign),
)
