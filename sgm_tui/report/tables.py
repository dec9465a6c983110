"""The status as plain text without colour: a table, a wide table, or a Markdown matrix."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

from sgm_tui.fleet.ages import age
from sgm_tui.fleet.cell import Cell, failing_version
from sgm_tui.fleet.markdown import markdown_text
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.rollouts.weights import percent_text
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceHealth
from sgm_tui.report.status import in_order, time_text

_HEADINGS = ("SERVICE", "STAGE", "CLUSTER", "DESIRED", "LIVE", "SYNC", "HEALTH", "JOURNEY", "AGE", "REASON")
_WIDE = (*_HEADINGS[:-1], "CANARY", "STEP", "WEIGHT", "READY", "REQ/S", "ERRORS", "P99", "PENDING", "REASON")


_ABSURD = 1e9
_WIDEST = 80
"""Characters of a column that others follow: a name Kubernetes takes (63) and a digest (71) stay whole."""


def table(
    snapshot: FleetSnapshot,
    keys: frozenset[CellKey] | None = None,
    *,
    wide: bool = False,
    missing: Sequence[str] = (),
) -> str:
    """Aligned columns, a cell a line; below, what is missing and sources that are not fresh, each in a line.

    `missing` names what had not arrived yet; what fresh sources do not report comes last.
    """
    cells = [cell for cell in in_order(snapshot) if keys is None or cell.key in keys]
    rows = [(_wide_row if wide else _row)(cell, snapshot.generated_at) for cell in cells]
    lines = align([_WIDE if wide else _HEADINGS, *(_narrow(row) for row in rows)])
    troubled, noted = _describe_stale_sources(snapshot, cells), _describe_notes(snapshot)
    if troubled or noted:
        lines.extend(["", *(f"! {one}" for one in troubled), *(f"· {one}" for one in noted)])
    if missing:
        lines.extend(["", *(f"! incomplete: {one}" for one in missing)])
    return "\n".join(lines)


def markdown(snapshot: FleetSnapshot, keys: frozenset[CellKey] | None = None, missing: Sequence[str] = ()) -> str:
    """A matrix for a pull request or a job summary: services down, clusters across.

    Below stands what a table says there too: sources that do not respond, their remarks, and what is missing.
    """
    clusters = snapshot.fleet.clusters
    lines = [
        "| service | " + " | ".join(markdown_text(f"{cluster.stage} {cluster.name}") for cluster in clusters) + " |",
        "|---" * (len(clusters) + 1) + "|",
    ]
    for service in snapshot.services:
        row = [snapshot.cells.get(CellKey(service, cluster.stage, cluster.name)) for cluster in clusters]
        shown = [cell if cell is not None and (keys is None or cell.key in keys) else None for cell in row]
        if any(shown):
            lines.append(f"| {markdown_text(service)} | " + " | ".join(_box(cell) for cell in shown) + " |")
    cells = [cell for cell in in_order(snapshot) if keys is None or cell.key in keys]
    for head, texts in (
        ("not responding", _describe_stale_sources(snapshot, cells)),
        ("note", _describe_notes(snapshot)),
        ("incomplete", missing),
    ):
        if texts:
            lines.extend(["", *(f"- **{head}**: {markdown_text(text)}" for text in texts)])
    return "\n".join(lines)


def align(rows: Iterable[Sequence[str]]) -> list[str]:
    """Pad columns to their widest entry, counting terminal cells; nothing trails."""
    table_rows = [tuple(row) for row in rows]
    widths = [max(_width(row[column]) for row in table_rows) for column in range(len(table_rows[0]))]
    return [
        "  ".join(text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in table_rows
    ]


def _describe_stale_sources(snapshot: FleetSnapshot, cells: Sequence[Cell]) -> list[str]:
    """List the sources of these cells that do not respond, or have not yet; of all clusters where there is no cell."""
    shown = {cell.key.cluster for cell in cells} or {cluster.name for cluster in snapshot.fleet.clusters}
    elsewhere = {cluster.name for cluster in snapshot.fleet.clusters} - shown
    return [
        f"{health.name}: {health.reason or 'no answer yet'}{_as_of(health, cells)}"
        for health in snapshot.sources
        if health.state in {"stale", "waiting"} and health.source.scope not in elsewhere
    ]


def _describe_notes(snapshot: FleetSnapshot) -> list[str]:
    """List the notes of fresh sources."""
    return [f"{one.name}: {one.note}" for one in snapshot.sources if one.state == "fresh" and one.note]


def _as_of(source: SourceHealth, cells: Sequence[Cell]) -> str:
    """Return the age of the desired versions where git does not respond; "" otherwise."""
    times = [cell.facts.desired_as_of for cell in cells if cell.facts.desired_as_of is not None]
    return f" (DESIRED is as of {time_text(max(times))})" if source.source.kind == "git" and times else ""


def _narrow(row: Sequence[str]) -> tuple[str, ...]:
    """Shorten the columns of a row, but for the last, the reason, so that every column stays in sight."""
    return (*(text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…" for text in row[:-1]), row[-1])


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.category(character) in {"Mn", "Me"} for character in text)


def _row(cell: Cell, now: datetime) -> tuple[str, ...]:
    application = cell.facts.application
    return (
        cell.key.service,
        cell.key.stage,
        cell.key.cluster,
        cell.desired_version or "-",
        cell.live_version or "-",
        (application.sync if application else "") or "-",
        (application.health if application else "") or "-",
        cell.journey.value,
        age(now - cell.since),
        cell.reason or "-",
    )


def _wide_row(cell: Cell, now: datetime) -> tuple[str, ...]:
    row = _row(cell, now)
    rollout, metrics = cell.facts.rollout, cell.facts.metrics
    step = f"{rollout.step}/{rollout.steps}" if rollout and rollout.steps and rollout.step is not None else "-"
    weight = percent_text(rollout.actual_weight) if rollout and rollout.actual_weight is not None else "-"
    ratio = metrics.error_ratio if metrics else None
    errors = f"{_number(ratio * 100, '.2f')}%" if ratio is not None else "-"
    latency = metrics.latency_p99_seconds if metrics else None
    rate = metrics.requests_per_second if metrics else None
    return (
        *row[:-1],
        cell.new_version or "-",
        step,
        weight,
        f"{rollout.ready}/{rollout.desired}" if rollout else "-",
        _number(rate, ".1f") if rate is not None else "-",
        errors,
        f"{_number(latency * 1000, '.0f')}ms" if latency is not None else "-",
        ",".join(f"#{one.number}" for one in cell.facts.pending) or "-",
        row[-1],
    )


def _number(value: float, form: str) -> str:
    """Format a number; an absurdly large one in scientific notation."""
    return format(value, form if abs(value) < _ABSURD else ".2e")


def _box(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    failing = failing_version(cell)
    version = cell.live_version or ("?" if failing else cell.desired_version) or "?"
    coming = failing or cell.new_version
    arrow = f" → {coming}" if coming else ""
    return f"{markdown_text(version + arrow)} {cell.journey.value}"
