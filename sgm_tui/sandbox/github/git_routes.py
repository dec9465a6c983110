"""GitHub's REST API of repositories: branches, references, commits, checks, contents, comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from sgm_tui.fleet.codeowners import PLACES, LineError, Owners
from sgm_tui.sandbox.git.process import GitError
from sgm_tui.sandbox.github.call import Call, Document, Reply, Route, Rows, not_found
from sgm_tui.sandbox.github.pulls import GitHubError


def _repository(call: Call) -> Reply:
    return Reply(call.write.repository())


def _branches(call: Call) -> Reply:
    return Reply(Rows(sorted(call.github.repository.heads().items()), lambda one: call.write.branch(*one)))


def _branch(call: Call) -> Reply:
    name = call.match["branch"]
    return Reply(call.write.branch(name, _head(call, name, "Branch not found"), full=True))


def _protection(call: Call) -> Reply:
    """Refuse the branch protection rules: reading them takes an administrator, which the token is not."""
    _head(call, call.match["branch"], "Branch not found")
    raise not_found()


def _head(call: Call, branch: str, message: str) -> str:
    sha = call.github.repository.head(branch)
    if not sha:
        raise GitHubError(404, message)
    return sha


def _references(call: Call) -> Reply:
    return Reply(Rows(sorted(call.github.repository.heads().items()), lambda one: call.write.reference(*one)))


def _matching_references(call: Call) -> Reply:
    prefix = call.match["branch"]
    references = [
        (name, sha) for name, sha in sorted(call.github.repository.heads().items()) if name.startswith(prefix)
    ]
    return Reply(Rows(references, lambda one: call.write.reference(*one)))


def _reference(call: Call) -> Reply:
    branch = call.match["branch"]
    return Reply(call.write.reference(branch, _head(call, branch, "Not Found")))


def _create_reference(call: Call) -> Reply:
    name, sha = call.required("ref", "sha")
    if not name.startswith("refs/heads/") or name.count("/") < 2:
        raise GitHubError(422, "Reference name must start with 'refs/heads/'.")
    branch = name.removeprefix("refs/heads/")
    repository = call.github.repository
    if repository.head(branch):
        raise GitHubError(422, "Reference already exists")
    if call.write.commits.resolve(sha) != sha:
        raise GitHubError(422, "Object does not exist")
    _move_branch(call, branch, sha, "")
    return Reply(call.write.reference(branch, sha), 201)


def _update_reference(call: Call) -> Reply:
    branch = call.match["branch"]
    (sha,) = call.required("sha")
    repository = call.github.repository
    head = repository.head(branch)
    if not head:
        raise GitHubError(422, "Reference does not exist")
    if not call.body.get("force") and not repository.contains(call.commit(sha), head):
        raise GitHubError(422, "Update is not a fast forward")
    _move_branch(call, branch, sha, head)
    return Reply(call.write.reference(branch, sha))


def _move_branch(call: Call, branch: str, sha: str, expected: str) -> None:
    try:
        call.github.repository.update(branch, sha, expected)
    except GitError as error:
        raise GitHubError(422, f"Reference update failed: {error}") from None


def _delete_reference(call: Call) -> Reply:
    branch = call.match["branch"]
    if not call.github.repository.head(branch):
        raise GitHubError(422, "Reference does not exist")
    if branch == "main":
        raise GitHubError(422, "Cannot delete the default branch")
    call.github.repository.delete(branch)
    return Reply(None, 204)


def _commits(call: Call) -> Reply:
    start = call.commit(call.query.get("sha") or "main")
    commits = call.write.commits.history(start, call.query.get("path", ""))
    return Reply(Rows([one.sha for one in commits], call.write.commit))


def _commit(call: Call) -> Reply:
    return Reply(call.write.commit(call.commit(call.match["reference"]), full=True))


def _status(call: Call) -> Reply:
    return Reply(call.write.combined_status(call.commit(call.match["reference"])))


def _statuses(call: Call) -> Reply:
    call.commit(call.match["reference"])
    return Reply([])


def _check_runs(call: Call) -> Reply:
    sha = call.commit(call.match["reference"])
    name, status = call.query.get("check_name", ""), call.query.get("status", "")
    now = call.github.clock.now
    runs = [
        run
        for run in call.github.pulls.runs.get(sha, ())
        if now >= run.queued and name in {"", run.name} and status in {"", run.status(now)}
    ]
    return Reply(Rows(runs, lambda one: call.write.check_run(one, sha), "check_runs"))


def _pulls_of(call: Call) -> Reply:
    sha = call.commit(call.match["reference"])
    pulls = [one for one in call.github.pulls.values() if sha in {one.head_sha, one.merge_commit}]
    return Reply(Rows(pulls, call.write.pull))


def _contents(call: Call) -> Reply:
    path = call.match["path"].strip("/")
    reference = call.query.get("ref") or "main"
    commit = call.write.commits.resolve(reference)
    if commit is None:
        raise GitHubError(404, f"No commit found for the ref {reference}")
    repository = call.github.repository
    data = repository.read(commit, path)
    if data is not None:
        return Reply(call.write.content(path, repository.blobs(commit)[path], data, reference))
    return Reply(_folder(call, commit, path, reference))


def _folder(call: Call, commit: str, path: str, reference: str) -> list[Document]:
    prefix = f"{path}/" if path else ""
    repository = call.github.repository
    blobs = repository.blobs(commit)
    names = dict.fromkeys(one[len(prefix) :].split("/")[0] for one in repository.paths(commit, prefix))
    if not names:
        raise not_found()
    entries: list[Document] = []
    for name in names:
        whole = prefix + name
        data = repository.read(commit, whole)
        if data is None:
            entries.append(call.write.folder(whole, reference))
        else:
            entries.append(call.write.content(whole, blobs[whole], data, reference, listed=True))
    return entries


def _compare(call: Call) -> Reply:
    base, _, head = call.match["range"].partition("...")
    first, other = (call.write.commits.resolve(end.rpartition(":")[2]) for end in (base, head))
    if first is None or other is None:
        raise not_found()
    repository = call.github.repository
    fork = repository.merge_base(first, other)
    ahead, behind = repository.commits(first, other), repository.commits(other, first)
    return Reply(call.write.comparison(first, other, fork, ahead, len(behind)))


def _codeowners_error(path: str, error: LineError) -> Document:
    return {
        "line": error.line,
        "column": error.column,
        "source": error.source,
        "kind": error.kind,
        "path": path,
        "suggestion": error.suggestion,
        "message": f"{error.kind} on line {error.line}: {error.source}",
    }


def _codeowners_errors(call: Call) -> Reply:
    commit = call.commit(call.query.get("ref") or "main")
    repository = call.github.repository
    for path in PLACES:
        data = repository.read(commit, path)
        if data is not None:
            errors = Owners(data.decode("utf-8", "replace")).errors
            return Reply({"errors": [_codeowners_error(path, error) for error in errors]})
    raise not_found()


def _labels(call: Call) -> Reply:
    return Reply(Rows(sorted(call.github.labels), call.write.label))


def _label(call: Call) -> Reply:
    if call.match["name"] not in call.github.labels:
        raise not_found()
    return Reply(call.write.label(call.match["name"]))


def _create_label(call: Call) -> Reply:
    (name,) = call.required("name")
    if name in call.github.labels:
        raise GitHubError(
            422, "Validation Failed", [{"resource": "Label", "code": "already_exists", "field": "name"}]
        )  # fmt: skip
    call.github.labels[name] = call.text("color", "ededed")
    return Reply(call.write.label(name), 201)


def _permission(call: Call) -> Reply:
    login = call.match["login"]
    if login not in call.github.people:
        raise not_found()
    return Reply({"permission": "write", "role_name": "write", "user": call.write.user(login)})


GIT_ROUTES: Sequence[Route] = (
    ("GET", "", _repository),
    ("GET", "/branches", _branches),
    ("GET", "/branches/{branch:.+}/protection", _protection),
    ("GET", "/branches/{branch:.+}", _branch),
    ("GET", "/git/refs", _references),
    ("POST", "/git/refs", _create_reference),
    ("GET", "/git/matching-refs/heads/{branch:.*}", _matching_references),
    ("GET", "/git/{_:refs?}/heads/{branch:.+}", _reference),
    ("PATCH", "/git/refs/heads/{branch:.+}", _update_reference),
    ("DELETE", "/git/refs/heads/{branch:.+}", _delete_reference),
    ("GET", "/commits", _commits),
    ("GET", "/commits/{reference:.+}/status", _status),
    ("GET", "/commits/{reference:.+}/statuses", _statuses),
    ("GET", "/commits/{reference:.+}/check-runs", _check_runs),
    ("GET", "/commits/{reference:.+}/pulls", _pulls_of),
    ("GET", "/commits/{reference:.+}", _commit),
    ("GET", "/contents/{path:.*}", _contents),
    ("GET", "/contents", _contents),
    ("GET", "/compare/{range:.+}", _compare),
    ("GET", "/codeowners/errors", _codeowners_errors),
    ("GET", "/labels", _labels),
    ("POST", "/labels", _create_label),
    ("GET", "/labels/{name}", _label),
    ("GET", "/collaborators/{login}/permission", _permission),
)
