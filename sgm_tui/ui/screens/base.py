"""What every screen of the fleet has: the newest snapshot, and no key that writes where nothing may be written."""

from __future__ import annotations

from textual import events
from textual.reactive import var

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui import keys
from sgm_tui.ui.screens.leavable import ClosableScreen
from sgm_tui.ui.widgets.cell_grid import NO_FLEET

_AROUND = 6
"""Cells of a page that no text has: padding on both sides, and the scrollbar."""


class FleetPage(ClosableScreen[None]):
    """A screen bound to the snapshot."""

    snapshot: var[FleetSnapshot] = var(NO_FLEET)
    read_only: var[bool] = var(False)
    """Known for good only after the configuration has been read."""

    @property
    def text_width(self) -> int:
        """How many cells a line of a page may have without being wrapped by the terminal's width."""
        return self.size.width - _AROUND

    def compute_read_only(self) -> bool:
        """As the newest snapshot says."""
        return self.snapshot.read_only

    def watch_read_only(self) -> None:
        """Keys come and go with it."""
        if self.is_present:
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that write are gone in read-only: from the footer, the help, the palette and the keyboard."""
        if not super().check_action(action, parameters):
            return False
        if self.snapshot.read_only and action in keys.find_writing_actions(self.BINDINGS):
            return False
        return self.offers(action)

    def on_key(self, event: events.Key) -> None:
        """Say why a key that would write does nothing in read-only; one that works never gets here."""
        if not self.snapshot.read_only:
            return
        writing = keys.find_writing_actions(self.BINDINGS)
        for node, bindings in self.bindings_in_focus:
            for binding in bindings.key_to_bindings.get(event.key, ()) if node is self else ():
                if binding.action.partition("(")[0] in writing:
                    event.stop()
                    self.notify(
                        "Start sgm without --read-only and read_only to write.",
                        title=f"read-only: {binding.description} is disabled",
                        severity="warning",
                        markup=False,
                    )
                    return

    def offers(self, action: str) -> bool | None:
        """Whether an action would do something now: None dims its key, False takes it away."""
        return True
