"""Who writes before everything that writes has loaded waits a moment for it, and is told why when it never comes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import builders
import pytest

from sgm_tui.errors import SgmError
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.operations.plan_file import PlanFile
from sgm_tui.operations.planning import Planning
from sgm_tui.session import LiveSession, WriteServices, connected

KEY = builders.key("checkout", "prod-us1")


def session_that_shows_a_fleet(monkeypatch: pytest.MonkeyPatch) -> LiveSession:
    session = LiveSession()
    monkeypatch.setattr(session.store, "_snapshot", builders.release())
    return session


async def test_a_promotion_of_a_cell_that_came_first_is_staged_as_soon_as_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_that_shows_a_fleet(monkeypatch)
    staging = asyncio.create_task(session.stage_promotion(KEY))
    await asyncio.sleep(0)
    assert not staging.done()
    services: Any = SimpleNamespace(planning=Planning(PlanFile(tmp_path / "plan.json"), session.store.set_plan))
    await session.connect(cast(WriteServices, services))
    assert isinstance(await staging, Change)
    assert len(session.store.plan.changes) == 1


async def test_where_it_will_never_be_the_reason_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_that_shows_a_fleet(monkeypatch)
    staging = asyncio.create_task(session.stage_promotion(KEY))
    await asyncio.sleep(0)
    session.fail(SgmError("the configuration cannot be used"))
    assert await staging == Refusal("", "the configuration cannot be used")


async def test_after_a_few_seconds_it_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connected, "_CONNECT_SECONDS", 0.0)
    outcome = await session_that_shows_a_fleet(monkeypatch).stage_promotion(KEY)
    assert isinstance(outcome, Refusal)
    assert outcome.reason.startswith("not connected yet")
