"""Plan the revert of the last promotion of a stage: for each selected cell the change, or why it stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sgm_tui.fleet.history.cell_history import PastVersion
from sgm_tui.fleet.history.last_promotion import LastPromotion
from sgm_tui.fleet.model import CellKey, ServiceName, StageName
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.reverts.targets import commit_name, history_gap, revert_change
from sgm_tui.fleet.snapshot import FleetSnapshot


@dataclass(frozen=True, slots=True)
class CellRevert:
    """The revert of one cell."""

    key: CellKey
    outcome: Change | Refusal
    """The change that reverts it, or why it stays."""
    is_selected: bool = True
    """False where it is reverted only because it shares its file with a selected cell."""


@dataclass(frozen=True, slots=True)
class PromotionRevert:
    """The revert of the last promotion of one service into one stage, in selected cells."""

    service: ServiceName
    stage: StageName
    last: LastPromotion | None
    """None where git has no promotion into that stage."""
    cells: tuple[CellRevert, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes of all cells, one for each file."""
        return tuple(dict.fromkeys(cell.outcome for cell in self.cells if isinstance(cell.outcome, Change)))


def plan_promotion_revert(
    snapshot: FleetSnapshot,
    last: LastPromotion | None,
    pasts: Mapping[CellKey, Sequence[PastVersion] | Refusal],
) -> tuple[CellRevert, ...]:
    """Decide for each cell of one service in one stage whether the last promotion is reverted there.

    Args:
        snapshot: the fleet.
        last: the last promotion of the stage, None where git has none.
        pasts: the versions of each selected cell, newest first; or why they cannot be read.
    """
    cells = tuple(CellRevert(key, _plan_cell(snapshot, key, last, past)) for key, past in pasts.items())
    shared = {
        key: change
        for change in (cell.outcome for cell in cells if isinstance(cell.outcome, Change))
        for key in change.cells
        if key not in pasts
    }
    return (*cells, *(CellRevert(key, change, is_selected=False) for key, change in shared.items()))


def group_by_stage(keys: Collection[CellKey]) -> dict[tuple[ServiceName, StageName], list[CellKey]]:
    """Group cells by service and stage, in their order."""
    groups: dict[tuple[ServiceName, StageName], list[CellKey]] = {}
    for key in keys:
        groups.setdefault((key.service, key.stage), []).append(key)
    return groups


def _plan_cell(
    snapshot: FleetSnapshot, key: CellKey, last: LastPromotion | None, past: Sequence[PastVersion] | Refusal
) -> Change | Refusal:
    if isinstance(past, Refusal):
        return past
    if (gap := history_gap(snapshot, key, past)) is not None:
        return gap
    version = past[0].version
    if last is None:
        return Refusal(past[0].path, f"git has no promotion of {key.service} into {key.stage}: stays at {version}")
    if key in last.current:
        return revert_change(snapshot, key, past)
    if key in last.reverted:
        return Refusal(past[0].path, f"already reverted: at {version} since {commit_name(past[0])}", nothing=True)
    return Refusal(past[0].path, f"not part of the last promotion: stays at {version}", nothing=True)
