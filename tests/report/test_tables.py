"""The status as plain text stays readable whatever the fleet says of itself."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.facts import Metrics, Rollout
from sgm_tui.fleet.source import SourceKind
from sgm_tui.report.tables import markdown, table


def test_an_absurd_number_is_told_by_its_size() -> None:
    huge = builders.cell("cart", "dev-eu1", metrics=Metrics(1e308, 1e308, 1e308))
    lines = table(builders.snapshot([huge]), wide=True).splitlines()
    assert "1.00e+308" in lines[1]
    assert max(len(line) for line in lines) < 220


def test_an_ordinary_number_is_told_with_its_digits() -> None:
    line = table(builders.snapshot([builders.cell("cart", "dev-eu1")]), wide=True).splitlines()[1]
    assert "128.4  0.07%   182ms" in line


def test_a_name_of_200_characters_leaves_the_other_columns_in_sight() -> None:
    long, short = builders.cell("x" * 200, "dev-eu1"), builders.cell("cart", "dev-eu1")
    heading, *lines = table(builders.snapshot([long, short])).splitlines()[:3]
    assert heading.index("STAGE") == 82
    assert [line[82:].split()[0] for line in lines] == ["dev", "dev"]
    assert any(line.startswith("x" * 79 + "…") for line in lines)


def test_what_a_fresh_source_does_not_tell_is_below() -> None:
    git = replace(builders.source("git"), note="not shown: UPPER")
    shown = builders.snapshot([builders.cell("cart", "dev-eu1")], sources=(git,))
    assert table(shown).splitlines()[-1] == "· git: not shown: UPPER"


def test_a_digest_stays_whole() -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    assert digest in table(builders.snapshot([builders.cell("cart", "dev-eu1", digest)]))


WHERE = builders.key("cart", "prod-eu1")
ABORTED = {"phase": "Degraded", "aborted": True}


@pytest.mark.parametrize(
    ("journey", "rollout", "box"),
    [
        (Journey.FAILED, builders.rolling(WHERE, "v2.8.0", "v2.10.0", **ABORTED), "v2.8.0 → v2.10.0 failed"),
        (Journey.FAILED, builders.rollout(WHERE, "v2.8.0"), "v2.8.0 → v2.10.0 failed"),
        (Journey.FAILED, builders.rollout(WHERE, "v2.10.0", **ABORTED), "v2.10.0 failed"),
        (Journey.FAILED, builders.rollout(WHERE, "v2", stable_version=None), "? → v2.10.0 failed"),
        (Journey.ROLLING, builders.rolling(WHERE, "v2.8.0", "v2.10.0"), "v2.8.0 → v2.10.0 rolling"),
        (Journey.SETTLED, builders.rollout(WHERE, "v2.10.0"), "v2.10.0 settled"),
    ],
)
def test_what_runs_comes_first_in_a_box_and_what_failed_to_come_behind_it(
    journey: Journey, rollout: Rollout, box: str
) -> None:
    cell = builders.cell("cart", "prod-eu1", "v2.10.0", journey, rollout=rollout)
    assert f"| {box} |" in markdown(builders.snapshot([cell]))


@pytest.mark.parametrize(("weight", "shown"), [(0.5, "0.5%"), (30, "30%"), (100 / 3, "33.33%")])
def test_a_weight_may_have_a_fraction(weight: float, shown: str) -> None:
    rolling = builders.rolling(WHERE, "v1", "v2", actual_weight=weight, set_weight=weight)
    line = table(builders.snapshot([builders.cell("cart", "prod-eu1", "v2", rollout=rolling)]), wide=True)
    assert f"  {shown}  " in line.splitlines()[1]


def test_what_does_not_respond_is_said_below_in_every_form() -> None:
    silent = [builders.source(kind, scope, "stale", reason="timed out") for kind, scope in SILENT]
    cells = [builders.cell("cart", "dev-eu1"), builders.cell("cart", "prod-ap1")]
    shown = builders.snapshot(cells, sources=builders.sources(*silent))
    for text in (table(shown), table(shown, wide=True), markdown(shown).replace("\\", "")):
        assert text.count("timed out") == len(silent), text
    only_dev = frozenset({cells[0].key})
    for text in (table(shown, only_dev), markdown(shown, only_dev)):
        assert "github" in text
        assert "prod-ap1: " not in text.replace("\\", ""), "nobody asked about prod"


SILENT: tuple[tuple[SourceKind, str], ...] = (("forge", ""), ("metrics", "prod-ap1"), ("rollouts", "prod-ap1"))
