"""Our own bare clone of the GitOps repository: fetching from the remote, making commits, and pushing them.

Commits are put together from objects, so that no work tree is needed.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import filelock

from sgm_tui.errors import ConfigError, RefusedError, UnreachableError
from sgm_tui.gitops.credentials import RemoteCredentials
from sgm_tui.gitops.git_process import GitProcess, translate_disk_errors
from sgm_tui.gitops.objects import ObjectReader
from sgm_tui.permission import NO_CONSENT, Consent, WritePermission
from sgm_tui.private_files import OWNER_ONLY, make_private_directory
from sgm_tui.threads import Lane, run_in
from sgm_tui.untrusted_text import clean, sanitize

_FETCH_SECONDS = 120.0
_PUSH_SECONDS = 60.0
_LOCK_PAUSE = 0.02
"""Seconds between two attempts to lock the clone."""
_REF = re.compile(r"(?!-)(?!.*(?:\.\.|//|@\{|\.lock$|[ ~^:?*\[\\\x00-\x1f\x7f]))(?:[^/.]|[^/].*[^/.])")
_SCHEMES = frozenset({"https", "http", "ssh", "file"})


class Repository(ObjectReader):
    """A bare clone of one remote: reads objects, fetches, commits and pushes."""

    def __init__(self, url: str, branch: str, directory: Path, *, token: Callable[[], str] | None = None) -> None:
        """Clone `url` below `directory` with the first fetch; `token` is called for each request to the remote.

        Raises:
            ConfigError: the URL or the branch is none git may be given.
        """
        self.url = _check_url(url)
        self.path = directory / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"
        super().__init__(GitProcess(url, self.path, RemoteCredentials(url, token)), _check_ref(branch))
        self.permission = WritePermission()
        self._fetching = asyncio.Lock()
        self._writing = asyncio.Lock()
        """Separate from the other lock: a fetch that hangs blocks no commit and no push."""

    async def fetch(self) -> str:
        """Fetch every branch and return the head of ours.

        Raises:
            UnreachableError: the remote does not answer, or has no branch.
            RefusedError: the remote refuses access.
        """
        async with self._fetching:
            return await run_in(Lane.GIT_READS, self._fetch)

    def _fetch(self) -> str:
        with translate_disk_errors(self.path), self._locked():
            if not self._process.exists:
                self._process.create()
            refspec = "+refs/heads/*:refs/remotes/origin/*"
            self._process.run(
                "fetch", "--prune", "--no-tags", "--no-write-fetch-head", "--quiet", "--", self.url, refspec,
                remote=True, seconds=_FETCH_SECONDS,
            )  # fmt: skip
        if not self.heads():
            raise UnreachableError(f"{self._process.remote_name} has no branch at all", "Check repository.url.")
        return self.head()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process fetch at a time; another one waits, up to the time a fetch may take."""
        make_private_directory(self.path.parent)
        lock = filelock.FileLock(
            self.path.with_suffix(".lock"), mode=OWNER_ONLY, timeout=_FETCH_SECONDS, preserve_lock_file=True
        )
        try:
            lock.acquire(poll_interval=_LOCK_PAUSE)
        except filelock.Timeout as error:
            raise UnreachableError(
                f"{self.path} has been locked by another sgm for {_FETCH_SECONDS:.0f} s", "End that one."
            ) from error
        try:
            yield
        finally:
            lock.release()

    async def remote_heads(self) -> dict[str, str]:
        """Return every branch of the remote and its commit, without fetching anything.

        Raises:
            UnreachableError: the remote does not answer.
            RefusedError: the remote refuses access.
        """
        list_heads = functools.partial(self._process.run, "ls-remote", "--heads", "--", self.url, remote=True)
        listed = await run_in(Lane.GIT_READS, list_heads)
        rows = (line.split("\t", 1) for line in listed.decode("utf-8", "replace").splitlines())
        return {name.removeprefix("refs/heads/"): sha for sha, name in rows}

    async def commit(self, base: str, writes: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        """Create a commit on top of `base` in the object database and return it; no branch moves.

        Args:
            base: parent commit.
            writes: path → new content; an existing file keeps its mode.
            message: the whole message.
            author: name and e-mail, also of the committer.
        """
        async with self._writing:
            return await run_in(Lane.GIT_WRITES, lambda: self._commit(base, writes, message, author))

    def _commit(self, base: str, writes: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        with translate_disk_errors(self.path):
            descriptor, file_name = tempfile.mkstemp(prefix="sgm-index-", dir=self.path)
            os.close(descriptor)
            index = Path(file_name)
            index.unlink()
        name, email = author
        environment = {"GIT_INDEX_FILE": str(index)}
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": email}
        git = functools.partial(self._process.run, environment=environment)
        try:
            git("read-tree", base)
            modes = self.modes(base)
            for path, data in writes.items():
                blob = self._process.run("hash-object", "-w", "--stdin", stdin=data).decode().strip()
                git("update-index", "--add", "--cacheinfo", f"{modes.get(path, '100644')},{blob},{path}")
            tree = git("write-tree").decode().strip()
            return git("commit-tree", tree, "-p", base, stdin=sanitize(message).encode()).decode().strip()
        finally:
            index.unlink(missing_ok=True)

    async def push(self, commit: str, branch: str, expected: str, consent: Consent = NO_CONSENT) -> None:
        """Move a branch of the remote to a commit, if it still points to `expected` ("" for a new branch).

        Raises:
            RefusedError: it has moved meanwhile, the remote refused, or the commit changes a protected stage to which
                `consent` was not given.
        """
        await run_in(Lane.GIT_WRITES, self.permission.check_commit, self._process.remote_name, commit, consent)
        await self._push(commit, branch, expected)

    async def delete(self, branch: str, expected: str) -> None:
        """Delete a branch of the remote, if it still points to `expected`.

        Raises:
            RefusedError: it has moved meanwhile, it is the branch that is deployed, or the remote refused.
        """
        if branch == self.branch:
            raise RefusedError(f"{branch} is what is deployed: it is never deleted")
        await self._push("", branch, expected)

    async def _push(self, commit: str, branch: str, expected: str) -> None:
        """Move a branch of the remote to a commit; an empty `commit` deletes it."""
        self.permission.check(self._process.remote_name)
        ref = f"refs/heads/{_check_ref(branch)}"
        flags = ("--porcelain", "--no-verify", f"--force-with-lease={ref}:{expected}")
        push = functools.partial(
            self._process.run, "push", *flags, "--", self.url, f"{commit}:{ref}", remote=True, seconds=_PUSH_SECONDS
        )
        async with self._writing:
            await run_in(Lane.GIT_WRITES, push)


def _check_url(url: str) -> str:
    """Return a URL git may be given.

    Raises:
        ConfigError: it holds a password, or is not a URL of a repository.
    """
    parts = urlsplit(url)
    if re.fullmatch(r"[\w.-]+@[\w.-]+:(?!-)[^\s]+", url):
        return url  # the scp form: user@host:path
    if parts.password:
        raise ConfigError("repository.url holds a password", "Remove it; tokens come from the environment.")
    if parts.scheme not in _SCHEMES or url.startswith("-") or re.search(r"[\x00-\x20\x7f]", url):
        raise ConfigError(f"repository.url {clean(url)} is no URL of a repository", "Use https, ssh or file.")
    return url


def _check_ref(name: str) -> str:
    """Return the name of a branch.

    Raises:
        ConfigError: git does not allow it.
    """
    if not _REF.fullmatch(name):
        raise ConfigError(f"{clean(name)} is no name of a branch")
    return name
