"""`sgm rollout`: resume, abort, retry or pause a rollout, or restart its pods."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import output
from sgm_tui.commands.arguments import name
from sgm_tui.commands.common import check_names, may_write, must_have_answered, settled_session
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import RefusedError, UnreachableError, UsageError
from sgm_tui.fleet.completeness import Selection
from sgm_tui.fleet.model import CellKey, ServiceName
from sgm_tui.fleet.rollouts.actions import ACTION_EFFECTS, RolloutAction, consequence, refusal_reason
from sgm_tui.permission import Consent

if TYPE_CHECKING:
    from sgm_tui.fleet.cell import Cell
    from sgm_tui.fleet.facts import Rollout
    from sgm_tui.fleet.snapshot import FleetSnapshot

_ACTIONS: tuple[RolloutAction, ...] = tuple(ACTION_EFFECTS)


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("rollout", parents=[shared], help=COMMANDS["rollout"])
    parser.add_argument(
        "action", choices=_ACTIONS, help="action: " + "; ".join(f"{a}: {ACTION_EFFECTS[a]}" for a in _ACTIONS)
    )
    parser.add_argument("service", metavar="SERVICE", type=name, help="service of the rollout")
    parser.add_argument("--cluster", metavar="C", type=name, required=True, help="cluster of the rollout")
    parser.add_argument("--reason", default="", metavar="R", help="reason, recorded in the audit log")
    parser.add_argument("--yes", action="store_true", help="skip the confirmation")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="output format")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it to what is there now; the exit code of design §6."""
    may_write(arguments)
    return asyncio.run(_rollout(arguments))


async def _rollout(arguments: argparse.Namespace) -> int:
    async with settled_session(arguments, selection=Selection(clusters=(arguments.cluster,))) as (session, snapshot):
        may_write(arguments, session)
        cell = _cell(snapshot, arguments)
        rollout = cell.facts.rollout
        _must_see(snapshot, cell)
        why = refusal_reason(rollout, arguments.action)
        if why or rollout is None:
            _say(cell, arguments, "refused", why)
            output.note(f"sgm: {cell.key}: not done: {why}")
            return 1
        if not arguments.yes and not await asyncio.to_thread(_confirm, cell, rollout, arguments.action):
            raise RefusedError("not confirmed: nothing was done")
        consent = Consent.to([cell.key.stage])
        text = await session.act_on_rollout(cell.key, rollout, arguments.action, arguments.reason, consent)
        _say(cell, arguments, "done", text)
        if follows := consequence(rollout, arguments.action, _desired_text(cell)):
            output.note(f"sgm: {follows}")
        return 0


def _cell(snapshot: FleetSnapshot, arguments: argparse.Namespace) -> Cell:
    check_names(snapshot, {"service": [arguments.service], "cluster": [arguments.cluster]})
    cluster = snapshot.fleet.cluster(arguments.cluster)
    key = CellKey(ServiceName(arguments.service), cluster.stage, cluster.name) if cluster is not None else None
    cell = snapshot.cells.get(key) if key is not None else None
    if cell is None:
        must_have_answered(snapshot, f"{arguments.service} is in {arguments.cluster}")
        raise UsageError(
            f"{arguments.service} is not in {arguments.cluster}", "Run sgm status to see where it is deployed."
        )
    return cell


def _must_see(snapshot: FleetSnapshot, cell: Cell) -> None:
    """Refuse to take a rollout no source has reported yet for one that is not there.

    Raises:
        UnreachableError: the cluster has not answered.
    """
    if silence := snapshot.silence_reason("rollouts", cell.key.cluster):
        raise UnreachableError(f"{cell.key} is unknown: {silence}", "Nothing was done.")


def _desired_text(cell: Cell) -> str:
    return (cell.facts.desired.version or "") if cell.facts.desired is not None else ""


def _confirm(cell: Cell, rollout: Rollout, action: RolloutAction) -> bool:
    follows = consequence(rollout, action, _desired_text(cell))
    moves = f"{rollout.stable_version or '?'} → {rollout.new_version or rollout.spec_version or '?'}"
    if follows:
        output.note(follows)
    return output.confirm(f"{cell.key} {rollout.phase} {moves}: {ACTION_EFFECTS[action]}?")


def _say(cell: Cell, arguments: argparse.Namespace, result: str, text: str) -> None:
    """What became of it: for programs always, for people what was done."""
    if arguments.output == "json":
        key = cell.key
        where = {"service": key.service, "stage": key.stage, "cluster": key.cluster}
        done = {"schema": 1, **where, "action": arguments.action, "result": result, "text": text}
        output.data(json.dumps(done, indent=2, ensure_ascii=False))
    elif result == "done":
        output.data(text)
