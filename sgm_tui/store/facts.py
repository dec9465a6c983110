"""Everything known about one cell, put together for `fleet.join`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sgm_tui.fleet.cell import CellFacts
from sgm_tui.fleet.desired import Desired, DesiredState
from sgm_tui.fleet.facts import Application
from sgm_tui.fleet.model import CellKey, Fleet, Version
from sgm_tui.fleet.policy import Policy
from sgm_tui.fleet.soak import required_soak
from sgm_tui.fleet.source import SourceHealth, SourceId
from sgm_tui.store.reports import Reports
from sgm_tui.store.source_health import SourceHealthBoard, filter_decisive, filter_relevant

_GIT = SourceId("git")


@dataclass(frozen=True, slots=True)
class FactSources:
    """What the facts of a cell are taken from."""

    fleet: Fleet
    policy: Policy
    reports: Reports
    health: SourceHealthBoard
    troubled: tuple[SourceHealth, ...]
    """The sources that are stale or have not answered yet."""
    staged: Mapping[CellKey, Version]
    """The versions the plan stages."""


def collect_facts(key: CellKey, sources: FactSources) -> CellFacts | None:
    """Return everything known about a cell; None if neither git nor an Application nor a Rollout has it."""
    reports, fleet, policy = sources.reports, sources.fleet, sources.policy
    desired = reports.desired.cells.get(key)
    application = reports.applications.of(key)
    rollout = reports.rollouts.get(key)
    if desired is None and application is None and rollout is None:
        return None
    cluster, alerts = fleet.cluster(key.cluster), reports.alerts.get(SourceId("alerts", key.cluster), ())
    relevant = filter_relevant(sources.troubled, reports.applications.hub_of(key), key)
    decisive = next(iter(filter_decisive(relevant, "stale")), None)
    awaited = tuple(health.name for health in filter_decisive(relevant, "waiting"))
    return CellFacts(
        key=key,
        location=cluster.location if cluster else "",
        desired=desired,
        desired_as_of=_last_read_at(reports.desired, sources.health.get(_GIT)) if desired else None,
        synced=_is_synced(reports, application, desired, sources.health),
        deployed=_contains(reports.desired, application.deployed_revision, desired) if application else None,
        elsewhere=_other_revision(reports.desired, application),
        application=application,
        drifted_before=reports.applications.drifted_before(key),
        missing_since=reports.applications.missing.get(key),
        missing_rollout=rollout is None and key in reports.cells_with_rollouts,
        rollout=rollout,
        scaling=reports.scaling.get(key),
        metrics=reports.metrics.get(key),
        error_ratio_max=policy.error_ratio_max(key.stage, key.service),
        alerts=tuple(alert for alert in alerts if alert.service == key.service),
        pending=reports.pending.get(key, ()),
        staged=sources.staged.get(key),
        soak=required_soak(fleet, policy, reports.desired.cells, key),
        stale=tuple(health.name for health in relevant if health.state == "stale"),
        stale_since=decisive.since if decisive else None,
        stale_reason=f"{decisive.name}: {decisive.short_reason}" if decisive else "",
        loading=bool(awaited),
        awaited=awaited,
    )


def _last_read_at(state: DesiredState, git: SourceHealth | None) -> datetime | None:
    """Return when the git server last answered; before its first answer, when the cached state was fetched."""
    return (git.seen_at if git is not None else None) or state.fetched_at


def _other_revision(desired: DesiredState, application: Application | None) -> str:
    """Return what an Application follows instead of the branch, "" if it follows it; HEAD counts as the branch."""
    follows = application.follows if application is not None else ""
    return "" if follows.removeprefix("refs/heads/") in {"", "HEAD", desired.branch} or not desired.branch else follows


def _contains(state: DesiredState, revision: str, desired: Desired | None) -> bool | None:
    """Whether a revision contains the desired version of a cell; None if either is unknown."""
    return state.contains(revision, desired) if desired is not None and revision else None


def _is_synced(
    reports: Reports, application: Application | None, desired: Desired | None, health: Iterable[SourceHealth]
) -> bool | None:
    """Whether Argo CD has synced the desired version; None if that is unknown.

    A cell of git without an Application is not synced, which is only known while a hub that lists all answers.
    """
    if application is not None:
        return _contains(reports.desired, application.revision, desired)
    is_answering = any(
        source.state == "fresh" and source.source.kind == "argocd" and reports.applications.lists_all(source.source)
        for source in health
    )
    return False if is_answering and desired is not None else None
