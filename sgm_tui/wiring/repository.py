"""The clone of the GitOps repository, and everything that reads it."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.model import Cluster, ClusterName, Fleet, Stage, StageName
from sgm_tui.threads import Lane, run_in
from sgm_tui.wiring.directories import make_clone_directory

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.gitops.repository import Repository
    from sgm_tui.gitops.source import GitSource
    from sgm_tui.gitops.tree import Tree
    from sgm_tui.gitops.unrelated_changes import UnrelatedChangeReader
    from sgm_tui.permission import WritePermission

logger = logging.getLogger("sgm")


@dataclass(frozen=True, slots=True)
class ClonedRepository:
    """The clone, and what reads it."""

    repository: Repository
    tree: Tree
    unrelated_changes: UnrelatedChangeReader
    source: GitSource

    def is_service(self, name: str) -> bool:
        """Return whether git deploys a service of that name, as far as it has been read."""
        state = self.source.state
        return state is not None and any(key.service == name for key in state.cells)


async def clone_repository(
    config: Config, permission: WritePermission, token: str, stack: contextlib.AsyncExitStack
) -> ClonedRepository:
    """Make the clone's readers; nothing is fetched before the source runs. A temporary clone goes with `stack`.

    Raises:
        ConfigError: there is no directory for the clone.
    """
    from sgm_tui.forge.token import may_send_to
    from sgm_tui.gitops.changed_stages import ChangedStages
    from sgm_tui.gitops.repository import Repository
    from sgm_tui.gitops.source import GitSource
    from sgm_tui.gitops.tree import Tree
    from sgm_tui.gitops.unrelated_changes import UnrelatedChangeReader

    clones, temporary = await run_in(Lane.CREDENTIALS, make_clone_directory, config, read_only=permission.read_only)
    if temporary:
        stack.push_async_callback(run_in, Lane.RECORDS, shutil.rmtree, clones, ignore_errors=True)
    git_token = token if may_send_to(config.repository.url, config) else ""
    tree = Tree(config)
    repository = Repository(config.repository.url, config.repository.branch, clones, token=lambda: git_token)
    repository.permission = permission
    unrelated_changes = UnrelatedChangeReader(config, tree, repository)
    changed_stages = ChangedStages(fleet_of(config), tree, repository, unrelated_changes)
    permission.protected_stages_of = changed_stages.protected_by
    return ClonedRepository(repository, tree, unrelated_changes, GitSource(repository, tree, config))


def fleet_of(config: Config) -> Fleet:
    """Return the configured stages and clusters, in column order."""
    stages = tuple(Stage(StageName(stage.name), stage.protected) for stage in config.stages)
    clusters = tuple(Cluster(ClusterName(one.name), StageName(one.stage), one.location) for one in config.clusters)
    return Fleet(stages, clusters)


def read_token(config: Config) -> str:
    """Return GitHub's token; "" where no GitHub repository is configured, or there is no token.

    Raises:
        UnreachableError: the file or program that has it cannot be read.
    """
    from sgm_tui.forge.token import github_token

    return github_token(config, os.environ) if config.github.repository else ""


def read_token_or_none(config: Config) -> str:
    """Return the token as far as there is one: only GitHub misses it, and its source then says why it is missing."""
    try:
        return read_token(config)
    except UnreachableError as error:
        logger.info("no token: %s", error.message)
        return ""
