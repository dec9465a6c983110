"""What the plan asks about one staged change: another version, another rollout strategy."""

from __future__ import annotations

from typing import Any

from sgm_tui.errors import SgmError
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.ui.ports import Plans
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.entry import EntryScreen, until_taken
from sgm_tui.ui.screens.leavable import ClosableScreen


async def ask_for_version(screen: ClosableScreen[Any], session: Plans, change: Change) -> None:
    """Give a staged change another version."""
    versions = await _known_versions(screen, session, change)
    title = f"Which version of {change.service} for {change.place}?"
    await until_taken(
        screen,
        change.to_version,
        lambda value: EntryScreen(title, choices=versions, value=value),
        lambda typed: session.edit(change, version=Version(typed)),
    )


async def ask_for_strategy(screen: ClosableScreen[Any], session: Plans, change: Change) -> None:
    """Give a staged change another rollout strategy."""
    explained: list[Line] = [
        (("canary10-30-60, bluegreen, a name of policy.strategies, or JSON steps ([]: none)", Tone.QUIET),)
    ]
    title = f"How is {change.service} {change.to_version} rolled out in {change.place}?"
    strategies = (*session.strategies(), "canary10-30-60", "canary5-25-50", "bluegreen", "[]")
    await until_taken(
        screen,
        change.strategy,
        lambda value: EntryScreen(title, explained, strategies, value=value, least=0),
        lambda typed: session.edit(change, strategy=typed),
    )


async def _known_versions(screen: ClosableScreen[Any], session: Plans, change: Change) -> tuple[Version, ...]:
    try:
        return await session.versions(change.service)
    except SgmError as error:
        screen.notify(error.hint, title=error.message, severity="warning", markup=False)
        return ()
