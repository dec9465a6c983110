"""`sgm status`: one look at the fleet, for people, scripts and pipelines."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import output
from sgm_tui.commands.arguments import positive
from sgm_tui.commands.common import check_names, check_places, load_config
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.completeness import Selection, find_gaps

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.fleet.model import CellKey
    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.report.assertion import Assertion
    from sgm_tui.report.status import Document

    ConfigLoader = Callable[[], Awaitable[Config]]

_PATIENCE = "Partial results are shown. Raise --timeout, or check the sources in the dashboard (sgm)."
_FOR_PEOPLE = frozenset({"table", "wide", "markdown", "svg"})
"""Formats in which nothing at all looks like a fleet without services."""
FORMATS = ("table", "wide", "json", "yaml", "svg", "markdown")


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("status", parents=[shared], help=COMMANDS["status"])
    _status_options(parser)
    parser.set_defaults(run=run)


def _status_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=FORMATS, default="table", help="output format (default: table)")
    for name in ("service", "stage", "cluster"):
        parser.add_argument(f"--{name}", action="append", metavar=name.upper(), help=f"only this {name}; repeatable")
    parser.add_argument(
        "--assert",
        dest="assertions",
        action="append",
        default=[],
        metavar="EXPR",
        help="exit 1 unless every selected cell matches, e.g. journey==settled",
    )
    parser.add_argument(
        "--timeout",
        type=positive,
        metavar="SECONDS",
        help="overall timeout in seconds (default: until all sources answered or stopped answering)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Look once; the exit code of design §6."""
    return asyncio.run(look(lambda: load_config(arguments), arguments))


async def look(load: ConfigLoader, arguments: argparse.Namespace) -> int:
    """`sgm status`: wait until every source has answered or given up, print, judge."""
    from sgm_tui.report.assertion import parse
    from sgm_tui.wiring import open_session

    claims = [parse(text) for text in arguments.assertions]
    loaded: list[Config] = []

    async def remembered() -> Config:
        loaded.append(await load())
        return loaded[-1]

    selection = Selection(tuple(arguments.service or ()), tuple(arguments.stage or ()), tuple(arguments.cluster or ()))
    async with open_session(remembered, read_only=True) as session:
        snapshot = await session.settled(arguments.timeout, selection)
    if session.error is not None:
        raise session.error
    missing = find_gaps(snapshot, selection)
    keys = _selected(snapshot, selection) if snapshot.sources else frozenset()
    untrue = _untrue(snapshot, keys, claims)
    if not (missing and not keys and arguments.output in _FOR_PEOPLE):
        theme = loaded[-1].theme if loaded else ""
        output.data(await _rendered(snapshot, keys, arguments.output, theme, missing))
    if missing:
        raise UnreachableError(f"incomplete: {'; '.join(missing)}{_within(arguments.timeout)}", _PATIENCE)
    silent = _all_silent(snapshot)
    if silent:
        raise UnreachableError(f"no cluster is reachable: {silent}", "Check sgm.yaml and the kubeconfig.")
    for note in untrue:
        output.note(f"sgm: --assert {note}")
    return 1 if untrue else 0


def _all_silent(snapshot: FleetSnapshot) -> str:
    """Why not one hub or cluster answered; "" when one did."""
    clusters = [one for one in snapshot.sources if one.source.kind in {"argocd", "rollouts"} and one.state != "off"]
    if not clusters or any(one.state == "fresh" for one in clusters):
        return ""
    return clusters[0].reason or "no answer in time"


def _selected(snapshot: FleetSnapshot, selection: Selection) -> frozenset[CellKey]:
    check_names(snapshot, {"service": selection.services, "stage": selection.stages, "cluster": selection.clusters})
    keys = frozenset(key for key in snapshot.cells if selection.holds(key))
    if not keys and snapshot.cells:
        _check_together(snapshot, services=selection.services, stages=selection.stages, clusters=selection.clusters)
    return keys


def _within(seconds: float | None) -> str:
    return f" (within {seconds:g} s)" if seconds is not None else ""


def _check_together(
    snapshot: FleetSnapshot, *, services: Sequence[str], stages: Sequence[str], clusters: Sequence[str]
) -> None:
    """Refuse names that exist one by one and select nothing together: an empty answer would look like a calm fleet.

    Raises:
        UsageError: where the nearest cell is.
    """
    homes: dict[str, str] = {one.name: one.stage for one in snapshot.fleet.clusters}
    together = [one for one in clusters if not stages or homes[one] in stages]
    if clusters and not together:
        check_places(snapshot, None, stages[0], clusters[:1])
    for service in services or (None,):
        if together:
            check_places(snapshot, service, None, together)
        for stage in () if together else stages:
            check_places(snapshot, service, stage, ())


async def _rendered(
    snapshot: FleetSnapshot, keys: frozenset[CellKey], form: str, theme: str, missing: Sequence[str]
) -> str:
    from sgm_tui.report import tables
    from sgm_tui.report.status import report

    if form == "json":
        return json.dumps(report(snapshot, keys, missing), indent=2, ensure_ascii=False)
    if form == "yaml":
        return _yaml(report(snapshot, keys, missing))
    if form == "svg":
        from sgm_tui.ui.picture import holding, svg

        return await svg(snapshot, holding(snapshot), theme)
    if form == "markdown":
        return tables.markdown(snapshot, keys, missing)
    return tables.table(snapshot, keys, wide=form == "wide", missing=missing)


def _yaml(document: Document) -> str:
    from ruamel.yaml import YAML

    writer, text = YAML(typ="safe", pure=True), io.StringIO()
    writer.default_flow_style = False
    writer.dump(document, text)
    return text.getvalue().rstrip()


def _untrue(snapshot: FleetSnapshot, keys: frozenset[CellKey], claims: Sequence[Assertion]) -> list[str]:
    """Every claim that does not hold, of which cell, and what is there instead."""
    from sgm_tui.report.status import cell_report, in_order, unanswered_sources

    cells = [
        (cell.key, cell_report(cell, unanswered_sources(snapshot, cell.key)))
        for cell in in_order(snapshot)
        if cell.key in keys
    ]
    if not cells:
        return [f"{claim.text}: no cell is selected" for claim in claims]
    return [
        f"{claim.text}: not true of {key}: {claim.field} is {_actual_text(claim.value_in(document))}"
        for claim in claims
        for key, document in cells
        if not claim.holds(document)
    ]


def _actual_text(value: object) -> str:
    return "unknown" if value is None else str(value)
