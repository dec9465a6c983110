"""How long a drift has lasted outlives the program that saw it first, and ends with the next sync."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import builders
import pytest
from builders import NOW

from sgm_tui.fleet.applications import Applications, DriftSighting
from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.facts import Application, Operation
from sgm_tui.fleet.join import join
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceId
from sgm_tui.operations.drift_log import DriftLog

KEY = builders.key("cart", "prod-eu1")
HUB = SourceId("argocd", "hub")
LONG_AGO = NOW - timedelta(hours=7)


def application(**facts: object) -> Application:
    drifted = builders.application(KEY, sync="OutOfSync", uid="u1", detailed=True, deployed_at=NOW - timedelta(days=2))
    return replace(drifted, **facts)


def drifted(since_hours: float = 7, journey: Journey = Journey.DRIFTED) -> Cell:
    cell = builders.cell("cart", "prod-eu1", journey=journey, application=application())
    return replace(cell, since=NOW - timedelta(hours=since_hours))


async def following(log: DriftLog, *cells: Cell) -> None:
    async def snapshots() -> AsyncIterator[FleetSnapshot]:
        for cell in cells:
            yield builders.snapshot([cell])

    await log.follow(snapshots())


async def test_a_drift_is_as_old_after_a_restart_as_before(tmp_path: Path) -> None:
    file = tmp_path / "drift.json"
    await following(DriftLog(file), drifted())
    applications = Applications()
    applications.remember_drift(DriftLog(file).read())
    applications.list(HUB, {KEY: application()}, NOW)
    assert applications.drifted_before(KEY) == LONG_AGO
    facts = replace(drifted().facts, drifted_before=applications.drifted_before(KEY))
    cell = join(facts, None, NOW)
    assert (cell.journey, cell.since) == (Journey.DRIFTED, LONG_AGO)
    assert "still OutOfSync since" in cell.reason or "OutOfSync since" in cell.reason


@pytest.mark.parametrize(
    "now_there",
    [
        application(uid="another"),
        application(deployed_at=NOW - timedelta(hours=1)),
        application(operation=Operation("Succeeded", finished_at=NOW - timedelta(hours=1))),
        application(detailed=False),
        None,
    ],
    ids=["made anew", "deployed since", "synced since", "a table row", "gone"],
)
def test_what_was_seen_before_does_not_count_for_another_past(now_there: Application | None) -> None:
    applications = Applications()
    applications.remember_drift({KEY: DriftSighting(LONG_AGO, "u1")})
    applications.list(HUB, {} if now_there is None else {KEY: now_there}, NOW)
    assert applications.drifted_before(KEY) is None


async def test_a_drift_that_was_healed_is_forgotten_and_one_nobody_can_judge_is_not(tmp_path: Path) -> None:
    file = tmp_path / "drift.json"
    log = DriftLog(file)
    await following(log, drifted(), drifted(journey=Journey.UNKNOWN))
    assert KEY in DriftLog(file).read()
    await following(log, drifted(journey=Journey.SETTLED))
    assert DriftLog(file).read() == {}


@pytest.mark.parametrize(
    "text",
    ["", "null", "{", "[1]", '[{"service": 1}]', json.dumps([{"since": "2026-01-01T00:00:00"}]), "[" * 200_000],
    ids=["empty", "null", "cut", "numbers", "other keys", "no zone", "deep"],
)
async def test_a_record_nobody_can_read_costs_nothing_else(tmp_path: Path, text: str) -> None:
    file = tmp_path / "drift.json"
    file.write_text(text)
    log = DriftLog(file)
    assert log.read() == {}
    await following(log, drifted())
    assert KEY in DriftLog(file).read()


async def test_a_state_directory_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    await following(DriftLog(blocked / "drift.json"), drifted())
