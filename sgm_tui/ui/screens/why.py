"""Why not? Everything that stands between a cell and its next version, in one list."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.getters import query_one
from textual.reactive import var
from textual.widgets import Static

from sgm_tui.errors import SgmError
from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.staging import plan_promotion
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.ports import GateReview
from sgm_tui.ui.present.ages import ago
from sgm_tui.ui.present.gates import gate_lines, summary
from sgm_tui.ui.present.glyphs import ARROW
from sgm_tui.ui.present.pulls import is_in_doubt, readiness
from sgm_tui.ui.present.tones import Line, Tone, tone_of
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.widgets.bars import SourceBar, SummaryBar
from sgm_tui.ui.widgets.key_bar import KeyBar
from sgm_tui.ui.widgets.rendering import render_page


class WhyScreen(FleetPage):
    """Where the cell stands, what is on its way, and every gate of what could come next."""

    CSS_PATH = styles() / "cell.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("why")

    answer: var[tuple[Gate, ...] | Refusal | None] = var[tuple[Gate, ...] | Refusal | None](None)
    """The gates; a refusal where there is nothing to judge; None until they have been looked at."""

    scroller = query_one(VerticalScroll)

    def __init__(self, session: GateReview, key: CellKey) -> None:
        super().__init__()
        self._session = session
        self._key = key

    def compose(self) -> ComposeResult:
        """The same two lines, then the list."""
        yield SummaryBar().data_bind(WhyScreen.snapshot)
        yield SourceBar().data_bind(WhyScreen.snapshot)
        with VerticalScroll():
            yield Static(id="why", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Look at once."""
        self._show()
        self.action_judge()

    def watch_snapshot(self) -> None:
        """What is true of the cell moves on, and ETAs come nearer."""
        self._show()

    def watch_answer(self) -> None:
        """The gates have been looked at."""
        self._show()

    @work(group="judge", exclusive=True)
    async def action_judge(self) -> None:
        """Judge every gate against fresh facts."""
        try:
            self.answer = await self._session.why(self._key)
        except SgmError as error:
            self.answer = Refusal("", error.sentence)

    def _show(self) -> None:
        if self.is_present:
            self.query_one("#why", Static).update(render_page(self._lines()))

    def _lines(self) -> list[Line]:
        cell = self.snapshot.cells.get(self._key)
        lines: list[Line] = [((f"Gates: {self._key.service} in {self._key.cluster}", Tone.TITLE),), ()]
        if cell is not None:
            lines += [*_standing(cell, self.snapshot.generated_at), *self._next(), *self._on_the_way(cell), ()]
        return lines + self._gate_section()

    def _next(self) -> list[Line]:
        """What the gates are about: the change that is planned for the cell, or the promotion that could be."""
        planned = self.snapshot.plan.staged_versions().get(self._key)
        could = plan_promotion(self.snapshot, self._key)
        version = planned or (could.to_version if isinstance(could, Change) else "")
        how = "planned" if planned else "the previous stage has it"
        return [(("next       ", Tone.QUIET), (version, Tone.STAGED), (f"  {how}", Tone.QUIET))] if version else []

    def _gate_section(self) -> list[Line]:
        answer = self.answer
        if answer is None:
            return [(("… evaluating the gates", Tone.BUSY),)]
        if isinstance(answer, Refusal):
            return [(("· ", Tone.QUIET), (answer.reason, Tone.TEXT))]
        return [summary(answer), (), *gate_lines(answer, self.snapshot.generated_at, self.text_width, in_full=True)]

    def _on_the_way(self, cell: Cell) -> list[Line]:
        numbers = {pending.number for pending in cell.facts.pending}
        return [
            (
                (f"#{request.number} ", Tone.STAGED),
                (f"{request.title}  ", Tone.TEXT),
                readiness(request, in_doubt=is_in_doubt(request, self.snapshot)),
            )
            for request in self.snapshot.open_pull_requests
            if request.number in numbers
        ]

    @work(group="planning")
    async def action_promote(self) -> None:
        """Stage this promotion."""
        staged = await self._session.stage_promotion(self._key)
        if isinstance(staged, Refusal):
            self.notify(staged.reason, title="not planned", severity="warning", markup=False)
        else:
            self.notify("c: review the plan", title=f"planned: {staged.subject}", markup=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll the list."""
        self.scroller.scroll_relative(y=lines, animate=False, immediate=True)

    def action_back(self) -> None:
        """Back to the matrix."""
        self.dismiss()


def _standing(cell: Cell, now: datetime) -> list[Line]:
    """Where its newest change is, and what git and the cluster say; of an aborted rollout only what still runs."""
    wants, runs = cell.desired_version or "unreadable", cell.live_version or "unknown"
    silent, as_of = cell.facts.stale_kinds, cell.facts.desired_as_of
    new = f" {ARROW} {cell.new_version}" if cell.new_version and cell.journey is not Journey.FAILED else ""
    read_at = f", as of {ago(as_of, now)} ago" if "git" in silent and as_of else ""
    last_seen = ", as last seen" if "rollouts" in silent and cell.live_version else ""
    lines: list[Line] = [
        (
            ("now        ", Tone.QUIET),
            (cell.journey.value, tone_of(cell)),
            (f"  {cell.reason}" if cell.reason else "", Tone.TEXT),
        ),
        (
            ("desired    ", Tone.QUIET),
            (wants, Tone.STRONG),
            (read_at, Tone.UNKNOWN),
            ("   live  ", Tone.QUIET),
            (f"{runs}{new}", Tone.STRONG),
            (last_seen, Tone.UNKNOWN),
        ),
    ]
    if cell.facts.stale_reason and cell.facts.stale_reason != cell.reason:
        lines.append((("stale      ", Tone.QUIET), (cell.facts.stale_reason, Tone.UNKNOWN)))
    return lines
