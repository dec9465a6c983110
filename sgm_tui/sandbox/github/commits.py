"""Commits as GitHub shows them, with their files and patches; cached for ever, because commits never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sgm_tui.sandbox.git.process import GitError
from sgm_tui.sandbox.git.repository import Repository

_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x01"
_KEPT = 2048
_LONGEST_PATCH = 20_000


@dataclass(frozen=True, slots=True)
class Person:
    """The author or committer of a commit."""

    name: str
    email: str
    date: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """One changed file of a commit or comparison."""

    path: str
    status: str
    """Return added, removed or modified; what GitHub calls a rename is one of each here."""
    additions: int
    deletions: int
    patch: str
    blob: str


class Commits:
    """Read commits of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._commits: dict[str, Commit] = {}
        self._changes: dict[tuple[str, str], list[FileChange]] = {}

    def resolve(self, reference: str) -> str | None:
        """Return the full id of the commit that a branch, a full id or a short id refers to."""
        branch = reference.removeprefix("refs/").removeprefix("heads/")
        head = self._repository.head(branch)
        if head:
            return head
        if not (len(reference) >= 7 and all(digit in "0123456789abcdef" for digit in reference)):
            return None
        try:
            return self._repository.ask("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
        except GitError:
            return None

    def commit(self, sha: str) -> Commit:
        """Return a commit by its full id."""
        cached = self._commits.get(sha)
        return cached if cached is not None else self._list("-1", sha)[0]

    def _list(self, *arguments: str) -> list[Commit]:
        """Return the commits that `git log` lists with these arguments, newest first."""
        if len(self._commits) > _KEPT:
            self._commits.clear()
        commits: list[Commit] = []
        for entry in self._repository.ask("log", f"--format={_FORMAT}", *arguments, "--").split("\x01"):
            fields = entry.lstrip("\n").split("\0")
            if len(fields) < 10:
                continue
            sha, tree, parents, *people, message = fields
            commit = Commit(
                sha, tree, tuple(parents.split()), Person(*people[:3]), Person(*people[3:]), message.rstrip("\n")
            )
            self._commits[sha] = commit
            commits.append(commit)
        return commits

    def history(self, start: str, path: str = "") -> list[Commit]:
        """Return the history of a commit, newest first, limited to one path if there is one."""
        fields = ["--end-of-options", start]
        listed = self._repository.ask("rev-list", *fields, "--", *([path] if path else []))
        return [self.commit(sha) for sha in listed.split()[:250]]

    def changes(self, base: str, head: str) -> Sequence[FileChange]:
        """Return the files that differ between two commits."""
        changes = self._changes.get((base, head))
        if changes is None:
            if len(self._changes) > _KEPT:
                self._changes.clear()
            changes = self._changes[base, head] = self._compare(base, head)
        return changes

    def _compare(self, base: str, head: str) -> list[FileChange]:
        before, after = self._repository.blobs(base), self._repository.blobs(head)
        patches = self._patches(base, head)
        changes: list[FileChange] = []
        for path in sorted(self._repository.changed(base, head)):
            status = "added" if path not in before else "removed" if path not in after else "modified"
            patch = patches.get(path, "")
            lines = patch.split("\n")
            added = sum(line.startswith("+") for line in lines)
            removed = sum(line.startswith("-") for line in lines)
            changes.append(FileChange(path, status, added, removed, patch, after.get(path) or before[path]))
        return changes

    def _patches(self, base: str, head: str) -> dict[str, str]:
        """Return the hunks of each file, without git's header."""
        patches: dict[str, str] = {}
        for part in self._repository.ask("diff", "--no-color", "--no-renames", base, head).split("diff --git a/")[1:]:
            path = part.partition(" b/")[0]
            _, marker, hunks = part.partition("\n@@")
            patches[path] = (f"@@{hunks}".rstrip("\n") if marker else "")[:_LONGEST_PATCH]
        return patches
