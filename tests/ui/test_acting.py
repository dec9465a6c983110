"""`g` and `a`: a rollout that waits goes on, one that is under way is aborted, after one more question."""

from __future__ import annotations

import builders
import pytest
from textual.pilot import Pilot

from sgm_tui.errors import RefusedError
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.cell import CellScreen

UTF8 = {"LANG": "C.UTF-8"}
AT_THE_GATE = ("j", "j", "3")
GATE = builders.key("checkout", "prod-eu1")


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


def told(app: SgmApp) -> list[tuple[str, str]]:
    return [(one.title, one.message) for one in app._notifications]


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def asked(pilot: Pilot[None], app: SgmApp, *keys: str) -> None:
    """Press, and wait until the question can be answered."""
    await press(pilot, *keys)
    while not (isinstance(app.screen, AskScreen) and app.screen.readable):
        await pilot.pause(0.02)


@pytest.mark.parametrize(
    ("key", "question", "action"), [("g", "Resume this rollout?", "promote"), ("a", "Abort", "abort")]
)
async def test_a_rollout_at_a_gate_goes_on_or_back_once_prod_is_unlocked(key: str, question: str, action: str) -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *AT_THE_GATE)
        await asked(pilot, app, key)
        assert question in text_of(app)
        assert "checkout prod-eu1  ‖ paused" in text_of(app)
        assert "v1.4.1 → v1.4.2  step 4/8  30% of the traffic" in text_of(app)
        await press(pilot, "enter")
        assert session.asked == []
        await press(pilot, *"prod", "enter")
        assert session.asked == [(action, GATE)]


async def test_an_abort_says_what_git_goes_on_wanting_and_esc_does_nothing() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *AT_THE_GATE)
        await asked(pilot, app, "a")
        assert "git still has v1.4.2" in text_of(app)
        await press(pilot, "escape")
        assert session.asked == []


async def test_where_nothing_waits_the_key_says_so() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, "g")
        assert told(app) == [("not done: resume this rollout", "cart@dev-eu1: the rollout is not paused")]


async def test_the_page_of_a_cell_has_the_same_keys() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *AT_THE_GATE, "enter")
        assert isinstance(app.screen, CellScreen)
        await asked(pilot, app, "g")
        assert "Resume this rollout?" in text_of(app)


async def test_a_no_of_the_cluster_is_told() -> None:
    session = builders.ScriptedSession(builders.release())
    session.failure = RefusedError("checkout@prod-eu1 has moved meanwhile: nothing was done", "Look at it again.")
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await press(pilot, *AT_THE_GATE)
        await asked(pilot, app, "g")
        await press(pilot, *"prod", "enter")
        await pilot.pause()
        assert told(app) == [("checkout@prod-eu1 has moved meanwhile: nothing was done", "Look at it again.")]


async def test_read_only_has_neither() -> None:
    shown = builders.release()
    app = SgmApp(builders.ScriptedSession(builders.replace(shown, read_only=True)), environ=UTF8)
    async with app.run_test(size=(200, 50)) as pilot:
        await press(pilot, *AT_THE_GATE, "g", "a")
        assert not isinstance(app.screen, AskScreen)
        assert "abort" not in text_of(app).splitlines()[-1]


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_small_terminal_says_how_a_gate_is_passed_where_it_may_be(read_only: bool) -> None:
    app = SgmApp(builders.ScriptedSession(builders.replace(builders.release(), read_only=read_only)), environ=UTF8)
    async with app.run_test(size=(100, 24)) as pilot:
        await press(pilot, *AT_THE_GATE)
        await pilot.pause()
        assert ("press g to resume" in text_of(app)) is not read_only
        await press(pilot, "l")
        assert "press g to resume" not in text_of(app)
