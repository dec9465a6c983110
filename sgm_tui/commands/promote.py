"""`sgm promote`: the version of the stage before, or a given one, into the cells of a stage."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import changes
from sgm_tui.commands.common import (
    check_names,
    check_places,
    may_write,
    must_have_answered,
    must_know_git,
    one_of,
    settled_session,
)
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import UsageError
from sgm_tui.fleet.model import ServiceName, StageName
from sgm_tui.fleet.plans.plan import StagingResult
from sgm_tui.fleet.plans.staging import cells_of, find_cells_behind, plan_promotions

if TYPE_CHECKING:
    from sgm_tui.fleet.snapshot import FleetSnapshot


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("promote", parents=[shared], help=COMMANDS["promote"])
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="services to promote")
    parser.add_argument("--all", action="store_true", help="every service whose version is behind in the stage")
    parser.add_argument("--to", required=True, metavar="STAGE", help="target stage")
    parser.add_argument(
        "--version", type=changes.version, metavar="V", help="version (default: the previous stage's version in git)"
    )
    parser.add_argument("--from", dest="source", metavar="STAGE", help="take the version from this stage")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--cluster", action="append", metavar="C", help="only this cluster; repeatable")
    where.add_argument("--location", metavar="L", help="only the clusters of this location")
    changes.add_strategy(parser)
    changes.add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Plan it, show it, write it; the exit code of design §6."""
    if bool(arguments.services) == arguments.all:
        raise UsageError("sgm promote: name services, or use --all", "Try: sgm promote --help")
    if not arguments.dry_run:
        may_write(arguments)
    return asyncio.run(_promote(arguments))


async def _promote(arguments: argparse.Namespace) -> int:
    async with settled_session(arguments, read_only=arguments.dry_run) as (session, snapshot):
        must_know_git(snapshot)
        staged = changes.with_strategy(
            stage_promotions(snapshot, arguments), arguments.strategy, session.services.config
        )
        return await changes.carry_out(session, staged, arguments)


def stage_promotions(snapshot: FleetSnapshot, arguments: argparse.Namespace) -> StagingResult:
    """The changes these arguments ask for.

    Raises:
        UsageError: a name that does not exist, or a place without the service.
    """
    stages = [arguments.to, *([arguments.source] if arguments.source else [])]
    check_names(snapshot, {"service": arguments.services, "stage": stages, "cluster": arguments.cluster})
    for service in arguments.services or (None,):
        check_places(snapshot, service, arguments.to, arguments.cluster or ())
    stage = StageName(arguments.to)
    if arguments.location:
        one_of("location", arguments.location, {one.location for one in snapshot.fleet.clusters_of(stage)})
    narrow: dict[str, Any] = {"clusters": arguments.cluster or (), "location": arguments.location or ""}
    if arguments.all:
        late = frozenset(find_cells_behind(snapshot, stage))
        keys = [key for key in cells_of(snapshot, stage, **narrow) if key in late]
    else:
        of = {name: cells_of(snapshot, stage, service=ServiceName(name), **narrow) for name in arguments.services}
        for name, outcome in of.items():
            if not outcome:
                must_have_answered(snapshot, f"{name} is deployed there")
                raise UsageError(f"{name} is not deployed there", "Run sgm status to see where it is deployed.")
        keys = [key for outcome in of.values() for key in outcome]
    return plan_promotions(snapshot, keys, arguments.version, StageName(arguments.source) if arguments.source else None)
