"""One look at all pull requests: the open ones with their checks and reviews, and those that ended lately.

Everything is asked about every time, because a check can be run again and a conflict can come up while the pull
request itself stands still; what has not changed costs nothing (`conditional`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.observed import PullRequest
from sgm_tui.forge.conditional import PAGE, Answer, Conditional
from sgm_tui.forge.documents import (
    change_of_commit,
    is_approved,
    mergeable_of,
    overall,
    own_change_of,
    pull_of,
    review_of,
    run_of,
    status_of,
)

Proposed = tuple[tuple[CellKey, Version], ...]
Proposes = Callable[[str], Proposed]

_MOST_OPEN = 300
_MOST_PAGES = 10
_MOST_CLOSED = 30
_MOST_CHECKS = 300
_MOST_REVIEWS = 300
_RECENT = timedelta(days=1)


class Listing:
    """The pull requests against one branch of one repository; used by one thread at a time."""

    def __init__(self, reads: Conditional, repository: str, branch: str, now: Callable[[], datetime]) -> None:
        self._reads = reads
        self._root = f"/repos/{repository}"
        self._base = f"base={quote(branch, safe='')}"
        self._now = now
        self._proposed: dict[int, Proposed] = {}
        """What pull requests proposed while they were open: nobody can tell from a merged one."""
        self.note = ""
        """What is left out; "" when nothing is."""

    def look(self, proposes: Proposes) -> tuple[PullRequest, ...]:
        """Open pull requests, and those merged or closed within a day.

        Args:
            proposes: what a head would change.
        """
        with self._reads.round():
            path = f"{self._root}/pulls?state=open&{self._base}"
            pulls, cut = self._reads.rows(path, lambda one: (pull_of(one), own_change_of(one)), _MOST_OPEN)
            self.note = f"only the newest {_MOST_OPEN} open pull requests are looked at" if cut else ""
            found = [self._looked_at(pull, change, proposes) for pull, change in pulls]
            found += self._ended_lately()
        listed = {one.number for one in found}
        self._proposed = {number: what for number, what in self._proposed.items() if number in listed}
        return tuple(found)

    def _looked_at(self, pull: PullRequest, change: str, proposes: Proposes) -> PullRequest:
        """An open one with everything its list entry does not hold."""
        commit, one = f"{self._root}/commits/{pull.head}", f"{self._root}/pulls/{pull.number}"
        runs, _ = self._reads.rows(f"{commit}/check-runs", run_of, _MOST_CHECKS, under="check_runs")
        statuses, _ = self._reads.rows(f"{commit}/status", status_of, _MOST_CHECKS, under="statuses")
        reviews, _ = self._reads.rows(f"{one}/reviews", review_of, _MOST_REVIEWS)
        self._proposed[pull.number] = proposes(pull.head)
        return replace(
            pull,
            checks=overall((*runs, *statuses)),
            results=(*runs, *statuses),
            approved=is_approved(reviews),
            mergeable=self._reads.get(one, mergeable_of),
            ours=bool(change) and self._is_ours_alone(one, change),
            proposes=self._proposed[pull.number],
        )

    def _is_ours_alone(self, path: str, change: str) -> bool:
        """Every commit of a pull request of ours is the one sgm made; nobody added work of their own."""
        commits, cut = self._reads.rows(f"{path}/commits", change_of_commit, PAGE)
        return not cut and bool(commits) and all(one == change for one in commits)

    def _ended_lately(self) -> list[PullRequest]:
        since = self._now() - _RECENT
        path = f"{self._root}/pulls?state=closed&{self._base}&sort=updated&direction=desc"
        found = self._reads.get(
            f"{path}&per_page={_MOST_CLOSED}", lambda rows: tuple(pull_of(one) for one in rows or ())
        )
        recent = (one for one in found if one.updated_at is not None and one.updated_at >= since)
        return [replace(one, proposes=self._proposed.get(one.number, ())) for one in recent]


def open_ones(ask: Callable[[str, str], Answer | None], repository: str, branch: str) -> tuple[PullRequest, ...]:
    """Every open pull request against a branch as the list has it now, none remembered; `ours` where sgm made it."""
    found: list[PullRequest] = []
    for page in range(1, _MOST_PAGES + 1):
        path = f"/repos/{repository}/pulls?state=open&base={quote(branch, safe='')}&per_page={PAGE}&page={page}"
        answer = ask(path, "")
        rows = answer.document if answer is not None and isinstance(answer.document, list) else []
        found += (replace(pull_of(one), ours=bool(own_change_of(one))) for one in rows)
        if len(rows) < PAGE:
            break
    return tuple(found)
