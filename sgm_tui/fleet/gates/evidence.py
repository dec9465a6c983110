"""What the gates need and no source watches: looked up once for a plan by `operations.evidence`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sgm_tui.fleet.argo.windows import Window
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change


@dataclass(frozen=True, slots=True)
class ProjectPermission:
    """Whether an AppProject lets the Application of a cell be what it is."""

    allowed: bool | None
    """None: it cannot be told, `reason` says why."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProjectOrigin:
    """Where the AppProject of a cell was read, and whether git says the same."""

    where: str
    """The hub's context, or "git"."""
    why: str = ""
    """Why git's was taken: what the hub said, or that it did not answer."""
    missing: bool = False
    """Git has one that the hub does not have."""
    permission_differs: bool = False
    windows_differ: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was looked up; what is not in here was not looked up yet, and nothing of it counts as passed."""

    images: Mapping[str, bool | str] = field(default_factory=dict)
    """`image_of(change)`, or just a version → True when the registry has it, False when it has not, or why nobody
    knows."""
    projects: Mapping[CellKey, ProjectPermission] = field(default_factory=dict)
    """What the AppProjects say of each cell's repository, destination and namespace."""
    windows: Mapping[CellKey, tuple[Window, ...] | str] = field(default_factory=dict)
    """The sync windows that speak of each cell, or why they are not known."""
    read: Mapping[CellKey, ProjectOrigin] = field(default_factory=dict)
    """Where the AppProject of each cell was read; missing where no hub is configured: then it is git's."""
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path → who CODEOWNERS names for it, at the head of the branch."""
    off: Mapping[str, str] = field(default_factory=dict)
    """Gate → why nobody can look (nothing is configured to ask): said, and stops only where the policy names it."""
    held: Mapping[CellKey, Mapping[Version, str]] | None = None
    """Versions that must not come (back) to a cell, each with why: reverted there, or marked as known bad."""


def image_of(change: Change) -> str:
    """What names the image of a change in `Evidence.images`: the file says whose, the version which."""
    return f"{change.path}:{change.to_version}"
