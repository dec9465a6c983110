"""Pull requests: what stands in the way of each, and doing something about it after one more question."""

from __future__ import annotations

import asyncio
import re
import webbrowser
from dataclasses import replace
from pathlib import Path

import builders
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.facts import PullRequest, UnrelatedChange
from sgm_tui.fleet.model import StageName
from sgm_tui.fleet.pull_request_actions import PullAction, refusal_reason
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.present.pulls import readiness
from sgm_tui.ui.present.tones import Tone
from sgm_tui.ui.screens.ask import AskScreen
from sgm_tui.ui.screens.pulls import PullsScreen

UTF8 = {"LANG": "C.UTF-8"}


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


def told(app: SgmApp) -> str:
    return "\n".join(f"{one.title} {one.message}" for one in app._notifications)


def session_with(*requests: PullRequest) -> builders.ScriptedSession:
    return builders.ScriptedSession(replace(builders.release(), pull_requests=requests))


def ready(**facts: object) -> PullRequest:
    key = builders.key("checkout", "prod-us1")
    made = builders.pull_request(57, "feat(checkout): prod-us1 -> v1.4.2", proposes=((key, "v1.4.2"),))
    return replace(made, **{"checks": "passing", "approved": True, "mergeable": True, "auto_merge": False, **facts})


async def open_pulls(pilot: Pilot[None]) -> PullsScreen:
    await pilot.pause()
    await pilot.press("o")
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, PullsScreen)
    return screen


async def answer(pilot: Pilot[None], word: str = "") -> None:
    screen = pilot.app.screen
    assert isinstance(screen, AskScreen)
    for _ in range(200):
        if screen.readable:
            break
        await pilot.pause(0.01)
    if word:
        screen.query_one(Input).value = word
        await pilot.pause()
    await pilot.press("enter")
    await pilot.pause()


async def test_merging_into_a_protected_stage_needs_its_name() -> None:
    session = session_with(ready())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_pulls(pilot)
        await pilot.press("m")
        await pilot.pause()
        assert "prod is protected" in text_of(app)
        await answer(pilot, "prod")
        assert session.asked == [("merge", 57, ready().head)]


async def test_what_stands_in_the_way_is_said_instead_of_asked() -> None:
    session = session_with(replace(ready(), checks="failing"))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_pulls(pilot)
        await pilot.press("m")
        await pilot.pause()
        assert app.screen is screen
        assert "its checks are failing" in told(app)
        assert session.asked == []


async def test_one_key_turns_merging_by_itself_on_and_off() -> None:
    session = session_with(replace(ready(), auto_merge=True, approved=False))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_pulls(pilot)
        await pilot.press("M")
        await pilot.pause()
        await answer(pilot)
        assert [one[0] for one in session.asked] == ["stop-auto-merge"]


async def test_a_refusal_is_told_in_words_and_the_screen_stays() -> None:
    session = session_with(ready())
    session.failure = RefusedError(
        "#57 is your own: GitHub does not allow approving your own pull request", "Ask one of its owners."
    )
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_pulls(pilot)
        await pilot.press("a")
        await pilot.pause()
        await answer(pilot)
        assert app.screen is screen
        assert "does not allow approving your own pull request" in told(app)


async def test_escape_does_nothing_to_it() -> None:
    session = session_with(ready())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_pulls(pilot)
        await pilot.press("x")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is screen
        assert session.asked == []


async def test_it_shows_what_the_matrix_would_want() -> None:
    app = SgmApp(session_with(ready()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_pulls(pilot)
        assert "v1.4.1 → v1.4.2" in text_of(app)


@pytest.mark.parametrize(
    ("facts", "action", "says"),
    [
        ({}, "merge", ""),
        ({"state": "merged"}, "approve", "merged"),
        ({"mergeable": False}, "merge", "conflicts"),
        ({"checks": "pending"}, "merge", "still running"),
        ({"approved": False}, "merge", "is not approved"),
        ({"draft": True}, "merge", "draft"),
        ({"auto_merge": True}, "auto-merge", "already"),
        ({}, "stop-auto-merge", "auto-merge is not on"),
        ({}, "update", ""),
        ({}, "close", ""),
    ],
)
def test_an_action_that_would_be_refused_says_why_first(
    facts: dict[str, object], action: PullAction, says: str
) -> None:
    reason = refusal_reason(replace(ready(), **facts), action)
    assert says in reason
    assert bool(says) == bool(reason)


async def test_at_80_columns_a_pull_request_is_one_line_with_number_state_and_age() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("o")
        await pilot.pause()
        lines = ["".join(part.text for part in line) for line in app.screen._compositor.render_strips()]
        assert [line.split()[-1] for line in lines[2:5]] == ["age", "31m", "31m"]
        assert "needs approval" in lines[3]
        assert "#41" in lines[4]
        assert "feat(catalog): prod-us1" in lines[3]


@pytest.mark.parametrize("size", [(40, 10), (60, 12)])
async def test_the_list_keeps_a_row_however_small_the_terminal(size: tuple[int, int]) -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("o")
        await pilot.pause()
        lines = ["".join(part.text for part in line) for line in app.screen._compositor.render_strips()]
        assert any(line.startswith(" #42") for line in lines), lines


async def test_what_stands_between_a_pull_request_and_its_merge_is_told_apart() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("o")
        await pilot.pause()
        shown = "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())
        assert "checks passing · not approved yet · mergeability not computed yet · opened 31m ago" in shown


def a_browser(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `name` the only browser of this machine; it leaves what it was given, and whether it has a terminal."""
    left = folder / "opened"
    script = folder / name
    script.write_text(f'#!/bin/sh\n(test -t 1 && echo terminal; echo "$1") > {left}.part; mv {left}.part {left}\n')
    script.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(script))
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})
    return left


async def test_a_page_is_opened_by_a_process_without_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = a_browser(tmp_path, "fine-browser", monkeypatch)
    app = SgmApp(session_with(ready()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_pulls(pilot)
        await pilot.press("b")
        async with asyncio.timeout(60):
            while not left.exists():
                await pilot.pause(0.02)
        assert left.read_text().splitlines() == [ready().url]
        assert told(app) == ""


async def test_a_browser_that_needs_the_terminal_is_not_started_over_the_dashboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = a_browser(tmp_path, "lynx", monkeypatch)
    app = SgmApp(session_with(ready()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_pulls(pilot)
        await pilot.press("b")
        async with asyncio.timeout(60):
            while not told(app):
                await pilot.pause(0.02)
        assert "lynx, needs this terminal" in told(app)
        assert app.clipboard == ready().url
    assert not left.exists()


async def test_what_is_told_of_one_hangs_below_itself_on_a_narrow_terminal() -> None:
    app = SgmApp(session_with(ready(auto_merge=True)), environ=UTF8)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_pulls(pilot)
        assert re.search(r"^ state      auto-merge on *\n {12}checks passing .*·", text_of(app), re.MULTILINE)
        await pilot.press("x")
        await pilot.pause()
        assert re.search(r"│  state      auto-merge on .*\n.*│ {13}checks passing .*·", text_of(app))


async def test_every_change_of_a_large_one_can_be_read() -> None:
    keys = [builders.key("checkout", f"prod-{at}") for at in range(40)]
    app = SgmApp(session_with(ready(proposes=tuple((key, "v1.4.2") for key in keys))), environ=UTF8)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_pulls(pilot)
        assert "checkout prod-39" not in text_of(app)
        for _ in range(6):
            await pilot.press("pagedown")
        await pilot.pause()
        assert "checkout prod-39" in text_of(app)


async def test_what_a_pull_request_changes_besides_versions_is_told_before_it_is_merged() -> None:
    path = "prod/prod-eu1/app-service/cart/values.yaml"
    sneaky = UnrelatedChange(path, ("autoscaling.maxReplicas",), stage=StageName("prod"))
    key = builders.key("catalog", "staging-eu1")
    app = SgmApp(session_with(ready(proposes=((key, "v5.1.0"),), unrelated_changes=(sneaky,))), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_pulls(pilot)
        assert "catalog staging v5.1.0 +" in text_of(app)
        assert f"and also   {path}: autoscaling.maxReplicas" in text_of(app)
        await pilot.press("m")
        await pilot.pause()
        assert "autoscaling.maxReplicas" in text_of(app)
        assert "Type prod to unlock" in text_of(app)


async def test_what_nobody_could_compare_is_not_called_harmless() -> None:
    app = SgmApp(session_with(ready(unknown=frozenset({"proposes"}))), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_pulls(pilot)
        assert "its commits are not in the local clone" in text_of(app)
        await pilot.press("m")
        await pilot.pause()
        assert "Type prod to unlock" in text_of(app)


def test_one_closed_unmerged_looks_like_no_success() -> None:
    assert readiness(replace(ready(), state="closed")) == ("closed", Tone.QUIET)
    assert readiness(replace(ready(), state="merged")) == ("merged", Tone.GOOD)


@pytest.mark.parametrize("path", ["charts/microservice/values.yaml", "argocd/root-apps.yaml", "CODEOWNERS"])
async def test_what_every_stage_shares_is_merged_only_by_typing_the_protected_stage(path: str) -> None:
    session = session_with(ready(proposes=(), unrelated_changes=(UnrelatedChange(path),)))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_pulls(pilot)
        assert f"{path}  (shared by every stage)" in text_of(app)
        await pilot.press("m")
        await pilot.pause()
        assert "Type prod to unlock" in text_of(app)
        await answer(pilot)
        assert session.asked == []
        await answer(pilot, "prod")
        assert session.asked == [("merge", 57, ready().head)]


async def test_approving_what_then_merges_by_itself_into_prod_needs_its_name() -> None:
    session = session_with(ready(auto_merge=True, approved=False, reviewers=("@acme/sre",)))
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await open_pulls(pilot)
        await pilot.press("a")
        await pilot.pause()
        assert "Type prod to unlock" in text_of(app)
        await answer(pilot)
        assert session.asked == []
        await answer(pilot, "prod")
        assert session.asked == [("approve", 57, ready().head)]
