"""`sgm revert`: a stage or a cluster back to the version before, to a chosen one, or away from a bad one."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import changes, output
from sgm_tui.commands.common import check_names, may_write, must_know_git, settled_session
from sgm_tui.errors import UsageError
from sgm_tui.fleet.model import ServiceName, StageName, Version
from sgm_tui.fleet.plan import Change, Refusal, Staged
from sgm_tui.fleet.staging import cells_of

if TYPE_CHECKING:
    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.session import LiveSession


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("revert", parents=[shared], help="bring back what ran before, as a pull request")
    parser.add_argument("service", metavar="SERVICE", help="what to revert")
    parser.add_argument("--stage", metavar="STAGE", help="the stage to revert")
    parser.add_argument("--cluster", action="append", metavar="C", help="only this cluster; repeatable")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--to-revision", metavar="SHA", help="to what git wanted at this commit")
    target.add_argument("--to-version", metavar="V", help="to this version from the cell's history")
    target.add_argument("--bad-version", metavar="V", help="every cell that runs or is about to run this version")
    changes.add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Plan it, say which way back it will be, write it; the exit code of design §6."""
    if not arguments.stage and not arguments.bad_version:
        raise UsageError("sgm revert: name a --stage, or a --bad-version", "Try: sgm revert --help")
    if not arguments.dry_run:
        may_write(arguments)
    return asyncio.run(_revert(arguments))


async def _revert(arguments: argparse.Namespace) -> int:
    async with settled_session(arguments, read_only=arguments.dry_run) as (session, snapshot):
        must_know_git(snapshot)
        names = {"service": [arguments.service], "cluster": arguments.cluster}
        check_names(snapshot, {**names, "stage": [arguments.stage] if arguments.stage else ()})
        staged = await _wanted(session, snapshot, arguments)
        for change in staged.changes:
            way = await session.way_back_of(change)
            speed = {True: "at once", False: "step by step", None: "not known how fast"}[way.fast]
            output.note(f"{change.service} {change.place}: back {speed}: {way.reason}")
            if way.faster:
                output.note(f"  faster: {way.faster}")
        return await changes.carry_out(session, staged, arguments)


async def _wanted(session: LiveSession, snapshot: FleetSnapshot, arguments: argparse.Namespace) -> Staged:
    service = ServiceName(arguments.service)
    if arguments.bad_version:
        found = await session.reverts_of(service, Version(arguments.bad_version))
        wanted = [one for one in found if _asked_for(one, arguments)]
        return changes.only_changes(wanted)
    keys = cells_of(snapshot, StageName(arguments.stage), service=service, clusters=arguments.cluster or ())
    if not keys:
        raise UsageError(f"{service} is not deployed there", "sgm status shows where it is.")
    target = arguments.to_version or arguments.to_revision
    made = [await session.revert_of(key, target) for key in keys]
    return changes.only_changes(list(dict.fromkeys(made)))


def _asked_for(one: Change | Refusal, arguments: argparse.Namespace) -> bool:
    if isinstance(one, Refusal):
        return True
    in_stage = not arguments.stage or one.stage == arguments.stage
    return in_stage and (not arguments.cluster or any(key.cluster in arguments.cluster for key in one.cells))
