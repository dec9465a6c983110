"""The question before an action on a rollout, so that a person confirms exactly that."""

from __future__ import annotations

from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.facts import Rollout
from sgm_tui.fleet.rollouts.actions import ACTION_EFFECTS, RolloutAction, consequence
from sgm_tui.fleet.rollouts.weights import percent_text
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.detail import heading
from sgm_tui.ui.present.fit import hung
from sgm_tui.ui.present.glyphs import ARROW
from sgm_tui.ui.present.rollouts import phase_lines
from sgm_tui.ui.present.tones import Line, Tone

VERBS = {"promote": "Resume this rollout", "abort": "Abort this rollout"}
"""The questions of actions that have a key."""


def acting_lines(
    cell: Cell, rollout: Rollout, action: RolloutAction, snapshot: FleetSnapshot, width: int
) -> list[Line]:
    """Return the cell, the state of its rollout, what will happen, and the consequences."""
    step = f"step {rollout.step}/{rollout.steps}  " if rollout.steps and rollout.step is not None else ""
    weight = f"{percent_text(rollout.actual_weight)} of the traffic" if rollout.actual_weight is not None else ""
    desired = cell.facts.desired.version if cell.facts.desired is not None else None
    lines: list[Line] = [
        heading(cell, snapshot),
        *phase_lines(rollout, width),
        (
            (f"{rollout.stable_version or '?'} {ARROW} {rollout.new_version or '?'}  ", Tone.STAGED),
            (f"{step}{weight}", Tone.TEXT),
        ),
        (),
        *hung((), f"{rollout.namespace}/{rollout.name}: {ACTION_EFFECTS[action]}.", Tone.STRONG, width),
    ]
    if follows := consequence(rollout, action, desired or ""):
        lines += hung((), follows, Tone.ATTENTION, width)
    return lines
