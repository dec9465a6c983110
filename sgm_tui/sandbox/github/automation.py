"""Advance pull requests without a person: checks run, owners are requested and approve, auto-merge merges.

Owners take longer the more is at stake, review only heads whose checks have passed, and never approve their own
changes.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.github.checks import CHECKS, findings
from sgm_tui.sandbox.github.pulls import CheckRun, GitHubError, Method, PullRequest, members, obstacle

if TYPE_CHECKING:
    from sgm_tui.sandbox.github.state import GitHub

_MERGEABLE_AFTER = 2.0
_ASKED_AFTER = 1.0
_PATIENCE = {"dev": 6.0, "staging": 20.0, "prod": 40.0}
"""Virtual seconds until an owner has reviewed a change of a stage."""
_ELSEWHERE = 30.0
_LOOK_AGAIN = 8.0


class Automation:
    """The automation of one repository's pull requests."""

    def __init__(self, github: GitHub, seed: str) -> None:
        self._github = github
        self._agenda = Agenda(github.clock)
        self._random = random.Random(f"{seed}:github")

    def run(self) -> None:
        """Do everything that is due."""
        self._agenda.run()

    def handle_push(self, pull: PullRequest) -> None:
        """Handle a new head: start its checks, recompute mergeability, and request its owners."""
        if pull.head_sha not in self._github.runs:
            self._github.runs[pull.head_sha] = self._check_runs(pull)
        for run in self._github.runs[pull.head_sha]:
            self._agenda.after(max(0.0, run.completed - self._github.clock.now) + 0.1, lambda: self._auto_merge(pull))
        self.recompute_mergeability(pull)
        if not pull.draft:
            self.ask_owners(pull)

    def _check_runs(self, pull: PullRequest) -> list[CheckRun]:
        results = findings(lambda path: self._github.repository.read(pull.head_sha, path), self._github.files(pull))
        now = self._github.clock.now + 1.0
        runs: list[CheckRun] = []
        for number, name in enumerate(CHECKS):
            started = now + 2.0 + number + self._random.uniform(0.0, 2.0)
            completed = started + 10.0 + number * 6.0 + self._random.uniform(0.0, 8.0)
            result = results[name]
            runs.append(
                CheckRun(
                    self._github.new_id(),
                    name,
                    now,
                    started,
                    completed,
                    result.conclusion,
                    result.title,
                    result.summary,
                )
            )
        return runs

    def recompute_mergeability(self, pull: PullRequest) -> None:
        """Mark the mergeability as unknown, and recompute it soon."""
        pull.mergeable = None
        self._agenda.after(_MERGEABLE_AFTER, lambda: self._compute_mergeability(pull))

    def _compute_mergeability(self, pull: PullRequest) -> None:
        if pull.closed is None and pull.mergeable is None and self._github.repository.head(pull.head):
            pull.mergeable = self._github.repository.mergeable(pull.base, pull.head_sha)
            self._auto_merge(pull)

    def ask_owners(self, pull: PullRequest) -> None:
        """Request reviews from the owners of the changed files, who review after a while."""
        head = pull.head_sha
        self._agenda.after(_ASKED_AFTER, lambda: self._request_review(pull))
        for number, owners in enumerate(self._github.owners(pull)):
            patience = self._review_delay(pull) * self._random.uniform(0.7, 1.3) + 3.0 * number
            self._agenda.after(patience, partial(self._review, pull, head, owners))

    def _review_delay(self, pull: PullRequest) -> float:
        return max(
            (_PATIENCE.get(path.partition("/")[0], _ELSEWHERE) for path in self._github.files(pull)), default=_ELSEWHERE
        )

    def _request_review(self, pull: PullRequest) -> None:
        if pull.closed is not None or pull.draft:
            return
        for owner in (one for owners in self._github.owners(pull) for one in owners):
            _, slash, slug = owner.partition("/")
            requested, name = (pull.requested_teams, slug) if slash else (pull.requested_users, owner.removeprefix("@"))
            if name not in requested and name != pull.login:
                requested.append(name)

    def _review(self, pull: PullRequest, head: str, owners: tuple[str, ...]) -> None:
        """Let somebody who may approve for these owners review the head; approve it unless a check failed."""
        if pull.closed is not None or pull.draft or pull.head_sha != head:
            return
        standing = self._github.standing(pull)
        if owners not in standing.owners_missing:
            return
        if standing.checks_failed:
            return
        if standing.checks_missing:
            self._agenda.after(_LOOK_AGAIN, lambda: self._review(pull, head, owners))
            return
        able = sorted(members(owners, self._github.teams) - {pull.login})
        if able:
            self._github.review(pull, self._random.choice(able), "APPROVED")
            self._auto_merge(pull)

    def _auto_merge(self, pull: PullRequest) -> None:
        auto_merge = pull.auto_merge
        if auto_merge is None or pull.closed is not None or pull.mergeable is None:
            return
        if obstacle(pull, self._github.standing(pull)) or pull.queued_by:
            return
        if self._github.queue.enabled:
            self._github.queue.add(pull, auto_merge.login)
        else:
            method: Method = (
                "squash" if auto_merge.method == "SQUASH" else "rebase" if auto_merge.method == "REBASE" else "merge"
            )
            try:
                self._github.merge(pull, auto_merge.login, method, title=auto_merge.title, message=auto_merge.message)
            except GitHubError as error:
                # A conflict that came up since it was tried: it stays open and says so.
                self._github.comment(pull, "github-actions", f"Auto-merge failed: {error.message}")
                pull.auto_merge = None
