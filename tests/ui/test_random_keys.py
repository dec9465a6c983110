"""Random keys over every screen, with answers, snapshots and resizes at random turns of the loop.

Whatever is typed, however fast: the dashboard neither ends nor freezes, and nothing in it fails.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import builders
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from textual import events
from textual.geometry import Size

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.history.cell_history import HealthyTime, PastVersion
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change, Plan, Refusal
from sgm_tui.fleet.plans.proposal import Preview, Progress, UnfinishedWrite
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens import pulls
from sgm_tui.ui.screens.fleet import FleetScreen

PROD = builders.key("checkout", "prod-us1")
STAGING = builders.key("checkout", "staging-eu1")
ANSWERS = (
    "refresh",
    "stage_promotion",
    "stage_promotions",
    "stage_behind",
    "edit",
    "versions",
    "undo",
    "drop",
    "sketch",
    "preview",
    "why",
    "past_versions",
    "add_healthy_times",
    "stage_revert",
    "stage_revert_of",
    "plan_promotion_reverts",
    "stage_reverts",
    "forecast_revert",
    "mark_bad",
    "act_on_pull",
    "act_on_rollout",
    "waves",
    "stop_waves",
    "resume_waves",
    "drop_waves",
    "list_unfinished",
    "discard",
)
"""Everything a session is asked that it answers once."""
OPENING = ("v", "y", "c", "o", "enter", "W", "U", "question_mark", "ctrl+p")
LEAVING = ("escape", "escape", "q")
ACTING = (*"jkhlpPLSgabdemMrtuwxzfiEsoOR123", "space", "enter", "tab", "up", "down", "pageup", "end", "slash")
SIZES = ((120, 36), (80, 24), (210, 60), (40, 10), (20, 5), (100, 15))


class Unsteady(builders.ScriptedSession):
    """A session that answers at a random turn of the loop, and sometimes not at all."""

    def __init__(self, luck: random.Random) -> None:
        super().__init__(builders.release())
        self.luck = luck
        self.pasts = tuple(_past(at) for at in range(3))
        self.fared = {"v1.4.1": HealthyTime(60000.0)}
        self.list_available_versions = (Version("v1.4.3"), Version("v1.4.1"))
        changes = tuple((builders.promotion(key, "v1.5.0"),) for key in (STAGING, PROD))
        plan = WavePlan("w1", changes, builders.ago(60), 3600.0, stopped="by hand")
        self.wave_plans = ((plan, WaveStep("wait", "it soaks")),)
        self.begun = (
            UnfinishedWrite("1f3a", "feat: v1.5.0", "sgm/1f3a", builders.ago(600), "push", "it", "resume", "on"),
        )
        self.plan(Plan().with_change(builders.promotion(STAGING, "v1.5.0")))
        for name in ANSWERS:
            setattr(self, name, self._unsteady(getattr(self, name)))

    def _unsteady(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        async def answer_later(*asked: Any, **terms: Any) -> Any:
            await self.some_turns()
            if self.luck.random() < 0.1:
                raise UnreachableError("github.com does not answer", "Check the network.")
            return await answer(*asked, **terms)

        return answer_later

    async def some_turns(self) -> None:
        for _ in range(self.luck.choice((0, 0, 1, 2, 3, 5, 8, 20, 60))):
            await asyncio.sleep(0)

    async def submit(self, previewed: Preview, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        async for progress in super().submit(previewed, consent):
            await self.some_turns()
            yield progress

    async def stage_revert(self, where: CellKey, to: str | None) -> Change | Refusal:
        return await builders.ScriptedSession.stage_promotion(self, where)


def _past(at: int) -> PastVersion:
    version, commit = Version(f"v1.4.{3 - at}"), "abc"[at] * 40
    since = builders.ago((at + 1) * 86400)
    until = builders.ago(at * 86400) if at else None
    return PastVersion(PROD, version, commit, "", "values.yaml", "mia", "feat", since, until, "promotion", 300 + at, "")


class Stays(SgmApp):
    """An application that nobody can leave by a key."""

    def exit(self, *arguments: Any, **keywords: Any) -> None:
        """Stay."""


async def play(steps: Sequence[tuple[str, int]], seed: int) -> None:
    luck = random.Random(seed)
    session = Unsteady(luck)
    app = Stays(session, environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)):
        for key, turns in steps:
            _take(app, session, key, luck)
            for _ in range(turns):
                await asyncio.sleep(0)
            if app._exception is not None:
                break
        assert app._exception is None, repr(app._exception)
        await _answers(app, session)
        assert [repr(one) for one in app.bugs] == []
        SgmApp.exit(app)


def _take(app: SgmApp, session: Unsteady, key: str, luck: random.Random) -> None:
    """One thing that happens: a key, a click, another size, a snapshot."""
    if key == "resize":
        size = Size(*luck.choice(SIZES))
        app.post_message(events.Resize(size, size))
    elif key == "snapshot":
        later = session.snapshot.generated_at + timedelta(seconds=1)
        session.push(replace(session.snapshot, generated_at=later, read_only=luck.random() < 0.1))
    elif key == "click":
        x, y = luck.randrange(app.size.width), luck.randrange(app.size.height)
        for kind in (events.MouseDown, events.MouseUp):
            app.post_message(kind(None, x, y, 0, 0, 1, False, False, False, x, y))
    else:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


async def _answers(app: SgmApp, session: Unsteady) -> None:
    """It has not frozen: it shows a newer snapshot, comes back to the matrix, and its cursor moves.

    Asked again until it does: an answer that was under way may still open a page.
    """
    size = Size(120, 36)
    app.post_message(events.Resize(size, size))
    newest = replace(session.snapshot, generated_at=session.snapshot.generated_at + timedelta(hours=1), read_only=False)
    session.push(newest)
    deadline = time.monotonic() + 60

    async def comes_to_row(row: int) -> bool:
        patience = min(deadline, time.monotonic() + 5)
        while time.monotonic() < patience:
            if isinstance(app.screen, FleetScreen) and app.screen.grid.row == row:
                return True
            await asyncio.sleep(0.02)
        return False

    while time.monotonic() < deadline:
        for key in ("escape", "escape", "escape", "escape", "home"):
            app.post_message(events.Key(key, None))
        if await comes_to_row(0):
            app.post_message(events.Key("j", "j"))
            if await comes_to_row(1) and app.snapshot.generated_at >= newest.generated_at:
                return
    raise AssertionError(f"no answer to a key within a minute; on top is {app.screen}, bugs: {[*app.bugs]}")


HAPPENING = st.one_of(
    st.sampled_from(OPENING),
    st.sampled_from(LEAVING),
    st.sampled_from(ACTING),
    st.sampled_from(("snapshot", "snapshot", "resize", "click")),
)
STEPS = st.tuples(HAPPENING, st.sampled_from((0, 0, 0, 1, 2, 5, 15)))
COMMON: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.generate],  # a shorter list of keys meets other turns of the loop: it proves nothing
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
}


@pytest.fixture(autouse=True)
def nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No browser opens, no picture and no report is written beside the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(pulls, "open_page", lambda url: "")


@settings(max_examples=3, derandomize=True, **COMMON)
@given(steps=st.lists(STEPS, min_size=60, max_size=100), seed=st.integers(0, 2**32))
def test_random_keys_neither_end_nor_freeze_it(steps: list[tuple[str, int]], seed: int) -> None:
    asyncio.run(play(steps, seed))


@pytest.fixture
def at_night() -> None:
    """Takes minutes of processor time: only where new examples are looked for (`--hypothesis-profile=thorough`)."""
    if settings.get_current_profile_name() != "thorough":
        pytest.skip("only with --hypothesis-profile=thorough")


@pytest.mark.slow
@pytest.mark.usefixtures("at_night")
@settings(max_examples=40, **COMMON)
@given(steps=st.lists(STEPS, min_size=200, max_size=600), seed=st.integers(0, 2**32))
def test_thousands_of_random_keys_neither_end_nor_freeze_it(steps: list[tuple[str, int]], seed: int) -> None:
    asyncio.run(play(steps, seed))
