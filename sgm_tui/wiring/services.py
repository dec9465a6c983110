"""GitHub, the registry, and everything that writes, on one repository."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from sgm_tui.errors import SgmError
from sgm_tui.fleet.model import ClusterName
from sgm_tui.session import WriteServices
from sgm_tui.threads import Lane, run_in
from sgm_tui.wiring.directories import fleet_directory
from sgm_tui.wiring.repository import ClonedRepository, read_token

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.forge.github import GithubForge
    from sgm_tui.forge.registry import Registry
    from sgm_tui.gitops.history import History
    from sgm_tui.operations.audit import Audit
    from sgm_tui.operations.commit_reader import CommitReader
    from sgm_tui.operations.evidence import Investigator
    from sgm_tui.operations.reverter import Reverter
    from sgm_tui.operations.rollout_actions import RolloutActions
    from sgm_tui.permission import WritePermission
    from sgm_tui.sources import Source
    from sgm_tui.store.fleet_store import Store
    from sgm_tui.wiring.clusters import ClusterConnections

_FETCHED_SECONDS = 10.0
"""How long pull requests wait for what has been pushed since the clone was there last."""


def connect_github(config: Config, permission: WritePermission, token: str) -> GithubForge | None:
    """Return the client of the configured GitHub repository; None where none is configured."""
    from sgm_tui.forge.github import GithubForge
    from sgm_tui.forge.token import why_no_token

    if not config.github.repository:
        return None
    return GithubForge(
        config,
        token,
        read_token=lambda: read_token(config),
        permission=permission,
        why_unsent=lambda: why_no_token(config, os.environ),
    )


def pull_request_source(config: Config, forge: GithubForge, clone: ClonedRepository) -> Source:
    """Return the source of pull requests; it reads from the clone what each of them would change."""
    from sgm_tui.forge.source import PullRequestSource

    return PullRequestSource(
        forge,
        lambda head: clone.tree.proposals(clone.repository, head),
        lambda commit: clone.tree.versions_changed_by(clone.repository, commit),
        clone.unrelated_changes.of,
        config.github.interval_seconds,
        lambda: _wait_for_first_fetch(clone),
    )


async def _wait_for_first_fetch(clone: ClonedRepository) -> None:
    """Wait until the clone has been fetched: a new pull request's commits are not in it before.

    A server that hangs delays only those for long who have no clone at all.
    """
    try:
        await run_in(Lane.GIT_READS, clone.repository.head)
    except SgmError:
        await clone.source.first_attempt.wait()
    else:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FETCHED_SECONDS):
                await clone.source.first_attempt.wait()


def build_write_services(
    config: Config, clone: ClonedRepository, forge: GithubForge | None, connections: ClusterConnections, store: Store
) -> WriteServices:
    """Return everything that writes."""
    from sgm_tui.forge.registry import Registry
    from sgm_tui.gitops.history import History
    from sgm_tui.operations.audit import Audit
    from sgm_tui.operations.available_versions import list_available_versions
    from sgm_tui.operations.commit_reader import CommitReader
    from sgm_tui.operations.journal import Journal
    from sgm_tui.operations.plan_file import PlanFile
    from sgm_tui.operations.planning import Planning
    from sgm_tui.operations.promoter import Promoter
    from sgm_tui.operations.pull_requests import PullRequests
    from sgm_tui.operations.recovery import Recovery
    from sgm_tui.operations.removed_steps import RemovedSteps
    from sgm_tui.operations.waves import Waves

    directory, locks = fleet_directory(config), fleet_directory(config) / "locks"
    repository = clone.repository
    journal, audit = Journal(directory / "journal.jsonl"), Audit(directory / "audit.jsonl")
    history, commits = History(config, repository), CommitReader(config, repository)
    registry = Registry(config.registry) if config.registry.url else None
    reverter = _reverter(config, clone, history, audit, commits, forge)
    investigator = _investigator(config, clone, connections, registry, commits)
    lookups = (investigator, reverter, RemovedSteps(config, repository, history))
    promoter = Promoter(config, repository, forge, journal, audit, *lookups, locks=locks)
    return WriteServices(
        config=config,
        planning=Planning(PlanFile(directory / "plan.json"), store.set_plan),
        promoter=promoter,
        reverter=reverter,
        recovery=Recovery(repository, forge, journal, audit, promoter, lambda: store.snapshot, locks=locks),
        waves=Waves(directory / "waves.json", promoter),
        audit=audit,
        pulls=None if forge is None else PullRequests(forge, journal, audit, locks),
        rollouts=_rollout_actions(connections, audit),
        versions=list_available_versions(history, registry, lambda: store.snapshot),
    )


def _investigator(
    config: Config,
    clone: ClonedRepository,
    connections: ClusterConnections,
    registry: Registry | None,
    commits: CommitReader,
) -> Investigator:
    from sgm_tui.live.projects import ProjectReader
    from sgm_tui.operations.evidence import Investigator

    projects = ProjectReader(connections.hubs) if connections.hubs else None
    return Investigator(config, clone.repository, registry, projects, commits)


def _rollout_actions(connections: ClusterConnections, audit: Audit) -> RolloutActions:
    from sgm_tui.live.rollout_actor import RolloutActor
    from sgm_tui.operations.rollout_actions import RolloutActions

    actors = {ClusterName(name): connection for name, connection in connections.clusters.items()}
    return RolloutActions({name: RolloutActor(connection, name) for name, connection in actors.items()}, audit)


def _reverter(
    config: Config,
    clone: ClonedRepository,
    history: History,
    audit: Audit,
    commits: CommitReader,
    forge: GithubForge | None,
) -> Reverter:
    from sgm_tui.live.health import HealthHistory
    from sgm_tui.operations.known_bad import KnownBad
    from sgm_tui.operations.pod_templates import PodTemplates
    from sgm_tui.operations.pull_request_marks import PullRequestMarks
    from sgm_tui.operations.reverter import Reverter

    known_bad = KnownBad(fleet_directory(config) / "known-bad.json")
    pods = PodTemplates(config, clone.repository, history, commits)
    pull_request_marks = PullRequestMarks(history, forge) if forge is not None else None
    return Reverter(history, pods, known_bad, audit, HealthHistory(config), pull_request_marks)
