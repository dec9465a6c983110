"""Read-only: no key that writes is there, on no screen, and every screen with a source line says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta

import builders
import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.screen import Screen

from sgm_tui.fleet.history.cell_history import PastVersion
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.fleet.plans.proposal import UnfinishedWrite
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.session import LiveSession
from sgm_tui.ui import keys
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.palette import KeyCommands
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.entry import EntryScreen
from sgm_tui.ui.screens.help import HelpScreen

UTF8 = {"LANG": "C.UTF-8"}
WRITES = frozenset(
    {
        "stage_promotion", "stage_promotions", "stage_behind", "edit", "undo", "drop", "submit", "stage_revert",
        "stage_revert_of", "stage_reverts", "mark_bad", "act_on_pull", "stop_waves", "resume_waves", "drop_waves",
        "resume", "discard",
    }
)  # fmt: skip
LOOKS = frozenset({"preview", "unfinished", "waves", "past", "judge"})
DECLARED: dict[str, keys.Place] = {
    "matrix": "matrix",
    "plan": "plan",
    "pulls": "pulls",
    "revert": "revert",
    "promotion revert": "promotion-revert",
    "waves": "waves",
    "unfinished": "unfinished",
    "why": "why",
}
"""The screens by their names here, and where their keys are declared."""
WRITING = frozenset(key.id for place in keys.KEYS.values() for key in place if key.writes)
WAY_THERE = {
    "matrix": (),
    "plan": ("c",),
    "pulls": ("o",),
    "revert": ("v",),
    "promotion revert": ("space", "v"),
    "waves": ("c", "W"),
    "unfinished": ("c", "U"),
    "why": ("y",),
}
"""The keys that lead to each screen while it is not yet known that nothing may be written."""


class StandstillWatch(builders.ScriptedSession):
    """Keeps the name of every intent that writes."""

    def __init__(self, first: FleetSnapshot) -> None:
        super().__init__(first)
        self.reached: list[str] = []

    def __getattribute__(self, name: str) -> object:
        if name in WRITES:
            self.reached.append(name)
        return super().__getattribute__(name)


def busy_session() -> StandstillWatch:
    """Something to do on every screen."""
    key = builders.key("checkout", "prod-us1")
    pull = builders.pull_request(57, "feat(checkout): prod-us1 -> v1.4.2", proposes=((key, "v1.4.2"),))
    shown = replace(builders.release(), pull_requests=(replace(pull, checks="passing", approved=True, mergeable=True),))
    change = builders.promotion(key, "v1.4.2")
    shown = replace(shown, plan=Plan().with_change(change))
    session = StandstillWatch(shown)
    now = shown.generated_at
    session.pasts = tuple(
        PastVersion(key, Version(version), f"{at}" * 40, "", "values.yaml", "mila", "s", now - timedelta(days=at), None)
        for at, version in ((1, "v1.4.1"), (2, "v1.4.0"))
    )
    session.begun = (UnfinishedWrite("1f3a", "checkout", "sgm/prod/checkout", now, "push", "the branch", "resume"),)
    session.wave_plans = ((WavePlan("1f3a", ((change,), (change,)), now), WaveStep("wait", "soaking")),)
    return session


def bindings(screen: str) -> Iterator[Binding]:
    for key in [*keys.KEYS[DECLARED[screen]], *keys.KEYS["everywhere"]]:
        yield key.binding()


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


async def go_to(pilot: Pilot[None], screen: str) -> Screen[object]:
    """Go there, then let the configuration say that nothing may be written."""
    assert isinstance(pilot.app, SgmApp)
    session = pilot.app.session
    assert isinstance(session, StandstillWatch)
    session.push(replace(session.snapshot, read_only=False))
    await pilot.pause()
    for key in WAY_THERE[screen]:
        await pilot.press(key)
        looking = [one for one in pilot.app.workers if one.group in LOOKS]
        if looking:
            await pilot.app.workers.wait_for_complete(looking)
        await pilot.pause()
    session.push(replace(session.snapshot, read_only=True))
    await pilot.pause()
    await pilot.pause()
    return pilot.app.screen


@pytest.mark.parametrize("name", DECLARED)
async def test_no_key_of_any_screen_reaches_a_write(name: str) -> None:
    leaving = {"quit", "quit-anywhere", "interrupt", "picture"}  # the last writes a file of this machine, no fleet
    pressed = [key for one in bindings(name) for key in one.key.split(",") if one.id not in leaving]
    session = busy_session()
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 40)) as pilot:
        here = await go_to(pilot, name)
        for key in pressed:
            await pilot.press(key)
            await pilot.pause()
            assert not isinstance(app.screen, AskScreen | EntryScreen), key
            while app.screen is not here and here in app.screen_stack:
                app.pop_screen()
                await pilot.pause()
            if here not in app.screen_stack:
                here = await go_to(pilot, name)
    assert session.reached == []


@pytest.mark.parametrize("name", DECLARED)
async def test_footer_help_and_palette_offer_no_key_that_writes(name: str) -> None:
    app = SgmApp(busy_session(), environ=UTF8)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await go_to(pilot, name)
        offered = {active.binding.id for active in screen.active_bindings.values()}
        assert not offered & WRITING
        assert offered & {one.id for one in bindings(name)}
        writing = [one for one in bindings(name) if one.id in WRITING]
        shown = {(key.key_display, key.description) for key in app.screen.query("FooterKey")}
        assert not shown & {(app.get_key_display(one), one.description) for one in writing}
        said = {one.tooltip for one, _ in KeyCommands(screen)._commands()}
        assert not said & {one.tooltip for one in writing}
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        help_text = text_of(app)
        assert not [one.tooltip for one in writing if one.tooltip[:40] in help_text]


@pytest.mark.parametrize("name", ["matrix", "plan", "pulls", "revert", "promotion revert", "why"])
async def test_the_screen_says_read_only(name: str) -> None:
    app = SgmApp(busy_session(), environ=UTF8)
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, name)
        assert "read-only" in text_of(app)


async def test_the_keys_are_there_where_writing_is_allowed() -> None:
    app = SgmApp(busy_session(), environ=UTF8)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        offered = {active.binding.id for active in app.screen.active_bindings.values()}
        assert {"promote", "revert", "mark", "undo"} <= offered
        assert not app._notifications
        assert "read-only" not in text_of(app)


@pytest.mark.parametrize(
    ("screen", "binding"),
    [(name, one) for name in DECLARED for one in bindings(name) if one.id in WRITING],
    ids=lambda one: one if isinstance(one, str) else one.id,
)
async def test_a_key_that_read_only_disables_says_so(screen: str, binding: Binding) -> None:
    app = SgmApp(busy_session(), environ=UTF8)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, screen)
        await pilot.press(binding.key.split(",")[0])
        await pilot.pause()
        assert [one.title for one in app._notifications] == [f"read-only: {binding.description} is disabled"]


async def test_a_remapped_key_that_read_only_disables_says_so_too() -> None:
    app = SgmApp(busy_session(), environ=UTF8, keymap={"promote": "f9"})
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, "matrix")
        await pilot.press("f9")
        await pilot.pause()
        assert [one.title for one in app._notifications] == ["read-only: promote is disabled"]


async def test_history_and_revert_targets_are_shown_in_read_only() -> None:
    session = busy_session()
    session.push(replace(session.snapshot, read_only=True))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("v")
        await pilot.pause()
        if looking := [one for one in app.workers if one.group in LOOKS]:
            await app.workers.wait_for_complete(looking)
        await pilot.pause()
        shown = text_of(app)
    assert "v1.4.1" in shown
    assert "v1.4.0" in shown
    assert session.reached == []


def test_every_key_that_writes_is_declared() -> None:
    declared = {one.id for name in DECLARED for one in bindings(name)}
    assert declared >= WRITING


async def test_snapshots_say_it_as_soon_as_the_configuration_does() -> None:
    session = LiveSession()
    assert [one.read_only async for one in _first(session)] == [False]
    session.read_only = True
    assert [one.read_only async for one in _first(session)] == [True]


async def _first(session: LiveSession) -> AsyncIterator[FleetSnapshot]:
    async for snapshot in session.snapshots():
        yield snapshot
        return
