"""What a source that does not respond said last looks like nothing that is known now, on every screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from sgm_tui.fleet.cell import Cell, CellFacts, Journey
from sgm_tui.fleet.facts import AnalysisRun
from sgm_tui.fleet.join import join
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.reverts.targets import TemplateComparison, forecast_revert
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.present.cells import cell_line
from sgm_tui.ui.present.detail import heading, sections
from sgm_tui.ui.present.empty_matrix import describe_empty_matrix
from sgm_tui.ui.present.marks import NONE
from sgm_tui.ui.present.pulls import is_in_doubt, nothing_open, pull_details, pull_row, readiness
from sgm_tui.ui.present.rows import View
from sgm_tui.ui.present.summary import summary
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.widgets.cell_grid import NO_FLEET

WHERE = builders.key("cart", "prod-ap1")
SUSPENDED = builders.application(WHERE, health="Suspended")
PAUSED = builders.rolling(WHERE, "v2.8.0", "v2.8.1", phase="Paused", message="CanaryPauseStep")
WIDTHS = (9, 12, 16, 28, 40)


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def joined(*stale: str, **facts: Any) -> Cell:
    """A cell as the store joins it 42 seconds after its sources stopped responding."""
    known = builders.cell("cart", "prod-ap1", **facts).facts
    since = builders.ago(42) if any(name.startswith(("git", "argocd", "rollouts")) for name in stale) else None
    reason = f"{stale[0]}: timed out" if since else ""
    silent: CellFacts = replace(known, stale=stale, stale_since=since, stale_reason=reason)
    return join(silent, None, builders.NOW)


def test_a_trend_that_is_no_longer_measured_is_not_drawn() -> None:
    assert "▄" in text(cell_line(joined(), NONE, builders.NOW, 28))
    silent = text(cell_line(joined("metrics prod-ap1", "alerts prod-ap1"), NONE, builders.NOW, 28))
    assert silent.split() == ["v2.8.1", "✓"]


@pytest.mark.parametrize("source", ["rollouts prod-ap1", "git", "argocd hub"])
@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_still_known_carries_a_sign_that_not_all_of_it_is(source: str, width: int) -> None:
    cell = joined(source, application=SUSPENDED, rollout=PAUSED)
    assert cell.journey is Journey.PAUSED
    assert "‖?" in text(cell_line(cell, NONE, builders.NOW, width))
    assert f"? {source} not responding for 42s" in text(heading(cell, builders.snapshot([cell])))


def test_a_step_nobody_sees_any_more_is_not_the_step_it_is_at() -> None:
    seen = text(cell_line(joined(application=SUSPENDED, rollout=PAUSED), NONE, builders.NOW, 40))
    assert "3/8 30%" in seen
    assert "?" not in seen
    unseen = text(cell_line(joined("rollouts prod-ap1", application=SUSPENDED, rollout=PAUSED), NONE, builders.NOW, 40))
    assert "3/8" not in unseen
    assert "30%" not in unseen


def test_a_reason_that_names_the_silent_source_is_not_told_twice() -> None:
    cell = joined("git")
    assert cell.journey is Journey.UNKNOWN
    assert text(heading(cell, builders.snapshot([cell]))).count("git") == 1


def test_how_fast_a_revert_is_depends_on_a_rollout_that_can_be_seen() -> None:
    change = Change(
        kind="revert",
        service=WHERE.service,
        stage=WHERE.stage,
        cluster=WHERE.cluster,
        path="values.yaml",
        key="image.tag",
        from_version=Version("v2.8.1"),
        to_version=Version("v2.8.0"),
        cells=(WHERE,),
    )
    assert forecast_revert(joined(rollout=PAUSED), change, TemplateComparison(True)).fast is True
    for stale in (("rollouts prod-ap1",), ("git", "rollouts prod-ap1")):
        foretold = forecast_revert(joined(*stale, rollout=PAUSED), change, TemplateComparison(True))
        assert foretold.fast is None
        assert "rollouts prod-ap1" in foretold.reason


def test_pull_requests_are_ready_only_while_github_says_so() -> None:
    ready = builders.pull_request(42, "feat(cart): prod-ap1 -> v2", approved=True, mergeable=True)
    merged = replace(ready, state="merged")
    silent = builders.source("forge", state="stale", seconds=90, reason="HTTP 502")
    fresh, stale = builders.snapshot([]), builders.snapshot([], sources=builders.sources(silent))
    assert readiness(ready) == ("ready to merge", Tone.GOOD)
    assert not is_in_doubt(ready, fresh)
    assert not is_in_doubt(merged, stale), "a merge is for good"
    row = pull_row(ready, builders.NOW, in_doubt=is_in_doubt(ready, stale))
    details = pull_details(ready, stale, 100)
    assert ("? ready to merge", Tone.UNKNOWN) in row
    assert Tone.GOOD not in {tone for _, tone in row} | {tone for line in details for _, tone in line}
    assert "as last seen: GitHub not responding for 1m: HTTP 502" in "\n".join(map(text, details))


def test_before_github_has_answered_nobody_says_that_no_pull_request_is_open() -> None:
    waiting = builders.snapshot([], sources=builders.sources(builders.source("forge", state="waiting")))
    assert "waiting for GitHub" in text(nothing_open(waiting)[0])


def test_a_failed_analysis_of_another_revision_says_of_which() -> None:
    run = AnalysisRun("cart-41-2", "41", "Step", "Failed", "", 41, failed=2, started_at=builders.ago(400))
    for current, shown in (("42", "rev 41 step analysis Failed"), ("41", "step analysis Failed")):
        rollout = builders.rollout(WHERE, "v2.8.1", current_hash=current, analysis_runs=(run,))
        cell = builders.cell("cart", "prod-ap1", rollout=rollout)
        section = sections(cell, builders.snapshot([cell]), (60, 60, 60, 60), in_full=True)[2]
        assert any(text(line).startswith(shown) for line in section.shown(60, 0))


@pytest.mark.parametrize("scope", ["dev-eu1", "prod-ap1"])
def test_a_fleet_whose_alerts_nobody_knows_is_not_called_well(scope: str) -> None:
    silent = builders.source("alerts", scope, "stale", 90, "HTTP 500")
    calm = builders.calm()
    assert "✓ all settled" in text(summary(calm, 120))
    shown = replace(calm, sources=builders.sources(silent))
    line = summary(shown, 120)
    assert "? alerts unknown" in text(line)
    assert "all settled" not in text(line)
    lines = describe_empty_matrix(shown, View(attention=True))
    assert scope in text(lines[1])
    assert Tone.GOOD not in {tone for one in (*lines, line) for _, tone in one}
    gone = replace(calm, sources=builders.sources(silent, builders.source("rollouts", scope, "stale")))
    assert "alerts unknown" not in text(summary(gone, 120)), "its cells are unknown, which says it all"


async def test_a_plan_that_has_not_been_read_is_not_called_empty() -> None:
    app = SgmApp(builders.ScriptedSession(NO_FLEET), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("c")
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        page = "\n".join("".join(part.text for part in strip) for strip in strips)
        assert "waiting for the configuration" in page
        assert "0 changes" not in page
        assert "Nothing is planned" not in page
