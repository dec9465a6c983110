"""How the screens of promotion and revert look, in every state, at the sizes people have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import builders
import pytest
from test_looks import NORMAL, SIZES, SMALL, UTF8, typing
from test_promotion_revert_screen import Session as PromotionRevertSession
from test_pulls_screen import ready, session_with
from test_revert_screen import Session as RevertSession
from test_why_screen import FINE, FIRM, SILENT, SOAKING, gate, judged

from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import UnfinishedWrite
from sgm_tui.fleet.plans.staging import plan_promotion
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.ports import Session

Compare = Callable[..., bool]
TO_PROD = ("j", "j", "3", "l")


def app_on(session: Session, theme: str = "") -> SgmApp:
    return SgmApp(session, theme=theme, environ=UTF8)


@SIZES
def test_why_not(snap_compare: Compare, size: tuple[int, int]) -> None:
    session = judged(FINE, SOAKING, SILENT, gate("alerts", "warn", "one ticket fires", "warn"))
    assert snap_compare(app_on(session), terminal_size=size, run_before=typing(*TO_PROD, "y"))


@SIZES
def test_a_plan_with_gates_in_the_way(snap_compare: Compare, size: tuple[int, int]) -> None:
    session = judged(FINE, SOAKING, SILENT)
    assert snap_compare(app_on(session), terminal_size=size, run_before=typing(*TO_PROD, "p", "c"))


@pytest.mark.parametrize("theme", ["light", "high-contrast", "terminal"])
def test_a_plan_that_nobody_may_override(snap_compare: Compare, theme: str) -> None:
    keys = typing(*TO_PROD, "p", "c")
    assert snap_compare(app_on(judged(FINE, FIRM), theme), terminal_size=NORMAL, run_before=keys)


def test_going_over_gates_asks_for_a_reason(snap_compare: Compare) -> None:
    keys = typing(*TO_PROD, "p", "c", "o")
    assert snap_compare(app_on(judged(SOAKING, SILENT)), terminal_size=SMALL, run_before=keys)


@SIZES
def test_the_way_back(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(RevertSession()), terminal_size=size, run_before=typing(*TO_PROD, "v"))


@SIZES
def test_the_revert_of_a_last_promotion(snap_compare: Compare, size: tuple[int, int]) -> None:
    keys = typing("j", "j", "3", "z", "v")
    assert snap_compare(app_on(PromotionRevertSession()), terminal_size=size, run_before=keys)


def test_marked_cells(snap_compare: Compare) -> None:
    session = builders.ScriptedSession(builders.release())
    assert snap_compare(
        app_on(session), terminal_size=SMALL, run_before=typing("space", "2", "space", "l", "space", "l", "space")
    )


def test_a_pull_request_is_merged_after_one_more_question(snap_compare: Compare) -> None:
    assert snap_compare(app_on(session_with(ready())), terminal_size=NORMAL, run_before=typing("o", "m"))


def test_what_was_never_finished(snap_compare: Compare) -> None:
    session = builders.ScriptedSession(builders.release())
    session.begun = (
        UnfinishedWrite(
            operation="1f3a9c0d2b77",
            title="feat(cart): prod-eu1 -> v2.8.1",
            branch="sgm/prod/cart-v2.8.1-1f3a9c0d2b77",
            began_at=builders.ago(600),
            reached="push",
            found="the branch",
            advice="resume",
            explained="resume continues where it stopped",
        ),
    )
    assert snap_compare(app_on(session), terminal_size=SMALL, run_before=typing("c", "U"))


def test_waves_under_way(snap_compare: Compare) -> None:
    session = builders.ScriptedSession(builders.release())
    staged = (plan_promotion(session.snapshot, builders.key("checkout", at)) for at in ("prod-us1", "prod-ap1"))
    first, second = (one for one in staged if isinstance(one, Change))
    plan = WavePlan("1f3a", ((first,), (second,)), builders.ago(900), 900)
    step = WaveStep("wait", "soaking", builders.NOW + timedelta(minutes=4))
    session.wave_plans = (
        (plan, step),
        (replace(plan, identity="2b4c", stopped="by hand"), WaveStep("wait", "stopped: by hand")),
    )
    assert snap_compare(app_on(session), terminal_size=NORMAL, run_before=typing("c", "W"))
