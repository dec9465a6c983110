"""The embedded GitHub: its pull requests, its people, and their progress in virtual time."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping, Sequence

from sgm_tui.fleet.codeowners import PLACES, Owners
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.git.history import people
from sgm_tui.sandbox.git.repository import MergeConflictError, Repository
from sgm_tui.sandbox.github.automation import Automation
from sgm_tui.sandbox.github.memory import Memory
from sgm_tui.sandbox.github.merge_queue import MergeQueue
from sgm_tui.sandbox.github.pulls import (
    AutoMerge,
    CheckRun,
    Comment,
    GitHubError,
    Method,
    PullRequest,
    Review,
    Standing,
    mergeable_state,
    obstacle,
    standing,
)

OPERATOR = "operator"
"""The owner of the sandbox's token."""
_MERGE_SUBJECT = re.compile(r"^Merge pull request #(\d+)")
_KEEP_EVERY = 5.0
"""Virtual seconds between two checks of what has to be saved."""
_RECENT = 40
"""How many past pull requests are kept."""


class GitHub:
    """One repository on GitHub, `acme/gitops`."""

    def __init__(self, repository: Repository, clock: Clock, *, seed: str, name: str = "acme/gitops") -> None:
        self.repository = repository
        self.clock = clock
        self.name = name
        self.people: dict[str, str] = {login: full for full, login in people()} | {OPERATOR: "Sandbox Operator"}
        self.pulls: dict[int, PullRequest] = {}
        self.runs: dict[str, list[CheckRun]] = {}
        self.labels: dict[str, str] = {"promotion": "1d76db", "revert": "b60205", "prod": "d93f0b"}
        """Colours by label name."""
        self.queue = MergeQueue(self)
        self.on_push: list[Callable[[], None]] = []
        """Called after a merge has moved a branch."""
        self._ids = 1000
        self._course = Automation(self, seed)
        self._memory = Memory(repository.path.with_suffix(".pulls.json"), clock)
        self._keep_at = -math.inf
        self._history: frozenset[int] = frozenset()
        """The numbers of pull requests that the git history names."""
        self._heads: Mapping[str, str] = {}
        self._codeowners: tuple[str, Owners] = ("", Owners(""))
        self._files: dict[tuple[str, str], set[str]] = {}
        self.teams: dict[str, list[str]] = {}
        """The members of each requested team, by its slug."""

    def begin(self) -> None:
        """Read the pull requests that the git history records as merged."""
        pairs = self.repository.ask(
            "log", "--merges", "--first-parent", f"-{_RECENT}", "--format=%H%x00%P%x00%ct%x00%ae%x00%B%x01", "main"
        )
        for entry in reversed(pairs.split("\x01")):
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
        self._course.run()
        self.queue.run()
        if self.clock.now >= self._keep_at:
            self._keep_at = self.clock.now + _KEEP_EVERY
            self._memory.keep(pull for number, pull in self.pulls.items() if number not in self._history)

    def open(
        self, head: str, title: str, body: str = "", *, base: str = "main", login: str = "", draft: bool = False,
        labels: Sequence[str] = (),
    ) -> PullRequest:  # fmt: skip
        """Open a pull request for a branch.

        Raises:
            GitHubError: 422 as GitHub refuses it: no such branch, nothing to merge, or one is open already.
        """
        self._refuse_opening(head, base)
        now = self.clock.now
        number = max(self.pulls, default=0) + 1
        pull = PullRequest(
            number, title, body, head, base, self.repository.head(head), self.repository.head(base),
            login or self._author_of(head), now, now, draft, labels=list(labels),
        )  # fmt: skip
        self.pulls[number] = pull
        self._course.handle_push(pull)
        return pull

    def files(self, pull: PullRequest) -> set[str]:
        """Return the changed paths, compared with the merge base."""
        key = (pull.base_sha, pull.head_sha)
        changes = self._files.get(key)
        if changes is None:
            fork = self.repository.merge_base(*key)
            changes = self._files[key] = self.repository.changed(fork, pull.head_sha)
        return changes

    def new_id(self) -> int:
        """Return the next number of a review, a comment or a check."""
        self._ids += 1
        return self._ids

    def owners(self, pull: PullRequest) -> list[tuple[str, ...]]:
        """Return the owner sets of the changed files, by the CODEOWNERS of the base branch."""
        return self.codeowners(pull.base).sets_of(self.files(pull))

    def codeowners(self, branch: str) -> Owners:
        """Return the CODEOWNERS file of a branch; one that owns nothing if it has none."""
        commit = self.repository.head(branch)
        if commit != self._codeowners[0]:
            texts = (self.repository.read(commit, path) for path in PLACES)
            text = next((data.decode("utf-8", "replace") for data in texts if data is not None), "")
            self._codeowners = (commit, Owners(text))
        return self._codeowners[1]

    def standing(self, pull: PullRequest) -> Standing:
        """Return what still blocks a pull request."""
        owners = self.owners(pull)
        self._staff_teams(owners)
        return standing(pull, self.runs.get(pull.head_sha, ()), owners, self.teams, self.clock.now)

    def state_of(self, pull: PullRequest) -> str:
        """Return its `mergeable_state`."""
        return mergeable_state(pull, self.standing(pull)) if pull.closed is None else "unknown"

    def merge(
        self, pull: PullRequest, login: str, method: Method = "merge", *, expected: str = "", title: str = "",
        message: str = "", from_queue: bool = False,
    ) -> str:  # fmt: skip
        """Merge a pull request now, and return the merge commit.

        Raises:
            GitHubError: 405 when something is in the way, 409 when the head is another one than expected.
        """
        if pull.closed is not None:
            raise GitHubError(405, "Pull Request is not mergeable")
        if expected and expected != pull.head_sha:
            raise GitHubError(409, "Head branch was modified. Review and try the merge again.")
        wrong = obstacle(pull, self.standing(pull))
        if wrong:
            raise GitHubError(405, wrong)
        self.queue.refuse_others(from_queue=from_queue)
        text = self._merge_text(pull, method, title, message)
        try:
            commit = self.repository.merge(
                pull.base, pull.head_sha, text, at=self.clock.wall(), method=method, author=self.people.get(login, "")
            )
        except MergeConflictError:
            pull.mergeable = False
            raise GitHubError(405, "Pull Request is not mergeable") from None
        now = self.clock.now
        pull.merge_commit, pull.merged_by = commit, login
        pull.merged = pull.closed = pull.updated = now
        pull.auto_merge, pull.requested_users, pull.requested_teams, pull.queued_by = None, [], [], ""
        self.notify_of_push()
        return commit

    def notify_of_push(self) -> None:
        """Notify the listeners of a push."""
        for listener in self.on_push:
            listener()

    def enable_auto_merge(self, pull: PullRequest, auto_merge: AutoMerge, expected: str = "") -> None:
        """Enable auto-merge.

        Raises:
            GitHubError: 422 when nothing is in its way, or nothing that could go away.
        """
        standing = self.standing(pull)
        if pull.closed is not None:
            raise GitHubError(422, "Pull request is closed")
        if expected and expected != pull.head_sha:
            raise GitHubError(422, "Head branch was modified. Review and try the merge again.")
        if pull.draft:
            raise GitHubError(422, "Pull request Pull request is in draft status")
        if pull.mergeable is False:
            raise GitHubError(422, "Pull request Pull request is in dirty status")
        if standing.free:
            raise GitHubError(422, "Pull request Pull request is in clean status")
        pull.auto_merge = auto_merge
        pull.updated = self.clock.now

    def close(self, pull: PullRequest, login: str = "") -> None:
        """Close a pull request without merging it."""
        if pull.closed is None:
            pull.closed = pull.updated = self.clock.now
            pull.auto_merge, pull.closed_by, pull.queued_by = None, login, ""

    def reopen(self, pull: PullRequest) -> None:
        """Reopen a closed pull request.

        Raises:
            GitHubError: 422 when it is merged, its branch is gone, or another one of the branch is open.
        """
        if pull.merged is not None:
            raise GitHubError(
                422, "Validation Failed", [_custom("state", "cannot be changed. The pull request is merged.")]
            )
        self._refuse_opening(pull.head, pull.base)
        pull.closed = None
        pull.updated = self.clock.now
        pull.head_sha = self.repository.head(pull.head)
        self._course.handle_push(pull)

    def ready(self, pull: PullRequest, *, draft: bool) -> None:
        """Convert a pull request to a draft, or mark it as ready for review."""
        was, pull.draft, pull.updated = pull.draft, draft, self.clock.now
        if was and not draft:
            self._course.ask_owners(pull)

    def review(self, pull: PullRequest, login: str, state: str, body: str = "") -> Review:
        """Record a review of the current head."""
        review = Review(self.new_id(), login, state, body, self.clock.now, pull.head_sha)
        pull.reviews.append(review)
        pull.requested_users = [one for one in pull.requested_users if one != login]
        pull.requested_teams = [one for one in pull.requested_teams if login not in self.teams.get(one, ())]
        pull.updated = self.clock.now
        return review

    def comment(self, pull: PullRequest, login: str, body: str) -> Comment:
        """Record a comment."""
        comment = Comment(self.new_id(), login, body, self.clock.now)
        pull.comments.append(comment)
        pull.updated = self.clock.now
        return comment

    def _refuse_opening(self, head: str, base: str) -> None:
        repository = self.repository
        if not repository.head(base):
            raise GitHubError(422, "Validation Failed", [_invalid("base")])
        if not repository.head(head):
            raise GitHubError(422, "Validation Failed", [_invalid("head")])
        if any(one.head == head and one.base == base and one.closed is None for one in self.pulls.values()):
            owner = self.name.partition("/")[0]
            raise GitHubError(
                422, "Validation Failed", [_custom("", f"A pull request already exists for {owner}:{head}.")]
            )
        if repository.contains(repository.head(base), repository.head(head)):
            raise GitHubError(422, "Validation Failed", [_custom("", f"No commits between {base} and {head}")])

    def _author_of(self, branch: str) -> str:
        name, _, _ = self.repository.author(self.repository.head(branch))
        return next((login for login, full in self.people.items() if full == name), OPERATOR)

    def _record_merged_pull(self, commit: str, parents: str, seconds: str, email: str, message: str) -> None:
        match = _MERGE_SUBJECT.match(message)
        if match is None:
            return
        base, head = parents.split()[:2]
        at = float(seconds) - self.clock.started_at.timestamp()
        lines = [line for line in message.splitlines()[1:] if line.strip()]
        title, login = (lines or [""])[0], email.partition("@")[0]
        login = login if login in self.people else OPERATOR
        pull = PullRequest(int(match[1]), title, "", f"sgm/{head[:12]}", "main", head, base, login, at - 2400.0, at)
        pull.closed = pull.merged = at
        pull.merge_commit, pull.merged_by, pull.mergeable = commit, login, None
        pull.labels = ["promotion"]
        self.pulls[pull.number] = pull

    def _restore(self) -> None:
        """Restore the pull requests of an earlier sandbox; those still open continue as if just pushed."""
        for pull in self._memory.recall():
            head = self.repository.head(pull.head)
            if pull.number in self.pulls or (pull.closed is None and not head):
                continue
            self.pulls[pull.number] = pull
            if pull.closed is None:
                pull.head_sha, pull.base_sha = head, self.repository.head(pull.base)
                self._course.handle_push(pull)

    def _follow_branches(self, heads: Mapping[str, str]) -> None:
        """Follow moved and deleted branches, and recompute mergeability where a base branch moved."""
        for pull in self.pulls.values():
            if pull.closed is not None:
                continue
            head, base = heads.get(pull.head, ""), heads.get(pull.base, "")
            if not head:
                self.close(pull)
            elif head != pull.head_sha:
                pull.head_sha, pull.base_sha, pull.updated = head, base, self.clock.now
                self._course.handle_push(pull)
            elif base != pull.base_sha:
                pull.base_sha = base
                self._course.recompute_mergeability(pull)

    def _merge_text(self, pull: PullRequest, method: Method, title: str, message: str) -> str:
        owner = self.name.partition("/")[0]
        if method == "merge":
            subject = title or f"Merge pull request #{pull.number} from {owner}/{pull.head}"
            return f"{subject}\n\n{message or pull.title}\n"
        subject = title or f"{pull.title} (#{pull.number})"
        return f"{subject}\n\n{message or self.repository.message(pull.head_sha)}\n"

    def _staff_teams(self, owners: Sequence[tuple[str, ...]]) -> None:
        """Give every named team two members, always the same."""
        everybody = sorted(set(self.people) - {OPERATOR})
        for owner in (one for each in owners for one in each):
            slug = owner.partition("/")[2]
            if slug and slug not in self.teams:
                self.teams[slug] = random.Random(slug).sample(everybody, 2)

    def team(self, slug: str) -> list[str]:
        """Return the members of a team."""
        self._staff_teams([(f"@{self.name.partition('/')[0]}/{slug}",)])
        return self.teams[slug]


def _invalid(field: str) -> dict[str, str]:
    return {"resource": "PullRequest", "field": field, "code": "invalid"}


def _custom(field: str, message: str) -> dict[str, str]:
    named = {"field": field} if field else {}
    return {"resource": "PullRequest", "code": "custom", **named, "message": message}
