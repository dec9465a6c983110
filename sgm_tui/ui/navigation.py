"""From screen to screen: what a person wants to see next comes up as a message, and is opened here, once.

A key pressed twice in one go asks twice before the page it opens is there.
Every screen but the first is imported when it is opened: the first frame waits for none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.command import CommandPalette, Provider
from textual.reactive import var
from textual.theme import ThemeProvider

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.enduring import BugTolerantApp
from sgm_tui.ui.messages import (
    CellRequested,
    PlanRequested,
    PromotionRevertRequested,
    PullsRequested,
    RevertRequested,
    RevertsStaged,
    RolloutRequested,
    UnfinishedRequested,
    WavesRequested,
    WhyRequested,
)
from sgm_tui.ui.palette import KeyCommands, Palette
from sgm_tui.ui.ports import Session
from sgm_tui.ui.screens.matrix import MatrixPage
from sgm_tui.ui.widgets.cell_grid import NO_FLEET

if TYPE_CHECKING:
    from sgm_tui.ui.present.progress import WriteProgress


class Navigation(BugTolerantApp):
    """An application that shows one snapshot on many screens."""

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {KeyCommands}
    """Ours alone: Textual's own commands speak of keys and places that are not ours."""

    snapshot: var[FleetSnapshot] = var(NO_FLEET)
    """The newest snapshot; the only state there is."""

    _session: Session | None = None
    _write_progress: WriteProgress | None = None
    """What the plan wrote last, and what became of it; None while it has written nothing."""

    @property
    def session(self) -> Session:
        """What it shows; until there is one, a session of nothing that refuses every intent."""
        if self._session is None:
            from sgm_tui.ui.static_session import StaticSession

            return StaticSession(self.snapshot, "sgm is still starting")
        return self._session

    @on(CellRequested)
    def open_cell(self, message: CellRequested) -> None:
        """One cell on its own page."""
        from sgm_tui.ui.screens.cell import CellScreen

        if not isinstance(self.screen, CellScreen):
            self.push_screen(CellScreen(message.key).data_bind(Navigation.snapshot))

    @on(PlanRequested)
    def open_plan(self) -> None:
        """What is planned."""
        from sgm_tui.ui.present.progress import WriteProgress
        from sgm_tui.ui.screens.plan import PlanScreen

        if not isinstance(self.screen, PlanScreen):
            self._write_progress = self._write_progress or WriteProgress()
            self.push_screen(PlanScreen(self.session, self._write_progress).data_bind(Navigation.snapshot))

    @on(PullsRequested)
    def open_pulls(self) -> None:
        """The pull requests."""
        from sgm_tui.ui.screens.pulls import PullsScreen

        if not isinstance(self.screen, PullsScreen):
            self.push_screen(PullsScreen(self.session).data_bind(Navigation.snapshot))

    @on(WhyRequested)
    def open_why(self, message: WhyRequested) -> None:
        """Everything in the way of a cell's next version."""
        from sgm_tui.ui.screens.why import WhyScreen

        if not isinstance(self.screen, WhyScreen):
            self.push_screen(WhyScreen(self.session, message.key).data_bind(Navigation.snapshot))

    @on(UnfinishedRequested)
    def open_unfinished(self) -> None:
        """What was begun and never finished."""
        from sgm_tui.ui.screens.unfinished import UnfinishedScreen

        if not isinstance(self.screen, UnfinishedScreen):
            self.push_screen(UnfinishedScreen(self.session).data_bind(Navigation.snapshot))

    @on(WavesRequested)
    def open_waves(self) -> None:
        """Promotions that go wave by wave."""
        from sgm_tui.ui.screens.waves import WavesScreen

        if not isinstance(self.screen, WavesScreen):
            self.push_screen(WavesScreen(self.session).data_bind(Navigation.snapshot))

    @on(RevertRequested)
    def open_revert(self, message: RevertRequested) -> None:
        """The versions a cell could go back to."""
        from sgm_tui.ui.screens.revert import RevertScreen

        if not isinstance(self.screen, RevertScreen):
            self.push_screen(RevertScreen(self.session, message.key).data_bind(Navigation.snapshot))

    @on(PromotionRevertRequested)
    def open_promotion_revert(self, message: PromotionRevertRequested) -> None:
        """Show what reverting the last promotion does to each of these cells."""
        from sgm_tui.ui.screens.promotion_revert import PromotionRevertScreen

        if not isinstance(self.screen, PromotionRevertScreen):
            self.push_screen(PromotionRevertScreen(self.session, message.keys).data_bind(Navigation.snapshot))

    @on(RevertsStaged)
    def unmark_reverted(self, message: RevertsStaged) -> None:
        """Take the marks off cells whose revert is in the plan."""
        for screen in self.screen_stack:
            if isinstance(screen, MatrixPage):
                screen.marked -= frozenset(message.keys)

    @on(RolloutRequested)
    def begin_acting(self, message: RolloutRequested) -> None:
        """Ask, and do it to the rollout that was asked about."""
        from sgm_tui.ui.rollout_actions import act_on_rollout

        self.run_worker(act_on_rollout(self, self.session, self.snapshot, message), group="acting")

    @work(group="picture", exclusive=True)
    async def action_save_picture(self) -> None:
        """Keep what is on the screen, where it is found again, and say where that is."""
        from sgm_tui.ui.picture_file import save_picture

        picture, taken_at = self.export_screenshot(title="sgm"), self.snapshot.generated_at
        try:
            file = await asyncio.to_thread(save_picture, picture, taken_at)
        except OSError as error:
            self.notify(f"{error.filename}: {error.strerror}", title="screen not saved", severity="error", markup=False)
        else:
            self.notify(str(file), title="screen saved", markup=False)

    def action_command_palette(self) -> None:
        """Show every command of the screen by name."""
        if self.use_command_palette and not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette())

    def search_themes(self) -> None:
        """Show every theme by name."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    def action_help(self) -> None:
        """Show every key and every sign."""
        from sgm_tui.ui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))
