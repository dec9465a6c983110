"""Who has just written sees it at once: no source waits for its next poll after a write of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_commands import Fleet

from sgm_tui.config.file import load
from sgm_tui.config.schema import Config
from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import Override, WriteOptions
from sgm_tui.permission import Consent
from sgm_tui.session import LiveSession
from sgm_tui.wiring import open_session

pytestmark = pytest.mark.xdist_group("commands")
KEY = CellKey(ServiceName("checkout"), StageName("prod"), ClusterName("prod-eu1"))
NEVER = 3600.0
SOON = 90.0


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    running = Fleet(tmp_path, speed=1)
    yield running
    running.end()


async def reached(session: LiveSession, claim: Callable[[Cell], bool]) -> Cell:
    async with asyncio.timeout(SOON):
        async for snapshot in session.snapshots():
            if KEY in snapshot.cells and claim(snapshot.cells[KEY]):
                return snapshot.cells[KEY]
    raise AssertionError("no snapshot came any more")


async def test_what_was_opened_and_closed_is_shown_at_once_however_seldom_is_polled(fleet: Fleet) -> None:
    async def seldom() -> Config:
        found = load(Path(fleet.ready["config"]), flags={}, environ={})
        github = replace(found.github, interval_seconds=NEVER, auto_merge=())
        return replace(found, github=github)

    async with open_session(seldom) as session:
        await session.settled(SOON)
        change = await session.stage_promotion(KEY)
        assert isinstance(change, Change)
        terms = WriteOptions(Override("a test of one's own write"))
        preview = await session.services.promoter.preview(Plan((change,)), session.store.snapshot, terms)
        *_, last = [one async for one in session.submit(preview, Consent.to([KEY.stage]))]
        assert last.step == "opened", last
        await reached(session, lambda cell: [one.number for one in cell.facts.pending] == [last.number])
        (mine,) = [one for one in session.store.snapshot.pull_requests if one.number == last.number]
        await session.act_on_pull(mine.number, mine.head, "close")
        await reached(session, lambda cell: not cell.facts.pending)
