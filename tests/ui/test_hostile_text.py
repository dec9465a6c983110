"""Whatever is in a name is text: nothing it contains is markup, a link, an action or a reason to fall over."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.facts import Condition, Step
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.untrusted_text import clean

HOSTILE = (
    "[red]x[/]",
    "[@click=app.leave]click[/]",
    "[/]",
    "[$x]",
    "foo\\",
    "\\[",
    "\x1b]0;pwned\x07",
    "a\u202eb",
    "日本語サービス",
    "x" * 10_000,
    "",
)


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


def fleet_named(raw: str) -> FleetSnapshot:
    """The text in every place that comes from outside."""
    name = clean(raw) or "?"
    where = builders.key(name, "dev-eu1")
    cell = builders.cell(
        name,
        "dev-eu1",
        name,
        Journey.FAILED,
        reason=name,
        application=builders.application(
            where, sync=name, health=name, health_message=name, conditions=(Condition(name, name),)
        ),
        rollout=builders.rolling(where, name, name, phase=name, message=name, canary_steps=(Step(name),) * 8),
    )
    request = builders.pull_request(1, name, author=name, branch=name, url=name, labels=(name,), reviewers=(name,))
    stale = builders.source("git", state="stale", reason=name)
    shown = builders.snapshot([cell], sources=builders.sources(stale), pull_requests=(request,), repository=name)
    return replace(shown, services=(ServiceName(name),), branch=Version(name))


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_text_is_shown_and_nothing_else(raw: str) -> None:
    app = SgmApp(builders.ScriptedSession(fleet_named(raw)), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        for keys in (
            ("p",),
            ("enter", "escape"),
            ("o", "escape"),
            ("question_mark", "escape"),
            ("slash", "[", "escape"),
        ):
            for key in keys:
                await pilot.press(key)
            await pilot.pause()
        shown = text_of(app)
        assert "\x1b" not in shown
        assert clean(raw)[:3] in shown
        assert app.is_running


async def test_a_problem_is_shown_literally() -> None:
    shown = replace(builders.snapshot(()), problem="[bold]sgm.yaml:3[/] what is [/this]")
    app = SgmApp(builders.ScriptedSession(shown), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "[bold]sgm.yaml:3[/] what is [/this]" in text_of(app)
