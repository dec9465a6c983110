"""The plan page: what is staged, the exact diff it makes, and how far its pull requests are."""

from __future__ import annotations

import asyncio

from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.events import ScreenResume
from textual.getters import query_one
from textual.reactive import var
from textual.widgets import Static

from sgm_tui.errors import SgmError
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Preview, UnfinishedWrite, WriteOptions
from sgm_tui.fleet.plans.standing import Standing, standings, tally
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.gate_basis import GateBasis
from sgm_tui.ui.ports import PlanReview
from sgm_tui.ui.present.plans import change_line, preview_parts, title_line
from sgm_tui.ui.present.progress import WriteProgress
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.widgets.bars import SummaryBar
from sgm_tui.ui.widgets.choices import Choices
from sgm_tui.ui.widgets.diff_page import DiffPage, Parts
from sgm_tui.ui.widgets.key_bar import KeyBar
from sgm_tui.ui.widgets.rendering import render_page

_LOOKING: Line = (("… fetching the repository and evaluating the gates", Tone.BUSY),)
_AGAIN: tuple[Line, ...] = ((), (("press r to retry", Tone.QUIET),))


class PlanPage(FleetPage):
    """Staged changes over their diffs, and the keys that only look at them."""

    preview: var[Preview | None] = var[Preview | None](None, bindings=True)
    """The plan against the repository; None until it has been compared."""
    sending: var[bool] = var(False, bindings=True)
    """Pull requests are being opened: the screen stays until that has ended."""

    choices = query_one(Choices)
    page = query_one(DiffPage)

    def __init__(self, session: PlanReview, write_progress: WriteProgress) -> None:
        """`write_progress` is of the last write; it is followed however often the screen is closed and opened."""
        super().__init__()
        self._session = session
        self._write_progress = write_progress
        self._gate_basis: GateBasis | None = None
        """By what it was compared; None until it has been."""
        self._comparison_done = asyncio.Event()
        """The comparison that is shown has ended, well or not."""
        self._terms = WriteOptions()
        self._unfinished: tuple[UnfinishedWrite, ...] = ()
        self._waves = 0

    def compose(self) -> ComposeResult:
        """The staged changes, what happened so far, the diffs."""
        yield SummaryBar().data_bind(PlanPage.snapshot)
        yield Static(id="title", markup=False)
        yield Choices()
        with VerticalScroll(id="course", can_focus=False):
            yield Static(id="progress", markup=False)
        yield DiffPage()
        yield KeyBar()

    def on_mount(self) -> None:
        """Compare at once."""
        self._show_write_progress()
        self._show_changes()
        self.action_preview()
        self.set_interval(1.0, self._tick)

    @on(ScreenResume)
    def look_again(self) -> None:
        """Waves and unfinished writes have moved on while another page was open."""
        self.look_for_unfinished()

    def watch_snapshot(self, old: FleetSnapshot, new: FleetSnapshot) -> None:
        """Another plan needs another comparison."""
        if self.is_present and old.plan != new.plan:
            self._terms = WriteOptions(reason=self._terms.reason, direct=self._terms.direct)
            self._show_changes()
            if not self.sending:
                self.action_preview()
                self.look_for_unfinished()
        elif self.is_present and old.read_only != new.read_only:
            self._show_changes()
        if self.is_present:
            self._show_write_progress()  # what was opened is followed: merged, arrived, failed
        looked = self.is_present and not self.sending and self._comparison_done.is_set() and new.plan.changes
        if looked and self._gate_basis is not None and self._gate_basis.is_outdated(new, self.preview):
            self.judge_again()

    def watch_preview(self) -> None:
        """The gates have been evaluated, or have to be again."""
        if self.is_present:
            self._show_changes()

    def _show_changes(self) -> None:
        changes = self.snapshot.plan.changes
        stands = standings(changes, self.preview) if self.preview is not None else ()
        counted = tally(stands) if self.preview is not None else None
        read_only = self.snapshot.read_only
        title = title_line(len(changes), counted, len(self._unfinished), self._waves, read_only=read_only)
        hint = "" if self.snapshot.read_only else " Press p on a cell to stage a promotion."
        nothing: Line = ((f"The plan is empty.{hint}", Tone.QUIET),)
        if not self.snapshot.sources:  # the plan belongs to a fleet, and which one is not known yet
            title, nothing = (("The plan", Tone.STRONG),), (("… waiting for the configuration", Tone.BUSY),)
        self.query_one("#title", Static).update(render_page([title]))
        marks: list[Standing | None] = [one.standing for one in stands] if stands else [None] * len(changes)
        self.choices.show(list(map(change_line, changes, marks)) or [nothing])

    @work(group="preview", exclusive=True)
    async def action_preview(self) -> None:
        """Fetch the repository and show what would be written."""
        self.preview = None
        self._comparison_done.clear()
        try:
            await self._look()
        finally:
            self._comparison_done.set()
            self.refresh_bindings()

    @work(group="preview", exclusive=True)
    async def judge_again(self) -> None:
        """A source speaks again, or time has cleared a gate: what is shown stays until there is something newer."""
        self._gate_basis = GateBasis.by(self.snapshot)
        try:
            self.preview = await self._session.preview(self._terms)
        except SgmError as error:
            if self.preview is None:
                self.page.say(*describe_failure(error), *_AGAIN)
            return
        self.page.show(self._compared(self.preview))

    async def _look(self) -> None:
        self._gate_basis = GateBasis.by(self.snapshot)
        if not self.snapshot.plan.changes:
            self.page.say()
            return
        try:
            sketch = await self._session.sketch()
            self.page.show([("", (_LOOKING, ())), *self._compared(sketch)])
            self.preview = await self._session.preview(self._terms)
        except SgmError as error:
            self.page.say(*describe_failure(error), *_AGAIN)
            return
        self.page.show(self._compared(self.preview))

    def _compared(self, preview: Preview) -> Parts:
        return preview_parts(preview, self.snapshot.fleet, self.snapshot.generated_at, self.text_width)

    @work(group="unfinished", exclusive=True)
    async def look_for_unfinished(self) -> None:
        """What a crash left behind is said once the journal has been read."""
        try:
            self._unfinished = await self._session.recovery.list_unfinished()
            self._waves = len(await self._session.waves())
        except SgmError as error:
            self.notify(error.hint, title=error.message, severity="warning", markup=False)
        self._show_changes()

    def _chosen(self) -> Change | None:
        changes, at = self.snapshot.plan.changes, self.choices.highlighted
        return changes[at] if at is not None and at < len(changes) else None

    def _tick(self) -> None:
        """How long the step under way has waited."""
        if self.sending:
            self._show_write_progress()

    def _show_write_progress(self) -> None:
        """What happened, its end in sight."""
        if not self.is_present:
            return
        lines, place = (
            self._write_progress.lines(self.text_width, self.snapshot),
            self.query_one("#course", VerticalScroll),
        )
        self.query_one("#progress", Static).update(render_page(lines))
        place.display = bool(lines)
        place.scroll_end(animate=False)

    def action_choose(self, step: int) -> None:
        """Choose another change."""
        self.choices.choose(step)
        self.show_chosen()

    @on(Choices.OptionSelected)
    def show_chosen(self) -> None:
        """The diffs from the chosen change on; the first of a pull request from its heading on."""
        chosen = self._chosen()
        if chosen is not None and self.preview is not None:
            self.page.show_from(chosen.path)

    def action_scroll(self, direction: int) -> None:
        """Scroll the diffs by a page."""
        self.page.turn(direction)


def describe_failure(error: SgmError) -> list[Line]:
    """Return an error as lines: what failed, then its remedy."""
    lines: list[Line] = [(("✖ ", Tone.BAD), (error.message, Tone.BAD))]
    if error.hint:
        lines.append(((f"  {error.hint}", Tone.TEXT),))
    return lines
