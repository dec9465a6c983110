"""The objects of a bare repository, read through one long-running git process."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from sgm_tui.sandbox.git.process import SECONDS, GitError, git_environment, run_git


class ObjectReader:
    """Reads the files of commits; commits never change, so answers are cached."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.blobs = lru_cache(maxsize=64)(self._list_blobs)
        """Return path → blob id of every file of a commit, in path order; {} if there is no such commit."""
        self.read = lru_cache(maxsize=16384)(self._read_file)
        """Return the content of a file of a commit; None if there is none."""
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the git process."""
        if self._process is not None and self._process.stdin is not None and self._process.stdout is not None:
            self._process.stdin.close()
            self._process.wait(SECONDS)
            self._process.stdout.close()
            self._process = None

    def _list_blobs(self, commit: str) -> Mapping[str, str]:
        try:
            listed = run_git("ls-tree", "-r", "-z", "--format=%(objectname) %(path)", commit, folder=self._path)
        except GitError:
            return {}
        rows = (row.split(" ", 1) for row in listed.decode().split("\0") if row)
        return {path: blob for blob, path in rows}

    def _read_file(self, commit: str, path: str) -> bytes | None:
        blob = self.blobs(commit).get(path)
        return None if blob is None else self._read_object(blob)

    def _read_object(self, name: str) -> bytes:
        if self._process is None:
            self._process = subprocess.Popen(
                ["git", "cat-file", "--batch"],
                cwd=self._path,
                env=git_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        if self._process.stdin is None or self._process.stdout is None:
            raise GitError("git cat-file has no pipes")
        self._process.stdin.write(f"{name}\n".encode())
        self._process.stdin.flush()
        header = self._process.stdout.readline().decode().split()
        if len(header) != 3 or header[1] == "missing":
            raise GitError(f"object {name} is missing")
        data = self._process.stdout.read(int(header[2]))
        self._process.stdout.read(1)
        return data
