"""Before a source has answered nobody says that what it alone knows does not exist: on no key and in no detail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.staging import plan_promotion
from sgm_tui.fleet.reverts.targets import TemplateComparison, forecast_revert, revert_change
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceKind, SourceState
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.present.detail import sections

WHERE = builders.key("cart", "prod-ap1")
ABSENCE = ("not in git", "no Application", "no Rollout", "no data", "there is no", "is not deployed", "no version")
FACT: dict[SourceKind, str] = {
    "git": "desired",
    "argocd": "application",
    "rollouts": "rollout",
    "metrics": "metrics",
}
SCOPES: dict[SourceKind, str] = {"git": "", "argocd": "hub", "rollouts": "prod-ap1", "metrics": "prod-ap1"}


def lacking(kind: SourceKind, state: SourceState) -> FleetSnapshot:
    """Every cell as all the other sources report it, while those of one kind have never answered."""
    calm = builders.calm()
    waiting = tuple(
        replace(one, state=state, seen_at=None, reason="timed out" if state == "stale" else "")
        if one.source.kind == kind
        else one
        for one in calm.sources
    )
    silent: dict[str, Any] = {"stale" if state == "stale" else "awaited": (f"{kind} {SCOPES[kind]}".strip(),)}
    cells = {
        key: replace(cell, journey=Journey.UNKNOWN, facts=replace(cell.facts, **silent, **{FACT[kind]: None}))
        for key, cell in calm.cells.items()
    }
    return replace(calm, sources=waiting, cells=cells)


def says_absent(text: str) -> bool:
    return any(phrase in text for phrase in ABSENCE)


def details(cell: Cell, snapshot: FleetSnapshot) -> str:
    shown = sections(cell, snapshot, (60, 60, 60, 60), in_full=True)
    lines = [line for section in shown for line in section.shown(60, 0)]
    return "\n".join([*(one.title for one in shown), *("".join(text for text, _ in line) for line in lines)])


@pytest.mark.parametrize("state", ["waiting", "stale"])
@pytest.mark.parametrize("kind", list(FACT))
def test_the_details_do_not_call_it_absent(kind: SourceKind, state: SourceState) -> None:
    snapshot = lacking(kind, state)
    text = details(snapshot.cells[WHERE], snapshot)
    assert not says_absent(text), text
    assert "not yet known" in text
    assert "as last seen" not in text, "it was never seen"


@pytest.mark.parametrize("kind", list(FACT))
def test_where_the_source_has_answered_absence_is_said(kind: SourceKind) -> None:
    snapshot = replace(lacking(kind, "waiting"), sources=builders.sources())
    assert says_absent(details(snapshot.cells[WHERE], snapshot))


@pytest.mark.parametrize("state", ["waiting", "stale"])
@pytest.mark.parametrize("key", ["g", "a"])
async def test_a_rollout_no_cluster_has_reported_is_unknown(key: str, state: SourceState) -> None:
    app = SgmApp(builders.ScriptedSession(lacking("rollouts", state)), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press(key)
        await pilot.pause()
        (told,) = [one.message for one in app._notifications]
        assert not says_absent(told)
        assert "rollouts dev-eu1: " in told


@pytest.mark.parametrize("state", ["waiting", "stale"])
def test_a_file_git_has_not_reported_is_unknown(state: SourceState) -> None:
    snapshot = lacking("git", state)
    refusals = [plan_promotion(snapshot, WHERE), revert_change(snapshot, WHERE, ())]
    for refusal in refusals:
        assert isinstance(refusal, Refusal)
        assert not says_absent(refusal.reason)
        assert "unknown: git: " in refusal.reason
    fresh = replace(snapshot, sources=builders.sources())
    for refusal in (plan_promotion(fresh, WHERE), revert_change(fresh, WHERE, ())):
        assert isinstance(refusal, Refusal)
        assert says_absent(refusal.reason)


def test_the_previous_stage_git_has_not_reported_is_unknown() -> None:
    snapshot = lacking("git", "stale")
    cells = {**snapshot.cells, WHERE: builders.calm().cells[WHERE]}
    refusal = plan_promotion(replace(snapshot, cells=cells), WHERE)
    assert isinstance(refusal, Refusal)
    assert not says_absent(refusal.reason)
    assert "git: timed out" in refusal.reason


def test_a_failing_cell_whose_rollout_was_never_seen_is_not_forecast_as_one_without() -> None:
    cell = replace(lacking("rollouts", "stale").cells[WHERE], journey=Journey.FAILED)
    change = revert_to(cell, "v2.0.0")
    forecast = forecast_revert(cell, change, TemplateComparison(True))
    assert forecast.fast is None
    assert not says_absent(forecast.reason)
    assert "rollouts prod-ap1" in forecast.reason


@pytest.mark.parametrize(
    ("state", "revision", "is_known"),
    [("waiting", "", False), ("stale", "", False), ("stale", "a" * 40, True), ("fresh", "a" * 40, True)],
)
async def test_a_place_without_a_cell_is_unknown_until_git_has_been_read(
    state: SourceState, revision: str, is_known: bool
) -> None:
    calm = builders.calm()
    git = replace(builders.source("git", state=state, reason="timed out"), seen_at=None)
    cells = {key: cell for key, cell in calm.cells.items() if key != builders.key("cart", "dev-eu1")}
    snapshot = replace(calm, cells=cells, sources=builders.sources(git), revision=revision)
    app = SgmApp(builders.ScriptedSession(snapshot), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        strips = ["".join(part.text for part in strip) for strip in app.screen._compositor.render_strips()]
        row = next(line for line in strips if "cart" in line)
        assert row.split("│")[1].strip() == ("·" if is_known else "?")
        assert ("no cell here" in "".join(strips)) is is_known


def revert_to(cell: Cell, version: str) -> Change:
    return replace(builders.promotion(cell.key, version), kind="revert")
