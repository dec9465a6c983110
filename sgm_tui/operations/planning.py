"""Changing the plan: one change after the other, in the order they were asked for, and never on the event loop."""

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
    """One person's plan, and whoever shows it."""

    def __init__(self, plan_file: PlanFile, show: Callable[[Plan], None]) -> None:
        self._plan_file = plan_file
        self._show = show
        # Who asks first comes first: another terminal may hold the file, and what is asked meanwhile waits in line.
        self._turn = asyncio.Lock()

    async def reload(self) -> None:
        """Show what another terminal put into it.

        Raises:
            RefusedError: the file cannot be read.
        """
        async with self._turn:
            if await run_in_thread(self._plan_file.reload):
                self._show(self._plan_file.plan)

    async def change(self, change: Callable[[Plan], Plan]) -> None:
        """Change it as it is then, and show it; returns when it is on disk.

        Raises:
            RefusedError: it cannot be kept; then nothing was changed.
        """
        async with self._turn:
            self._show(await run_in_thread(self._plan_file.update, change))


def edited(change: Change, version: Version | None, strategy: str | None, config: Config) -> Change | Refusal:
    """A change with another version or another rollout strategy ("" keeps the file's own), or why it cannot have it."""
    made = replace(change, to_version=version or change.to_version)
    if version is not None and (made.to_version == made.from_version or made.undoes):
        why = "a revert restores the previous version" if made.undoes else f"already at {version}, nothing to promote"
        return Refusal(change.path, why)
    if strategy is None:
        return made
    extras = extras_of(strategy, config.layout.image_key, config.policy.strategies) if strategy else ()
    return extras if isinstance(extras, Refusal) else replace(made, strategy=strategy, extras=extras)
