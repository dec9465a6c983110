"""The commits between two versions of a service, from its own repository."""

from __future__ import annotations

from urllib.parse import quote

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.plans.proposal import CommitRange
from sgm_tui.forge.connection import Connection, StatusError
from sgm_tui.forge.wire import Comparison
from sgm_tui.untrusted_text import clean

_MOST_COMMITS = 20


def compare(connection: Connection, source: str, old: str, new: str) -> CommitRange:
    """Fetch the commits between two tags of a repository, the oldest first, at most 20 of them.

    Raises:
        RefusedError: the repository or one of the tags does not exist.
    """
    path = f"/repos/{source}/compare/{quote(old, safe='')}...{quote(new, safe='')}?per_page={_MOST_COMMITS}"
    try:
        comparison = connection.read(path, Comparison)
    except StatusError as error:
        if error.status != 404:
            raise
        raise RefusedError(f"{source}: not found or no access, or it has no tag {old} or {new}") from error
    commits = [
        f"{clean(commit.sha[:7])} {clean(commit.commit.message.partition(chr(10))[0])} "
        f"({clean(commit.commit.author.name if commit.commit.author is not None else '')})"
        for commit in comparison.commits[:_MOST_COMMITS]
    ]
    return CommitRange(tuple(commits), comparison.total_commits, clean(comparison.html_url))
