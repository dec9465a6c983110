"""The plan: what is staged, the exact diff it makes, and opening its pull requests after one more question."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.getters import query_one
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Footer, Static

from sgm_tui.errors import SgmError
from sgm_tui.fleet.plan import Preview
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.present.plans import change_line, preview_lines, progress_line
from sgm_tui.ui.present.tones import Line, Tone, page
from sgm_tui.ui.screens.confirm import ConfirmScreen
from sgm_tui.ui.session import Session
from sgm_tui.ui.widgets.bars import SummaryBar
from sgm_tui.ui.widgets.cell_grid import NO_FLEET
from sgm_tui.ui.widgets.choices import Choices


class PlanScreen(Screen[None]):
    """Staged changes over their diffs."""

    CSS_PATH = styles() / "plan.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.PLAN
    AUTO_FOCUS = "Choices"

    snapshot: var[FleetSnapshot] = var(NO_FLEET)
    preview: var[Preview | None] = var[Preview | None](None, bindings=True)
    """The plan against the repository; None until it has been compared."""
    sending: var[bool] = var(False, bindings=True)
    """Pull requests are being opened: the screen stays until that has ended."""

    choices = query_one(Choices)
    scroller = query_one(VerticalScroll)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._happened: list[Line] = []

    def compose(self) -> ComposeResult:
        """The staged changes, what happened so far, the diffs."""
        yield SummaryBar().data_bind(PlanScreen.snapshot)
        yield Static(id="title", markup=False)
        yield Choices()
        yield Static(id="progress", markup=False)
        with VerticalScroll(can_focus=False):
            yield Static(id="diffs", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Compare at once."""
        self._tell()
        self._show_changes()
        self.action_preview()

    def watch_snapshot(self, old: FleetSnapshot, new: FleetSnapshot) -> None:
        """Another plan needs another comparison."""
        if self.is_mounted and old.plan != new.plan:
            self._show_changes()
            if not self.sending:
                self.action_preview()

    def _show_changes(self) -> None:
        changes = self.snapshot.plan.changes
        count = f"{len(changes)} {'change' if len(changes) == 1 else 'changes'}"
        self.query_one("#title", Static).update(page([(("The plan  ", Tone.STRONG), (count, Tone.QUIET))]))
        nothing: Line = (("Nothing is planned. p on a cell plans a promotion into it.", Tone.QUIET),)
        self.choices.show([change_line(change) for change in changes] or [nothing])

    def _show(self, *lines: Line) -> None:
        self.query_one("#diffs", Static).update(page(lines))

    @work(group="preview", exclusive=True)
    async def action_preview(self) -> None:
        """Fetch the repository and show what would be written."""
        self.preview = None
        if not self.snapshot.plan.changes:
            self._show()
            return
        self._show((("… fetching the repository", Tone.BUSY),))
        try:
            self.preview = await self._session.preview()
        except SgmError as error:
            self._show(*_failure(error), (), (("r tries again", Tone.QUIET),))
            return
        self._show(*preview_lines(self.preview, self.snapshot.fleet))

    @work(group="sending", exclusive=True)
    async def action_confirm(self) -> None:
        """Ask once more, then open the pull requests of exactly what is shown."""
        preview = self.preview
        if preview is None or not await self.app.push_screen_wait(ConfirmScreen(preview, self.snapshot.fleet)):
            return
        self.sending = True
        self._happened.clear()
        try:
            async for progress in self._session.submit(preview):
                self._tell(progress_line(progress))
        except SgmError as error:
            self._tell(*_failure(error))
        finally:
            self.sending = False
        self.action_preview()

    def _tell(self, *lines: Line) -> None:
        self._happened.extend(lines)
        progress = self.query_one("#progress", Static)
        progress.update(page(self._happened))
        progress.display = bool(self._happened)

    def action_choose(self, step: int) -> None:
        """Choose another change."""
        self.choices.choose(step)

    def action_scroll(self, direction: int) -> None:
        """Scroll the diffs by a page."""
        self.scroller.scroll_relative(y=direction * max(1, self.scroller.size.height - 1), animate=False)

    def action_drop(self) -> None:
        """Take the chosen change out of the plan."""
        changes, at = self.snapshot.plan.changes, self.choices.highlighted
        if at is not None and at < len(changes):
            self._session.drop(changes[at])

    def action_undo(self) -> None:
        """Take the newest change out of the plan."""
        self._session.undo()

    def action_back(self) -> None:
        """Back to the matrix."""
        self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing can be changed, or left, while pull requests are being opened."""
        if self.sending:
            return True if action in {"choose", "scroll"} else None
        if action == "confirm":
            return True if self.preview is not None and self.preview.proposals else None
        if action in {"drop", "undo"}:
            return True if self.snapshot.plan.changes else None
        return True


def _failure(error: SgmError) -> list[Line]:
    lines: list[Line] = [(("✖ ", Tone.BAD), (error.message, Tone.BAD))]
    if error.hint:
        lines.append(((f"  {error.hint}", Tone.TEXT),))
    return lines
