"""The plan screen: editing the plan, and opening its pull requests after one more question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, ClassVar

from textual import work
from textual.binding import BindingType

from sgm_tui.errors import SgmError
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.plans.proposal import Override, Preview
from sgm_tui.fleet.plans.standing import explain_refusal, why_not_written
from sgm_tui.permission import Consent
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.messages import UnfinishedRequested, WavesRequested
from sgm_tui.ui.present.gates import gate_lines
from sgm_tui.ui.screens.confirm import ConfirmScreen
from sgm_tui.ui.screens.entry import EntryScreen, explained_width
from sgm_tui.ui.screens.leavable import outlives_screen
from sgm_tui.ui.screens.plan_page import PlanPage, describe_failure
from sgm_tui.ui.screens.plan_questions import ask_for_strategy, ask_for_version


class PlanScreen(PlanPage):
    """The plan with the keys that change it and open its pull requests."""

    CSS_PATH = styles() / "plan.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("plan")
    AUTO_FOCUS = "Choices"

    @work(group="asking", exclusive=True)
    async def action_edit_version(self) -> None:
        """Another version for the chosen change."""
        if (change := self._chosen()) is not None:
            await ask_for_version(self, self._session, change)

    @work(group="asking", exclusive=True)
    async def action_edit_strategy(self) -> None:
        """Another rollout strategy for the chosen change."""
        if (change := self._chosen()) is not None:
            await ask_for_strategy(self, self._session, change)

    @work(group="asking", exclusive=True)
    async def action_say_why(self) -> None:
        """A reason that goes into the commit, the pull request and the audit."""
        reason = await self.ask(EntryScreen("Reason for this change", value=self._terms.reason, least=0))
        if reason is not None:
            self._settle(reason=reason)

    @work(group="asking", exclusive=True)
    async def action_override(self) -> None:
        """Override the blocking gates, with a reason; the second time, undo the override."""
        if self._terms.override is not None or self.preview is None:
            self._settle(override=None)
            return
        gates = _overridable(self.preview)
        if not gates:
            self.notify("no overridable gate is blocking", markup=False)
            return
        explained = gate_lines(gates, self.snapshot.generated_at, explained_width(self.size.width))
        title = "Override these gates? The reason is recorded."
        entry = EntryScreen(title, explained, value=self._terms.reason, least=10)
        reason = await self.ask(entry)
        if reason is not None:
            self._settle(override=Override(reason, tuple(dict.fromkeys(gate.gate for gate in gates))))

    def action_supersede(self) -> None:
        """Take the place of pull requests of ours that are in the way; once more takes it back."""
        self._settle(supersede=not self._terms.supersede)

    def action_direct(self) -> None:
        """Push to the branch itself, where the policy allows it; once more takes it back."""
        self._settle(direct=not self._terms.direct)

    def _settle(self, **changes: Any) -> None:
        self._terms = replace(self._terms, **changes)
        self.action_preview()

    def action_unfinished(self) -> None:
        """What was begun and never finished."""
        self.post_message(UnfinishedRequested())

    def action_waves(self) -> None:
        """Promotions that go wave by wave."""
        self.post_message(WavesRequested())

    @outlives_screen(group="sending")
    async def action_confirm(self) -> None:
        """Ask once more, then open the pull requests of exactly what is shown; waits until it has been compared."""
        await self._comparison_done.wait()
        preview = self.preview
        if preview is None or why_not_written(self.snapshot.plan.changes, preview):
            self._say_why_not()
            return
        locked = preview.protected_stages(self.snapshot.fleet)
        if not await self.ask(ConfirmScreen(preview, self.snapshot.fleet)):
            return
        self.sending = True
        self._write_progress.clear()
        try:
            async for progress in self._session.submit(preview, Consent.to(locked)):
                self._write_progress.step(progress)
                self._show_write_progress()
        except SgmError as error:
            self._write_progress.say(*describe_failure(error))
            self._show_write_progress()
        finally:
            self.sending = False
        if self.is_present:
            self.action_preview()
            self.look_for_unfinished()

    def _say_why_not(self) -> None:
        """Why nothing can be opened, and the cursor on the first change that stops it."""
        why = explain_refusal(self.snapshot.plan.changes, self.preview)
        if why.at is not None:
            self.choices.highlighted = why.at
            self.page.show_from(why.heading)
        self.notify(why.reason, title=why.title, severity="warning", markup=False)

    def action_drop(self) -> None:
        """Take the chosen change out of the plan."""
        change = self._chosen()
        if change is not None:
            self._try(lambda: self._session.drop(change))

    def action_undo(self) -> None:
        """Take back the last step of the plan: staged, edited or dropped."""
        self._try(self._session.undo)

    @work(group="planning")
    async def _try(self, intent: Callable[[], Awaitable[None]]) -> None:
        try:
            await intent()
        except SgmError as error:
            self.notify(error.hint, title=error.message, severity="error", markup=False)

    def action_back(self) -> None:
        """Back to the matrix."""
        self.dismiss()

    def offers(self, action: str) -> bool | None:
        """Nothing can be changed, or left, while pull requests are being opened."""
        if self.sending:
            return True if action in {"choose", "scroll"} else None
        if action == "confirm":
            return True if self.snapshot.plan.changes else None
        if action == "override":
            return bool(self._terms.override is not None or _overridable(self.preview)) or None
        if action == "supersede":
            return bool(self._terms.supersede) or _replaces(self.preview)
        if action == "direct":
            return self._terms.direct or _pushable(self.preview)
        if action == "unfinished":
            return True if self._unfinished else None
        if action == "undo":
            return bool(self.snapshot.plan.before) or None
        if action in {"drop", "edit_version", "edit_strategy", "say_why"}:
            return True if self.snapshot.plan.changes else None
        return True


def _overridable(preview: Preview | None) -> list[Gate]:
    """The gates that block now and may be overridden; those of a later wave are evaluated when it opens."""
    refused = [one for one in preview.proposals if one.refused] if preview is not None else []
    return [gate for proposal in refused for gate in proposal.blocked if gate.level != "never"]


def _replaces(preview: Preview | None) -> bool:
    return preview is not None and any(proposal.replaceable for proposal in preview.proposals)


def _pushable(preview: Preview | None) -> bool:
    return preview is not None and any(proposal.pushable for proposal in preview.proposals)
