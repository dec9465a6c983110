"""One look at all pull requests: the open ones with their checks and reviews, and those that ended lately.

Everything is asked about every time, because a check can be run again and a conflict can come up while the pull
request itself stands still; what has not changed costs nothing (`conditional`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.forge.conditional import PAGE, Ask, Conditional, Page, plain
from sgm_tui.forge.documents import (
    change_of_commit,
    is_approved,
    is_opened_by,
    overall,
    own_change_of,
    pull_of,
    review_of,
    run_of,
    status_of,
)
from sgm_tui.forge.wire import CheckRuns, CombinedStatus, Commit, Pull, Review

Proposed = tuple[tuple[CellKey, Version], ...]
ProposedChanges = Callable[[str], Proposed]
MergedChanges = Callable[[str], Proposed | None]

_MOST_OPEN = 300
_MOST_LISTED = 5000
_MOST_CLOSED = 30
_MOST_CHECKS = 300
_MOST_REVIEWS = 300
_MORE_CHECKS = ("more checks than are read", "pending")
_RECENT = timedelta(days=1)


class Listing:
    """The pull requests against one branch of one repository; used by one thread at a time."""

    def __init__(
        self,
        reads: Conditional,
        repository: str,
        branch: str,
        now: Callable[[], datetime],
        me: Callable[[], str],
    ) -> None:
        """`me` is the login GitHub knows us by, "" where it does not say."""
        self._reads = reads
        self._root = f"/repos/{repository}"
        self._base = f"base={quote(branch, safe='')}"
        self._now = now
        self._me = me
        self._seen: dict[int, PullRequest] = {}
        """Pull requests as they were looked at last while they were open: not all of it can be told afterwards."""
        self._ended: dict[int, PullRequest] = {}
        """Those that ended and were looked at since: their checks and reviews are asked for once."""
        self.note = ""
        """What is left out; "" when nothing is."""

    def look(self, proposes: ProposedChanges, brought: MergedChanges) -> tuple[PullRequest, ...]:
        """Open pull requests, and those merged or closed within a day.

        Args:
            proposes: what a head would change.
            brought: what a merge commit changed; None where it is not in the clone (yet).
        """
        with self._reads.round():
            path = f"{self._root}/pulls?state=open&{self._base}"
            pulls, cut = self._reads.rows(path, tuple[Pull, ...], plain, _with_change, _MOST_OPEN)
            self.note = f"only the newest {_MOST_OPEN} open pull requests are looked at" if cut else ""
            listed = [self._looked_at(pull, change, proposes) for pull, change in pulls]
            listed += self._ended_lately(proposes, brought)
        numbers = {one.number for one in listed}
        self._seen = {number: one for number, one in self._seen.items() if number in numbers}
        self._ended = {number: one for number, one in self._ended.items() if number in numbers}
        return tuple(listed)

    def _looked_at(self, request: PullRequest, change: str, proposes: ProposedChanges) -> PullRequest:
        """An open one with everything its list entry does not hold."""
        path = f"{self._root}/pulls/{request.number}"
        looked = self._with_checks_and_reviews(request)
        is_ours = bool(change) and self._is_mine(request) and self._is_ours_alone(path, change)
        is_unknown = bool(change) and not self._me()
        looked = replace(
            looked,
            mergeable=self._reads.get(path, Pull, lambda pull: pull.mergeable),
            marked=bool(change),
            ours=is_ours,
            proposes=proposes(request.head),
            unknown=looked.unknown | ({"ours"} if is_unknown else set()),
        )
        self._seen[request.number] = looked
        return looked

    def _with_checks_and_reviews(self, request: PullRequest) -> PullRequest:
        """One with its checks and reviews; what is too much to be read is neither passing nor approved."""
        commit = f"{self._root}/commits/{request.head}"
        runs, more_runs = self._reads.rows(f"{commit}/check-runs", CheckRuns, _runs, run_of, _MOST_CHECKS)
        statuses, more_statuses = self._reads.rows(
            f"{commit}/status", CombinedStatus, _statuses, status_of, _MOST_CHECKS
        )
        reviews, more_reviews = self._reads.rows(
            f"{self._root}/pulls/{request.number}/reviews", tuple[Review, ...], plain, review_of, _MOST_REVIEWS
        )
        results = (*runs, *statuses, *((_MORE_CHECKS,) if more_runs or more_statuses else ()))
        return replace(
            request,
            checks=overall(results),
            results=results,
            approved=is_approved(reviews) and not more_reviews,
            unknown=frozenset({"approved"} if more_reviews else ()),
        )

    def _is_mine(self, request: PullRequest) -> bool:
        me = self._me()
        return bool(me) and request.author.lower() == me.lower()

    def _is_ours_alone(self, path: str, change: str) -> bool:
        """Every commit of a pull request of ours is the one sgm made; nobody added work of their own."""
        commits, cut = self._reads.rows(f"{path}/commits", tuple[Commit, ...], plain, change_of_commit, PAGE)
        return not cut and bool(commits) and all(one == change for one in commits)

    def _ended_lately(self, proposes: ProposedChanges, brought: MergedChanges) -> list[PullRequest]:
        since = self._now() - _RECENT
        path = f"{self._root}/pulls?state=closed&{self._base}&sort=updated&direction=desc&per_page={_MOST_CLOSED}"
        closed = self._reads.get(path, tuple[Pull, ...], lambda rows: tuple(pull_of(one) for one in rows))
        recent = (one for one in closed if one.updated_at is not None and one.updated_at >= since)
        return [
            self._as_it_ended(one, brought(one.merge_commit) if one.state == "merged" else proposes(one.head) or None)
            for one in recent
        ]

    def _as_it_ended(self, request: PullRequest, proposes: Proposed | None) -> PullRequest:
        """One that ended with what is known of it: what git says it changed, and its checks and reviews.

        They are asked for once more after it ended, and not again: what came later decided nothing. One that changes
        nothing of the fleet is not worth asking about.
        """
        seen = self._seen.get(request.number)
        seen = seen if seen is not None and seen.head == request.head else None
        if proposes is None and seen is not None:
            proposes = seen.proposes
        if not proposes:
            rest = {"checks", "approved"} | ({"proposes"} if proposes is None else set())
            return replace(request, proposes=(), unknown=frozenset(rest))
        looked = self._ended.get(request.number)
        if looked is None or looked.head != request.head:
            looked = self._ended[request.number] = self._with_checks_and_reviews(request)
        return replace(
            request,
            checks=looked.checks,
            results=looked.results,
            approved=looked.approved,
            proposes=proposes,
            unknown=looked.unknown,
        )


def _with_change(pull: Pull) -> tuple[PullRequest, str]:
    return pull_of(pull), own_change_of(pull)


def _runs(page: CheckRuns) -> Page:
    return Page(page.check_runs, page.total_count)


def _statuses(page: CombinedStatus) -> Page:
    return Page(page.statuses, page.total_count)


def open_ones(ask: Ask, repository: str, branch: str, me: str) -> tuple[PullRequest, ...]:
    """Every open pull request against a branch as the list has it now, none remembered; `ours` where we opened it.

    Raises:
        UnreachableError: they cannot all be read.
    """

    def row(pull: Pull) -> PullRequest:
        is_marked = bool(own_change_of(pull))
        return replace(pull_of(pull), marked=is_marked, ours=is_marked and is_opened_by(pull, me))

    path = f"/repos/{repository}/pulls?state=open&base={quote(branch, safe='')}"
    rows, cut = Conditional(ask).rows(path, tuple[Pull, ...], plain, row, _MOST_LISTED)
    if cut:
        raise UnreachableError(f"{repository} has more open pull requests than can be read ({_MOST_LISTED})")
    return rows
