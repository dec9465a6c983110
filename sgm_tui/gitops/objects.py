"""The objects of the clone: branches as last fetched, commits, trees and files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.history.trailers import Message
from sgm_tui.gitops.git_process import GitProcess
from sgm_tui.untrusted_text import clean

_MOST_TREES = 6
_FIELDS = "%H%x1f%an%x1f%ae%x1f%ct%x1f%s%x1f%b%x1f"
_NUL = b"\0"
_SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Commit:
    """One first-parent commit of the branch, and every path it changed against the one before."""

    sha: str
    author: str
    email: str
    at: datetime
    subject: str
    paths: tuple[str, ...]
    number: int = 0
    """The pull request it merged, 0 when its message names none."""


class ObjectReader:
    """Reads the object database of one bare clone; nothing here talks to the remote."""

    def __init__(self, process: GitProcess, branch: str) -> None:
        self.branch = branch
        self._process = process
        self._trees: dict[str, dict[str, str]] = {}
        """The trees that were read last, by commit: a commit never changes."""

    def head(self) -> str:
        """Return the head of our branch as it was last fetched.

        Raises:
            UnreachableError: nothing has been fetched yet, or the remote has no such branch.
        """
        heads = self.heads()
        if not heads:
            raise UnreachableError(f"{self._process.remote_name} has not been fetched yet")
        if self.branch not in heads:
            raise UnreachableError(
                f"{self._process.remote_name} has no branch {self.branch}", "Check repository.branch."
            )
        return heads[self.branch]

    def heads(self) -> dict[str, str]:
        """Return every branch of the remote and its commit, as last fetched."""
        listed = self._process.run("for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", "refs/remotes/origin")
        rows = (line.rsplit(" ", 1) for line in listed.decode("utf-8", "replace").splitlines())
        return {name: sha for name, sha in rows if name != "HEAD"}

    def has(self, commit: str) -> bool:
        """Whether the clone contains a commit, which is given in full."""
        return (
            bool(_SHA.fullmatch(commit)) and self._process.try_run("cat-file", "-e", f"{commit}^{{commit}}") is not None
        )

    def tree(self, commit: str) -> dict[str, str]:
        """Return path → blob id of every ordinary file of a commit; links and submodules are left out."""
        cached = self._trees.get(commit)
        if cached is not None:
            return cached
        listed = self._process.run("ls-tree", "-r", "-z", commit)
        blobs: dict[str, str] = {}
        for row in listed.split(_NUL):
            meta, _, path = row.partition(b"\t")
            if meta.startswith((b"100644", b"100755")):
                blobs[path.decode("utf-8", "surrogateescape")] = meta.split()[2].decode()
        if _SHA.fullmatch(commit):
            # The cache is replaced as a whole: other threads read it meanwhile.
            self._trees = dict([*list(self._trees.items())[1 - _MOST_TREES :], (commit, blobs)])
        return blobs

    def links(self, commit: str) -> frozenset[str]:
        """Return the path of every symbolic link of a commit."""
        return frozenset(path for path, mode in self.modes(commit).items() if mode == "120000")

    def modes(self, commit: str) -> dict[str, str]:
        """Return path → mode (such as `100644`) of every entry of a commit."""
        rows = (row.partition(b"\t") for row in self._process.run("ls-tree", "-r", "-z", commit).split(_NUL) if row)
        return {path.decode("utf-8", "surrogateescape"): meta.split()[0].decode() for meta, _, path in rows}

    def read(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit; None if there is none, or it is a link."""
        blob = self.tree(commit).get(path)
        return None if blob is None else self.read_blobs([blob]).get(blob)

    def read_blobs(self, blobs: Sequence[str]) -> dict[str, bytes]:
        """Return blob id → content of many blobs, read at once; blobs that do not exist are left out."""
        contents = zip(blobs, self._read_objects(blobs), strict=True)
        return {blob: content for blob, content in contents if content is not None}

    def read_at(self, places: Sequence[tuple[str, str]]) -> list[bytes | None]:
        """Return the file at each (commit, path), read at once and in order; None where there is none.

        Raises:
            ValueError: a path contains a line break.
        """
        if any("\n" in path for _, path in places):
            raise ValueError("a path with a line break cannot be read")
        return self._read_objects([f"{commit}:{path}" for commit, path in places])

    def _read_objects(self, names: Sequence[str]) -> list[bytes | None]:
        if not names:
            return []
        stdin = "\n".join(names).encode("utf-8", "surrogateescape") + b"\n"
        return list(_parse_batch(self._process.run("cat-file", "--batch", "--buffer", stdin=stdin)))

    def first_parents(self, commit: str, limit: int = 5000) -> list[Commit]:
        """Return the newest `limit` first-parent commits up to `commit`, oldest first."""
        form = f"--format=%x1e{_FIELDS}"
        flags = ("--first-parent", "-m", "--no-renames", "--name-only", "-z", f"--max-count={limit}", form)
        answer = self._process.run("log", *flags, commit, "--")
        commits = [_parse_commit(record) for record in answer.split(b"\x1e")[1:]]
        return commits[::-1]

    def messages(self, commits: str, words: Sequence[str]) -> list[Message]:
        """Return the messages of a range of commits, oldest first; merged branches are included, merges are not.

        Args:
            commits: a commit with its ancestors, or a range such as `a..b`.
            words: a message has to contain one of these; all messages if empty.
        """
        greps = [f"--grep={word}" for word in words]
        form = "--format=%H%x00%an%x00%B"
        answer = self._process.run(
            "log", "-z", "--reverse", "--no-merges", "--fixed-strings", *greps, form, commits, "--"
        )
        # A message may contain anything but the NUL it ends with.
        fields = answer.decode("utf-8", "replace").split("\0")
        return [Message(*fields[at : at + 3]) for at in range(0, len(fields) - 2, 3)]

    def merge_base(self, first: str, second: str) -> str:
        """Return the newest common ancestor of two commits; "" if there is none."""
        answer = self._process.try_run("merge-base", first, second)
        return answer.decode().strip() if answer else ""


def _parse_batch(answer: bytes) -> Iterator[bytes | None]:
    """Yield the answer of `cat-file --batch` to each question (header, content, line break); None for no such file."""
    position = 0
    while position < len(answer):
        end = answer.index(b"\n", position)
        header = answer[position:end].split()
        if len(header) != 3 or header[1] != b"blob" or not header[2].isdigit():
            position = end + 1
            yield None
            continue
        size = int(header[2])
        yield answer[end + 1 : end + 1 + size]
        position = end + 2 + size


def _parse_commit(record: bytes) -> Commit:
    head, _, rest = record.rpartition(b"\x1f")
    sha, author, email, at, subject, body = head.decode("utf-8", "replace").split("\x1f", 5)
    merged = re.match(r"Merge pull request #(\d{1,9})\b", subject) or re.search(r"\(#(\d{1,9})\)$", subject)
    if subject.startswith("Merge pull request") and body.strip():
        # GitHub's merge commits carry the title of the pull request as their body.
        subject = body.strip().splitlines()[0]
    paths = rest.split(_NUL)
    names = tuple(path.decode("utf-8", "surrogateescape").lstrip("\n") for path in paths if path.strip(b"\n"))
    moment = datetime.fromtimestamp(int(at), UTC)
    return Commit(sha, clean(author), clean(email), moment, clean(subject), names, int(merged[1]) if merged else 0)
