"""`sgm rollout` on a fleet in which a blue-green rollout waits for a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_commands import Fleet

pytestmark = pytest.mark.xdist_group("rollout")
PATIENT = 90.0
WAITS = ("identity", "prod-eu1")
"""In this scenario its new colour is up and waits for somebody to let it in."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    running = Fleet(tmp_path_factory.mktemp("rollout"), scenario="release")
    yield running
    running.end()


def until(fleet: Fleet, claim: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENT
    while time.monotonic() < deadline:
        cell = fleet.cell(*WAITS)
        if claim(cell):
            return cell
    raise AssertionError(cell)


def test_a_gate_is_aborted_tried_again_and_passed(fleet: Fleet, tmp_path: Path) -> None:
    here = ("identity", "--cluster", "prod-eu1")
    until(fleet, lambda cell: cell["journey"] == "paused")
    fleet.sgm("rollout", "abort", *here, code=2)
    fleet.sgm("--read-only", "rollout", "abort", *here, "--yes", code=4)
    refused = fleet.json("rollout", "retry", *here, "--yes", code=1)
    assert (refused["result"], refused["text"]) == ("refused", "the rollout is not aborted")
    aborted = fleet.sgm("rollout", "abort", *here, "--yes", "--reason", "the colour smells")
    assert aborted.stdout == "identity prod-eu1: aborted: traffic and pods return to v4.1.9\n"
    assert "git still has v4.2.0" in aborted.stderr
    assert "RolloutAborted" in until(fleet, lambda cell: cell["journey"] == "failed")["reason"]
    fleet.sgm("rollout", "retry", *here, "--yes")
    until(fleet, lambda cell: cell["journey"] == "paused")
    fleet.sgm("rollout", "promote", *here, "--yes")
    assert until(fleet, lambda cell: cell["journey"] == "settled")["live"] == "v4.2.0"
    told = fleet.json("audit", "--service", "identity")["records"]
    assert [one["action"] for one in told if one["title"].endswith(": done")] == [
        "rollout-abort", "rollout-retry", "rollout-promote"
    ]  # fmt: skip
    fleet.sgm("audit", "verify")


def test_where_nothing_waits_nothing_is_done(fleet: Fleet) -> None:
    said = fleet.sgm("rollout", "promote", "notifications", "--cluster", "dev-eu1", "--yes", code=1)
    assert "not done: the rollout is not paused" in said.stderr
    fleet.sgm("rollout", "promote", "notifications", "--cluster", "prod-eu9", "--yes", code=2)
