"""Plan promotions: the changes that a key press or a command stages, or why they are refused.

A promotion takes the desired version of the previous stage, never the live one: what is not in git cannot be promoted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.model import CellKey, ServiceName, StageName, Version, is_version
from sgm_tui.fleet.plans.plan import Change, Refusal, StagingResult
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.versions import is_older
from sgm_tui.untrusted_text import clean


def plan_promotion(
    snapshot: FleetSnapshot, key: CellKey, version: Version | None = None, source: StageName | None = None
) -> Change | Refusal:
    """Plan the promotion of `version` into a cell; by default that of `source`, or else of the previous stage.

    Where the cell's file serves its whole stage, the change moves every cell of that stage.
    """
    cell = snapshot.cells.get(key)
    desired = cell.facts.desired if cell else None
    if cell is None or desired is None:
        if silence := snapshot.silence_reason("git"):
            return Refusal("", f"whether {key.service} is in git for {key.cluster} is unknown: {silence}")
        return Refusal("", f"{key.service} is not in git for {key.cluster}: there is no file to change")
    if desired.version is None:
        return Refusal(desired.path, desired.error or "the version there cannot be read")
    if version is None:
        source_version = _find_source_version(snapshot, key, source)
        if isinstance(source_version, Refusal):
            return source_version
        version = source_version
    elif not is_version(version):
        return Refusal(desired.path, f"{clean(version)!r} is not an image tag or digest")
    if version == desired.version:
        return Refusal(desired.path, f"already at {version}, nothing to promote", nothing=True)
    return Change(
        kind="promotion",
        service=key.service,
        stage=key.stage,
        cluster=None if desired.whole_stage else key.cluster,
        path=desired.path,
        key=desired.key,
        from_version=desired.version,
        to_version=version,
        cells=cells_of_file(snapshot, cell),
    )


def plan_promotions(
    snapshot: FleetSnapshot,
    keys: Iterable[CellKey],
    version: Version | None = None,
    source: StageName | None = None,
) -> StagingResult:
    """Plan promotions into many cells: one change for each file, however many of its cells are selected."""
    changes: dict[tuple[str, str], Change] = {}
    refusals: list[Refusal] = []
    for key in keys:
        change = plan_promotion(snapshot, key, version, source)
        if isinstance(change, Change):
            changes[change.path, change.key] = change
        else:
            where = str(key)
            refusals.append(change if change.path else replace(change, path=where))
    return StagingResult(tuple(changes.values()), tuple(dict.fromkeys(refusals)))


def promotable_cells(snapshot: FleetSnapshot, service: ServiceName) -> tuple[CellKey, ...]:
    """Return the cells of a service that a promotion along its stages changes: all but those of the first stage."""
    return tuple(key for stage in snapshot.fleet.stages[1:] for key in cells_of(snapshot, stage.name, service=service))


def find_cells_behind(snapshot: FleetSnapshot, stage: StageName) -> tuple[CellKey, ...]:
    """Return every cell of a stage that is behind the previous stage.

    A cell that is ahead (a hotfix) is not behind. Versions that have no order are behind where they differ.
    """
    promotions = (plan_promotion(snapshot, key) for key in cells_of(snapshot, stage))
    forward = (one for one in promotions if isinstance(one, Change) and not is_older(one.to_version, one.from_version))
    moved = {key for change in forward for key in change.cells}
    return tuple(key for key in cells_of(snapshot, stage) if key in moved)


def cells_of(
    snapshot: FleetSnapshot,
    stage: StageName,
    *,
    service: ServiceName | None = None,
    clusters: Iterable[str] = (),
    location: str = "",
) -> tuple[CellKey, ...]:
    """Return the cells of a stage, or only those of a service, some clusters or a location, in matrix order."""
    names = frozenset(clusters)
    columns = [
        cluster.name
        for cluster in snapshot.fleet.clusters_of(stage)
        if (not names or cluster.name in names) and (not location or cluster.location == location)
    ]
    services = snapshot.services if service is None else (service,)
    keys = (CellKey(name, stage, cluster) for name in services for cluster in columns)
    return tuple(key for key in keys if key in snapshot.cells)


def cells_of_file(snapshot: FleetSnapshot, cell: Cell) -> tuple[CellKey, ...]:
    """Return every cell that an edit of this cell's file changes."""
    desired = cell.facts.desired
    if desired is None or not desired.whole_stage:
        return (cell.key,)
    keys = cells_of(snapshot, cell.key.stage, service=cell.key.service)
    return tuple(key for key in keys if _has_file(snapshot.cells[key], desired.path))


def _has_file(cell: Cell, path: str) -> bool:
    return cell.facts.desired is not None and cell.facts.desired.path == path


def _find_source_version(snapshot: FleetSnapshot, key: CellKey, source: StageName | None) -> Version | Refusal:
    if source is None:
        before = snapshot.fleet.stage_before(key.stage)
        if before is None:
            return Refusal("", f"{key.stage} is the first stage: the build promotes into it")
        source = before.name
    cells = (snapshot.cells[one] for one in cells_of(snapshot, source, service=key.service))
    versions = {cell.desired_version for cell in cells if cell.desired_version is not None}
    if not versions and (silence := snapshot.silence_reason("git")):
        return Refusal("", f"the version of {key.service} in {source} is unknown: {silence}")
    if not versions:
        return Refusal("", f"{key.service} is not deployed in {source}, so there is no version to promote")
    if len(versions) > 1:
        both = ", ".join(sorted(versions))
        return Refusal("", f"{source} has several versions of {key.service} ({both}): choose one")
    return versions.pop()
