"""Promotions that go wave by wave: how far each has come, what it waits for, and stopping it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.getters import query_one
from textual.reactive import var
from textual.widgets import Static

from sgm_tui.errors import SgmError
from sgm_tui.fleet.ages import age
from sgm_tui.fleet.model import StageName
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep, wave_status
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.permission import Consent
from sgm_tui.resources import styles
from sgm_tui.ui import keys
from sgm_tui.ui.ports import Waves
from sgm_tui.ui.present.fit import hung
from sgm_tui.ui.present.plans import is_protected
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.base import FleetPage
from sgm_tui.ui.screens.entry import explained_width
from sgm_tui.ui.screens.leavable import outlives_screen
from sgm_tui.ui.widgets.bars import SummaryBar
from sgm_tui.ui.widgets.choices import Choices
from sgm_tui.ui.widgets.key_bar import KeyBar
from sgm_tui.ui.widgets.rendering import render_page

_STANDINGS: Mapping[str, tuple[str, Tone]] = {
    "settled": ("✓", Tone.GOOD),
    "opened": ("◐", Tone.BUSY),
    "later": ("·", Tone.QUIET),
}


class WavesScreen(FleetPage):
    """Each wave plan on a line; facts move them on."""

    CSS_PATH = styles() / "plan.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.make_bindings("waves")
    AUTO_FOCUS = "Choices"

    plans: var[tuple[tuple[WavePlan, WaveStep], ...]] = var[tuple[tuple[WavePlan, WaveStep], ...]]((), bindings=True)

    choices = query_one(Choices)
    scroller = query_one("#page", VerticalScroll)

    def __init__(self, session: Waves) -> None:
        super().__init__()
        self._session = session

    def compose(self) -> ComposeResult:
        """The list, and the waves of the chosen one."""
        yield SummaryBar().data_bind(WavesScreen.snapshot)
        yield Static(render_page([(("Waves", Tone.TITLE),)]), id="title", markup=False)
        yield Choices()
        with VerticalScroll(id="page", can_focus=False):
            yield Static(id="progress", markup=False)
        yield KeyBar()

    def watch_snapshot(self) -> None:
        """Facts move waves on."""
        if self.is_present:
            self.look()

    def on_mount(self) -> None:
        """Look after the first refresh: Python 3.12 starts a task before there is a list to fill."""
        self.call_after_refresh(self.look)

    @work(group="waves", exclusive=True)
    async def look(self) -> None:
        """Read every wave rollout and its next step."""
        try:
            self.plans = await self._session.waves()
        except SgmError as error:
            self.query_one("#progress", Static).update(render_page([((f"✖ {error.sentence}", Tone.BAD),)]))
            return
        nothing: Line = (("No wave rollout in progress.", Tone.QUIET),)
        self.choices.show([_line(plan, step, self.snapshot) for plan, step in self.plans] or [nothing])
        self._show_chosen()

    @on(Choices.OptionHighlighted)
    def _show_chosen(self) -> None:
        chosen = self._chosen()
        lines = _waves(chosen, self.snapshot, self.text_width) if chosen is not None else []
        self.query_one("#progress", Static).update(render_page(lines))
        self.refresh_bindings()

    def _chosen(self) -> WavePlan | None:
        at = self.choices.highlighted
        return self.plans[at][0] if at is not None and at < len(self.plans) else None

    @outlives_screen(group="acting")
    async def action_stop(self) -> None:
        """Stop the selected wave rollout: open no further wave."""
        plan = self._chosen()
        if plan is not None:
            await self._act(self._stop, plan)

    @outlives_screen(group="acting")
    async def action_go_on(self) -> None:
        """Resume the selected wave rollout, after a confirmation: sgm then opens its pull requests automatically."""
        plan = self._chosen()
        if plan is None:
            return
        locked = [stage for stage in _stages(plan) if is_protected(self.snapshot.fleet, stage)]
        if await self._ask("Resume this wave rollout", plan, "will be opened automatically:", locked):
            consent = Consent.to(locked)
            await self._act(lambda identity: self._session.resume_waves(identity, consent), plan)

    @outlives_screen(group="acting")
    async def action_drop(self) -> None:
        """Drop the selected wave rollout, after a confirmation: opened pull requests stay open."""
        plan = self._chosen()
        if plan is not None and await self._ask("Drop this wave rollout", plan, "will not be opened:"):
            await self._act(self._session.drop_waves, plan)

    async def _ask(self, verb: str, plan: WavePlan, fate: str, locked: Sequence[str] = ()) -> bool:
        waiting = _waiting_lines(plan, explained_width(self.size.width), fate)
        stopped: Line = (("stopped  ", Tone.QUIET), (plan.stopped, Tone.ATTENTION))
        lines = [((plan.title, Tone.STRONG),), stopped, *waiting]
        return await self.ask(AskScreen(verb, lines, locked))

    async def _stop(self, identity: str) -> None:
        await self._session.stop_waves(identity, "by hand")

    async def _act(self, act: Callable[[str], Awaitable[None]], plan: WavePlan) -> None:
        try:
            await act(plan.identity)
        except SgmError as error:
            self.notify(error.hint, title=error.message, severity="error", markup=False)
        if self.is_present:
            self.look()

    def offers(self, action: str) -> bool | None:
        """Only what would do something."""
        if action in {"stop", "go_on", "drop"}:
            plan = self._chosen() if self.is_present else None
            return (plan is not None and bool(plan.stopped) == (action != "stop")) or None
        return True

    def action_choose(self, step: int) -> None:
        """Choose another."""
        self.choices.choose(step)
        self.scroller.scroll_home(animate=False, immediate=True)

    def action_scroll(self, direction: int) -> None:
        """Scroll the waves of the chosen one by a page."""
        lines = direction * max(1, self.scroller.size.height - 1)
        self.scroller.scroll_relative(y=lines, animate=False, immediate=True)

    def action_back(self) -> None:
        """Back to the plan."""
        self.dismiss()


def _line(plan: WavePlan, step: WaveStep, snapshot: FleetSnapshot) -> Line:
    tone = Tone.ATTENTION if plan.stopped or step.do == "stop" else Tone.BUSY
    eta = f", next in {age(step.eta - snapshot.generated_at)}" if step.eta is not None else ""
    return (
        (f"{plan.title}  ", Tone.STRONG),
        (f"wave {plan.opened} of {len(plan.waves)}  ", Tone.STAGED),
        (f"{step.reason}{eta}", tone),
    )


def _waves(plan: WavePlan, snapshot: FleetSnapshot, width: int) -> list[Line]:
    lines: list[Line] = []
    for at, wave in enumerate(plan.waves):
        sign, tone = _STANDINGS[wave_status(plan, at, snapshot)]
        lines += hung(((f"  {sign} wave {at + 1}  ", tone),), _listed(wave), Tone.TEXT, width)
    return lines


def _waiting_lines(plan: WavePlan, width: int, fate: str) -> list[Line]:
    """The waves that are not open yet, and what a yes makes of them."""
    lines: list[Line] = [((fate, Tone.QUIET),)]
    for at, wave in enumerate(plan.waves[plan.opened :], start=plan.opened + 1):
        lines += hung(((f"  wave {at}  ", Tone.STAGED),), _listed(wave), Tone.TEXT, width)
    return lines


def _listed(wave: Sequence[Change]) -> str:
    return ", ".join(f"{change.service} {change.place} {change.to_version}" for change in wave)


def _stages(plan: WavePlan) -> tuple[StageName, ...]:
    """The stages of what is not open yet."""
    return tuple(dict.fromkeys(change.stage for wave in plan.waves[plan.opened :] for change in wave))
