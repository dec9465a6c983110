"""The way back of one cell: its past versions, what is known against each, and what going back will look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.getters import query_one
from textual.reactive import var
from textual.widgets import Static

from sgm_tui.errors import SgmError
from sgm_tui.fleet.history.cell_history import PastVersion
from sgm_tui.fleet.history.last_promotion import has_gone_back
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plans.plan import Refusal
from sgm_tui.fleet.reverts.health import find_revert_target
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.ports import VersionHistory
from sgm_tui.ui.present.history import FLEXIBLE, HEADINGS, past_lines, past_row, way_lines
from sgm_tui.ui.present.tables import aligned
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.screens.entry import EntryScreen
from sgm_tui.ui.screens.leavable import outlives_screen
from sgm_tui.ui.widgets.bars import SourceBar, SummaryBar
from sgm_tui.ui.widgets.choices import Choices
from sgm_tui.ui.widgets.key_bar import KeyBar
from sgm_tui.ui.widgets.rendering import render_page

_READING_SECONDS = 15
"""For what one still has to do oneself: long enough to be read at night."""


class RevertScreen(FleetPage):
    """Choose a version to go back to."""

    CSS_PATH = styles() / "revert.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("revert")
    AUTO_FOCUS = "Choices"

    pasts: var[tuple[PastVersion, ...]] = var[tuple[PastVersion, ...]]((), bindings=True)

    choices = query_one(Choices)

    def __init__(self, session: VersionHistory, key: CellKey) -> None:
        super().__init__()
        self._session = session
        self._key = key
        self._placed = False
        self._by_hand = False
        """A person moved the cursor; until then it stands where it is thought to be best."""
        self._reading = True
        """Until the history has been read for the first time."""

    def compose(self) -> ComposeResult:
        """The same two lines, the versions, what will happen."""
        yield SummaryBar().data_bind(RevertScreen.snapshot)
        yield SourceBar().data_bind(RevertScreen.snapshot)
        yield Static(render_page([self._title()]), id="title", markup=False)
        yield Static(id="headings", markup=False)
        yield Choices()
        yield Static(id="way", markup=False)
        yield KeyBar()

    def _title(self) -> Line:
        """Which cell it is, and which version `b` would act on: not the one under an untouched cursor."""
        where = (f"Revert {self._key.service} in {self._key.cluster}", Tone.TITLE)
        past = self._accused()
        if past is None or self.snapshot.read_only:
            return (where,)
        does = f"unmarks {past.version}" if _is_marked(past) else f"marks {past.version} as known bad"
        return (where, (f"   b {does}", Tone.QUIET))

    def _show_title(self) -> None:
        self.query_one("#title", Static).update(render_page([self._title()]))

    def _accused(self) -> PastVersion | None:
        """The version `b` means: the one that is left, or the one a person chose."""
        return self._chosen() if self._by_hand else next(iter(self.pasts), None)

    def on_mount(self) -> None:
        """Read the history after the first refresh: Python 3.12 starts a task before there is a list to fill."""
        self._say((("… reading the history", Tone.BUSY),))
        self.call_after_refresh(self.look)

    def on_resize(self) -> None:
        """Columns follow the width."""
        self._show()

    @work(group="past", exclusive=True)
    async def look(self) -> None:
        """Read the versions of this cell from git, and then how each of them fared."""
        try:
            self.pasts = await self._session.history.past_versions(self._key)
        except SgmError as error:
            self._say((("✖ ", Tone.BAD), (error.sentence, Tone.BAD)))
            return
        self._reading = False
        self._show()
        self.pasts = await self._session.history.add_healthy_times(self.snapshot, self.pasts)
        self._show()
        # Only now, and only where nobody was faster: the cursor never moves under somebody's fingers.
        if not self._placed and len(self.pasts) > 1 and not self.choices.highlighted:
            self.choices.highlighted = self._best()
        self._placed = True
        self.foresee()

    def _best(self) -> int:
        """The newest version that is good as far as anybody knows: where the cursor starts at 3 a.m.

        After a revert that is the version git has now: going further back is a decision of its own.
        """
        if has_gone_back(self.pasts):
            return 0
        best = find_revert_target(self.pasts)
        return self.pasts.index(best) if best is not None else 1

    def _show(self) -> None:
        if not self.is_present or self._reading:
            return
        now = self.snapshot.generated_at
        rows = [past_row(past, now, current=at == 0) for at, past in enumerate(self.pasts)]
        headings = tuple((heading, Tone.TITLE) for heading in HEADINGS)
        lines = aligned([headings, *rows], self.size.width - 4, flexible=FLEXIBLE)
        self.query_one("#headings", Static).update(render_page(lines[:1]))
        nothing: Line = (("Git has no earlier version of this cell.", Tone.QUIET),)
        self.choices.show(lines[1:] or [nothing])

    @on(Choices.OptionHighlighted)
    @work(group="way", exclusive=True)
    async def foresee(self) -> None:
        """What will happen for the chosen version, said before anything is staged."""
        self._show_title()
        past = self._chosen()
        if past is None:
            return
        if past is self.pasts[0]:
            self._say(*past_lines(past), ((_of_current(self.pasts), Tone.QUIET),))
            return
        try:
            way = await self._session.forecast_revert(self._key, past.revision)
        except SgmError as error:
            self._say((("✖ ", Tone.BAD), (error.sentence, Tone.BAD)))
            return
        if isinstance(way, Refusal):
            self._say(*past_lines(past), (("· ", Tone.QUIET), (way.reason, Tone.TEXT)))
        else:
            self._say(*past_lines(past), (), *way_lines(way, self.text_width))

    @work(group="asking", exclusive=True)
    async def action_stage(self) -> None:
        """Stage a revert to the selected version."""
        past = self._chosen()
        if past is None:
            return
        staged = await self._session.stage_revert(self._key, past.revision)
        if isinstance(staged, Refusal):
            self.notify(staged.reason, title="not planned", severity="warning", markup=False)
            return
        self.notify("c: review the plan, u: undo", title=f"planned: {staged.subject}", markup=False)
        self.dismiss()

    @outlives_screen(group="asking")
    async def action_mark_bad(self) -> None:
        """Mark the current (or selected) version as known bad in every cell, or unmark it."""
        past = self._accused()
        if past is None:
            return
        reason: str | None = ""
        if not _is_marked(past):
            title = f"Why is {past.version} bad? Promotions of {self._key.service} to it will be blocked."
            reason = await self.ask(EntryScreen(title, least=3))
        if reason is None:
            return
        try:
            await self._session.mark_bad(self._key.service, past.version, reason)
        except SgmError as error:
            self.notify(error.hint, title=error.message, severity="error", markup=False)
        else:
            done = f"{past.version} is marked as known bad" if reason else f"{past.version} is unmarked"
            self.notify("in every cell; the revert commit records it for other users", title=done, markup=False)
        if self.is_present:
            self.look()

    @work(group="asking", exclusive=True)
    async def action_stage_everywhere(self) -> None:
        """Stage a revert of every cell that runs, or is about to run, this cell's desired version."""
        if not self.pasts:
            return
        staged = await self._session.stage_revert_of(self._key.service, self.pasts[0].version)
        if staged.refusals:
            reasons = "\n".join(refusal.reason for refusal in staged.refusals)
            title = "not reverted" if staged.changes else "not planned"
            self.notify(reasons, title=title, severity="warning", timeout=_READING_SECONDS, markup=False)
        if staged.changes:
            where = ", ".join(change.place for change in staged.changes)
            self.notify("c: review the plan, u: undo", title=f"planned: revert in {where}", markup=False)
            self.dismiss()

    def _chosen(self) -> PastVersion | None:
        at = self.choices.highlighted
        return self.pasts[at] if at is not None and at < len(self.pasts) else None

    def _say(self, *lines: Line) -> None:
        self.query_one("#way", Static).update(render_page(lines))

    def offers(self, action: str) -> bool | None:
        """There has to be a past."""
        if action in {"stage", "mark_bad", "stage_everywhere"}:
            return bool(self.pasts) or None
        return True

    def action_choose(self, step: int) -> None:
        """Choose another version."""
        self._by_hand = True
        self.choices.choose(step)
        self._show_title()

    @on(Choices.OptionSelected)
    def take_clicked(self) -> None:
        """A version that was clicked is a choice, the one under the cursor too."""
        self._by_hand = True
        self._show_title()

    def action_back(self) -> None:
        """Back to the matrix."""
        self.dismiss()


def _of_current(pasts: Sequence[PastVersion]) -> str:
    """Describe the version git has now."""
    if has_gone_back(pasts):
        return "Current version, set by a revert. Select an older one to revert further."
    return "Current version in git."


def _is_marked(past: PastVersion) -> bool:
    return past.known_bad.startswith("known bad")
