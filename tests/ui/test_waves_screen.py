"""The waves under way: read whole, stopped at once, and neither let go on nor forgotten without a yes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import builders
from textual.pilot import Pilot
from textual.widgets import Input

from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.staging import plan_promotion
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.waves import WavesScreen

UTF8 = {"LANG": "C.UTF-8"}


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], so: Callable[[], object]) -> None:
    for _ in range(500):
        if so():
            return
        await pilot.pause(0.01)
    raise AssertionError("it never came to be so")


def change() -> Change:
    made = plan_promotion(builders.release(), builders.key("checkout", "prod-us1"))
    assert isinstance(made, Change)
    return made


def stopped(*waves: tuple[Change, ...]) -> builders.ScriptedSession:
    session = builders.ScriptedSession(builders.release())
    plan = WavePlan("1f3a", waves or ((change(),), (change(),)), builders.ago(900), 900, stopped="by hand")
    session.wave_plans = (
        (plan, WaveStep("wait", "stopped: by hand")),
        (replace(plan, identity="2b4c", stopped=""), WaveStep("wait", "soaking")),
    )
    return session


async def open_waves(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.press("c", "W")
    await until(pilot, lambda: isinstance(pilot.app.screen, WavesScreen) and pilot.app.screen.plans)
    await pilot.pause()


async def asked(pilot: Pilot[None], key: str) -> AskScreen:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, AskScreen) and pilot.app.screen.readable)
    screen = pilot.app.screen
    assert isinstance(screen, AskScreen)
    return screen


async def test_going_on_in_a_protected_stage_needs_its_name() -> None:
    session = stopped()
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_waves(pilot)
        screen = await asked(pilot, "enter")
        assert re.search(r"will be opened automatically:.*\n.*wave 2  checkout prod-us1 v1\.4\.2", text_of(app))
        await pilot.press("enter")
        assert session.asked == []
        screen.query_one(Input).value = "prod"
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: session.asked == [("go on", "1f3a")])


async def test_what_would_never_be_opened_is_forgotten_only_after_a_yes() -> None:
    session = stopped()
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_waves(pilot)
        await asked(pilot, "d")
        assert "will not be opened:" in text_of(app)
        await pilot.press("escape")
        await pilot.pause()
        assert session.asked == []
        await asked(pilot, "d")
        await pilot.press("enter")
        await until(pilot, lambda: session.asked == [("drop", "1f3a")])


async def test_one_is_stopped_at_once() -> None:
    session = stopped()
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_waves(pilot)
        await pilot.press("j", "x")
        await until(pilot, lambda: session.asked)
        assert session.asked == [("stop", "2b4c", "by hand")]


async def test_long_waves_hang_below_themselves_and_scroll() -> None:
    many = tuple(replace(change(), service=f"service-{at:02}") for at in range(40))
    app = SgmApp(stopped(many, many), environ=UTF8)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_waves(pilot)
        assert re.search(r"wave 1  service-00.*\n {13}service-", text_of(app)), text_of(app)
        for _ in range(4):
            await pilot.press("pagedown")
        await pilot.pause()
        assert text_of(app).count("service-39") == 1


async def test_a_click_shows_the_waves_of_what_was_clicked() -> None:
    session = stopped()
    other = replace(change(), service="cart")
    plan, step = session.wave_plans[1]
    session.wave_plans = (session.wave_plans[0], (replace(plan, waves=((other,), (other,))), step))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_waves(pilot)
        await pilot.click("Choices", offset=(4, 1))
        await until(pilot, lambda: "wave 1  cart prod-us1" in text_of(app))
        assert "wave 1  checkout" not in text_of(app)
