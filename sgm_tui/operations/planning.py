"""Change the plan: one change after the other, in the order of the calls, and never on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from sgm_tui.config.schema import Config
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, Plan, Refusal
from sgm_tui.fleet.plans.strategy import extras_of
from sgm_tui.operations.plan_file import PlanFile
from sgm_tui.operations.state_files import run_in_thread


class Planning:
    """The plan file, and the display that follows it."""

    def __init__(self, plan_file: PlanFile, show: Callable[[Plan], None]) -> None:
        self._plan_file = plan_file
        self._show = show
        # First come, first served: another terminal may hold the lock of the file, and later changes queue up.
        self._turn = asyncio.Lock()

    async def reload(self) -> None:
        """Show the plan if another terminal has changed it.

        Raises:
            RefusedError: the file cannot be read.
        """
        async with self._turn:
            if await run_in_thread(self._plan_file.reload):
                self._show(self._plan_file.plan)

    async def change(self, change: Callable[[Plan], Plan]) -> None:
        """Apply a change to the plan in the file, and show it; return once it is on disk.

        Raises:
            RefusedError: it cannot be saved; then nothing was changed.
        """
        async with self._turn:
            self._show(await run_in_thread(self._plan_file.update, change))


def edit_change(change: Change, version: Version | None, strategy: str | None, config: Config) -> Change | Refusal:
    """Return a change with another version or another rollout strategy, or why it cannot have it.

    Args:
        change: the planned change.
        version: the new version; None leaves it.
        strategy: the new rollout strategy; "" is the one in the file, None leaves it.
        config: has the named strategies.
    """
    changed = replace(change, to_version=version or change.to_version)
    if version is not None and (changed.to_version == changed.from_version or changed.undoes):
        reason = (
            "a revert restores the previous version" if changed.undoes else f"already at {version}, nothing to promote"
        )
        return Refusal(change.path, reason)
    if strategy is None:
        return changed
    extras = extras_of(strategy, config.layout.image_key, config.policy.strategies) if strategy else ()
    return extras if isinstance(extras, Refusal) else replace(changed, strategy=strategy, extras=extras)
