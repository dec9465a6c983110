"""Writes that were begun and never seen to their end: what the server holds of each, and the one safe next step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.getters import query_one
from textual.reactive import var
from textual.widgets import Static

from sgm_tui.errors import SgmError
from sgm_tui.fleet.ages import age
from sgm_tui.fleet.model import Fleet, StageName
from sgm_tui.fleet.plans.proposal import UnfinishedWrite
from sgm_tui.permission import Consent
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.ports import Recovery
from sgm_tui.ui.present.plans import is_protected
from sgm_tui.ui.present.progress import WriteProgress
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.screens.leavable import outlives_screen
from sgm_tui.ui.widgets.bars import SummaryBar
from sgm_tui.ui.widgets.choices import Choices
from sgm_tui.ui.widgets.key_bar import KeyBar
from sgm_tui.ui.widgets.rendering import render_page


class UnfinishedScreen(FleetPage):
    """What a crash or a lost connection left behind."""

    CSS_PATH = styles() / "plan.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("unfinished")
    AUTO_FOCUS = "Choices"

    writes: var[tuple[UnfinishedWrite, ...] | None] = var[tuple[UnfinishedWrite, ...] | None](None, bindings=True)
    """None until the journal and the server have been looked at."""

    choices = query_one(Choices)

    def __init__(self, session: Recovery) -> None:
        super().__init__()
        self._session = session
        self._write_progress = WriteProgress()

    def compose(self) -> ComposeResult:
        """The list, and what happened here."""
        yield SummaryBar().data_bind(UnfinishedScreen.snapshot)
        yield Static(render_page([(("Unfinished writes", Tone.TITLE),)]), id="title", markup=False)
        yield Choices()
        yield Static(id="progress", markup=False)
        yield Static(id="diffs", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Look after the first refresh: Python 3.12 starts a task before there is a list to fill."""
        self.call_after_refresh(self.look)
        self.set_interval(1.0, self._tell)

    @work(group="unfinished", exclusive=True)
    async def look(self) -> None:
        """Ask the journal and the server."""
        try:
            self.writes = await self._session.recovery.list_unfinished()
        except SgmError as error:
            self._tell(((f"✖ {error.sentence}", Tone.BAD),))

    def watch_writes(self) -> None:
        """One line each."""
        if not self.is_present or self.writes is None:
            return
        now = self.snapshot.generated_at
        self.choices.show([_line(one, age(now - one.began_at)) for one in self.writes] or [_NONE])

    @outlives_screen(group="asking")
    async def action_advised(self) -> None:
        """Ask, and do what is advised for the chosen one; what goes on in a protected stage has to be unlocked."""
        at, writes = self.choices.highlighted, self.writes or ()
        if at is None or at >= len(writes):
            return
        chosen = writes[at]
        locked = _locked(chosen, self.snapshot.fleet)
        if not await self.ask(AskScreen(_VERBS[chosen.advice], _question(chosen), locked)):
            return
        try:
            if chosen.advice == "resume":
                async for progress in self._session.resume(chosen.operation, Consent.to(locked)):
                    self._write_progress.step(progress)
                    self._tell()
            else:
                self._tell(((f"✓ {await self._session.discard(chosen.operation)}", Tone.GOOD),))
        except SgmError as error:
            self._tell(((f"✖ {error.sentence}", Tone.BAD),))
        if self.is_present:
            self.look()
        else:
            self.notify(chosen.title, title=f"done: {_VERBS[chosen.advice].lower()}", markup=False)

    def _tell(self, *lines: Line) -> None:
        self._write_progress.say(*lines)
        if not self.is_present:
            return
        self.query_one("#progress", Static).update(render_page(self._write_progress.lines(self.text_width)))

    def offers(self, action: str) -> bool | None:
        """There has to be something to do."""
        return bool(self.writes) or None if action == "advised" else True

    def action_choose(self, step: int) -> None:
        """Choose another."""
        self.choices.choose(step)

    def action_back(self) -> None:
        """Back to the plan."""
        self.dismiss()


_VERBS: Mapping[str, str] = {
    "resume": "Resume this write",
    "discard": "Discard this write",
    "close": "Remove from the list",
}


def _locked(write: UnfinishedWrite, fleet: Fleet) -> tuple[StageName, ...]:
    """The protected stages that going on would change."""
    return tuple(name for name in write.stages if write.advice == "resume" and is_protected(fleet, name))


def _question(write: UnfinishedWrite) -> list[Line]:
    return [
        ((write.title, Tone.STRONG),),
        (("branch   ", Tone.QUIET), (write.branch, Tone.TEXT)),
        (("state    ", Tone.QUIET), (f"on the server: {write.found}", Tone.TEXT)),
        ((write.explained, Tone.TEXT),),
    ]


_NONE: Line = (("✓ No unfinished writes.", Tone.GOOD),)


def _line(write: UnfinishedWrite, since: str) -> Line:
    return (
        (f"{write.advice:<8}", Tone.ATTENTION),
        (f"{write.title}  ", Tone.STRONG),
        (f"started {since} ago, on the server: {write.found}: ", Tone.TEXT),
        (write.explained, Tone.QUIET),
    )
