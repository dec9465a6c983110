"""The reading part of a session: connected in the background, snapshots out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from sgm_tui.crash import kind_of
from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.completeness import EVERYTHING, Selection
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.permission import ReadOnlySwitch
from sgm_tui.session.write_services import Refreshable, WriteServices
from sgm_tui.store.fleet_store import Store
from sgm_tui.waiting import wait_for_complete_snapshot

logger = logging.getLogger("sgm")

_CONNECT_SECONDS = 5.0
"""Seconds that somebody who wants to write waits while the libraries for it load."""


class ConnectedSession(ReadOnlySwitch):
    """The store of snapshots, the sources that feed it, and the services that write."""

    def __init__(self, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self.store = Store()
        self.error: SgmError | None = None
        """Why nothing can be shown at all; the store's snapshot has the same as text."""
        self.tell_bug: Callable[[Exception], None] = lambda _: None
        """Called with a bug in a background task that is restarted."""
        self.end: Callable[[Exception], None] = lambda _: None
        """Called with a bug after which snapshots no longer change."""
        self.sources: list[Refreshable] = []
        self._services: WriteServices | None = None
        self._connected = asyncio.Event()
        """Set once there is what writes, or nothing can be shown at all."""

    @property
    def services(self) -> WriteServices:
        """Return everything that writes.

        Raises:
            SgmError: the configuration has not been read yet.
        """
        if self._services is None:
            raise self.error or SgmError("not connected yet", "Wait until the repository has been read.")
        return self._services

    async def wait_for_services(self) -> WriteServices:
        """Return everything that writes; the first cells are on the screen a moment before it is there.

        Raises:
            SgmError: it is not there after a few seconds, or will never be.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._connected.wait()
        return self.services

    async def connect(self, services: WriteServices) -> None:
        """Take over the services that write, and show the saved plan."""
        self._services = services
        self._connected.set()
        try:
            await services.planning.reload()
        except SgmError as error:
            # A plan that cannot be read hides no fleet; it is said as soon as something is to be put into it.
            logger.warning("the plan cannot be read: %s", error)

    def give_up(self, error: Exception) -> None:
        """Announce that snapshots will no longer change because of a bug; a dashboard ends with a report."""
        self.fail(SgmError(f"a bug in sgm: {kind_of(error)}", "Run it again with --log-file FILE."))
        self.end(error)

    def fail(self, error: SgmError) -> None:
        """Announce that nothing can be shown at all."""
        self.error = error
        self._connected.set()
        self.store.fail(str(error))

    async def snapshots(self) -> AsyncIterator[FleetSnapshot]:
        """Yield every newest snapshot, the current one first, each with whether writing is allowed."""
        async for snapshot in self.store.snapshots():
            yield replace(snapshot, read_only=self.read_only)

    async def settled(self, seconds: float | None = None, selection: Selection = EVERYTHING) -> FleetSnapshot:
        """Return the first snapshot in which every source of the selection has answered, details included.

        While answers are coming it is waited for; after `seconds` in all, or after a while in which nothing more has
        come, it is the newest snapshot: `fleet.completeness.gaps` says what is missing.
        """
        snapshot = await wait_for_complete_snapshot(self.store, seconds, selection)
        return replace(snapshot, read_only=self.read_only)

    async def refresh(self) -> None:
        """Ask every source to refresh."""
        for source in self.sources:
            source.refresh()

    def _may_write(self) -> None:
        if self.read_only:
            raise RefusedError("read-only: nothing is written", "Start sgm without --read-only.")
