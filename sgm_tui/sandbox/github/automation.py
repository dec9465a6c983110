"""Advance pull requests without a person: checks run, owners are requested and approve, auto-merge merges.

Owners take longer the more is at stake, review only heads whose checks have passed, and never approve their own
changes.
"""

from __future__ import annotations

import random
from functools import partial

from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.github.checks import CHECKS, findings
from sgm_tui.sandbox.github.merge_queue import MergeQueue
from sgm_tui.sandbox.github.merging import Merger
from sgm_tui.sandbox.github.pull_requests import PullRequests
from sgm_tui.sandbox.github.pulls import CheckRun, GitHubError, Method, PullRequest, members, obstacle

_MERGEABLE_AFTER = 2.0
"""Virtual seconds until GitHub has computed whether a pull request can be merged."""
_REQUESTED_AFTER = 1.0
"""Virtual seconds until the owners of a pushed change are requested as reviewers."""
_PATIENCE = {"dev": 6.0, "staging": 20.0, "prod": 40.0}
"""Virtual seconds until an owner has reviewed a change of a stage."""
_PATIENCE_ELSEWHERE = 30.0
"""The same for a change of files outside the stages."""
_CHECKS_RETRY = 8.0
"""Virtual seconds until an owner looks again whether the checks have finished."""


class Automation:
    """The automation of one repository's pull requests."""

    def __init__(self, pulls: PullRequests, merger: Merger, queue: MergeQueue, seed: str) -> None:
        self._pulls = pulls
        self._merger = merger
        self._queue = queue
        self._agenda = Agenda(pulls.clock)
        self._random = random.Random(f"{seed}:github")

    def run(self) -> None:
        """Do everything that is due."""
        self._agenda.run()

    def handle_push(self, pull: PullRequest) -> None:
        """Handle a new head: start its checks, recompute mergeability, and request its owners."""
        if pull.head_sha not in self._pulls.runs:
            self._pulls.runs[pull.head_sha] = self._check_runs(pull)
        for run in self._pulls.runs[pull.head_sha]:
            self._agenda.after(max(0.0, run.completed - self._pulls.clock.now) + 0.1, lambda: self._auto_merge(pull))
        self.recompute_mergeability(pull)
        if not pull.draft:
            self.request_owners(pull)

    def _check_runs(self, pull: PullRequest) -> list[CheckRun]:
        results = findings(
            lambda path: self._pulls.repository.read(pull.head_sha, path), self._pulls.reviewers.files(pull)
        )
        now = self._pulls.clock.now + 1.0
        runs: list[CheckRun] = []
        for number, name in enumerate(CHECKS):
            started = now + 2.0 + number + self._random.uniform(0.0, 2.0)
            completed = started + 10.0 + number * 6.0 + self._random.uniform(0.0, 8.0)
            result = results[name]
            runs.append(
                CheckRun(
                    self._pulls.new_id(),
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
        if pull.closed is None and pull.mergeable is None and self._pulls.repository.head(pull.head):
            pull.mergeable = self._pulls.repository.mergeable(pull.base, pull.head_sha)
            self._auto_merge(pull)

    def request_owners(self, pull: PullRequest) -> None:
        """Request reviews from the owners of the changed files, who review after a while."""
        head = pull.head_sha
        self._agenda.after(_REQUESTED_AFTER, lambda: self._request_review(pull))
        for number, owners in enumerate(self._pulls.reviewers.owners(pull)):
            patience = self._review_delay(pull) * self._random.uniform(0.7, 1.3) + 3.0 * number
            self._agenda.after(patience, partial(self._review, pull, head, owners))

    def _review_delay(self, pull: PullRequest) -> float:
        """Return the virtual seconds until an owner reviews a change: those of its slowest stage."""
        stages = {path.partition("/")[0] for path in self._pulls.reviewers.files(pull)}
        return max((_PATIENCE.get(stage, _PATIENCE_ELSEWHERE) for stage in stages), default=_PATIENCE_ELSEWHERE)

    def _request_review(self, pull: PullRequest) -> None:
        if pull.closed is not None or pull.draft:
            return
        for owner in (owner for owner_set in self._pulls.reviewers.owners(pull) for owner in owner_set):
            _, slash, slug = owner.partition("/")
            requested, name = (pull.requested_teams, slug) if slash else (pull.requested_users, owner.removeprefix("@"))
            if name not in requested and name != pull.login:
                requested.append(name)

    def _review(self, pull: PullRequest, head: str, owners: tuple[str, ...]) -> None:
        """Approve the head in the name of one of these owners, once its checks have passed; never if one failed."""
        if pull.closed is not None or pull.draft or pull.head_sha != head:
            return
        standing = self._pulls.standing(pull)
        if owners not in standing.owners_missing:
            return
        if standing.checks_failed:
            return
        if standing.checks_missing:
            self._agenda.after(_CHECKS_RETRY, lambda: self._review(pull, head, owners))
            return
        approvers = sorted(members(owners, self._pulls.reviewers.teams) - {pull.login})
        if approvers:
            self._pulls.review(pull, self._random.choice(approvers), "APPROVED")
            self._auto_merge(pull)

    def _auto_merge(self, pull: PullRequest) -> None:
        auto_merge = pull.auto_merge
        if auto_merge is None or pull.closed is not None or pull.mergeable is None:
            return
        if obstacle(pull, self._pulls.standing(pull)) or pull.queued_by:
            return
        if self._merger.requires_queue:
            self._queue.add(pull, auto_merge.login)
        else:
            method: Method = (
                "squash" if auto_merge.method == "SQUASH" else "rebase" if auto_merge.method == "REBASE" else "merge"
            )
            try:
                self._merger.merge(pull, auto_merge.login, method, title=auto_merge.title, message=auto_merge.message)
            except GitHubError as error:
                # A conflict that arose since mergeability was computed: the pull request stays open with a comment.
                self._pulls.comment(pull, "github-actions", f"Auto-merge failed: {error.message}")
                pull.auto_merge = None
