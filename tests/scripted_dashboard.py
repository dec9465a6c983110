"""The dashboard on a scripted release, in a process of its own: for tests that need a real terminal and no fleet.

What was asked of the session is appended to the file named first, a word a line.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import builders

from sgm_tui.cli import outcome
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plan import Change, Refusal
from sgm_tui.ui.app import SgmApp


class Noted(builders.ScriptedSession):
    """Writes down what it is asked; `refresh` is broken on purpose."""

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
        """A defect, with a secret in its message."""
        raise RuntimeError("a defect near https://me:hunter2@example.org/ and ghp_" + "a" * 36)


def show() -> int:
    """Show it until it ends."""
    app = SgmApp(Noted(Path(sys.argv[1])))
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


if __name__ == "__main__":
    logging.basicConfig(handlers=[logging.NullHandler()])
    sys.exit(outcome(show))
