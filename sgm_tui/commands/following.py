"""`--wait`: what was written is followed to its end, every move of its cells told once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sgm_tui.commands import output
from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.following import describe_progress, has_arrived, unobservable_reason
from sgm_tui.fleet.plans.plan import Refusal
from sgm_tui.fleet.plans.proposal import Progress
from sgm_tui.report.changes import why

if TYPE_CHECKING:
    from sgm_tui.fleet.cell import Cell
    from sgm_tui.fleet.gate import Gate
    from sgm_tui.fleet.plans.proposal import Preview
    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.session import LiveSession

_AGAIN_SECONDS = 5.0
"""Between two looks at whether an earlier wave has settled."""
_UNREACHABLE = 3
"""The exit code where it is not known whether it has settled."""


def line_of(progress: Progress) -> str:
    """One step of a write, as a line of a log."""
    link = f"  {progress.url}" if progress.url else ""
    number = f"#{progress.number} " if progress.number else ""
    return f"{progress.step:<10} {progress.proposal.stage}: {number}{progress.text}{link}"


async def until_its_turn(
    session: LiveSession, preview: Preview, again: Callable[[], Awaitable[Preview]], seconds: float
) -> Preview:
    """The preview as it is once no earlier wave is in its way, or something is that waiting does not clear.

    Args:
        session: what the earlier waves are looked for in.
        preview: the preview now.
        again: makes it anew.
        seconds: how long at most.
    """
    reported: set[str] = set()
    try:
        async with asyncio.timeout(seconds):
            while (gates := _earlier_waves(preview)) and not _is_over(session.store.snapshot, preview):
                for gate in gates:
                    waiting = f"{gate.cell} {gate.eta or gate.reason}"
                    if waiting not in reported:
                        output.note(f"waiting    {gate.cell}: {why(gate, session.store.snapshot.generated_at)}")
                    reported.add(waiting)
                await asyncio.sleep(_AGAIN_SECONDS)
                preview = await again()
    except TimeoutError:
        output.note(f"sgm: an earlier wave has not settled within {seconds:.0f} s")
    return preview


def _earlier_waves(preview: Preview) -> list[Gate]:
    """The gates in the way where all of them are earlier waves; none where anything else is."""
    blocked = [gate for one in preview.proposals if one.refused for gate in one.blocked]
    refused = any(not one.nothing for one in preview.refusals)
    return blocked if not refused and all(gate.gate == "wave" for gate in blocked) else []


def _is_over(snapshot: FleetSnapshot, preview: Preview) -> bool:
    """Whether a version that is to go on has failed where an earlier wave brought it, or nobody here sees how it is."""
    moved = {
        (one.change.service, one.change.stage, one.change.to_version) for p in preview.proposals for one in p.edits
    }
    cells = (
        cell
        for cell in snapshot.cells.values()
        if cell.journey is Journey.FAILED or unobservable_reason(snapshot, cell)
    )
    return any((cell.key.service, cell.key.stage, cell.desired_version) in moved for cell in cells)


def already_there(snapshot: FleetSnapshot, refusals: Sequence[Refusal]) -> dict[CellKey, Version]:
    """Cells of which nothing had to be written, because git wants it already, with the version git wants."""
    paths = {one.path for one in refusals if one.nothing and one.path and not one.number}
    return {
        key: cell.desired_version
        for key, cell in snapshot.cells.items()
        if cell.facts.desired is not None and cell.facts.desired.path in paths and cell.desired_version is not None
    }


async def follow(session: LiveSession, targets: Mapping[CellKey, Version], numbers: set[int], seconds: float) -> int:
    """Tell every move of cells until all have settled on their version (0) or one has failed (1).

    Where what tells of a cell has never answered (no kubeconfig here), only its merge is followed: then it ends (3).

    Args:
        session: what is followed.
        wanted: what is to arrive, or has to settle.
        numbers: the pull requests that bring it; those of later waves are added.
        seconds: how long at most.
    """
    reported: dict[CellKey, str] = {}
    arrived: set[CellKey] = set()

    def opened(progress: Progress) -> None:
        numbers.update([progress.number] if progress.number else ())
        output.note(line_of(progress))

    session.tell, session.opens_waves = opened, True
    try:
        async with asyncio.timeout(seconds):
            async for snapshot in session.snapshots():
                for key, version in targets.items():
                    line = _move(snapshot, key, version)
                    if line and reported.get(key) != line:
                        reported[key] = line
                        output.note(f"{key} -> {version}: {line}")
                ended = _ended(snapshot, targets, numbers)
                if ended is None and _taken_back(snapshot, targets, arrived):
                    ended = 1
                if ended is not None:
                    return ended
    except TimeoutError:
        output.note(f"sgm: not settled within {seconds:.0f} s; the operation continues: check sgm status")
    return 1


def _move(snapshot: FleetSnapshot, key: CellKey, version: Version) -> str:
    """How far a version is on its way into a cell; "" where the cell is not known."""
    cell = snapshot.cells.get(key)
    if cell is None:
        return ""
    if reason := unobservable_reason(snapshot, cell):
        merged = "merged; the rest" if cell.desired_version == version else "everything but the merge"
        return f"{merged} cannot be observed from here: {reason}"
    return describe_progress(cell, version)


def _ended(snapshot: FleetSnapshot, targets: Mapping[CellKey, Version], numbers: set[int]) -> int | None:
    for request in snapshot.pull_requests:
        if request.number in numbers and request.state == "closed":
            output.note(f"sgm: #{request.number} was closed without being merged")
            return 1
    arrived = {key: snapshot.cells[key] for key in targets if key in snapshot.cells}
    there = {key: cell for key, cell in arrived.items() if cell.desired_version == targets[key]}
    if any(cell.journey is Journey.FAILED for cell in there.values()):
        return 1
    blind = [cell for cell in there.values() if unobservable_reason(snapshot, cell)]
    done = all(cell in blind or has_arrived(cell) for cell in there.values())
    if blind and done and not _is_to_come(snapshot, targets, numbers, there):
        _say_blind(targets, there, blind)
        return _UNREACHABLE
    return 0 if len(there) == len(targets) and done and not blind else None


def _is_to_come(
    snapshot: FleetSnapshot, targets: Mapping[CellKey, Version], numbers: set[int], there: Mapping[CellKey, Cell]
) -> bool:
    """Whether a pull request of these is not merged yet, or what it brought has not been read."""
    by_number = {one.number: one for one in snapshot.pull_requests}
    requests = [by_number.get(number) for number in numbers]
    if any(one is None or one.state == "open" for one in requests):
        return True
    proposed = {key for one in requests if one is not None for key, _ in one.proposes}
    return any(key in targets and key not in there for key in proposed)


def _say_blind(targets: Mapping[CellKey, Version], there: Mapping[CellKey, Cell], blind: Sequence[Cell]) -> None:
    """Report what was merged, which clusters cannot be observed, and the access that would need."""
    where = ", ".join(cell.key.cluster for cell in blind)
    output.note(f"sgm: merged to git; cannot observe from here whether {where} has settled")
    missing = len(targets) - len(there)
    if missing:
        output.note(f"sgm: {missing} queued for a later wave: opened once the previous wave has settled")
    output.note("  --wait needs a kubeconfig with read access to the hub and these clusters: see sgm help workflows")


def _taken_back(snapshot: FleetSnapshot, targets: Mapping[CellKey, Version], arrived: set[CellKey]) -> bool:
    """Whether git had one of these versions and has moved to another one since."""
    for key, version in targets.items():
        cell = snapshot.cells.get(key)
        if cell is None or cell.desired_version is None:
            continue
        if cell.desired_version == version:
            arrived.add(key)
        elif key in arrived:
            output.note(f"sgm: {key}: git now has {cell.desired_version}, no longer {version}")
            return True
    return False
