"""Listing all pull requests: the open ones with their checks and reviews, and those that ended within a day.

Everything is requested every time, because a check can be run again and a conflict can arise while the pull request
itself is unchanged; what has not changed costs nothing (`conditional`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.forge.conditional import PAGE, Conditional, Page, whole_page
from sgm_tui.forge.documents import (
    change_id_of,
    change_id_of_commit,
    combine_results,
    is_approved,
    login_and_state,
    result_of_run,
    result_of_status,
    to_pull_request,
)
from sgm_tui.forge.wire import CheckRuns, CombinedStatus, Commit, Pull, Review

Versions = tuple[tuple[CellKey, Version], ...]
"""Cells, each with the version that a change brings to it."""
ProposedChanges = Callable[[str], Versions]
"""Returns what the head of a pull request would change."""
MergedChanges = Callable[[str], Versions | None]
"""Returns what a merge commit changed; None where it is not in the clone (yet)."""

_MOST_OPEN = 300
_MOST_CLOSED = 30
_MOST_CHECKS = 300
_MOST_REVIEWS = 300
_UNREAD_CHECKS = ("more checks than are read", "pending")
_RECENT = timedelta(days=1)


class Listing:
    """The pull requests against one branch of one repository; used by one thread at a time."""

    def __init__(
        self,
        reads: Conditional,
        repository: str,
        branch: str,
        now: Callable[[], datetime],
        login: Callable[[], str],
    ) -> None:
        """`login` returns the login of our account, "" where GitHub does not say."""
        self._reads = reads
        self._root = f"/repos/{repository}"
        self._base = f"base={quote(branch, safe='')}"
        self._now = now
        self._login = login
        self._last_open: dict[int, PullRequest] = {}
        """Pull requests as they were last while open: some of it cannot be determined once they have ended."""
        self._ended: dict[int, PullRequest] = {}
        """Those that have been read since they ended: their checks and reviews are not requested again."""
        self.note = ""
        """What is left out; "" when nothing is."""

    def list_recent(self, proposes: ProposedChanges, merged: MergedChanges) -> tuple[PullRequest, ...]:
        """Return the open pull requests, and those merged or closed within a day."""
        with self._reads.round():
            path = f"{self._root}/pulls?state=open&{self._base}"
            pulls, is_cut = self._reads.rows(path, tuple[Pull, ...], whole_page, _with_change_id, _MOST_OPEN)
            self.note = f"only the newest {_MOST_OPEN} open pull requests are looked at" if is_cut else ""
            requests = [self._complete_open(request, change_id, proposes) for request, change_id in pulls]
            requests += self._list_ended(proposes, merged)
        numbers = {request.number for request in requests}
        self._last_open = {number: request for number, request in self._last_open.items() if number in numbers}
        self._ended = {number: request for number, request in self._ended.items() if number in numbers}
        return tuple(requests)

    def _complete_open(self, request: PullRequest, change_id: str, proposes: ProposedChanges) -> PullRequest:
        """Add to an open pull request everything that the list does not contain."""
        path = f"{self._root}/pulls/{request.number}"
        complete = self._with_checks_and_reviews(request)
        is_ours = bool(change_id) and self._is_mine(request) and self._has_only_our_commits(path, change_id)
        is_unknown = bool(change_id) and not self._login()
        complete = replace(
            complete,
            mergeable=self._reads.get(path, Pull, lambda pull: pull.mergeable),
            marked=bool(change_id),
            ours=is_ours,
            proposes=proposes(request.head),
            unknown=complete.unknown | ({"ours"} if is_unknown else set()),
        )
        self._last_open[request.number] = complete
        return complete

    def _with_checks_and_reviews(self, request: PullRequest) -> PullRequest:
        """Add checks and reviews; where there are too many to read, it is neither passing nor approved."""
        commit = f"{self._root}/commits/{request.head}"
        runs, has_more_runs = self._reads.rows(
            f"{commit}/check-runs",
            CheckRuns,
            lambda page: Page(page.check_runs, page.total_count),
            result_of_run,
            _MOST_CHECKS,
        )
        statuses, has_more_statuses = self._reads.rows(
            f"{commit}/status",
            CombinedStatus,
            lambda page: Page(page.statuses, page.total_count),
            result_of_status,
            _MOST_CHECKS,
        )
        reviews, has_more_reviews = self._reads.rows(
            f"{self._root}/pulls/{request.number}/reviews",
            tuple[Review, ...],
            whole_page,
            login_and_state,
            _MOST_REVIEWS,
        )
        results = (*runs, *statuses, *((_UNREAD_CHECKS,) if has_more_runs or has_more_statuses else ()))
        return replace(
            request,
            checks=combine_results(results),
            results=results,
            approved=is_approved(reviews) and not has_more_reviews,
            unknown=frozenset({"approved"} if has_more_reviews else ()),
        )

    def _is_mine(self, request: PullRequest) -> bool:
        login = self._login()
        return bool(login) and request.author.lower() == login.lower()

    def _has_only_our_commits(self, path: str, change_id: str) -> bool:
        """Return whether every commit is one sgm made for the change, so that nobody has added work of their own."""
        ids, is_cut = self._reads.rows(f"{path}/commits", tuple[Commit, ...], whole_page, change_id_of_commit, PAGE)
        return not is_cut and bool(ids) and all(commit_id == change_id for commit_id in ids)

    def _list_ended(self, proposes: ProposedChanges, merged: MergedChanges) -> list[PullRequest]:
        since = self._now() - _RECENT
        path = f"{self._root}/pulls?state=closed&{self._base}&sort=updated&direction=desc&per_page={_MOST_CLOSED}"
        closed = self._reads.get(path, tuple[Pull, ...], lambda rows: tuple(map(to_pull_request, rows)))
        recent = (request for request in closed if request.updated_at is not None and request.updated_at >= since)
        return [
            self._complete_ended(
                request, merged(request.merge_commit) if request.state == "merged" else proposes(request.head) or None
            )
            for request in recent
        ]

    def _complete_ended(self, request: PullRequest, versions: Versions | None) -> PullRequest:
        """Add to a pull request that ended what it changed according to git, and its checks and reviews.

        Those are requested once after it ended: what happens later decides nothing. One that changes nothing of the
        fleet is not worth the requests.
        """
        last_open = self._last_open.get(request.number)
        if versions is None and last_open is not None and last_open.head == request.head:
            versions = last_open.proposes
        if not versions:
            unknown = {"checks", "approved"} | ({"proposes"} if versions is None else set())
            return replace(request, proposes=(), unknown=frozenset(unknown))
        ended = self._ended.get(request.number)
        if ended is None or ended.head != request.head:
            ended = self._ended[request.number] = self._with_checks_and_reviews(request)
        return replace(
            request,
            checks=ended.checks,
            results=ended.results,
            approved=ended.approved,
            proposes=versions,
            unknown=ended.unknown,
        )


def _with_change_id(pull: Pull) -> tuple[PullRequest, str]:
    return to_pull_request(pull), change_id_of(pull)
