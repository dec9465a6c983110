"""The revert of the last promotion in several cells: which clusters it touches, which stay, and staging it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.getters import query_one
from textual.reactive import var
from textual.widgets import Static

from sgm_tui.errors import SgmError
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.reverts.promotion import PromotionRevert
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.messages import RevertsStaged
from sgm_tui.ui.ports import PromotionReverts
from sgm_tui.ui.present.promotion_reverts import heading, revert_lines, total
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.widgets.bars import SourceBar, SummaryBar
from sgm_tui.ui.widgets.key_bar import KeyBar
from sgm_tui.ui.widgets.rendering import render_page

_NAMED = 3
"""How many reverts a notification names."""


class PromotionRevertScreen(FleetPage):
    """Every selected cell with what the revert does to it; `⏎` stages exactly what is shown."""

    CSS_PATH = styles() / "cell.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("promotion-revert")

    reverts: var[tuple[PromotionRevert, ...]] = var[tuple[PromotionRevert, ...]]((), bindings=True)
    """The answer shown; empty until the history has been read."""
    error: var[str] = var("")
    """Why the history cannot be read; "" where it can."""

    scroller = query_one(VerticalScroll)

    def __init__(self, session: PromotionReverts, selected: tuple[CellKey, ...]) -> None:
        super().__init__()
        self._session = session
        self._selected = selected

    def compose(self) -> ComposeResult:
        """The same two lines, then the cells."""
        yield SummaryBar().data_bind(PromotionRevertScreen.snapshot)
        yield SourceBar().data_bind(PromotionRevertScreen.snapshot)
        with VerticalScroll():
            yield Static(id="reverts", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Read the history at once."""
        self._show()
        self.action_look()

    def on_resize(self) -> None:
        """Break the lines for the new width."""
        self._show()

    def watch_snapshot(self, old: FleetSnapshot, new: FleetSnapshot) -> None:
        """Read the history again where the branch has moved: what is shown is what would be staged."""
        if self.is_present and old.revision != new.revision:
            self.action_look()

    def watch_reverts(self) -> None:
        """The history has been read."""
        self._show()

    def watch_error(self) -> None:
        """The history cannot be read, or can again."""
        self._show()

    @work(group="past", exclusive=True)
    async def action_look(self) -> None:
        """Read the last promotion of each selected stage, and what its revert does."""
        try:
            reverts = await self._session.history.plan_promotion_reverts(self.snapshot, self._selected)
        except SgmError as error:
            self.reverts, self.error = (), error.sentence
        else:
            self.reverts, self.error = reverts, ""

    def _show(self) -> None:
        if self.is_present:
            self.query_one("#reverts", Static).update(render_page(self._lines()))

    def _lines(self) -> list[Line]:
        if self.error:
            return [(("✖ ", Tone.BAD), (self.error, Tone.BAD))]
        if not self.reverts:
            return [(("… reading the history", Tone.BUSY),)]
        title: Line = ((f"{heading(self.reverts)}   ", Tone.TITLE), *total(self.reverts))
        return [title, *revert_lines(self.reverts, self.snapshot.generated_at, self.text_width)]

    @property
    def _changes(self) -> tuple[Change, ...]:
        return tuple(change for revert in self.reverts for change in revert.changes)

    @work(group="planning", exclusive=True)
    async def action_stage(self) -> None:
        """Stage every revert shown; the marks stay where nothing is staged."""
        changes = self._changes
        if not changes:
            reason = self.error or ("no selected cell can be reverted" if self.reverts else "still reading the history")
            self.notify(reason, title="not planned", severity="warning", markup=False)
            return
        staged = await self._session.stage_reverts(changes)
        if not staged.changes:
            reason = "\n".join(refusal.reason for refusal in staged.refusals)
            self.notify(reason, title="not planned", severity="warning", markup=False)
            return
        self.app.post_message(RevertsStaged(self._selected))  # this screen is gone before its own messages are
        self.notify("c shows the plan, u takes it back", title=f"planned: {_summary(staged.changes)}", markup=False)
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Scroll the list."""
        self.scroller.scroll_relative(y=lines, animate=False, immediate=True)

    def action_back(self) -> None:
        """Return to the matrix; the marks stay."""
        self.dismiss()


def _summary(changes: Sequence[Change]) -> str:
    """Name a few reverts by their places, more by how many they are."""
    if len(changes) > _NAMED:
        return f"{len(changes)} reverts"
    return "revert " + ", ".join(f"{change.service} in {change.place}" for change in changes)
