"""The git program, run on our own bare clone: the one module that knows GitPython.

A user's checkout, index, hooks and configuration are never touched or obeyed: git runs on our own object database,
with an environment that knows nothing of the user. A token travels in the environment as an HTTP header, never on a
command line or in a URL.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git
from git.cmd import Git

from sgm_tui.errors import RefusedError, UnreachableError, describe_os_error
from sgm_tui.gitops.credentials import RemoteCredentials
from sgm_tui.private_files import make_private_directory
from sgm_tui.untrusted_text import clean

_READ_SECONDS = 30.0
_SILENT_SECONDS = "30"
"""After so many seconds without a byte git gives up by itself, also when sgm has ended meanwhile."""
_NO_ACCESS = re.compile(r"Authentication failed|could not read Username|Permission denied|returned error: 40[13]\b")
"""Git's words in full: a bare 401 is part of many a port number."""
_LOST_RACE = re.compile(r"stale info|rejected|cannot lock ref|incorrect old value")
"""Git's words for a push that came after somebody else's."""
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


class GitProcess:
    """Runs git on the bare clone of one remote."""

    def __init__(self, url: str, path: Path, credentials: RemoteCredentials) -> None:
        self.path = path
        """The directory of the clone; it may not exist yet."""
        self._url = url
        self._credentials = credentials
        self._git = Git()
        for name in [name for name in os.environ if name.startswith("GIT_") and name != "GIT_PYTHON_REFRESH"]:
            # What another program exported (GIT_DIR above all) would make git act on another repository.
            del os.environ[name]

    @property
    def exists(self) -> bool:
        """Whether the clone has been created."""
        return (self.path / "HEAD").exists()

    @property
    def remote_name(self) -> str:
        """Host and path of the remote, safe to show."""
        parts = urlsplit(self._url)
        return clean(f"{parts.hostname or ''}{parts.path}" if parts.scheme != "file" else parts.path)

    def create(self) -> None:
        """Create the empty bare clone, readable by its owner alone."""
        make_private_directory(self.path.parent)
        git.Repo.init(self.path, bare=True, mkdir=True, expand_vars=False, template="", allow_unsafe_options=True)
        self.path.chmod(0o700)

    def try_run(self, *arguments: str) -> bytes | None:
        """Run git on the clone; return None if it fails."""
        try:
            return self.run(*arguments)
        except (UnreachableError, RefusedError):
            return None

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        remote: bool = False,
        seconds: float = _READ_SECONDS,
    ) -> bytes:
        """Run git on the clone and return its output.

        Args:
            arguments: the command and its options.
            stdin: what git reads.
            environment: further variables.
            remote: whether the command talks to the remote and needs the credentials.
            seconds: after this long git is killed.

        Raises:
            UnreachableError: git failed, did not end in time, is not installed, or the disk cannot be used.
            RefusedError: the remote refused it.
        """
        command = ["git", f"--git-dir={self.path}", *arguments]
        if remote and not self.exists:
            command = ["git", *arguments]
        variables = {**_QUIET, **self.settings(remote=remote), **(environment or {})}
        status, output, errors = self._execute(command, stdin, variables, seconds)
        if status:
            text = f"{output.decode('utf-8', 'replace')}\n{errors}" if arguments[0] == "push" else errors
            raise _translate_failure(self.remote_name, arguments[0], status, self._credentials.remove_from(text))
        return output

    def _execute(
        self, command: list[str], stdin: bytes, environment: Mapping[str, str], seconds: float
    ) -> tuple[int, bytes, str]:
        """Run a command; return its exit code, its output, and what it wrote to standard error."""
        with translate_disk_errors(self.path), tempfile.TemporaryFile() as standard_input:
            standard_input.write(stdin)
            standard_input.seek(0)
            try:
                status, output, errors = self._git.execute(
                    command,
                    istream=standard_input,
                    env=dict(environment),
                    with_extended_output=True,
                    with_exceptions=False,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                    kill_after_timeout=seconds,
                )
            except git.GitCommandNotFound as error:
                raise UnreachableError("the git program is not installed", "Install git 2.38 or newer.") from error
        return status, output if isinstance(output, bytes) else str(output).encode(), str(errors)

    def settings(self, *, remote: bool) -> dict[str, str]:
        """Return the variables that override the configuration of the clone; the token only for the remote."""
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


@contextmanager
def translate_disk_errors(path: Path) -> Iterator[None]:
    """Turn an error of the disk (read-only, full, no rights) of the clone or a temporary file into one of ours."""
    try:
        yield
    except OSError as error:
        raise UnreachableError(
            f"our clone {error.filename or path}: {describe_os_error(error)}",
            "Make room there and in the temporary directory, or set state_directory and TMPDIR elsewhere.",
        ) from error


def _translate_failure(remote: str, verb: str, status: int, text: str) -> UnreachableError | RefusedError:
    """Return the error for a failed git command.

    Args:
        remote: the name of the remote.
        verb: the git command.
        status: its exit code; negative if it was killed.
        text: what git wrote, without credentials.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("hint:", "To "))]
    summary = clean(" ".join(lines[-3:]), 300) or f"git {verb} ended with {status}"
    if status < 0:
        return UnreachableError(f"{remote}: git {verb} did not end in time")
    if verb == "push" and _LOST_RACE.search(text):
        return RefusedError(f"{remote} refused the push: {summary}", "Somebody was faster: look again.")
    if _NO_ACCESS.search(text):
        return RefusedError(f"{remote}: no access: {summary}", "Check the token or the SSH key for it.")
    return UnreachableError(f"{remote}: {summary}")
