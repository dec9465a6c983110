"""A plan that another terminal holds: the screen goes on, and what was asked for comes when it is let go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import builders
from holder import held_elsewhere
from textual.pilot import Pilot

from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change, Refusal, StagingResult
from sgm_tui.fleet.plans.staging import plan_promotion, plan_promotions
from sgm_tui.operations.plan_file import PlanFile
from sgm_tui.operations.planning import Planning
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.fleet import FleetScreen

UTF8 = {"LANG": "C.UTF-8"}
CHECKOUT = ("j", "j", "3", "l")


class Session(builders.ScriptedSession):
    """A session whose plan is a file."""

    def __init__(self, file: Path) -> None:
        super().__init__(builders.release())
        self.planning = Planning(PlanFile(file), self.plan)

    async def stage_promotion(self, where: CellKey, version: Version | None = None) -> Change | Refusal:
        staged = plan_promotion(self.snapshot, where, version)
        if isinstance(staged, Change):
            await self.planning.change(lambda plan: plan.with_change(staged))
        return staged

    async def stage_promotions(self, keys: Iterable[CellKey]) -> StagingResult:
        staged = plan_promotions(self.snapshot, keys)
        await self.planning.change(lambda plan: plan.with_change(*staged.changes))
        return staged

    async def undo(self) -> None:
        await self.planning.change(lambda plan: plan.before_last_step())


async def carried_out(pilot: Pilot[None]) -> None:
    """Everything that was asked of the plan has been done and shown."""
    asked = [one for one in pilot.app.workers if one.group == "planning"]
    if asked:
        await pilot.app.workers.wait_for_complete(asked)
    await pilot.pause()


async def test_the_screen_answers_while_another_process_holds_the_plan(tmp_path: Path) -> None:
    session = Session(tmp_path / "plan.json")
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        with held_elsewhere(tmp_path / "plan.json") as let_go:
            for key in (*CHECKOUT, "p", "h"):
                await pilot.press(key)
            screen = app.screen
            assert isinstance(screen, FleetScreen)
            # The cursor has moved on, though what `p` asked for has not been kept yet.
            assert screen.selected == builders.key("checkout", "prod-eu1")
            assert session.snapshot.plan.changes == ()
            await asyncio.to_thread(let_go)
            await carried_out(pilot)
        (change,) = session.snapshot.plan.changes
        # Bound to the cell it was asked for, not to where the cursor went meanwhile.
        assert change.cells == (builders.key("checkout", "prod-us1"),)
        await pilot.press("u")
        await carried_out(pilot)
        assert session.snapshot.plan.changes == ()
