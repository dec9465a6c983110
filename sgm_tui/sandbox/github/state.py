"""The embedded GitHub: one repository with its people and pull requests, and their progress in virtual time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.git.history import people
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.github.automation import Automation
from sgm_tui.sandbox.github.memory import Memory
from sgm_tui.sandbox.github.merge_queue import MergeQueue
from sgm_tui.sandbox.github.merging import Merger
from sgm_tui.sandbox.github.pull_requests import OPERATOR, PullRequests
from sgm_tui.sandbox.github.pulls import PullRequest

_MERGE_SUBJECT = re.compile(r"^Merge pull request #(\d+)")
_SAVE_EVERY = 5.0
"""Virtual seconds between two checks of what has to be saved."""
_RECENT = 40
"""How many pull requests are read from the git history."""
_REVIEW_SECONDS = 2400.0
"""How long before its merge a pull request of the git history counts as opened; git does not record it."""


class GitHub:
    """One repository on GitHub, `acme/gitops`."""

    def __init__(self, repository: Repository, clock: Clock, *, seed: str, name: str = "acme/gitops") -> None:
        self.repository = repository
        self.clock = clock
        self.name = name
        self.people: dict[str, str] = {login: full for full, login in people()} | {OPERATOR: "Sandbox Operator"}
        """Full names by login."""
        self.labels: dict[str, str] = {"promotion": "1d76db", "revert": "b60205", "prod": "d93f0b"}
        """Colours by label name."""
        self.on_push: list[Callable[[], None]] = []
        """Called after a merge has moved a branch."""
        self.pulls = PullRequests(name, repository, clock, self.people)
        self.merger = Merger(self.pulls, self.notify_of_push)
        self.queue = MergeQueue(self.pulls, self.merger)
        self.automation = Automation(self.pulls, self.merger, self.queue, seed)
        self.pulls.on_new_head.append(self.automation.handle_push)
        self.pulls.on_ready.append(self.automation.request_owners)
        self._memory = Memory(repository.path.with_suffix(".pulls.json"), clock)
        self._save_at = -math.inf
        self._history: frozenset[int] = frozenset()
        """The numbers of pull requests that the git history names."""
        self._heads: Mapping[str, str] = {}

    def begin(self) -> None:
        """Read the pull requests that the git history records as merged, and those of an earlier sandbox."""
        log = self.repository.ask(
            "log", "--merges", "--first-parent", f"-{_RECENT}", "--format=%H%x00%P%x00%ct%x00%ae%x00%B%x01", "main"
        )
        for entry in reversed(log.split("\x01")):
            commit, _, rest = entry.strip().partition("\0")
            if rest:
                self._record_merged_pull(commit, *rest.split("\0", 3))
        self._history = frozenset(self.pulls)
        self._heads = dict(self.repository.heads())
        self._restore()

    def step(self) -> None:
        """Do what is due: notice pushes, finish checks and reviews, merge what may be merged."""
        heads = self.repository.heads()
        if heads is not self._heads:
            self._follow_branches(heads)
            self._heads = heads
        self.automation.run()
        self.queue.run()
        if self.clock.now >= self._save_at:
            self._save_at = self.clock.now + _SAVE_EVERY
            self._memory.save(pull for number, pull in self.pulls.items() if number not in self._history)

    def notify_of_push(self) -> None:
        """Notify the listeners that a merge has moved a branch."""
        for listener in self.on_push:
            listener()

    def _record_merged_pull(self, commit: str, parents: str, seconds: str, email: str, message: str) -> None:
        """Add the pull request of a merge commit; nothing if its message names none."""
        match = _MERGE_SUBJECT.match(message)
        if match is None:
            return
        base, head = parents.split()[:2]
        at = float(seconds) - self.clock.started_at.timestamp()
        lines = [line for line in message.splitlines()[1:] if line.strip()]
        title, login = (lines or [""])[0], email.partition("@")[0]
        login = login if login in self.people else OPERATOR
        opened = at - _REVIEW_SECONDS
        pull = PullRequest(int(match[1]), title, "", f"sgm/{head[:12]}", "main", head, base, login, opened, at)
        pull.closed = pull.merged = at
        pull.merge_commit, pull.merged_by, pull.mergeable = commit, login, None
        pull.labels = ["promotion"]
        self.pulls.add(pull)

    def _restore(self) -> None:
        """Restore the pull requests of an earlier sandbox; those still open continue as if just pushed."""
        for pull in self._memory.load():
            head = self.repository.head(pull.head)
            if pull.number in self.pulls or (pull.closed is None and not head):
                continue
            self.pulls.add(pull)
            if pull.closed is None:
                pull.head_sha, pull.base_sha = head, self.repository.head(pull.base)
                self.pulls.notify_of_new_head(pull)

    def _follow_branches(self, heads: Mapping[str, str]) -> None:
        """Follow moved and deleted branches, and recompute mergeability where a base branch moved."""
        for pull in self.pulls.values():
            if pull.closed is not None:
                continue
            head, base = heads.get(pull.head, ""), heads.get(pull.base, "")
            if not head:
                self.pulls.close(pull)
            elif head != pull.head_sha:
                pull.head_sha, pull.base_sha, pull.updated = head, base, self.clock.now
                self.pulls.notify_of_new_head(pull)
            elif base != pull.base_sha:
                pull.base_sha = base
                self.automation.recompute_mergeability(pull)
