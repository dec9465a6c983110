"""Find the protected stages a commit changes; the transports compare them with the consent a person gave."""

from __future__ import annotations

from sgm_tui.fleet.model import Fleet, StageName
from sgm_tui.fleet.pull_request_actions import protected_stages
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.tree import Tree
from sgm_tui.gitops.unrelated_changes import UnrelatedChangeReader


class ChangedStages:
    """Compares commits with the main branch by the rule the screens use: a shared file belongs to every stage."""

    def __init__(
        self, fleet: Fleet, tree: Tree, repository: Repository, unrelated_changes: UnrelatedChangeReader
    ) -> None:
        self._fleet = fleet
        self._tree = tree
        self._repository = repository
        self._besides = unrelated_changes

    def protected_by(self, commit: str) -> tuple[StageName, ...]:
        """Return the protected stages that merging a commit changes; all of them if the clone does not contain it.

        Raises:
            UnreachableError: the clone cannot be read.
        """
        proposes = self._tree.proposals(self._repository, commit)
        return protected_stages((key.stage for key, _ in proposes), self._besides.of(commit), self._fleet)
