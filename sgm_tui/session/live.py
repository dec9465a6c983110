"""The whole session, and its background work."""

from __future__ import annotations

import asyncio
import logging

from sgm_tui.errors import SgmError
from sgm_tui.session.actions import ActionIntents
from sgm_tui.session.recovery import RecoveryIntents
from sgm_tui.session.reverts import RevertIntents
from sgm_tui.session.waves import WaveIntents

logger = logging.getLogger("sgm")

_LOOK_SECONDS = 1.0
"""Seconds between checks of the plan for changes by another terminal."""


class LiveSession(RevertIntents, RecoveryIntents, WaveIntents, ActionIntents):
    """What a front end needs; satisfies `ui.ports.Session`."""

    def __init__(self, *, read_only: bool = False, opens_waves: bool = False) -> None:
        """`opens_waves` lets it open due waves as long as it runs."""
        super().__init__(read_only=read_only)
        self.opens_waves = opens_waves

    async def follow_plan(self) -> None:
        """Show what other terminals put into the same plan, and open waves; ends only when cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._services is None:
                continue
            try:
                await self._services.planning.reload()
                if self.opens_waves and not self.read_only:
                    await self.open_waves()
            except SgmError as error:
                # Said again, and to a person, as soon as somebody puts something into the plan or opens its waves.
                logger.warning("the plan or its waves cannot be looked at: %s", error)
