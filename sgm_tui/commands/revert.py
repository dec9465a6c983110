"""`sgm revert`: the last promotion of a stage undone, a cluster back to a chosen version, or away from a bad one."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import changes, output
from sgm_tui.commands.common import check_names, check_places, may_write, must_know_git, settled_session
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import UnreachableError, UsageError
from sgm_tui.fleet.completeness import Selection, sources_of
from sgm_tui.fleet.model import ServiceName, StageName
from sgm_tui.fleet.plans.plan import Change, Refusal, StagingResult
from sgm_tui.fleet.plans.staging import cells_of
from sgm_tui.fleet.reverts.targets import describe_scope, describe_wider_scope, find_affected_cells
from sgm_tui.untrusted_text import one_line

if TYPE_CHECKING:
    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.session import LiveSession

_NAMED = 5
"""How many versions are named where one does not exist."""


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("revert", parents=[shared], help=COMMANDS["revert"])
    parser.add_argument("service", metavar="SERVICE", help="service to revert")
    parser.add_argument("--stage", metavar="STAGE", help="revert the last promotion into this stage")
    parser.add_argument("--cluster", action="append", metavar="C", help="revert this cluster instead; repeatable")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--to-revision", metavar="SHA", help="to the version git had at this commit")
    target.add_argument("--to-version", metavar="V", help="to this version from the cell's history")
    target.add_argument(
        "--bad-version",
        type=changes.version,
        metavar="V",
        help="revert every cell that runs or is about to run this version, and mark it as known bad",
    )
    changes.add_strategy(parser)
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
        check_places(snapshot, arguments.service, arguments.stage, arguments.cluster or ())
        agreed, unknown = None, await _unknown(session, snapshot, arguments)
        staged = StagingResult(refusals=(unknown,)) if unknown else await _stage_reverts(session, snapshot, arguments)
        if arguments.bad_version and not unknown:
            agreed = functools.partial(_mark, session, arguments)
        staged = changes.with_strategy(staged, arguments.strategy, session.services.config)
        return await changes.carry_out(session, staged, arguments, agreed)


async def _unknown(session: LiveSession, snapshot: FleetSnapshot, arguments: argparse.Namespace) -> Refusal | None:
    """Why a bad version is none anybody knows: a slip of the finger is neither reverted nor marked."""
    service, version = ServiceName(arguments.service), arguments.bad_version
    if version is None or find_affected_cells(snapshot, service, version):
        return None
    versions = await session.versions(service)
    if version in versions:
        return None
    if silent := _silent_clusters(snapshot, arguments):
        raise UnreachableError(f"cannot tell whether {service} {version} runs in {silent}", "Nothing was done.")
    near = difflib.get_close_matches(version, versions, n=_NAMED, cutoff=0.4)
    hint = f"the nearest: {', '.join(near)}" if near else f"known: {', '.join(versions[:_NAMED]) or 'none'}"
    return Refusal("", f"no cell of {service} has {version}; {hint}")


def _silent_clusters(snapshot: FleetSnapshot, arguments: argparse.Namespace) -> str:
    """Return the selected clusters that have not answered, each with why; "" where all have."""
    stages = (arguments.stage,) if arguments.stage else ()
    selection = Selection(stages=stages, clusters=tuple(arguments.cluster or ()), kinds=frozenset({"rollouts"}))
    silent = [one for one in sources_of(snapshot, selection) if one.state in {"waiting", "stale"}]
    return "; ".join(f"{one.source.scope} ({one.short_reason or 'no answer yet'})" for one in silent)


async def _stage_reverts(session: LiveSession, snapshot: FleetSnapshot, arguments: argparse.Namespace) -> StagingResult:
    service = ServiceName(arguments.service)
    if arguments.bad_version:
        return await _away_from(session, snapshot, arguments)
    stage, target = StageName(arguments.stage), arguments.to_version or arguments.to_revision
    last, promotion = await session.history.find_last_promotion(snapshot, service, stage)
    if target is None and not arguments.cluster:
        if last is not None and last.current:
            output.note(f"sgm: {describe_scope(last)}")
        return changes.only_changes(promotion)
    keys = cells_of(snapshot, stage, service=service, clusters=arguments.cluster or ())
    reverts = [await session.history.plan_revert(snapshot, key, target) for key in keys]
    staged = changes.only_changes(list(dict.fromkeys(reverts)))
    if last is not None and (scope := describe_wider_scope(last, staged.changes)):
        output.note(f"sgm: {scope}")
    return staged


async def _away_from(session: LiveSession, snapshot: FleetSnapshot, arguments: argparse.Namespace) -> StagingResult:
    """Revert every selected cell, each commit marking the version as known bad."""
    service, version = ServiceName(arguments.service), arguments.bad_version
    outcomes = [
        replace(one, marks_bad=_why_bad(arguments)) if isinstance(one, Change) else one
        for one in await session.history.plan_version_reverts(snapshot, service, version)
        if _asked_for(one, arguments)
    ]
    if silent := _silent_clusters(snapshot, arguments):
        output.note(f"sgm: cannot tell whether {service} {version} runs in {silent}: not reverted there")
        if not outcomes:
            raise UnreachableError(f"{service} {version}: no reachable cluster runs it", "Nothing was done.")
    nothing = Refusal("", f"git has {service} {version} in none of the selected cells", nothing=True)
    return changes.only_changes(outcomes or [nothing])


def _why_bad(arguments: argparse.Namespace) -> str:
    return one_line(arguments.reason) or "reverted with sgm revert, no reason given"


async def _mark(session: LiveSession, arguments: argparse.Namespace) -> None:
    service, version = ServiceName(arguments.service), arguments.bad_version
    await session.mark_bad(service, version, _why_bad(arguments))
    output.note(f"marked     {service} {version} as known bad in every cell: {_why_bad(arguments)}")


def _asked_for(outcome: Change | Refusal, arguments: argparse.Namespace) -> bool:
    if isinstance(outcome, Refusal):
        return True
    in_stage = not arguments.stage or outcome.stage == arguments.stage
    return in_stage and (not arguments.cluster or any(key.cluster in arguments.cluster for key in outcome.cells))
