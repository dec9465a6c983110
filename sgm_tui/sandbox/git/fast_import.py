"""Write a history as the input of `git fast-import`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from sgm_tui.sandbox.git.history import CommitSpec


def fast_import_stream(commits: Iterable[CommitSpec], started_at: datetime) -> Iterator[bytes]:
    """Yield the input of `git fast-import`: main, with a side branch for each pull request.

    A pull request becomes a commit and a merge commit, as GitHub writes them.
    """
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
