"""The application: one reactive snapshot fed by one worker, data bound down; intents come up as actions.

Only textual, the domain and the main screen are imported before the first frame; the other screens and every client
library come after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen
from textual.widgets import Input
from textual.widgets.input import Selection

from sgm_tui.errors import UsageError
from sgm_tui.resources import styles
from sgm_tui.ui import keys, themes
from sgm_tui.ui.navigation import Navigation
from sgm_tui.ui.ports import Session
from sgm_tui.ui.present.glyphs import AsciiTable
from sgm_tui.ui.screens.fleet import FleetScreen
from sgm_tui.ui.screens.matrix import WIDE
from sgm_tui.ui.terminal import capabilities as terminal
from sgm_tui.ui.terminal.canvas import MinimumSizeApp
from sgm_tui.ui.terminal.driver import HangupSafeDriver

if TYPE_CHECKING:
    from sgm_tui.fleet.plans.proposal import Progress
    from sgm_tui.fleet.snapshot import FleetSnapshot

logger = logging.getLogger("sgm")

_TERMINAL_SECONDS = 1.0
_PASTE_SECONDS = 1.0
_PAUSE = 1.0
"""Seconds before the next try, after a snapshot could not be shown."""
_MOST_FAILURES = 5
"""After so many in a row the program ends with a report: the picture would stand still."""


class SgmApp(MinimumSizeApp, Navigation):
    """The dashboard on one session."""

    TITLE = "sgm"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("everywhere")

    def __init__(
        self,
        session: Session | None = None,
        *,
        snapshot: FleetSnapshot | None = None,
        theme: str = "",
        keymap: Mapping[str, str] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Show one session, or none until `attend` brings it: the first frame waits for nothing.

        Until then it shows `snapshot`, where there is one.
        """
        super().__init__(css_path=styles() / "fleet.tcss")
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (WIDE, "-wide")]
        self.painted = asyncio.Event()
        """The first frame is on the screen."""
        self._session = session
        if snapshot is not None:
            self.set_reactive(SgmApp.snapshot, snapshot)
        self._pasted = 0.0
        self._endings = contextlib.ExitStack()
        self._choose_look(theme, environ)
        self.always = keys.find_keys_without_screen(keymap or {})
        self.set_keymap(dict(keymap or {}))

    def _choose_look(self, name: str, environ: Mapping[str, str]) -> None:
        for theme in themes.THEMES:
            self.register_theme(theme)
        if name and name not in themes.BY_NAME:
            raise UsageError(f"there is no theme {name}", f"Themes: {', '.join(themes.BY_NAME)}")
        self.theme = themes.PLAIN if self.no_color else name or themes.DEFAULT
        # What the others tell by colour nobody would see without: then there is none else to choose.
        offered = {themes.PLAIN} if self.theme == themes.PLAIN else themes.BY_NAME.keys()
        for other in self.available_themes.keys() - offered:
            self.unregister_theme(other)
        if self.theme == themes.PLAIN:
            self.no_color = True
            others = [line for line in self.line_filters if not isinstance(line, Monochrome | NoColor)]
            self.line_filters = [*others, terminal.PlainFilter()]
        if not terminal.speaks_unicode(environ):
            self.table = AsciiTable()
            self.line_filters = [*self.line_filters, terminal.AsciiFilter()]

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice, but a terminal's driver outlives its terminal."""
        chosen = super().get_driver_class()
        return HangupSafeDriver if chosen is LinuxDriver else chosen

    def get_default_screen(self) -> Screen[None]:
        """The matrix."""
        return FleetScreen(lambda: self.session).data_bind(SgmApp.snapshot)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The tones, for moments in which none of our themes is active."""
        return dict(themes.DARK.variables)

    def refresh_css(self, animate: bool = True) -> None:
        """Style everything again; before the first screen nothing was styled, and the theme is read with the styles."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())

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
        """Show every newest snapshot. One that cannot be shown is no reason to stop; if none can be, that is."""
        failures = 0
        while True:
            try:
                async for snapshot in self.session.snapshots():
                    self.snapshot = snapshot
                    failures = 0
                return
            except Exception as error:
                logger.exception("the latest snapshot cannot be displayed")
                failures += 1
                if failures == _MOST_FAILURES:
                    self.end_by(error)
                    return
                self.report_bug(error)
            await asyncio.sleep(_PAUSE)

    def on_paste(self, event: events.Paste) -> None:
        """Nothing wanted it: say so, once for all the pieces it came in."""
        if event.time - self._pasted > _PASTE_SECONDS:
            self.notify("Pasted text is not run as keys.", title="paste ignored", severity="warning", markup=False)
        self._pasted = event.time

    def end(self, code: int) -> None:
        """Leave with this exit code, the terminal as it was."""
        self.exit(return_code=code)

    def _look_for_terminal(self) -> None:
        if not terminal.terminal_is_there():
            self.end(terminal.HUNG_UP)

    def action_leave(self) -> None:
        """Quit."""
        self.exit()

    def action_leave_from_anywhere(self) -> None:
        """Quit, also where `q` means back."""
        self.exit()

    def action_interrupt(self) -> None:
        """Copy the selected text; without a selection, quit with the exit code of an interrupted program."""
        text = self._take_selection()
        if not text:
            self.end(130)
            return
        self.copy_to_clipboard(text)
        self.notify(f"{len(text)} characters", title="copied", markup=False)

    def _take_selection(self) -> str:
        """Return the selected text and clear the selection, so that the next ctrl+c quits; "" without one."""
        field = self.focused
        if isinstance(field, Input) and field.selected_text:
            text, field.selection = field.selected_text, Selection.cursor(field.cursor_position)
            return text
        text = self.screen.get_selected_text() or ""
        self.screen.clear_selection()
        return text
