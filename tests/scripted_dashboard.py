"""The dashboard on a scripted release, in a process of its own: for tests that need a real terminal and no fleet.

What was asked of the session is appended to the file named first, a word a line. Where a second file is named, it
winds down until that exists, as a process does that has connections to close.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

import builders

from sgm_tui.cli import outcome
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.widgets.cell_grid import CellGrid

_CAUSE = "the cause, near password=hunter2"
_WITH_SECRETS = "a defect near https://me:hunter2@example.org/ and ghp_" + "a" * 36


class Noted(builders.ScriptedSession):
    """Writes down what it is asked; `refresh` breaks the matrix on purpose."""

    def __init__(self, file: Path) -> None:
        super().__init__(builders.release())
        self._file = file

    def _note(self, word: str) -> None:
        with self._file.open("a", encoding="utf-8") as log:
            log.write(f"{word}\n")

    def stage_promotion(self, where: CellKey, version: Version | None = None) -> Change | Refusal:
        """Noted."""
        self._note("promote")
        return super().stage_promotion(where, version)

    async def refresh(self) -> None:
        """From now on the matrix cannot be drawn; the reason and its cause have secrets in their messages."""
        matrix: Any = CellGrid
        matrix.render_lines = _fail
        self.push(builders.calm())


def _fail(*_: object) -> None:
    try:
        _ = {}[_CAUSE]
    except KeyError as cause:
        raise RuntimeError(_WITH_SECRETS) from cause


def show() -> int:
    """Show it until it ends."""
    app = SgmApp(Noted(Path(sys.argv[1])))
    app.run()
    while len(sys.argv) > 2 and not Path(sys.argv[2]).exists():
        time.sleep(0.01)
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


if __name__ == "__main__":
    logging.basicConfig(handlers=[logging.NullHandler()])
    sys.exit(outcome(show))
