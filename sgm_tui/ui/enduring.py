"""A bug in one part does not end the dashboard: it is logged, kept as a crash report and shown as a toast.

What can go on goes on: a worker, a key, a message. A page that can no longer be drawn is closed. Only where
the matrix or the application itself cannot go on does the program end, with a report: a picture that stands still
would be worse.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque

from textual import events
from textual.dom import NoScreen
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.types import CSSPathType
from textual.widget import Widget
from textual.worker import WorkerFailed

from sgm_tui import __version__
from sgm_tui.crash import one_line, write_report
from sgm_tui.errors import SgmError
from sgm_tui.ui.textual_internals import HookedApp, current_node, is_being_removed
from sgm_tui.untrusted_text import clean

logger = logging.getLogger("sgm")

_AGAIN_SECONDS = 60.0
"""The same bug is shown again only after so long: one that recurs with every snapshot would bury the screen."""
_READING_SECONDS = 20.0
_MOST_BUGS = 50
"""So many survived bugs are remembered."""
_STARTING = (events.Load, events.Compose, events.Mount)
"""A node that fails in one of these was never complete."""


class BugTolerantApp(HookedApp):
    """An application that survives bugs of its parts."""

    def __init__(self, css_path: CSSPathType | None = None) -> None:
        super().__init__(css_path=css_path)
        self.bugs: deque[BaseException] = deque(maxlen=_MOST_BUGS)
        """The bugs it has survived, the newest last."""
        self._shown_at: dict[str, float] = {}

    def report_bug(self, error: BaseException) -> None:
        """Keep a crash report of a bug that the program survives, and show it as a toast."""
        line = clean(one_line(error, os.environ))
        self.bugs.append(error)
        now = time.monotonic()
        if now - self._shown_at.get(line, -_AGAIN_SECONDS) >= _AGAIN_SECONDS and self.is_running and not self.is_ending:
            self._shown_at[line] = now
            self.run_worker(self._show_bug(error, line), group="reports")

    async def _show_bug(self, error: BaseException, line: str) -> None:
        try:
            file = await asyncio.to_thread(write_report, error, __version__, os.environ)
        except OSError as problem:
            where = f"No crash report: {clean(problem)}. Run sgm with --log-file FILE."
        else:
            where = f"Crash report: {clean(file)}"
        title = f"a bug in sgm: {line}"
        self.notify(where, title=title, severity="error", timeout=_READING_SECONDS, markup=False)

    async def dispatch(self, message: Message) -> None:
        """Survive a bug in a handler or an action: an exception that leaves here ends the message loop."""
        if isinstance(message, _STARTING):
            await super().dispatch(message)
            return
        try:
            await super().dispatch(message)
        except Exception as error:
            logger.exception("a bug in sgm, in a handler of %s", type(message).__name__)
            self.survive(error, self)

    def survive(self, error: Exception, node: MessagePump) -> None:
        """Show what failed on a node whose message loop goes on: a bug, or an answer that no handler expected.

        On a node that has been left nobody waits for anything.
        """
        if self.is_ending or is_closed(node):
            return
        if isinstance(error, SgmError):
            self.notify(error.hint, title=error.message, severity="error", markup=False)
        else:
            self.report_bug(error)

    def handle_error(self, error: Exception) -> None:
        """Decide what goes on: everything after a worker's bug, everything but the page after one that draws it."""
        if isinstance(error, WorkerFailed):
            cause = _cause_of(error)
            logger.error("a worker failed", exc_info=cause)
            self.survive(cause, self)
            return
        logger.error("a bug in sgm", exc_info=error)
        node = current_node(self)
        page = _page_of(node)
        if self.is_ending or is_closed(node):
            return
        if page is None or page is self.screen_stack[0]:
            self.end_by(error)
        else:
            self.report_bug(error)
            self.call_later(self._close_page, page)

    def _close_page(self, page: Screen[object]) -> None:
        """Take away a page that cannot be drawn, and whatever lies on it."""
        while page in self.screen_stack[1:]:
            self.pop_screen()

    def end_by(self, error: Exception) -> None:
        """End; whoever runs the application reports the bug once the terminal is theirs again."""
        self.end_with_failure(error)


def is_closed(node: MessagePump) -> bool:
    """Whether a node is being taken away, or is on a screen that has been left."""
    if not isinstance(node, Widget):
        return False
    page = _page_of(node)
    return is_being_removed(node) or page is None or page not in node.app.screen_stack


def _page_of(node: MessagePump) -> Screen[object] | None:
    """The screen a node is on; None for the application and for what is on none."""
    try:
        return node.screen if isinstance(node, Widget) else None
    except NoScreen:
        return None


def _cause_of(error: WorkerFailed) -> Exception:
    return error.error if isinstance(error.error, Exception) else error
