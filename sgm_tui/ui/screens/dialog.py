"""A question that is answered only by who has seen it.

Keys are stamped when they are read from the terminal. Those from before the question was on the screen were meant for
something else, however late they arrive: after a stall a whole queue of them may follow the question.
"""

from __future__ import annotations

import math
import time

from textual import events
from textual.screen import ModalScreen, ScreenResultType

from sgm_tui.ui.screens.leavable import ClosableScreen

ROOMY = 20
"""Lines of a terminal from which a dialog has margins."""


class Dialog(ModalScreen[ScreenResultType], ClosableScreen[ScreenResultType]):
    """A modal screen that takes no input from before it was painted."""

    painted_at: float = math.inf
    """When it was first on the screen, by the clock that stamps events."""

    def __init__(self) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [
            (0, "-short"),
            (ROOMY, "-tall"),
        ]  # where there is little room, none goes to margins

    def on_mount(self) -> None:
        """Notice when it has been painted."""
        self.call_after_refresh(self.be_painted)

    def begin_again(self) -> None:
        """It has been away: it has to be seen once more before it is answered."""
        self.painted_at = math.inf
        self.call_after_refresh(self.be_painted)

    def be_painted(self) -> None:
        """It is on the screen now."""
        self.painted_at = time.monotonic()

    def takes(self, event: events.Event) -> bool:
        """Whether somebody who gave this input can have seen the question."""
        return event.time >= self.painted_at
