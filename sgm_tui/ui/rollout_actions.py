"""Resume or abort a rollout, from any screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgm_tui.errors import SgmError
from sgm_tui.fleet.rollouts.actions import RolloutAction, refusal_reason
from sgm_tui.permission import Consent
from sgm_tui.ui.present.rollout_actions import VERBS, acting_lines
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.entry import explained_width
from sgm_tui.ui.screens.leavable import ask

if TYPE_CHECKING:
    from textual.app import App

    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.ui.messages import RolloutRequested
    from sgm_tui.ui.ports import Rollouts


async def act_on_rollout(app: App[None], session: Rollouts, snapshot: FleetSnapshot, request: RolloutRequested) -> None:
    """Ask about the rollout in this snapshot, then resume or abort exactly that revision of it."""
    key = request.key
    action: RolloutAction = "promote" if request.action == "promote" else "abort"
    cell = snapshot.cells.get(key)
    rollout = cell.facts.rollout if cell is not None else None
    silence = snapshot.silence_reason("rollouts", key.cluster) if rollout is None else ""
    why = f"its rollout is unknown: {silence}" if silence else refusal_reason(rollout, action)
    if why or cell is None or rollout is None:
        app.notify(f"{key}: {why}", title=f"not done: {VERBS[action].lower()}", severity="warning", markup=False)
        return
    stage = snapshot.fleet.stage(key.stage)
    locked = (key.stage,) if stage is not None and stage.protected else ()
    lines = acting_lines(cell, rollout, action, snapshot, explained_width(app.size.width))
    if not await ask(app, AskScreen(VERBS[action], lines, locked)):
        return
    try:
        outcome = await session.act_on_rollout(key, rollout, action, consent=Consent.to(locked))
    except SgmError as error:
        app.notify(error.hint, title=error.message, severity="error", markup=False)
    else:
        app.notify("follow it in the cell", title=outcome, markup=False)
