"""Pull requests that touch the fleet: what each changes, and what stands between it and its merge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.getters import query_one
from textual.widgets import Static

from sgm_tui.errors import SgmError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.pull_request_actions import ACTION_NAMES, PullAction, changes_protected, refusal_reason
from sgm_tui.permission import Consent
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.browser import open_page
from sgm_tui.ui.ports import PullRequestList
from sgm_tui.ui.present.pulls import EXPENDABLE, HEADINGS, is_in_doubt, nothing_open, pull_details, pull_row
from sgm_tui.ui.present.tables import aligned
from sgm_tui.ui.present.tones import Tone
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.screens.entry import explained_width
from sgm_tui.ui.screens.leavable import outlives_screen
from sgm_tui.ui.widgets.bars import SourceBar, SummaryBar
from sgm_tui.ui.widgets.choices import Choices
from sgm_tui.ui.widgets.key_bar import KeyBar
from sgm_tui.ui.widgets.rendering import render_page

_ACTIONS: Mapping[str, PullAction] = {action: action for action in ACTION_NAMES}


class PullsScreen(FleetPage):
    """Open and just merged pull requests, the newest first."""

    CSS_PATH = styles() / "pulls.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("pulls")
    AUTO_FOCUS = "Choices"

    choices = query_one(Choices)
    scroller = query_one(VerticalScroll)

    def __init__(self, session: PullRequestList) -> None:
        super().__init__()
        self._session = session

    def compose(self) -> ComposeResult:
        """The same two lines, the list, and the chosen one in full."""
        yield SummaryBar().data_bind(PullsScreen.snapshot)
        yield SourceBar().data_bind(PullsScreen.snapshot)
        yield Static(id="headings", markup=False)
        yield Choices()
        with VerticalScroll(can_focus=False):
            yield Static(id="chosen", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Show them at once."""
        self.watch_snapshot()

    def on_resize(self) -> None:
        """Columns follow the width."""
        self.watch_snapshot()

    def watch_snapshot(self) -> None:
        """Checks, approvals and merges happen elsewhere."""
        if not self.is_present:
            return
        now = self.snapshot.generated_at
        rows = [
            pull_row(request, now, in_doubt=is_in_doubt(request, self.snapshot))
            for request in self.snapshot.pull_requests
        ]
        headings = tuple((heading, Tone.TITLE) for heading in HEADINGS)
        lines = aligned([headings, *rows], self.size.width - 4, flexible=1, expendable=EXPENDABLE, least=24)
        self.query_one("#headings", Static).update(render_page(lines[:1]))
        self.choices.show(lines[1:] or nothing_open(self.snapshot))
        self.show_chosen()

    @on(Choices.OptionHighlighted)
    def show_chosen(self) -> None:
        """The chosen one in full, below the list."""
        chosen = self._chosen()
        lines = pull_details(chosen, self.snapshot, self.text_width) if chosen is not None else []
        self.query_one("#chosen", Static).update(render_page(lines))

    def _chosen(self) -> PullRequest | None:
        requests, at = self.snapshot.pull_requests, self.choices.highlighted
        return requests[at] if at is not None and at < len(requests) else None

    @outlives_screen(group="acting")
    async def action_act(self, name: str) -> None:
        """Ask, and do it to the head that was asked about; the screen follows the facts."""
        request = self._chosen()
        if request is None:
            return
        stopping = name == "auto-merge" and request.auto_merge
        action: PullAction = "stop-auto-merge" if stopping else _ACTIONS[name]
        reason = refusal_reason(request, action)
        if reason:
            self.notify(
                f"#{request.number}: {reason}",
                title=f"not done: {ACTION_NAMES[action]}",
                severity="warning",
                markup=False,
            )
            return
        locked = changes_protected(request, action, self.snapshot.fleet)
        question = f"#{request.number}: {ACTION_NAMES[action]}"
        details = pull_details(request, self.snapshot, explained_width(self.size.width))
        if not await self.ask(AskScreen(question, details, locked)):
            return
        try:
            outcome = await self._session.act_on_pull(request.number, request.head, action, Consent.to(locked))
        except SgmError as error:
            self.notify(error.hint, title=error.message, severity="error", markup=False)
        else:
            self.notify(request.title, title=outcome, markup=False)

    @work(group="browse", exclusive=True)
    async def action_browse(self) -> None:
        """Open the chosen one in the browser; only what is plainly a web page."""
        request = self._chosen()
        if request is None:
            return
        why = "the link is not https"
        if request.url.startswith("https://"):
            # Looking for a browser asks the desktop's own programs, which may take their time.
            why = await asyncio.to_thread(open_page, request.url)
        if why:
            self.app.copy_to_clipboard(request.url)
            self.notify(f"{request.url} was copied instead", title=why, severity="warning", markup=False)

    def action_copy(self) -> None:
        """Copy the link of the chosen one."""
        request = self._chosen()
        if request is not None:
            self.app.copy_to_clipboard(request.url)
            self.notify(request.url, title="copied", markup=False)

    @work(group="refresh", exclusive=True)
    async def action_refresh(self) -> None:
        """Ask every source to look again."""
        await self._session.refresh()

    def offers(self, action: str) -> bool | None:
        """There has to be a pull request."""
        if action in {"act", "browse", "copy"}:
            return bool(self.snapshot.pull_requests) or None
        return True

    def action_choose(self, step: int) -> None:
        """Choose another."""
        self.choices.choose(step)
        self.scroller.scroll_home(animate=False, immediate=True)

    def action_scroll(self, direction: int) -> None:
        """Scroll what is told of the chosen one by a page."""
        lines = direction * max(1, self.scroller.size.height - 1)
        self.scroller.scroll_relative(y=lines, animate=False, immediate=True)

    def action_back(self) -> None:
        """Back to the matrix."""
        self.dismiss()
