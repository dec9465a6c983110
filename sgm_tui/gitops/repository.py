"""Our own bare clone of the GitOps repository: the one module that knows GitPython.

A user's checkout, index, hooks and configuration are never touched or obeyed: git runs over our own object database,
with an environment that knows nothing of the user, and commits are put together from objects. A token travels in the
environment as an HTTP header, never on a command line or in a URL.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git
from git.cmd import Git

from sgm_tui.errors import ConfigError, RefusedError, UnreachableError, system_words
from sgm_tui.fleet.history.trailers import Message
from sgm_tui.gitops.batch import batch, batch_in_order
from sgm_tui.gitops.credentials import RemoteCredentials
from sgm_tui.permission import NO_CONSENT, Consent, WritePermission
from sgm_tui.private_files import make_private_directory, open_private
from sgm_tui.threads import Lane, run_in
from sgm_tui.untrusted_text import clean, harmless

ABSENT = "0" * 40
"""What a ref that does not exist points to."""

_FETCH_SECONDS = 120.0
_READ_SECONDS = 30.0
_SILENT_SECONDS = "30"
"""After so many seconds without a byte git gives up by itself, also when sgm has ended meanwhile."""
_LOCK_PAUSE = 0.02
_MOST_TREES = 6
_PUSH_SECONDS = 60.0
_REF = re.compile(r"(?!-)(?!.*(?:\.\.|//|@\{|\.lock$|[ ~^:?*\[\\\x00-\x1f\x7f]))(?:[^/.]|[^/].*[^/.])")
_SCHEMES = frozenset({"https", "http", "ssh", "file"})
_FIELDS = "%H%x1f%an%x1f%ae%x1f%ct%x1f%s%x1f%b%x1f"
_ZERO = b"\0"


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


class Repository:
    """A bare clone of one remote."""

    def __init__(self, url: str, branch: str, directory: Path, *, token: Callable[[], str] | None = None) -> None:
        """Clone `url` lazily below `directory`; `token` is asked for each call to the remote.

        Raises:
            ConfigError: the URL or the branch is none git may be given.
        """
        self.url = _checked_url(url)
        self.branch = _checked_ref(branch)
        self.path = directory / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"
        self._credentials = RemoteCredentials(url, token)
        self.permission = WritePermission()
        self._fetching = asyncio.Lock()
        self._writing = asyncio.Lock()
        """Apart from the other: a fetch that hangs keeps no commit and no push waiting."""
        self._trees: dict[str, dict[str, str]] = {}
        """The newest few trees that were asked for: a commit never changes."""
        self._git = Git()
        for name in [name for name in os.environ if name.startswith("GIT_") and name != "GIT_PYTHON_REFRESH"]:
            # What another program exported (GIT_DIR above all) would make git act on another repository.
            del os.environ[name]

    async def fetch(self) -> str:
        """Bring every branch here and return the head of ours.

        Raises:
            UnreachableError, RefusedError: what git or the server said.
        """
        async with self._fetching:
            return await run_in(Lane.GIT_READS, self._fetched_head)

    def _fetched_head(self) -> str:
        self._fetch()
        if not self.heads():
            raise UnreachableError(f"{self._place} has no branch at all", "Check repository.url.")
        return self.head()

    async def remote_heads(self) -> dict[str, str]:
        """Every branch of the server and its commit, without bringing anything here."""
        listed = await run_in(Lane.GIT_READS, lambda: self._run("ls-remote", "--heads", "--", self.url, remote=True))
        rows = (line.split("\t", 1) for line in listed.decode("utf-8", "replace").splitlines())
        return {name.removeprefix("refs/heads/"): sha for sha, name in rows}

    def head(self) -> str:
        """The head of our branch as it was last fetched.

        Raises:
            UnreachableError: nothing has been fetched yet, or it has no such branch.
        """
        heads = self.heads()
        if not heads:
            raise UnreachableError(f"{self._place} has not been fetched yet")
        if self.branch not in heads:
            raise UnreachableError(f"{self._place} has no branch {self.branch}", "Check repository.branch.")
        return heads[self.branch]

    def heads(self) -> dict[str, str]:
        """Every branch of the server as it was last fetched."""
        listed = self._run("for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", "refs/remotes/origin")
        rows = (line.rsplit(" ", 1) for line in listed.decode("utf-8", "replace").splitlines())
        return {name: sha for name, sha in rows if name != "HEAD"}

    def has(self, commit: str) -> bool:
        """Whether a commit is here."""
        return bool(re.fullmatch(r"[0-9a-f]{40}", commit)) and self._succeeds("cat-file", "-e", f"{commit}^{{commit}}")

    def tree(self, commit: str) -> dict[str, str]:
        """Path → blob id of every ordinary file of a commit; links and submodules are left out."""
        known = self._trees.get(commit)
        if known is not None:
            return known
        listed = self._run("ls-tree", "-r", "-z", commit)
        found: dict[str, str] = {}
        for row in listed.split(_ZERO):
            meta, _, path = row.partition(b"\t")
            if meta.startswith((b"100644", b"100755")):
                found[path.decode("utf-8", "surrogateescape")] = meta.split()[2].decode()
        if re.fullmatch(r"[0-9a-f]{40}", commit):
            # Put in its place whole: other threads read it meanwhile.
            self._trees = dict([*list(self._trees.items())[1 - _MOST_TREES :], (commit, found)])
        return found

    def links(self, commit: str) -> frozenset[str]:
        """The path of every symbolic link of a commit."""
        return frozenset(path for path, mode in self._modes(commit).items() if mode == "120000")

    def read(self, commit: str, path: str) -> bytes | None:
        """A file of a commit; None when there is none, or it is a link."""
        blob = self.tree(commit).get(path)
        return None if blob is None else self.read_blobs([blob]).get(blob)

    def read_blobs(self, blobs: Sequence[str]) -> dict[str, bytes]:
        """The content of many blobs in one go."""
        if not blobs:
            return {}
        answer = self._run("cat-file", "--batch", "--buffer", stdin="\n".join(blobs).encode() + b"\n")
        return dict(batch(answer))

    def read_at(self, places: Sequence[tuple[str, str]]) -> list[bytes | None]:
        """The files of many (commit, path) in one go and in order; None where there is none."""
        asked = [f"{commit}:{path}" for commit, path in places if "\n" not in path]
        if len(asked) < len(places):
            raise ValueError("a path with a line break cannot be read")
        if not asked:
            return []
        answer = self._run(
            "cat-file", "--batch", "--buffer", stdin="\n".join(asked).encode("utf-8", "surrogateescape") + b"\n"
        )
        return list(batch_in_order(answer))

    def first_parents(self, commit: str, limit: int = 5000) -> list[Commit]:
        """The newest `limit` first-parent commits up to `commit`, oldest first."""
        form = f"--format=%x1e{_FIELDS}"
        flags = ("--first-parent", "-m", "--no-renames", "--name-only", "-z", f"--max-count={limit}", form)
        answer = self._run("log", *flags, commit, "--")
        commits = [_commit(record) for record in answer.split(b"\x1e")[1:]]
        return commits[::-1]

    def messages(self, commits: str, words: Sequence[str]) -> list[Message]:
        """The commits of a range, merged branches included and merges not, oldest first: those whose message holds one
        of these words, or all where there are none."""
        greps = [f"--grep={word}" for word in words]
        form = "--format=%H%x00%an%x00%B"
        answer = self._run("log", "-z", "--reverse", "--no-merges", "--fixed-strings", *greps, form, commits, "--")
        # A message may hold anything but the NUL it ends with.
        fields = answer.decode("utf-8", "replace").split("\0")
        return [Message(*fields[at : at + 3]) for at in range(0, len(fields) - 2, 3)]

    def merge_base(self, one: str, other: str) -> str:
        """The newest common ancestor of two commits; "" when there is none."""
        answer = self._try("merge-base", one, other)
        return answer.decode().strip() if answer else ""

    async def commit(self, base: str, writes: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        """Make a commit on top of `base` in the object database; no branch moves.

        Args:
            base: parent commit.
            writes: path → new content; the mode of a file that is there is kept.
            message: the whole message.
            author: name and e-mail, also of the committer.
        """
        async with self._writing:
            return await run_in(Lane.GIT_WRITES, lambda: self._commit(base, writes, message, author))

    async def push(self, commit: str, branch: str, expected: str, consent: Consent = NO_CONSENT) -> None:
        """Let a branch of the server point to a commit, if it still points to `expected` ("" for a new branch).

        Raises:
            RefusedError: it has moved meanwhile, the server said no, or the commit changes a protected stage to which
                `consent` was not given.
        """
        await run_in(Lane.GIT_WRITES, self.permission.check_commit, self._place, commit, consent)
        await self._push(commit, branch, expected)

    async def delete(self, branch: str, expected: str) -> None:
        """Take a branch of the server away, if it still points to `expected`.

        Raises:
            RefusedError: it has moved meanwhile, it is the branch that is deployed, or the server said no.
        """
        if branch == self.branch:
            raise RefusedError(f"{branch} is what is deployed: it is never deleted")
        await self._push("", branch, expected)

    async def _push(self, commit: str, branch: str, expected: str) -> None:
        """Let a branch of the server point to a commit, or take it away where there is none."""
        self.permission.check(self._place)
        ref = f"refs/heads/{_checked_ref(branch)}"
        flags = ("--porcelain", "--no-verify", f"--force-with-lease={ref}:{expected}")
        push = functools.partial(
            self._run, "push", *flags, "--", self.url, f"{commit}:{ref}", remote=True, seconds=_PUSH_SECONDS
        )
        async with self._writing:
            await run_in(Lane.GIT_WRITES, push)

    @property
    def _place(self) -> str:
        parts = urlsplit(self.url)
        return clean(f"{parts.hostname or ''}{parts.path}" if parts.scheme != "file" else parts.path)

    def _fetch(self) -> None:
        with _usable(self.path), self._locked():
            if not (self.path / "HEAD").exists():
                self._create()
            refspec = "+refs/heads/*:refs/remotes/origin/*"
            self._run(
                "fetch", "--prune", "--no-tags", "--no-write-fetch-head", "--quiet", "--", self.url, refspec,
                remote=True, seconds=_FETCH_SECONDS,
            )  # fmt: skip

    def _create(self) -> None:
        make_private_directory(self.path.parent)
        git.Repo.init(self.path, bare=True, mkdir=True, expand_vars=False, template="", allow_unsafe_options=True)
        self.path.chmod(0o700)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time; another one waits, but not for ever."""
        make_private_directory(self.path.parent)
        deadline = time.monotonic() + _FETCH_SECONDS
        with os.fdopen(open_private(self.path.with_suffix(".lock"), os.O_WRONLY | os.O_APPEND), "a") as lock:
            while not _taken(lock):
                if time.monotonic() > deadline:
                    raise UnreachableError(
                        f"{self.path} has been locked by another sgm for {_FETCH_SECONDS:.0f} s", "End that one."
                    )
                time.sleep(_LOCK_PAUSE)
            yield

    def _commit(self, base: str, writes: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        with _usable(self.path):
            held, name = tempfile.mkstemp(prefix="sgm-index-", dir=self.path)
            os.close(held)
            index = Path(name)
            index.unlink()
        name, email = author
        extra = {"GIT_INDEX_FILE": str(index)}
        for role in ("AUTHOR", "COMMITTER"):
            extra |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": email}
        try:
            self._run("read-tree", base, extra=extra)
            modes = self._modes(base)
            for path, data in writes.items():
                blob = self._run("hash-object", "-w", "--stdin", stdin=data).decode().strip()
                entry = f"{modes.get(path, '100644')},{blob},{path}"
                self._run("update-index", "--add", "--cacheinfo", entry, extra=extra)
            tree = self._run("write-tree", extra=extra).decode().strip()
            made = self._run("commit-tree", tree, "-p", base, stdin=harmless(message).encode(), extra=extra)
            return made.decode().strip()
        finally:
            index.unlink(missing_ok=True)

    def _modes(self, commit: str) -> dict[str, str]:
        rows = (row.partition(b"\t") for row in self._run("ls-tree", "-r", "-z", commit).split(_ZERO) if row)
        return {path.decode("utf-8", "surrogateescape"): meta.split()[0].decode() for meta, _, path in rows}

    def _succeeds(self, *arguments: str) -> bool:
        return self._try(*arguments) is not None

    def _try(self, *arguments: str) -> bytes | None:
        try:
            return self._run(*arguments)
        except (UnreachableError, RefusedError):
            return None

    def _run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        remote: bool = False,
        seconds: float = _READ_SECONDS,
    ) -> bytes:
        """Run git on our clone; what it says on failure becomes one of our errors."""
        command = ["git", f"--git-dir={self.path}", *arguments]
        if remote and not (self.path / "HEAD").exists():
            command = ["git", *arguments]
        with _usable(self.path), tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            try:
                status, out, err = self._git.execute(
                    command,
                    istream=given,
                    env={**_QUIET, **self._settings(remote), **(extra or {})},
                    with_extended_output=True,
                    with_exceptions=False,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                    kill_after_timeout=seconds,
                )
            except git.GitCommandNotFound as error:
                raise UnreachableError("the git program is not installed", "Install git 2.38 or newer.") from error
        if status:
            said = out.decode("utf-8", "replace") if isinstance(out, bytes) else str(out)
            words = self._credentials.removed_from(f"{said}\n{err}" if arguments[0] == "push" else str(err))
            raise _refused(self._place, arguments[0], status, words)
        return out if isinstance(out, bytes) else str(out).encode()

    def _settings(self, remote: bool) -> dict[str, str]:
        """What overrides the configuration of the clone; the token only where the remote is asked."""
        config = {
            "core.hooksPath": os.devnull,
            "core.fsmonitor": "false",
            "credential.helper": "",
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "1",
            "http.lowSpeedTime": _SILENT_SECONDS,
        }
        if remote and (authorization := self._credentials.authorization()):
            config["http.extraHeader"] = f"Authorization: {authorization}"
        pairs = {f"GIT_CONFIG_KEY_{index}": key for index, key in enumerate(config)}
        values = {f"GIT_CONFIG_VALUE_{index}": value for index, value in enumerate(config.values())}
        return {"GIT_CONFIG_COUNT": str(len(config)), **pairs, **values}


_NO_ACCESS = re.compile(r"Authentication failed|could not read Username|Permission denied|returned error: 40[13]\b")
"""Git's words, whole: a bare 401 is part of many a port."""
_QUIET = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10 -oServerAliveInterval=10 -oServerAliveCountMax=3",
    "GIT_ALLOW_PROTOCOL": "https:ssh:http:file",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_EDITOR": "true",
    "GCM_INTERACTIVE": "never",
}


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    scp = re.fullmatch(r"[\w.-]+@[\w.-]+:(?!-)[^\s]+", url)
    if scp:
        return url
    if parts.password:
        raise ConfigError("repository.url holds a password", "Remove it; tokens come from the environment.")
    if parts.scheme not in _SCHEMES or url.startswith("-") or re.search(r"[\x00-\x20\x7f]", url):
        raise ConfigError(f"repository.url {clean(url)} is no URL of a repository", "Use https, ssh or file.")
    return url


def _checked_ref(name: str) -> str:
    if not _REF.fullmatch(name):
        raise ConfigError(f"{clean(name)} is no name of a branch")
    return name


def _refused(place: str, verb: str, status: int, said: str) -> UnreachableError | RefusedError:
    """What git said when it failed, without credentials, as one of our errors."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(("hint:", "To "))]
    words = clean(" ".join(lines[-3:]), 300) or f"git {verb} ended with {status}"
    if status < 0:
        return UnreachableError(f"{place}: git {verb} did not end in time")
    if verb == "push" and re.search(r"stale info|rejected|cannot lock ref|incorrect old value", said):
        return RefusedError(f"{place} refused the push: {words}", "Somebody was faster: look again.")
    if _NO_ACCESS.search(said):
        return RefusedError(f"{place}: no access: {words}", "Check the token or the SSH key for it.")
    return UnreachableError(f"{place}: {words}")


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """What the disk says of our clone, or of a temporary file beside it (read-only, full, no rights), in a line."""
    try:
        yield
    except OSError as error:
        raise UnreachableError(
            f"our clone {error.filename or path}: {system_words(error)}",
            "Make room there and in the temporary directory, or set state_directory and TMPDIR elsewhere.",
        ) from error


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _commit(record: bytes) -> Commit:
    head, _, rest = record.rpartition(b"\x1f")
    sha, author, email, at, subject, body = head.decode("utf-8", "replace").split("\x1f", 5)
    merged = re.match(r"Merge pull request #(\d{1,9})\b", subject) or re.search(r"\(#(\d{1,9})\)$", subject)
    if subject.startswith("Merge pull request") and body.strip():
        # GitHub's merge commits carry the title of the pull request as their body.
        subject = body.strip().splitlines()[0]
    paths = rest.split(_ZERO)
    names = tuple(path.decode("utf-8", "surrogateescape").lstrip("\n") for path in paths if path.strip(b"\n"))
    moment = datetime.fromtimestamp(int(at), UTC)
    return Commit(sha, clean(author), clean(email), moment, clean(subject), names, int(merged[1]) if merged else 0)
