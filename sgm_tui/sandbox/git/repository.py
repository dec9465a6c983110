"""The sandbox's bare repository, driven through the git program.

Merges are real merges in the object database; there is no working tree. Clients push from outside (`file://` or HTTP),
so the refs on disk are checked for changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sgm_tui.sandbox.git.fast_import import fast_import_stream
from sgm_tui.sandbox.git.history import CommitSpec
from sgm_tui.sandbox.git.objects import ObjectReader
from sgm_tui.sandbox.git.process import GitError, error_of, git_environment, run_git, start_git

_ROBOT = ("sgm sandbox", "sandbox@acme.example")


class MergeConflictError(GitError):
    """A merge of two branches that changed the same lines."""


class Repository:
    """One bare repository."""

    def __init__(self, path: Path) -> None:
        """Open the repository at `path`; create an empty one if there is none."""
        self.path = path
        if not (path / "HEAD").exists():
            run_git("init", "-q", "--bare", "-b", "main", str(path), folder=None)
            self._run("config", "core.hooksPath", os.devnull)
            self._run("config", "gc.auto", "0")
            self._run("config", "uploadpack.allowFilter", "true")
            self._run("config", "uploadpack.allowAnySHA1InWant", "true")
        self._objects = ObjectReader(path)
        self.blobs = self._objects.blobs
        self.read = self._objects.read
        self._heads: tuple[int, dict[str, str]] = (-1, {})

    def close(self) -> None:
        """End the git process that reads objects."""
        self._objects.close()

    def seed(self, commits: Iterable[CommitSpec], started_at: datetime) -> None:
        """Write a whole history."""
        stream = b"".join(fast_import_stream(commits, started_at))
        self._run("fast-import", "--quiet", "--force", stdin=stream)
        self._forget_heads()

    def head(self, branch: str = "main") -> str:
        """Return the commit a branch points to; "" if there is no such branch."""
        return self.heads().get(branch, "")

    def heads(self) -> Mapping[str, str]:
        """Return branch → commit; git lists them only after something under refs changed."""
        stamp = self._refs_stamp()
        if stamp != self._heads[0]:
            listed = self._run("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
            branches = dict(line.rsplit(" ", 1) for line in listed.decode().splitlines())
            self._heads = (stamp, branches)
        return self._heads[1]

    def paths(self, commit: str, prefix: str = "") -> list[str]:
        """Return every file of a commit under a prefix, in path order."""
        return [path for path in self.blobs(commit) if path.startswith(prefix)]

    def changed(self, old: str, new: str) -> set[str]:
        """Return the paths that differ between two commits."""
        before, after = self.blobs(old), self.blobs(new)
        return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}

    def contains(self, commit: str, ancestor: str) -> bool:
        """Return whether `ancestor` is an ancestor of `commit`, or `commit` itself."""
        return self._succeeds("merge-base", "--is-ancestor", ancestor, commit)

    def merge_base(self, first: str, other: str) -> str:
        """Return the newest common ancestor of two commits."""
        return self.ask("merge-base", first, other)

    def commits(self, base: str, head: str) -> list[str]:
        """Return the commits of `head` that `base` does not have, oldest first."""
        return self.ask("rev-list", "--reverse", f"{base}..{head}").split()

    def log(self, branch: str = "main") -> list[tuple[str, datetime, tuple[str, ...]]]:
        """Return every commit a branch pointed to, newest first: its id, date, and the files it changed there."""
        listed = self.ask("log", "--first-parent", "-m", "--name-only", "--format=%x01%H %ct", branch)
        entries: list[tuple[str, datetime, tuple[str, ...]]] = []
        for entry in listed.split("\x01")[1:]:
            header, *paths = entry.split("\n")
            commit, seconds = header.split()
            entries.append((commit, datetime.fromtimestamp(int(seconds), UTC), tuple(path for path in paths if path)))
        return entries

    def message(self, commit: str) -> str:
        """Return the whole message of a commit."""
        return self.ask("log", "-1", "--format=%B", commit)

    def author(self, commit: str) -> tuple[str, str, str]:
        """Return name, e-mail and date (RFC 3339) of a commit's author."""
        name, email, date = self.ask("log", "-1", "--format=%an%x00%ae%x00%aI", commit).split("\0")
        return name, email, date

    def diff(self, base: str, head: str) -> str:
        """Return the unified diff from one commit to another."""
        return self.ask("diff", "--no-color", "--no-ext-diff", base, head)

    def commit(
        self, branch: str, writes: Mapping[str, bytes | None], message: str, *, at: datetime, author: str = ""
    ) -> str:
        """Commit files to a branch, created from main if it is missing; None deletes a file. Return the commit."""
        parent = self.head(branch) or self.head("main")
        tree = self._write_tree(parent, writes)
        commit = self._commit_tree(tree, [parent], message, at, author)
        self.update(branch, commit, self.head(branch))
        return commit

    def merge(
        self, branch: str, head: str, message: str, *, at: datetime, method: str = "merge", author: str = ""
    ) -> str:
        """Merge a commit into a branch; return the new commit.

        "squash" and "rebase" add one commit, because a pull request here has only one.

        Raises:
            MergeConflictError: both changed the same lines.
        """
        base = self.head(branch)
        merged = start_git("merge-tree", "--write-tree", "--no-messages", base, head, folder=self.path)
        if merged.returncode == 1:
            raise MergeConflictError("Merge conflict")
        if merged.returncode:
            raise GitError(error_of(merged))
        tree = merged.stdout.decode().split()[0]
        parents = [base, head] if method == "merge" else [base]
        commit = self._commit_tree(tree, parents, message, at, author)
        self.update(branch, commit, base)
        return commit

    def mergeable(self, branch: str, head: str) -> bool:
        """Return whether `head` merges into a branch without conflicts."""
        return self._succeeds("merge-tree", "--write-tree", "--no-messages", self.head(branch), head)

    def update(self, branch: str, commit: str, expected: str) -> None:
        """Move a branch if it still points to the expected commit ("" for a new branch)."""
        self._run("update-ref", f"refs/heads/{branch}", commit, expected or "0" * 40)
        self._forget_heads()

    def delete(self, branch: str) -> None:
        """Delete a branch."""
        self._run("update-ref", "-d", f"refs/heads/{branch}")
        self._forget_heads()

    def _forget_heads(self) -> None:
        self._heads = (-1, {})

    def _refs_stamp(self) -> int:
        """Return a number that changes whenever a ref may have, from the times of refs, folders and packed-refs."""
        newest = 0
        for folder, _, _ in os.walk(self.path / "refs" / "heads"):
            newest ^= Path(folder).stat().st_mtime_ns
            for entry in os.scandir(folder):
                newest ^= hash((entry.name, entry.stat().st_mtime_ns))
        packed = self.path / "packed-refs"
        return newest ^ (packed.stat().st_mtime_ns if packed.exists() else 0)

    def _write_tree(self, parent: str, writes: Mapping[str, bytes | None]) -> str:
        index = self.path / f"sandbox-index-{os.getpid()}"
        environment = git_environment() | {"GIT_INDEX_FILE": str(index)}
        try:
            self._run("read-tree", parent, environment=environment)
            for path, data in writes.items():
                if data is None:
                    self._run("update-index", "--force-remove", "--", path, environment=environment)
                    continue
                blob = self._run("hash-object", "-w", "--stdin", stdin=data).decode().strip()
                entry = f"100644,{blob},{path}"
                self._run("update-index", "--add", "--cacheinfo", entry, environment=environment)
            return self._run("write-tree", environment=environment).decode().strip()
        finally:
            index.unlink(missing_ok=True)

    def _commit_tree(self, tree: str, parents: Sequence[str], message: str, at: datetime, author: str) -> str:
        name, email = (author, f"{author.split(maxsplit=1)[0].lower()}@acme.example") if author else _ROBOT
        date = at.strftime("%Y-%m-%dT%H:%M:%S%z")
        identities = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in
                  (("NAME", name), ("EMAIL", email), ("DATE", date))}  # fmt: skip
        parent_flags = [flag for parent in parents for flag in ("-p", parent)]
        written = self._run(
            "commit-tree", tree, *parent_flags, stdin=message.encode(), environment=git_environment() | identities
        )
        return written.decode().strip()

    def ask(self, *arguments: str) -> str:
        """Run a git command and return what it prints, stripped.

        Raises:
            GitError: it failed.
        """
        return self._run(*arguments).decode("utf-8", "replace").strip()

    def _succeeds(self, *arguments: str) -> bool:
        return not start_git(*arguments, folder=self.path).returncode

    def _run(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        return run_git(*arguments, folder=self.path, stdin=stdin, environment=environment)
