"""Who must approve a pull request of the embedded GitHub: the owners of its changed files, and their teams."""

from __future__ import annotations

import random
from collections.abc import Iterable

from sgm_tui.fleet.codeowners import PLACES, Owners
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.github.pulls import PullRequest


class Reviewers:
    """The code owners of one repository and the members of its teams."""

    def __init__(self, repository: Repository, logins: Iterable[str]) -> None:
        self._repository = repository
        self._logins = sorted(logins)
        """Everybody who can be a member of a team."""
        self._files: dict[tuple[str, str], set[str]] = {}
        self._codeowners: tuple[str, Owners] = ("", Owners(""))
        """The commit whose CODEOWNERS file was read last, and its owners."""
        self.teams: dict[str, list[str]] = {}
        """The members of each team that an owner or a request names, by its slug."""

    def files(self, pull: PullRequest) -> set[str]:
        """Return the changed paths, compared with the merge base."""
        key = (pull.base_sha, pull.head_sha)
        changes = self._files.get(key)
        if changes is None:
            fork = self._repository.merge_base(*key)
            changes = self._files[key] = self._repository.changed(fork, pull.head_sha)
        return changes

    def owners(self, pull: PullRequest) -> list[tuple[str, ...]]:
        """Return the owner sets of the changed files, by the CODEOWNERS of the base branch.

        Each set has to approve. Teams that are named for the first time get their members.
        """
        owners = self._read_codeowners(pull.base).sets_of(self.files(pull))
        self._add_members(slug for owner_set in owners for owner in owner_set if (slug := owner.partition("/")[2]))
        return owners

    def team(self, slug: str) -> list[str]:
        """Return the members of a team."""
        self._add_members([slug])
        return self.teams[slug]

    def _read_codeowners(self, branch: str) -> Owners:
        """Return the CODEOWNERS file of a branch; one that owns nothing if it has none."""
        commit = self._repository.head(branch)
        if commit != self._codeowners[0]:
            texts = (self._repository.read(commit, path) for path in PLACES)
            text = next((data.decode("utf-8", "replace") for data in texts if data is not None), "")
            self._codeowners = (commit, Owners(text))
        return self._codeowners[1]

    def _add_members(self, slugs: Iterable[str]) -> None:
        """Give every new team two members, always the same for the same name."""
        for slug in slugs:
            if slug not in self.teams:
                self.teams[slug] = random.Random(slug).sample(self._logins, 2)
