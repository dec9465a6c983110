"""The last question before a plan is written; the preview it shows is the one that is written."""

from __future__ import annotations

from sgm_tui.fleet.model import Fleet
from sgm_tui.fleet.plans.proposal import Preview
from sgm_tui.ui.present.plans import question_lines
from sgm_tui.ui.screens.ask import AskScreen


class ConfirmScreen(AskScreen):
    """Yes or no to one preview."""

    def __init__(self, preview: Preview, fleet: Fleet) -> None:
        super().__init__(_verb(preview), question_lines(preview, fleet), preview.protected_stages(fleet))


def _verb(preview: Preview) -> str:
    """Return the label of the confirm button: what is written now and what is queued."""
    now = sum(not proposal.wave for proposal in preview.proposals)
    later = len(preview.proposals) - now
    pushed = all(proposal.direct for proposal in preview.proposals)
    what, several = ("Push a commit", "commits") if pushed else ("Open a pull request", "pull requests")
    if later and not now:
        return f"Queue {later} pull request{'s' if later > 1 else ''} for later waves"
    text = what if now == 1 else f"{what.split()[0]} {now} {several}"
    return f"{text}, queue {later} for later waves" if later else text
