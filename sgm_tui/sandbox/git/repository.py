"""The embedded fleet's bare repository, driven through the git program.

Everything that reads it reads commits, which never change, so answers are kept. Merges are real merges made in the
object database; there is no working tree. Pushes come from outside (`file://` or HTTP), so the refs are looked at.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from sgm_tui.sandbox.git.history import CommitSpec

_SECONDS = 30.0
_ROBOT = ("sgm sandbox", "sandbox@acme.example")
_MISSING = "missing"


class GitError(Exception):
    """The git program refused; the text is what it said."""


class MergeConflictError(GitError):
    """Two branches changed the same lines."""


def git_environment() -> dict[str, str]:
    """An environment in which git knows nothing of the user: no configuration, no prompts, no hooks."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return environment | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }


class Repository:
    """One bare repository."""

    def __init__(self, path: Path) -> None:
        """Open the repository at `path`, making an empty one where there is none."""
        self.path = path
        if not (path / "HEAD").exists():
            self._run("init", "-q", "--bare", "-b", "main", str(path), anywhere=True)
            self._run("config", "core.hooksPath", os.devnull)
            self._run("config", "gc.auto", "0")
            self._run("config", "uploadpack.allowFilter", "true")
            self._run("config", "uploadpack.allowAnySHA1InWant", "true")
        self.blobs = lru_cache(maxsize=64)(self._blobs)
        self.read = lru_cache(maxsize=16384)(self._read)
        self._reader: subprocess.Popen[bytes] | None = None
        self._heads: tuple[int, dict[str, str]] = (-1, {})

    def close(self) -> None:
        """End the helper process that reads objects."""
        if self._reader is not None and self._reader.stdin is not None and self._reader.stdout is not None:
            self._reader.stdin.close()
            self._reader.wait(_SECONDS)
            self._reader.stdout.close()
            self._reader = None

    def seed(self, commits: Iterable[CommitSpec], started_at: datetime) -> None:
        """Write a history in one go; pull requests become a commit and a merge commit, as GitHub makes them."""
        stream = b"".join(_fast_import(commits, started_at))
        self._run("fast-import", "--quiet", "--force", stdin=stream)
        self._forget()

    def head(self, branch: str = "main") -> str:
        """The commit a branch points to; "" when there is no such branch."""
        return self.heads().get(branch, "")

    def heads(self) -> Mapping[str, str]:
        """Every branch and its commit, asked of git only after something under refs changed."""
        stamp = self._refs_stamp()
        if stamp != self._heads[0]:
            listed = self._run("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
            branches = dict(line.rsplit(" ", 1) for line in listed.decode().splitlines())
            self._heads = (stamp, branches)
        return self._heads[1]

    def paths(self, commit: str, prefix: str = "") -> list[str]:
        """Every file of a commit under a prefix, in path order."""
        return [path for path in self.blobs(commit) if path.startswith(prefix)]

    def changed(self, old: str, new: str) -> set[str]:
        """Paths that differ between two commits."""
        before, after = self.blobs(old), self.blobs(new)
        return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}

    def contains(self, commit: str, ancestor: str) -> bool:
        """Whether `ancestor` is part of the history of `commit`."""
        return self._succeeds("merge-base", "--is-ancestor", ancestor, commit)

    def merge_base(self, first: str, other: str) -> str:
        """Their newest common ancestor."""
        return self.ask("merge-base", first, other)

    def commits(self, base: str, head: str) -> list[str]:
        """Commits of `head` that `base` does not have, oldest first."""
        return self.ask("rev-list", "--reverse", f"{base}..{head}").split()

    def log(self, branch: str = "main") -> list[tuple[str, datetime, tuple[str, ...]]]:
        """Every commit a branch pointed to, newest first: its id, when, and the files it changed there."""
        listed = self.ask("log", "--first-parent", "-m", "--name-only", "--format=%x01%H %ct", branch)
        entries: list[tuple[str, datetime, tuple[str, ...]]] = []
        for entry in listed.split("\x01")[1:]:
            header, *paths = entry.split("\n")
            commit, seconds = header.split()
            entries.append((commit, datetime.fromtimestamp(int(seconds), UTC), tuple(path for path in paths if path)))
        return entries

    def message(self, commit: str) -> str:
        """The whole commit message."""
        return self.ask("log", "-1", "--format=%B", commit)

    def author(self, commit: str) -> tuple[str, str, str]:
        """Name, e-mail and date (RFC 3339) of a commit's author."""
        name, email, date = self.ask("log", "-1", "--format=%an%x00%ae%x00%aI", commit).split("\0")
        return name, email, date

    def diff(self, base: str, head: str) -> str:
        """The unified diff from one commit to another."""
        return self.ask("diff", "--no-color", "--no-ext-diff", base, head)

    def commit(
        self, branch: str, writes: Mapping[str, bytes | None], message: str, *, at: datetime, author: str = ""
    ) -> str:
        """Write files (None removes one) on top of a branch, which is made from main where it is missing."""
        parent = self.head(branch) or self.head("main")
        tree = self._tree(parent, writes)
        commit = self._commit_tree(tree, [parent], message, at, author)
        self.update(branch, commit, self.head(branch))
        return commit

    def merge(
        self, branch: str, head: str, message: str, *, at: datetime, method: str = "merge", author: str = ""
    ) -> str:
        """Merge a commit into a branch in the object database; the branch moves.

        "squash" and "rebase" leave one commit: a change here is one commit anyway.

        Raises:
            MergeConflictError: both changed the same lines.
        """
        base = self.head(branch)
        merged = subprocess.run(
            ["git", "merge-tree", "--write-tree", "--no-messages", base, head],
            cwd=self.path,
            env=git_environment(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        if merged.returncode == 1:
            raise MergeConflictError("Merge conflict")
        if merged.returncode:
            raise GitError(merged.stderr.decode("utf-8", "replace").strip())
        tree = merged.stdout.decode().split()[0]
        parents = [base, head] if method == "merge" else [base]
        commit = self._commit_tree(tree, parents, message, at, author)
        self.update(branch, commit, base)
        return commit

    def mergeable(self, branch: str, head: str) -> bool:
        """Whether a merge of `head` into the branch would be without conflicts."""
        return self._succeeds("merge-tree", "--write-tree", "--no-messages", self.head(branch), head)

    def update(self, branch: str, commit: str, expected: str) -> None:
        """Move a branch, if it still points where it is expected to ("" for a new one)."""
        self._run("update-ref", f"refs/heads/{branch}", commit, expected or "0" * 40)
        self._forget()

    def delete(self, branch: str) -> None:
        """Remove a branch."""
        self._run("update-ref", "-d", f"refs/heads/{branch}")
        self._forget()

    def _forget(self) -> None:
        self._heads = (-1, {})

    def _refs_stamp(self) -> int:
        """Changes whenever a ref may have: folders and packed-refs carry the time of the last change in them."""
        newest = 0
        for folder, _, _ in os.walk(self.path / "refs" / "heads"):
            newest ^= Path(folder).stat().st_mtime_ns
            for entry in os.scandir(folder):
                newest ^= hash((entry.name, entry.stat().st_mtime_ns))
        packed = self.path / "packed-refs"
        return newest ^ (packed.stat().st_mtime_ns if packed.exists() else 0)

    def _blobs(self, commit: str) -> Mapping[str, str]:
        listed = self._try("ls-tree", "-r", "-z", "--format=%(objectname) %(path)", commit)
        if listed is None:
            return {}
        rows = (row.split(" ", 1) for row in listed.decode().split("\0") if row)
        return {path: blob for blob, path in rows}

    def _read(self, commit: str, path: str) -> bytes | None:
        blob = self.blobs(commit).get(path)
        return None if blob is None else self._object(blob)

    def _object(self, name: str) -> bytes:
        if self._reader is None:
            self._reader = subprocess.Popen(
                ["git", "cat-file", "--batch"],
                cwd=self.path,
                env=git_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        if self._reader.stdin is None or self._reader.stdout is None:
            raise GitError("git cat-file has no pipes")
        self._reader.stdin.write(f"{name}\n".encode())
        self._reader.stdin.flush()
        header = self._reader.stdout.readline().decode().split()
        if len(header) != 3 or header[1] == _MISSING:
            raise GitError(f"object {name} is missing")
        data = self._reader.stdout.read(int(header[2]))
        self._reader.stdout.read(1)
        return data

    def _tree(self, parent: str, writes: Mapping[str, bytes | None]) -> str:
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
        people = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in
                  (("NAME", name), ("EMAIL", email), ("DATE", date))}  # fmt: skip
        parent_flags = [flag for parent in parents for flag in ("-p", parent)]
        written = self._run(
            "commit-tree", tree, *parent_flags, stdin=message.encode(), environment=git_environment() | people
        )
        return written.decode().strip()

    def ask(self, *arguments: str) -> str:
        """What a git command prints, without the blanks around it.

        Raises:
            GitError: it failed.
        """
        return self._run(*arguments).decode("utf-8", "replace").strip()

    def _succeeds(self, *arguments: str) -> bool:
        return self._try(*arguments) is not None

    def _try(self, *arguments: str) -> bytes | None:
        try:
            return self._run(*arguments)
        except GitError:
            return None

    def _run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        anywhere: bool = False,
    ) -> bytes:
        done = subprocess.run(
            ["git", *arguments],
            cwd=None if anywhere else self.path,
            env=dict(environment) if environment is not None else git_environment(),
            input=stdin,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            raise GitError(done.stderr.decode("utf-8", "replace").strip() or f"git {arguments[0]} failed")
        return done.stdout


def _fast_import(commits: Iterable[CommitSpec], started_at: datetime) -> Iterator[bytes]:
    """The stream of `git fast-import`: main, with one side branch a pull request."""
    mark = 0
    tip = 0
    for commit in commits:
        at = started_at + timedelta(seconds=commit.at)
        message = commit.subject + (f"\n\n{commit.body}" if commit.body else "") + "\n"
        mark += 1
        branch = "refs/heads/main" if commit.merge_of_pull_request is None else "refs/sandbox/side"
        yield _commit_header(branch, mark, commit.author, commit.email, at - timedelta(minutes=40), message)
        yield from ([f"from :{tip}\n".encode()] if tip else [])
        yield from _file_changes(commit.writes)
        if commit.merge_of_pull_request is not None:
            merge = f"Merge pull request #{commit.merge_of_pull_request}\n\n{commit.subject}\n"
            yield _commit_header("refs/heads/main", mark + 1, commit.author, commit.email, at, merge)
            yield f"from :{tip}\nmerge :{mark}\n".encode()
            yield from _file_changes(commit.writes)
            mark += 1
        tip = mark
    yield b"reset refs/sandbox/side\nfrom 0000000000000000000000000000000000000000\n\ndone\n"


def _commit_header(branch: str, mark: int, author: str, email: str, at: datetime, message: str) -> bytes:
    who = f"{author} <{email}> {int(at.timestamp())} +0000"
    body = message.encode()
    return f"commit {branch}\nmark :{mark}\nauthor {who}\ncommitter {who}\ndata {len(body)}\n".encode() + body + b"\n"


def _file_changes(writes: Mapping[str, bytes]) -> Iterator[bytes]:
    for path, data in writes.items():
        yield f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"
    yield b"\n"
