"""`sgm plan`: what is staged, opening it, and what was begun and never finished."""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import changes, output
from sgm_tui.commands.common import may_write, must_know_git, settled_session
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import UsageError
from sgm_tui.fleet.ages import age
from sgm_tui.fleet.plans.plan import StagingResult
from sgm_tui.fleet.plans.proposal import ENDED
from sgm_tui.report.status import time_text
from sgm_tui.report.tables import align
from sgm_tui.report.waves import wave_document

if TYPE_CHECKING:
    from sgm_tui.fleet.plans.proposal import Progress, UnfinishedWrite
    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.session import LiveSession


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("plan", parents=[shared], help=COMMANDS["plan"])
    parser.add_argument(
        "what",
        nargs="?",
        choices=("show", "open", "clear", "resume", "discard", "waves", "next", "stop", "go-on", "drop"),
        default="show",
        help="show the plan (default), open its pull requests, clear it; resume or discard an unfinished write; "
        "list wave rollouts (waves), open every wave that is due (next), stop, resume (go-on) or drop one",
    )
    parser.add_argument("operation", nargs="?", metavar="ID", help="ID of an unfinished write or a wave rollout")
    parser.add_argument("--unfinished", action="store_true", help="list unfinished writes")
    changes.add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the selected subcommand; return the exit code."""
    if (arguments.what in {"resume", "discard", "stop", "go-on", "drop"}) != bool(arguments.operation):
        raise UsageError(
            "sgm plan: resume, discard, stop, go-on and drop need an ID",
            "sgm plan --unfinished and sgm plan waves list them.",
        )
    arguments.dry_run = arguments.dry_run or arguments.what == "show"
    if arguments.what not in {"show", "waves"} and not arguments.dry_run:
        may_write(arguments)
    return asyncio.run(_plan(arguments))


async def _plan(arguments: argparse.Namespace) -> int:
    looking = arguments.dry_run or arguments.unfinished or arguments.what == "waves"
    async with settled_session(arguments, read_only=looking) as (session, snapshot):
        must_know_git(snapshot)
        if arguments.unfinished:
            damaged = await session.recovery.count_damaged_lines()
            return _list(await session.recovery.list_unfinished(), damaged, snapshot, arguments)
        if arguments.what in {"waves", "next", "stop", "go-on", "drop"}:
            return await _waves(session, snapshot, arguments)
        if arguments.what == "resume":
            return await _resume(session, arguments)
        if arguments.what == "discard":
            return _done(arguments, "discarded", await session.discard(arguments.operation))
        if arguments.what == "clear":
            return await _clear(session, snapshot, arguments)
        if not snapshot.plan.changes:
            output.note("sgm: press p on a cell of the dashboard to stage a promotion")
        if snapshot.plan.changes or arguments.output == "json":
            code = await changes.carry_out(session, StagingResult(snapshot.plan.changes), arguments)
        else:
            output.data("the plan is empty")
            code = 0
        unfinished = await session.recovery.list_unfinished()
        if unfinished:
            output.note(
                f"sgm: {len(unfinished)} unfinished write{'' if len(unfinished) == 1 else 's'}: sgm plan --unfinished"
            )
        return code


async def _waves(session: LiveSession, snapshot: FleetSnapshot, arguments: argparse.Namespace) -> int:
    identities = {plan.identity for plan, _ in await session.waves()}
    if arguments.operation and arguments.operation not in identities:
        raise UsageError(f"no wave rollout {arguments.operation}", "sgm plan waves lists them.")
    match arguments.what:
        case "stop":
            await session.stop_waves(arguments.operation, arguments.reason or "by hand")
        case "go-on":
            await session.resume_waves(arguments.operation)
        case "drop":
            await session.drop_waves(arguments.operation)
        case "next":
            for progress in await session.open_waves():
                output.note(f"{progress.step:<10} {progress.text}  {progress.url}".rstrip())
    plans = await session.waves()
    if arguments.output == "json":
        waves = [wave_document(plan, step) for plan, step in plans]
        output.data(json.dumps({"schema": 1, "waves": waves}, indent=2, ensure_ascii=False))
        return 0
    now = snapshot.generated_at
    rows = [
        (plan.identity, age(now - plan.began_at), plan.title, f"{plan.opened}/{len(plan.waves)}", step.reason)
        for plan, step in plans
    ]
    shown = (
        align([("ID", "STARTED", "WHAT", "OPENED", "WAITING FOR"), *rows]) if rows else ["no wave rollout in progress"]
    )
    output.data("\n".join(shown))
    return 0


async def _resume(session: LiveSession, arguments: argparse.Namespace) -> int:
    last: Progress | None = None
    async for last in session.resume(arguments.operation):
        output.note(f"{last.step:<10} {last.text}  {last.url}".rstrip())
    if last is None:
        return 1
    if arguments.output == "json":
        _done(arguments, last.step, last.text, number=last.number or None, url=last.url or None)
    return 0 if last.step in ENDED else 1


async def _clear(session: LiveSession, snapshot: FleetSnapshot, arguments: argparse.Namespace) -> int:
    for change in snapshot.plan.changes:
        await session.drop(change)
    count = len(snapshot.plan.changes)
    return _done(arguments, "cleared", f"{count} change{'' if count == 1 else 's'} removed from the plan")


def _done(arguments: argparse.Namespace, result: str, text: str, **more: object) -> int:
    """Print the result, as text or as JSON."""
    document = {"schema": 1, "result": result, "operation": arguments.operation, "text": text, **more}
    output.data(json.dumps(document, indent=2, ensure_ascii=False) if arguments.output == "json" else text)
    return 0


def _list(
    writes: tuple[UnfinishedWrite, ...], damaged: int, snapshot: FleetSnapshot, arguments: argparse.Namespace
) -> int:
    """Print the unfinished writes; return 1 where a damaged journal may hold more of them."""
    if arguments.output == "json":
        rows = [{**asdict(one), "began_at": time_text(one.began_at)} for one in writes]
        output.data(json.dumps({"schema": 1, "unfinished": rows}, indent=2, ensure_ascii=False))
    elif not writes:
        output.data("no unfinished write can be read" if damaged else "no unfinished writes")
    else:
        now = snapshot.generated_at
        rows_ = [
            (one.operation, age(now - one.began_at), one.title, one.found, one.advice, one.explained) for one in writes
        ]
        output.data("\n".join(align([("ID", "STARTED", "WHAT", "ON SERVER", "NEXT", "WHY"), *rows_])))
    if damaged:
        lines = "1 line" if damaged == 1 else f"{damaged} lines"
        output.note(f"sgm: {lines} of the journal cannot be read: a write recorded there is not listed")
    return 1 if damaged else 0
