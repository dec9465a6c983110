"""The desired state: the version of every cell at the head of the branch, and the commit that set it.

Argo CD moves `status.sync.revision` of every Application at every commit, touched or not, so "has Argo CD seen
this change?" is decided by position in the branch's first-parent history, never by equality (protocols §J).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sgm_tui.fleet.model import CellKey, ServiceName, Version

_NAMED = 3
"""The number of ignored folders that a note names."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state of one cell."""

    path: str
    """The file that has the version, relative to the root of the repository."""
    key: str
    """The dotted key of the version inside that file."""
    version: Version | None
    """None when the file cannot be read; `error` then says why."""
    revision: str = ""
    """The first-parent commit that last touched the cell's files."""
    position: int = 0
    """Index of that commit in the branch's first-parent history, oldest 0."""
    author: str = ""
    subject: str = ""
    committed_at: datetime | None = None
    error: str = ""
    whole_stage: bool = False
    """The file serves every cluster of the stage, so an edit of it moves them all."""


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The whole repository at one commit."""

    revision: str
    branch: str
    cells: Mapping[CellKey, Desired] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)
    """Commit id → index in first-parent history, oldest 0; long enough to place every synced revision."""
    committed_at: datetime | None = None
    subject: str = ""
    author: str = ""
    releases: Mapping[ServiceName, frozenset[Version]] = field(default_factory=dict)
    """Every version that git has ever had of each service, as far as history has been read."""
    fetched_at: datetime | None = None
    """When it was fetched, where it comes from the clone because the server has not responded yet."""
    invalid_services: tuple[str, ...] = ()
    """Folders in the place of a service whose names are not valid in Kubernetes; they have no cells."""

    def changed_cells(self, before: DesiredState) -> set[CellKey]:
        """Return the cells whose desired state differs from before, and every other cell of their services.

        The other cells may soak for a stage that has the version now.
        """
        keys = before.cells.keys() | self.cells.keys()
        services = {key.service for key in keys if before.cells.get(key) != self.cells.get(key)}
        return {key for key in keys if key.service in services}

    @property
    def note(self) -> str:
        """A remark about the repository although it could be read; "" where there is none."""
        if not self.invalid_services:
            return ""
        named = ", ".join(self.invalid_services[:_NAMED]) + (", …" if len(self.invalid_services) > _NAMED else "")
        return f"not shown: {named}: not a valid Kubernetes service name (sgm lint)"

    def contains(self, revision: str, desired: Desired) -> bool | None:
        """Return whether `revision` includes the commit that set `desired`; None where the revision is unknown."""
        position = self.positions.get(revision)
        return None if position is None else position >= desired.position
