"""The application: one reactive snapshot fed by one worker, data bound down; intents come up as actions.

Only textual, the domain and the main screen are imported before the first frame; the other screens and every client
library come after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from typing import ClassVar

from textual import on, work
from textual.app import App
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import Monochrome, NoColor
from textual.reactive import var
from textual.screen import Screen

from sgm_tui.errors import SgmError
from sgm_tui.fleet.plan import Progress
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.resources import styles
from sgm_tui.ui import keys, terminal, themes
from sgm_tui.ui.messages import (
    CellRequested,
    PlanRequested,
    PullsRequested,
    RevertRequested,
    UnfinishedRequested,
    WavesRequested,
    WhyRequested,
)
from sgm_tui.ui.screens.fleet import FleetScreen
from sgm_tui.ui.session import Session
from sgm_tui.ui.widgets.cell_grid import NO_FLEET

_TERMINAL_SECONDS = 1.0


class SgmApp(App[None]):
    """The dashboard on one session."""

    TITLE = "sgm"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = keys.EVERYWHERE

    snapshot: var[FleetSnapshot] = var(NO_FLEET)
    """The newest snapshot; the only state there is."""

    def __init__(
        self,
        session: Session | None = None,
        *,
        theme: str = "",
        keymap: Mapping[str, str] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Show one session, or none until `attend` brings it: the first frame waits for nothing."""
        super().__init__(css_path=styles() / "fleet.tcss")
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (170, "-wide")]
        self.painted = asyncio.Event()
        """The first frame is on the screen."""
        self._session = session
        self._endings = contextlib.ExitStack()
        self._choose_look(theme, environ)
        self.set_keymap(dict(keymap or {}))

    def _choose_look(self, name: str, environ: Mapping[str, str]) -> None:
        for theme in themes.THEMES:
            self.register_theme(theme)
        if name and name not in themes.BY_NAME:
            raise SgmError(f"there is no theme {name}", f"Themes: {', '.join(themes.BY_NAME)}")
        self.theme = themes.PLAIN if self.no_color else name or themes.DEFAULT
        for other in self.available_themes.keys() - themes.BY_NAME.keys():
            self.unregister_theme(other)
        if self.theme == themes.PLAIN:
            self.no_color = True
            kept = [one for one in self._filters if not isinstance(one, Monochrome | NoColor)]
            self._filters = [*kept, terminal.PlainFilter()]
        if not terminal.speaks_unicode(environ):
            self._filters.append(terminal.AsciiFilter())

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice, but a terminal's driver outlives its terminal."""
        chosen = super().get_driver_class()
        return terminal.LastingDriver if chosen is LinuxDriver else chosen

    def get_default_screen(self) -> Screen[None]:
        """The matrix."""
        return FleetScreen(lambda: self.session).data_bind(SgmApp.snapshot)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The tones, for moments in which none of our themes is active."""
        return dict(themes.DARK.variables)

    @property
    def session(self) -> Session:
        """What it shows; until there is one, a session of nothing that refuses every intent."""
        if self._session is None:
            from sgm_tui.ui.static_session import StaticSession

            return StaticSession(self.snapshot, "sgm is still starting")
        return self._session

    def attend(self, session: Session) -> None:
        """Show this session from now on."""
        self._session = session
        self.follow()

    def say(self, progress: Progress) -> None:
        """A wave that was opened by itself, so that nobody is surprised by its pull request."""
        title = f"#{progress.number} {progress.step}" if progress.number else progress.step
        self.notify(progress.proposal.title, title=title, markup=False)

    def on_mount(self) -> None:
        """Begin to listen: to the session, to signals, to the terminal."""
        if self._session is not None:
            self.follow()
        self.call_after_refresh(self.painted.set)
        if not self.is_headless:
            self._endings.enter_context(terminal.signals_end(self.end))
            self.set_interval(_TERMINAL_SECONDS, self._look_for_terminal)

    def on_unmount(self) -> None:
        """Give signals back to whoever had them."""
        self._endings.close()

    @work(group="snapshots")
    async def follow(self) -> None:
        """Show every newest snapshot."""
        async for snapshot in self.session.snapshots():
            self.snapshot = snapshot

    @on(CellRequested)
    def open_cell(self, message: CellRequested) -> None:
        """One cell on its own page."""
        from sgm_tui.ui.screens.cell import CellScreen

        self.push_screen(CellScreen(message.key).data_bind(SgmApp.snapshot))

    @on(PlanRequested)
    def open_plan(self) -> None:
        """What is planned."""
        from sgm_tui.ui.screens.plan import PlanScreen

        self.push_screen(PlanScreen(self.session).data_bind(SgmApp.snapshot))

    @on(PullsRequested)
    def open_pulls(self) -> None:
        """The pull requests."""
        from sgm_tui.ui.screens.pulls import PullsScreen

        self.push_screen(PullsScreen(self.session).data_bind(SgmApp.snapshot))

    @on(WhyRequested)
    def open_why(self, message: WhyRequested) -> None:
        """Everything in the way of a cell's next version."""
        from sgm_tui.ui.screens.why import WhyScreen

        self.push_screen(WhyScreen(self.session, message.key).data_bind(SgmApp.snapshot))

    @on(UnfinishedRequested)
    def open_unfinished(self) -> None:
        """What was begun and never finished."""
        from sgm_tui.ui.screens.unfinished import UnfinishedScreen

        self.push_screen(UnfinishedScreen(self.session).data_bind(SgmApp.snapshot))

    @on(WavesRequested)
    def open_waves(self) -> None:
        """Promotions that go wave by wave."""
        from sgm_tui.ui.screens.waves import WavesScreen

        self.push_screen(WavesScreen(self.session).data_bind(SgmApp.snapshot))

    @on(RevertRequested)
    def open_revert(self, message: RevertRequested) -> None:
        """The versions a cell could go back to."""
        from sgm_tui.ui.screens.revert import RevertScreen

        self.push_screen(RevertScreen(self.session, message.key).data_bind(SgmApp.snapshot))

    def end(self, code: int) -> None:
        """Leave with this exit code, the terminal as it was."""
        self.exit(return_code=code)

    def _look_for_terminal(self) -> None:
        if not terminal.terminal_is_there():
            self.end(terminal.HUNG_UP)

    def action_leave(self) -> None:
        """Quit."""
        self.exit()

    def action_interrupt(self) -> None:
        """Quit as a program does that was interrupted."""
        self.end(130)

    def action_help(self) -> None:
        """Show every key and every sign."""
        from sgm_tui.ui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))
