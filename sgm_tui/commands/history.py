"""`sgm history`: which version each cell wanted when, who brought it, for how long, and how long it ran healthy."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import output
from sgm_tui.commands.arguments import count
from sgm_tui.commands.common import check_names, check_places, must_know_git, settled_session
from sgm_tui.commands.table import COMMANDS
from sgm_tui.fleet.ages import age
from sgm_tui.fleet.completeness import Selection
from sgm_tui.fleet.history.cell_history import PastVersion
from sgm_tui.fleet.model import CellKey
from sgm_tui.report.status import in_order, time_text
from sgm_tui.report.tables import align

if TYPE_CHECKING:
    from sgm_tui.session import LiveSession

_AT_ONCE = 8
"""Cells whose past is looked up at the same time."""


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("history", parents=[shared], help=COMMANDS["history"])
    parser.add_argument("service", nargs="?", metavar="SERVICE", help="only this service")
    parser.add_argument("--stage", metavar="STAGE", help="only this stage")
    parser.add_argument("--cluster", metavar="C", help="only this cluster")
    parser.add_argument("-n", "--limit", type=count, default=10, metavar="N", help="versions per cell (default: 10)")
    parser.add_argument("--no-health", action="store_true", help="skip the Prometheus query for each version's health")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="output format")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the past of every selected cell."""
    return asyncio.run(_history(arguments))


async def _history(arguments: argparse.Namespace) -> int:
    wanted = {name: getattr(arguments, name) for name in ("service", "stage", "cluster")}
    services, stages, clusters = ((value,) if value else () for value in wanted.values())
    selection = Selection(services, stages, clusters)
    async with settled_session(arguments, read_only=True, selection=selection) as (session, snapshot):
        must_know_git(snapshot)
        check_names(snapshot, {name: [value] if value else () for name, value in wanted.items()})
        check_places(snapshot, arguments.service, arguments.stage, [arguments.cluster] if arguments.cluster else ())
        keys = [
            cell.key
            for cell in in_order(snapshot)
            if all(not value or getattr(cell.key, name) == value for name, value in wanted.items())
        ]
        pasts = await _pasts(session, keys, arguments.limit, measured=not arguments.no_health)
        now = snapshot.generated_at
    if arguments.output == "json":
        document = {"schema": 1, "generated_at": time_text(now), "history": [_document(one, now) for one in pasts]}
        output.data(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        headings = (
            "SERVICE",
            "STAGE",
            "CLUSTER",
            "VERSION",
            "SINCE",
            "FOR",
            "HEALTHY",
            "KIND",
            "BY",
            "COMMIT",
            "SUBJECT",
        )
        output.data("\n".join(align([headings, *(_row(one, now) for one in pasts)])))
    return 0


async def _pasts(session: LiveSession, keys: Sequence[CellKey], limit: int, *, measured: bool) -> list[PastVersion]:
    few = asyncio.Semaphore(_AT_ONCE)

    async def of(key: CellKey) -> tuple[PastVersion, ...]:
        async with few:
            pasts = (await session.history.past_versions(key))[:limit]
            return await session.history.add_healthy_times(session.store.snapshot, pasts) if measured else pasts

    return [past for pasts in await asyncio.gather(*map(of, keys)) for past in pasts]


def _row(past: PastVersion, now: datetime) -> tuple[str, ...]:
    note = f"  ✖ {past.known_bad}" if past.known_bad else ""
    lasted = age(timedelta(seconds=past.seconds_desired(now))) + ("" if past.until else " (now)")
    since = age(now - past.at) + " ago"
    key = past.key
    words = (
        key.service,
        key.stage,
        key.cluster,
        past.version,
        since,
        lasted,
        past.healthy_text(),
        past.kind,
        past.author,
    )
    return (*words, past.revision[:8], past.subject + note)


def _document(past: PastVersion, now: datetime) -> dict[str, Any]:
    healthy = past.healthy
    return {
        "service": past.key.service,
        "stage": past.key.stage,
        "cluster": past.key.cluster,
        "version": past.version,
        "revision": past.revision,
        "path": past.path,
        "author": past.author,
        "subject": past.subject,
        "at": time_text(past.at),
        "until": time_text(past.until),
        "seconds": round(past.seconds_desired(now)),
        "healthy_seconds": None if healthy is None or healthy.seconds is None else round(healthy.seconds),
        "healthy_whole": healthy is not None and healthy.whole,
        "healthy_reason": (healthy.reason if healthy is not None else "") or None,
        "kind": past.kind,
        "number": past.number or None,
        "known_bad": past.known_bad or None,
    }
