"""What a key press means: the change that `p` on a cell stages, or why there is none."""

from __future__ import annotations

from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.model import CellKey, StageName, Version
from sgm_tui.fleet.plan import Change, Refusal
from sgm_tui.fleet.snapshot import FleetSnapshot


def promotion_into(snapshot: FleetSnapshot, key: CellKey, version: Version | None = None) -> Change | Refusal:
    """The promotion of `version` (the one git wants in the stage before, when not given) into a cell.

    Where the cell's file serves its whole stage, the change moves every cell of that stage.
    """
    cell = snapshot.cells.get(key)
    desired = cell.facts.desired if cell else None
    if cell is None or desired is None:
        return Refusal("", f"{key.service} is not in git for {key.cluster}: there is no file to change")
    if desired.version is None:
        return Refusal(desired.path, desired.error or "the version there cannot be read")
    if version is None:
        found = _version_before(snapshot, key)
        if isinstance(found, Refusal):
            return found
        version = found
    if version == desired.version:
        return Refusal(desired.path, f"already at {version}: nothing to promote")
    moved = _cells_of_file(snapshot, cell)
    return Change(
        kind="promotion",
        service=key.service,
        stage=key.stage,
        cluster=None if desired.whole_stage else key.cluster,
        path=desired.path,
        key=desired.key,
        from_version=desired.version,
        to_version=version,
        cells=moved,
    )


def _version_before(snapshot: FleetSnapshot, key: CellKey) -> Version | Refusal:
    before = snapshot.fleet.stage_before(key.stage)
    if before is None:
        return Refusal("", f"{key.stage} is the first stage: new versions come to it from the build")
    versions = _desired_versions(snapshot, key, before.name)
    if not versions:
        return Refusal("", f"{key.service} is not deployed in {before.name}, so there is no version to promote")
    if len(versions) > 1:
        both = ", ".join(sorted(versions))
        return Refusal("", f"{before.name} wants several versions of {key.service} ({both}): choose one")
    return versions.pop()


def _desired_versions(snapshot: FleetSnapshot, key: CellKey, stage: StageName) -> set[Version]:
    keys = (CellKey(key.service, stage, cluster.name) for cluster in snapshot.fleet.clusters_of(stage))
    cells = (snapshot.cells[one] for one in keys if one in snapshot.cells)
    return {cell.desired_version for cell in cells if cell.desired_version is not None}


def _cells_of_file(snapshot: FleetSnapshot, cell: Cell) -> tuple[CellKey, ...]:
    desired = cell.facts.desired
    if desired is None or not desired.whole_stage:
        return (cell.key,)
    keys = (CellKey(cell.key.service, cell.key.stage, one.name) for one in snapshot.fleet.clusters_of(cell.key.stage))
    return tuple(key for key in keys if key in snapshot.cells)
