"""What `sgm promote`, `revert` and `plan` have in common: show a plan, ask, write it, and follow it to its end."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sgm_tui.commands import output
from sgm_tui.errors import RefusedError, UsageError
from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.change_report import Result, document, text
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plan import Change, Plan, Refusal, Staged
from sgm_tui.fleet.proposal import ENDED, UNWRITTEN, Override, Preview, Progress

if TYPE_CHECKING:
    from sgm_tui.fleet.cell import Cell
    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.session import LiveSession

_EXIT: dict[Result, int] = {"planned": 0, "opened": 0, "pushed": 0, "nothing": 0, "refused": 1, "failed": 3}
_WAIT_SECONDS = 3600.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that writes."""
    parser.add_argument("--dry-run", action="store_true", help="print the diff and the gates, change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--reason", default="", metavar="R", help="why; goes into the commit, pull request and audit")
    parser.add_argument("--override", action="store_true", help="go over gates that block; needs --reason")
    parser.add_argument(
        "--supersede",
        action="store_true",
        help="take the place of sgm's own open pull requests that want another version here: they are closed",
    )
    parser.add_argument("--direct", action="store_true", help="push without a pull request, where policy.direct allows")
    parser.add_argument("--wait", action="store_true", help="stay until every cell has settled, or one has failed")
    parser.add_argument(
        "--timeout", type=float, default=_WAIT_SECONDS, metavar="SECONDS", help="how long --wait waits (default: 3600)"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print it")


async def carry_out(session: LiveSession, staged: Staged, arguments: argparse.Namespace) -> int:
    """Preview what is staged, and unless it is a dry run write all of it or nothing."""
    override = _override(arguments)
    plan = Plan().with_change(*staged.changes)
    preview = await session.preview_of(
        plan, override=override, reason=arguments.reason, direct=arguments.direct, supersede=arguments.supersede
    )
    preview = replace(preview, refusals=(*staged.refusals, *preview.refusals))
    adopted = {one.number for one in preview.adopted}
    result = _before_writing(preview, dry_run=arguments.dry_run)
    if result is not None:
        _show(result, preview, (), arguments)
        if arguments.wait and result == "nothing" and adopted and not arguments.dry_run:
            return await follow(session, staged.changes, adopted, arguments.timeout)
        return _EXIT[result]
    indirect = {one.stage for one in preview.proposals if arguments.direct and not one.direct}
    if indirect:
        raise RefusedError(
            f"policy.direct does not list {', '.join(sorted(indirect))}: nothing was written", "Leave out --direct."
        )
    if arguments.output == "text":
        output.data(text(preview))
    if not arguments.yes and not await asyncio.to_thread(_asked, preview):
        raise RefusedError("not confirmed: nothing was written")
    happened = await _write(session, preview)
    result = _after_writing(happened)
    if arguments.output == "json":
        _show(result, preview, happened, arguments)
    if arguments.wait and (result in {"opened", "pushed"} or (result == "nothing" and adopted)):
        numbers = adopted | {one.number for one in happened if one.number}
        return await follow(session, staged.changes, numbers, arguments.timeout)
    return _EXIT[result]


def _override(arguments: argparse.Namespace) -> Override | None:
    if not arguments.override:
        return None
    if len(arguments.reason.strip()) < 10:
        raise UsageError("--override needs a --reason of at least 10 characters", "Say why, so that others can judge.")
    return Override(arguments.reason)


def _before_writing(preview: Preview, *, dry_run: bool) -> Result | None:
    """How it ends without anything being written; None when there is something to write and it may be."""
    refused = any(not one.nothing for one in preview.refusals)
    if dry_run and (preview.proposals or not refused):
        return "planned" if preview.proposals else "nothing"
    if refused or any(proposal.blocked for proposal in preview.proposals):
        return "refused"
    return None if preview.proposals else "nothing"


def _after_writing(happened: Sequence[Progress]) -> Result:
    ends = {one.step for one in happened}
    if "failed" in ends:
        return "failed"
    if ends & {"blocked", "refused"}:
        return "refused"
    if ends & {"opened", "adopted"}:
        return "opened"
    return "pushed" if "pushed" in ends else "nothing"


async def _write(session: LiveSession, preview: Preview) -> list[Progress]:
    happened: list[Progress] = []
    async for progress in session.submit(preview):
        happened.append(progress)
        output.note(_line_of(progress))
    return [one for one in happened if one.step in ENDED | UNWRITTEN]


def _line_of(progress: Progress) -> str:
    link = f"  {progress.url}" if progress.url else ""
    number = f"#{progress.number} " if progress.number else ""
    return f"{progress.step:<10} {progress.proposal.stage}: {number}{progress.text}{link}"


def _show(result: Result, preview: Preview, happened: Sequence[Progress], arguments: argparse.Namespace) -> None:
    if arguments.output == "json":
        output.data(json.dumps(document(result, preview, happened), indent=2, ensure_ascii=False))
    else:
        output.data(text(preview))
    if result == "refused":
        _say_why(preview)


def _say_why(preview: Preview) -> None:
    """The reasons on stderr too: who reads the answer with a program reads those in a log."""
    for refusal in preview.refusals:
        if not refusal.nothing:
            output.note(f"sgm: {refusal.path or 'refused'}: {refusal.reason}")
    for proposal in preview.proposals:
        for gate in proposal.blocked:
            over = "no override possible" if gate.level == "never" else "--override --reason R goes over it"
            output.note(f"sgm: {gate.cell}: {gate.gate}: {gate.reason} ({over})")


def _asked(preview: Preview) -> bool:
    count = len(preview.proposals)
    return output.asked(f"Write {'this' if count == 1 else f'these {count}'}?")


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
        output.note(_line_of(progress))

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


def only_changes(found: Sequence[Change | Refusal]) -> Staged:
    """What was found, sorted into what can be written and why not for the rest."""
    return Staged(
        tuple(one for one in found if isinstance(one, Change)),
        tuple(one for one in found if isinstance(one, Refusal)),
    )
