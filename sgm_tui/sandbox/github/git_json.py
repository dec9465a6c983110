"""The git documents of GitHub's API as JSON: people, repository, commits, branches, files, comparisons."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sgm_tui.sandbox.github.commits import Commit, Commits, FileChange, Person
from sgm_tui.sandbox.github.state import GitHub

Document = dict[str, Any]


class GitDocuments:
    """Build documents for a client that reaches GitHub under this base URL."""

    def __init__(self, github: GitHub, commits: Commits, base: str) -> None:
        self.github = github
        self.commits = commits
        self.base = base
        self.repo = f"{base}/repos/{github.name}"
        self.web = f"https://github.com/{github.name}"
        self.owner = github.name.partition("/")[0]

    def user(self, login: str, *, full: bool = False) -> Document:
        """Return a user."""
        number = 1000 + sum(login.encode())
        document: Document = {
            "login": login,
            "id": number,
            "node_id": f"U_{number}",
            "url": f"{self.base}/users/{login}",
            "html_url": f"https://github.com/{login}",
            "avatar_url": "",
            "type": "Bot" if login == "github-actions" else "User",
            "site_admin": False,
        }
        return (
            document | {"name": self.github.people.get(login), "email": f"{login}@acme.example"} if full else document
        )

    def repository(self) -> Document:
        """Return the repository."""
        owner = self.user(self.owner) | {"type": "Organization"}
        flags = {"allow_merge_commit": True, "allow_squash_merge": True, "allow_rebase_merge": True,
                 "allow_auto_merge": True, "delete_branch_on_merge": False, "archived": False, "disabled": False,
                 "private": True, "fork": False, "has_issues": True}  # fmt: skip
        templates = {name: f"{self.repo}/{path}" for name, path in _REPOSITORY_URLS.items()}
        return {
            "id": 4242,
            "node_id": "R_4242",
            "name": self.github.name.partition("/")[2],
            "full_name": self.github.name,
            "owner": owner,
            "url": self.repo,
            "html_url": self.web,
            "clone_url": f"{self.web}.git",
            "default_branch": "main",
            "description": "The platform, as git wants it",
            "visibility": "private",
            "open_issues_count": sum(one.closed is None for one in self.github.pulls.values()),
            "permissions": {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True},
            "created_at": self.github.clock.stamp(-200 * 86_400.0),
            "updated_at": self.github.clock.stamp(),
            **flags,
            **templates,
        }

    def commit(self, sha: str, *, full: bool = False) -> Document:
        """Return a commit; with its files where it is requested alone."""
        commit = self.commits.commit(sha)
        url = f"{self.repo}/commits/{sha}"
        document: Document = {
            "sha": sha,
            "node_id": f"C_{sha}",
            "url": url,
            "html_url": f"{self.web}/commit/{sha}",
            "comments_url": f"{url}/comments",
            "commit": self._git_commit(commit),
            "author": self._person(commit.author),
            "committer": self._person(commit.committer),
            "parents": [{"sha": one, "url": f"{self.repo}/commits/{one}"} for one in commit.parents],
        }
        if not full:
            return document
        changes = self.commits.changes(commit.parents[0], sha) if commit.parents else []
        additions, deletions = sum(one.additions for one in changes), sum(one.deletions for one in changes)
        stats = {"additions": additions, "deletions": deletions, "total": additions + deletions}
        return document | {"stats": stats, "files": [self.file(one, sha) for one in changes]}

    def _git_commit(self, commit: Commit) -> Document:
        url = f"{self.repo}/git/commits/{commit.sha}"
        people = {
            role: {"name": person.name, "email": person.email, "date": _utc(person.date)}
            for role, person in (("author", commit.author), ("committer", commit.committer))
        }
        tree = {"sha": commit.tree, "url": f"{self.repo}/git/trees/{commit.tree}"}
        return {**people, "message": commit.message, "tree": tree, "url": url, "comment_count": 0}

    def _person(self, person: Person) -> Document | None:
        login = person.email.partition("@")[0]
        return self.user(login) if login in self.github.people else None

    def file(self, change: FileChange, sha: str) -> Document:
        """Return one changed file."""
        return {
            "sha": change.blob,
            "filename": change.path,
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "blob_url": f"{self.web}/blob/{sha}/{change.path}",
            "raw_url": f"{self.web}/raw/{sha}/{change.path}",
            "contents_url": f"{self.repo}/contents/{change.path}?ref={sha}",
            **({"patch": change.patch} if change.patch else {}),
        }

    def reference(self, branch: str, sha: str) -> Document:
        """Return a git reference."""
        target = {"type": "commit", "sha": sha, "url": f"{self.repo}/git/commits/{sha}"}
        url = f"{self.repo}/git/refs/heads/{branch}"
        return {"ref": f"refs/heads/{branch}", "node_id": f"REF_{branch}", "url": url, "object": target}

    def branch(self, name: str, sha: str, *, full: bool = False) -> Document:
        """Return a branch."""
        document: Document = {
            "name": name,
            "commit": self.commit(sha) if full else {"sha": sha, "url": f"{self.repo}/commits/{sha}"},
            "protected": name == "main",
        }
        protection = f"{self.repo}/branches/{name}/protection"
        return document | {"protection_url": protection, "_links": {"self": f"{self.repo}/branches/{name}"}}

    def content(self, path: str, blob: str, data: bytes, reference: str, *, listed: bool = False) -> Document:
        """Return the content of a file."""
        url = f"{self.repo}/contents/{path}?ref={reference}"
        document: Document = {
            "type": "file",
            "name": path.rpartition("/")[2],
            "path": path,
            "sha": blob,
            "size": len(data),
            "url": url,
            "html_url": f"{self.web}/blob/{reference}/{path}",
            "git_url": f"{self.repo}/git/blobs/{blob}",
            "download_url": f"{self.web}/raw/{reference}/{path}",
        }
        encoded = {"encoding": "base64", "content": base64.encodebytes(data).decode()}
        return document if listed else document | encoded

    def folder(self, path: str, reference: str) -> Document:
        """Return a folder entry of a contents listing."""
        return {
            "type": "dir", "name": path.rpartition("/")[2], "path": path, "sha": "0" * 40, "size": 0,
            "url": f"{self.repo}/contents/{path}?ref={reference}", "download_url": None,
            "html_url": f"{self.web}/tree/{reference}/{path}", "git_url": None,
        }  # fmt: skip

    def comparison(self, base: str, head: str, fork: str, ahead: Iterable[str], behind: int) -> Document:
        """Return the comparison of two commits."""
        commits = list(ahead)
        status = "identical" if base == head else "diverged" if commits and behind else "ahead" if commits else "behind"
        return {
            "url": f"{self.repo}/compare/{base}...{head}",
            "html_url": f"{self.web}/compare/{base}...{head}",
            "permalink_url": f"{self.web}/compare/{base}...{head}",
            "diff_url": f"{self.web}/compare/{base}...{head}.diff",
            "patch_url": f"{self.web}/compare/{base}...{head}.patch",
            "base_commit": self.commit(base),
            "merge_base_commit": self.commit(fork),
            "status": status,
            "ahead_by": len(commits),
            "behind_by": behind,
            "total_commits": len(commits),
            "commits": [self.commit(one) for one in commits],
            "files": [self.file(one, head) for one in self.commits.changes(fork, head)],
        }

    def combined_status(self, sha: str) -> Document:
        """Return the legacy commit statuses; always none, because all checks are check runs."""
        url = f"{self.repo}/commits/{sha}"
        return {
            "state": "pending",
            "statuses": [],
            "sha": sha,
            "total_count": 0,
            "repository": self.repository(),
            "commit_url": url,
            "url": f"{url}/status",
        }


_REPOSITORY_URLS = {
    "branches_url": "branches{/branch}",
    "commits_url": "commits{/sha}",
    "compare_url": "compare/{base}...{head}",
    "contents_url": "contents/{+path}",
    "git_refs_url": "git/refs{/sha}",
    "issues_url": "issues{/number}",
    "labels_url": "labels{/name}",
    "pulls_url": "pulls{/number}",
    "statuses_url": "statuses/{sha}",
}


def _utc(date: str) -> str:
    return datetime.fromisoformat(date).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
