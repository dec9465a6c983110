"""The revert of a last promotion as text: the change in each cluster, and which clusters stay and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from sgm_tui.fleet.ages import age
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.ui.present.fit import hung, pad
from sgm_tui.ui.present.glyphs import ARROW
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.history.last_promotion import LastPromotion
    from sgm_tui.fleet.reverts.promotion import CellRevert, PromotionRevert

_REVERTS: Part = ("← revert   ", Tone.STAGED)
_STAYS: Part = ("· stays    ", Tone.QUIET)
_UNKNOWN: Part = ("? no revert", Tone.UNKNOWN)
_SHARED = "shares its file with a selected cluster"


def heading(reverts: Sequence[PromotionRevert]) -> str:
    """Return the title of the page."""
    if len(reverts) == 1:
        return f"Revert {reverts[0].service} in {reverts[0].stage}"
    return f"Revert {len(reverts)} last promotions"


def total(reverts: Sequence[PromotionRevert]) -> Line:
    """Return how many cells are reverted and how many are not."""
    cells = [cell for revert in reverts for cell in revert.cells]
    reverted = sum(isinstance(cell.outcome, Change) for cell in cells)
    counts = f"{reverted} of {len(cells)} cells to revert"
    return ((counts, Tone.STRONG if reverted else Tone.ATTENTION),)


def revert_lines(reverts: Sequence[PromotionRevert], now: datetime, width: int) -> list[Line]:
    """Return each promotion with its cells, in `width` terminal cells."""
    column = max((cell_len(cell.key.cluster) for revert in reverts for cell in revert.cells), default=0)
    lines: list[Line] = []
    for revert in reverts:
        title: list[Line] = [((f"{revert.service} in {revert.stage}", Tone.TITLE),)] if len(reverts) > 1 else []
        lines += [(), *title, *_promotion(revert.last, now, width)]
        for cell in revert.cells:
            lines += _cell(cell, column, width)
    return lines


def _promotion(last: LastPromotion | None, now: datetime, width: int) -> list[Line]:
    label: Line = (("last promotion ", Tone.QUIET),)
    if last is None:
        return hung(label, "none in git", Tone.UNKNOWN, width)
    past = last.past
    text = f"{past.version}, {age(now - past.at)} ago by {past.author}: {past.subject} ({past.revision[:8]})"
    return hung(label, text, Tone.TEXT, width)


def _cell(cell: CellRevert, column: int, width: int) -> list[Line]:
    cluster = tuple(pad([(cell.key.cluster, Tone.STRONG)], column))
    outcome = cell.outcome
    if isinstance(outcome, Change):
        versions = f"{outcome.from_version} {ARROW} {outcome.to_version}"
        shared = f"   {_SHARED}" if not cell.is_selected else ""
        return hung((_REVERTS, ("  ", Tone.TEXT), *cluster, ("  ", Tone.TEXT)), versions + shared, Tone.STRONG, width)
    sign = _STAYS if outcome.nothing else _UNKNOWN
    return hung((sign, ("  ", Tone.TEXT), *cluster, ("  ", Tone.TEXT)), outcome.reason, Tone.TEXT, width)
