"""`--wait`: what was written is followed to its end, every move of its cells told once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sgm_tui.commands import output
from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plan import Change
from sgm_tui.fleet.proposal import Progress

if TYPE_CHECKING:
    from sgm_tui.fleet.cell import Cell
    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.session import LiveSession


def line_of(progress: Progress) -> str:
    """One step of a write, as a line of a log."""
    link = f"  {progress.url}" if progress.url else ""
    number = f"#{progress.number} " if progress.number else ""
    return f"{progress.step:<10} {progress.proposal.stage}: {number}{progress.text}{link}"


async def follow(session: LiveSession, changes: Sequence[Change], numbers: set[int], seconds: float) -> int:
    """Tell every move of the changed cells until all have settled on their version (0) or one has failed (1).

    Args:
        session: what is followed.
        changes: what is to arrive.
        numbers: the pull requests that bring it; those of later waves are added.
        seconds: how long at most.
    """
    wanted = {key: change.to_version for change in changes for key in change.cells}
    told: dict[CellKey, str] = {}
    arrived: set[CellKey] = set()

    def opened(progress: Progress) -> None:
        numbers.update([progress.number] if progress.number else ())
        output.note(line_of(progress))

    session.tell, session.opens_waves = opened, True
    try:
        async with asyncio.timeout(seconds):
            async for snapshot in session.snapshots():
                for key, version in wanted.items():
                    _tell(key, version, snapshot.cells.get(key), told)
                ended = _ended(snapshot, wanted, numbers)
                if ended is None and _taken_back(snapshot, wanted, arrived):
                    ended = 1
                if ended is not None:
                    return ended
    except TimeoutError:
        output.note(f"sgm: not settled within {seconds:.0f} s; it goes on without you: sgm status shows it")
    return 1


def _tell(key: CellKey, version: Version, cell: Cell | None, told: dict[CellKey, str]) -> None:
    if cell is None:
        return
    if cell.journey is Journey.SETTLED and cell.desired_version != version:
        where = "not merged yet"
    else:
        where = cell.journey.value + (f": {cell.reason}" if cell.reason else "")
    line = f"{key} -> {version}: {where}"
    if told.get(key) != line:
        told[key] = line
        output.note(line)


def _ended(snapshot: FleetSnapshot, wanted: dict[CellKey, Version], numbers: set[int]) -> int | None:
    for request in snapshot.pull_requests:
        if request.number in numbers and request.state == "closed":
            output.note(f"sgm: #{request.number} was closed without being merged")
            return 1
    arrived = {key: snapshot.cells[key] for key in wanted if key in snapshot.cells}
    there = [cell for key, cell in arrived.items() if cell.desired_version == wanted[key]]
    if any(cell.journey is Journey.FAILED for cell in there):
        return 1
    done = all(cell.journey is Journey.SETTLED and cell.live_version in {None, cell.desired_version} for cell in there)
    return 0 if len(there) == len(wanted) and done else None


def _taken_back(snapshot: FleetSnapshot, wanted: dict[CellKey, Version], arrived: set[CellKey]) -> bool:
    """Whether git has stopped to want what it already wanted: somebody went back, or on to another version."""
    for key, version in wanted.items():
        cell = snapshot.cells.get(key)
        if cell is None or cell.desired_version is None:
            continue
        if cell.desired_version == version:
            arrived.add(key)
        elif key in arrived:
            output.note(f"sgm: {key}: git wants {cell.desired_version} there now, not {version} any more")
            return True
    return False
