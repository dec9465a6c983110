"""Which AppProject counts for a cell: the hub's, by which Argo CD goes now, or git's where the hub cannot be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sgm_tui.fleet.argo.objects import AppProject, ArgoObjects, read_object
from sgm_tui.fleet.facts import Application as Live
from sgm_tui.fleet.gates.evidence import ProjectOrigin
from sgm_tui.fleet.model import CellKey
from sgm_tui.operations.platform import Platform, Project
from sgm_tui.untrusted_text import clean


class Hubs(Protocol):
    """Where AppProjects are read as Argo CD has them."""

    async def read(self, hub: str, name: str) -> Mapping[str, Any] | str | None:
        """The manifest; None: there is none of that name; or why nobody knows."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The project of one cell, and where it was read."""

    project: Project
    read: ProjectOrigin | None = None
    """None where there is no hub to ask."""


async def find_effective_projects(
    platform: Platform, cells: Sequence[CellKey], lives: Mapping[CellKey, Live | None], hubs: Hubs | None, only: str
) -> dict[CellKey, Found]:
    """The project of every cell.

    Args:
        platform: what git says.
        cells: whose.
        lives: the Applications as Argo CD has them.
        hubs: None where none is configured.
        only: the hub, where there is but one.
    """
    names = {key: platform.project_name(key, lives.get(key)) for key in cells}
    if hubs is None:
        return {key: Found(_of_git(platform, name)) for key, name in names.items()}
    asked = {key: (_hub(lives.get(key)) or only, name) for key, name in names.items()}
    wanted = sorted({one for one in asked.values() if all(one)})
    answers = await asyncio.gather(*(hubs.read(*one) for one in wanted))
    found = {one: _judged(platform, *one, answer) for one, answer in zip(wanted, answers, strict=True)}
    unasked = ProjectOrigin("git", "the hub of its Application is unknown")
    return {key: found.get(one, Found(_of_git(platform, one[1]), unasked)) for key, one in asked.items()}


def _hub(live: Live | None) -> str:
    return live.hub if live is not None else ""


def _judged(platform: Platform, hub: str, name: str, answer: Mapping[str, Any] | str | None) -> Found:
    of_git = _of_git(platform, name)
    if answer is None:
        return Found(Project(name, None, f"on {hub}"), ProjectOrigin(hub, missing=of_git.value is not None))
    live = answer if isinstance(answer, str) else _project(answer)
    if isinstance(live, str):
        return Found(of_git, ProjectOrigin("git", live))
    other = of_git.value
    return Found(
        Project(name, live, f"on {hub}"),
        ProjectOrigin(
            hub,
            permission_differs=other is not None and _permission(live) != _permission(other),
            windows_differ=other is not None and _windows(live) != _windows(other),
        ),
    )


def _of_git(platform: Platform, name: str) -> Project:
    return Project(name, platform.projects.get(name), "in git")


def _project(manifest: Mapping[str, Any]) -> AppProject | str:
    objects = ArgoObjects()
    read_object(manifest, "the hub", objects)
    if objects.malformed:
        return f"the hub's AppProject cannot be read: {clean(objects.malformed[0].message)}"
    return objects.projects[0]


def _permission(one: AppProject) -> object:
    """What decides where its Applications may come from and go to, wherever it is written."""
    return one.source_repos, [(rule.server, rule.name, rule.namespace) for rule in one.destinations]


def _windows(one: AppProject) -> object:
    """What decides when they may be synced."""
    return [
        (
            window.kind, window.schedule, window.duration, window.applications, window.namespaces, window.clusters,
            window.manual_sync, window.time_zone, window.and_operator,
        )
        for window in one.windows
    ]  # fmt: skip
