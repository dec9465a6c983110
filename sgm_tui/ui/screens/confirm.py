"""The last question before a plan is written; the preview it shows is the one that is written."""

from __future__ import annotations

from sgm_tui.fleet.model import Fleet
from sgm_tui.fleet.proposal import Preview
from sgm_tui.ui.present.plans import protected_stages, question_lines
from sgm_tui.ui.screens.ask import AskScreen


class ConfirmScreen(AskScreen):
    """Yes or no to one preview."""

    def __init__(self, preview: Preview, fleet: Fleet) -> None:
        count = len(preview.proposals)
        what = "Open a pull request" if count == 1 else f"Open {count} pull requests"
        super().__init__(what, question_lines(preview, fleet), protected_stages(preview, fleet))
