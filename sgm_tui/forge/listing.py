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
Brought = Callable[[str], Proposed | None]

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
        self._seen: dict[int, PullRequest] = {}
        """Pull requests as they were looked at last while they were open: not all of it can be told afterwards."""
        self.note = ""
        """What is left out; "" when nothing is."""

    def look(self, proposes: Proposes, brought: Brought) -> tuple[PullRequest, ...]:
        """Open pull requests, and those merged or closed within a day.

        Args:
            proposes: what a head would change.
            brought: what a merge commit changed; None where it is not in the clone (yet).
        """
        with self._reads.round():
            path = f"{self._root}/pulls?state=open&{self._base}"
            pulls, cut = self._reads.rows(path, lambda one: (pull_of(one), own_change_of(one)), _MOST_OPEN)
            self.note = f"only the newest {_MOST_OPEN} open pull requests are looked at" if cut else ""
            found = [self._looked_at(pull, change, proposes) for pull, change in pulls]
            found += self._ended_lately(proposes, brought)
        listed = {one.number for one in found}
        self._seen = {number: one for number, one in self._seen.items() if number in listed}
        return tuple(found)

    def _looked_at(self, pull: PullRequest, change: str, proposes: Proposes) -> PullRequest:
        """An open one with everything its list entry does not hold."""
        commit, one = f"{self._root}/commits/{pull.head}", f"{self._root}/pulls/{pull.number}"
        runs, _ = self._reads.rows(f"{commit}/check-runs", run_of, _MOST_CHECKS, under="check_runs")
        statuses, _ = self._reads.rows(f"{commit}/status", status_of, _MOST_CHECKS, under="statuses")
        reviews, _ = self._reads.rows(f"{one}/reviews", review_of, _MOST_REVIEWS)
        looked = replace(
            pull,
            checks=overall((*runs, *statuses)),
            results=(*runs, *statuses),
            approved=is_approved(reviews),
            mergeable=self._reads.get(one, mergeable_of),
            ours=bool(change) and self._is_ours_alone(one, change),
            proposes=proposes(pull.head),
        )
        self._seen[pull.number] = looked
        return looked

    def _is_ours_alone(self, path: str, change: str) -> bool:
        """Every commit of a pull request of ours is the one sgm made; nobody added work of their own."""
        commits, cut = self._reads.rows(f"{path}/commits", change_of_commit, PAGE)
        return not cut and bool(commits) and all(one == change for one in commits)

    def _ended_lately(self, proposes: Proposes, brought: Brought) -> list[PullRequest]:
        since = self._now() - _RECENT
        path = f"{self._root}/pulls?state=closed&{self._base}&sort=updated&direction=desc"
        found = self._reads.get(
            f"{path}&per_page={_MOST_CLOSED}", lambda rows: tuple(pull_of(one) for one in rows or ())
        )
        recent = (one for one in found if one.updated_at is not None and one.updated_at >= since)
        return [
            _as_it_ended(
                one,
                self._seen.get(one.number),
                brought(one.merge_commit) if one.state == "merged" else proposes(one.head) or None,
            )
            for one in recent
        ]


def _as_it_ended(pull: PullRequest, seen: PullRequest | None, proposes: Proposed | None) -> PullRequest:
    """One that ended with what is known of it: what git says it changed, and the last look while it was open.

    What was still under way at that look may have gone either way since: that is unknown.
    """
    if seen is None or seen.head != pull.head:
        rest = {"checks", "approved"} | ({"proposes"} if proposes is None else set())
        return replace(pull, proposes=proposes or (), unknown=frozenset(rest))
    left = {"checks": seen.checks == "pending", "approved": not seen.approved}
    return replace(
        pull,
        checks="" if left["checks"] else seen.checks,
        results=() if left["checks"] else seen.results,
        approved=seen.approved,
        proposes=seen.proposes if proposes is None else proposes,
        unknown=frozenset(name for name, is_unknown in left.items() if is_unknown),
    )


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


def pull_of_branch(
    ask: Callable[[str, str], Answer | None], repository: str, branch: str, base: str, state: str
) -> PullRequest | None:
    """Return the pull request of a branch of the repository itself into `base`; None where the list has none."""
    head = quote(f"{repository.partition('/')[0]}:{branch}")
    found = ask(f"/repos/{repository}/pulls?state={state}&head={head}&base={quote(base, safe='')}&per_page=100", "")
    rows = found.document if found is not None and isinstance(found.document, list) else []
    return next((pull for pull in map(pull_of, rows) if pull.branch == branch), None)
