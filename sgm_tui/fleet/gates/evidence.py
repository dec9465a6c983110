"""What the gates need and no source watches: `operations.evidence` collects it once for a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sgm_tui.fleet.argo.windows import Window
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change


@dataclass(frozen=True, slots=True)
class ProjectPermission:
    """Whether the AppProject allows the Application of a cell."""

    allowed: bool | None
    """None where it is unknown; `reason` says why."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProjectOrigin:
    """Where the AppProject of a cell was read, and whether git has the same."""

    where: str
    """The hub's context, or "git"."""
    why: str = ""
    """Why git's was used: the error of the hub, or that it did not respond; "" where the hub's was used."""
    missing: bool = False
    """Git has an AppProject that the hub does not have."""
    permission_differs: bool = False
    windows_differ: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was looked up; what is missing was not looked up yet, and never counts as passed."""

    images: Mapping[str, bool | str] = field(default_factory=dict)
    """`image_of(change)`, or just a version → True when the registry has it, False when it does not, or
    why that is unknown."""
    projects: Mapping[CellKey, ProjectPermission] = field(default_factory=dict)
    """Whether the AppProjects allow each cell's repository, destination and namespace."""
    windows: Mapping[CellKey, tuple[Window, ...] | str] = field(default_factory=dict)
    """The sync windows that apply to each cell, or why they are unknown."""
    read: Mapping[CellKey, ProjectOrigin] = field(default_factory=dict)
    """Where the AppProject of each cell was read; no entry where no hub is configured and git's is used."""
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path → its owners by CODEOWNERS, at the head of the branch."""
    off: Mapping[str, str] = field(default_factory=dict)
    """Gate → why it cannot be checked (its source is not configured): a warning, unless the policy names the gate."""
    quarantined: Mapping[CellKey, Mapping[Version, str]] | None = None
    """Cell → quarantined version → why: it was reverted there, or marked as known bad."""


def image_of(change: Change) -> str:
    """Return the key of a change in `Evidence.images`: the file identifies the image, the version its tag."""
    return f"{change.path}:{change.to_version}"
