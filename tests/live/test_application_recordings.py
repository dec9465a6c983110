"""No recorded sequence of an Application ever shows a false drift, or calls settled what is not.

Each recording is played event by event through the real decoding and the join. The Rollout of the cell is told to
run what was last applied, so that only Argo CD's word decides; git is told to want what the commits of the recording
say, at the position of the commit that touched the service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sgm_tui.fleet.cell import Cell, CellFacts, Journey
from sgm_tui.fleet.desired import Desired, DesiredState
from sgm_tui.fleet.facts import Application
from sgm_tui.fleet.join import join
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.live.application_wire import ApplicationWire, to_application
from sgm_tui.live.wire import read_object

SHARED = Path(__file__).parents[3] / "shared" / "fixtures" / "argocd"
EXCERPTS = Path(__file__).parent.parent / "data" / "argocd_applications"
START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
WITHOUT_DRIFT = {
    "abort-then-revert", "applicationset-error", "cluster-unreachable", "drift-self-heal", "git-unreachable",
    "polling-without-refresh", "promote-canary-with-gate", "revert-while-paused", "service-added-and-removed",
}  # fmt: skip
"""Recordings in which nothing drifted longer than a self-heal takes."""


@dataclass(frozen=True)
class Moment:
    """One event of one Application: when, what it is, what it was joined to."""

    at: float
    application: Application
    revision_in_git: str
    """The revision git has at that time."""
    cell: Cell


def applications(recording: Path) -> Iterator[tuple[float, str, str, bytes]]:
    for line in recording.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["resource"] == "applications":
            name = event["object"]["metadata"]["name"]
            yield event["t"], event["type"], name, json.dumps(event["object"]).encode()


def revisions(recording: Path) -> list[str]:
    """Every commit Argo CD compared with, in the order it first did."""
    entries: dict[str, None] = {}
    for _, _, _, raw in applications(recording):
        status: dict[str, Any] = json.loads(raw).get("status") or {}
        revision = (status.get("sync") or {}).get("revision", "")
        if len(revision) == 40:
            entries.setdefault(revision)
    return list(entries)


def committed(recording: Path, name: str) -> list[tuple[float, str]]:
    """When commits that touch an Application's service were made, and how their ids begin."""
    actions = json.loads(recording.with_name(f"{recording.stem}.actions.json").read_text(encoding="utf-8"))
    service = name.rpartition("-")[2]
    entries = []
    for action in actions:
        words = action["did"].split()
        if words[0] == "commit" and f"({service})" in action["did"]:
            entries.append((action["t"], words[1]))
    return entries


def played(recording: Path) -> Iterator[Moment]:
    positions = {revision: index for index, revision in enumerate(revisions(recording))}
    cells: dict[str, Cell] = {}
    for at, kind, name, raw in applications(recording):
        if kind == "DELETED":
            cells.pop(name, None)
            continue
        application = to_application(read_object(raw, ApplicationWire))
        commits = [commit for moment, commit in committed(recording, name) if moment <= at + 0.05]
        position = next((index for one, index in positions.items() if commits and one.startswith(commits[-1][:7])), 0)
        desired = Desired("values.yaml", "image.tag", Version("v1"), position=position, committed_at=START)
        state = DesiredState("", "main", {}, positions)
        facts = CellFacts(
            CellKey(ServiceName(name), StageName("prod"), ClusterName("c")),
            desired=desired,
            synced=state.contains(application.revision, desired),
            deployed=state.contains(application.deployed_revision, desired),
            application=application,
        )
        cell = join(facts, cells.get(name), START + timedelta(seconds=at))
        cells[name] = cell
        yield Moment(at, application, commits[-1] if commits else "", cell)


def recordings() -> list[Path]:
    folder = SHARED if SHARED.is_dir() else EXCERPTS
    return sorted(path for path in folder.glob("*.jsonl"))


@pytest.mark.parametrize("recording", recordings(), ids=lambda path: path.stem)
def test_settled_is_said_only_of_what_is_synced_and_well(recording: Path) -> None:
    for moment in played(recording):
        application = moment.application
        if moment.cell.journey is Journey.SETTLED:
            assert application.sync == "Synced", f"at {moment.at}: {application}"
            assert application.health in {"Healthy", "Suspended"}, f"at {moment.at}: {application}"
            assert not [one for one in application.conditions if one.type in {"ComparisonError", "InvalidSpecError"}]
            assert not application.is_operating, f"at {moment.at}: {application}"
            assert moment.cell.facts.synced is not False


@pytest.mark.parametrize("recording", recordings(), ids=lambda path: path.stem)
def test_drift_is_never_said_where_nothing_drifted(recording: Path) -> None:
    drifted = {moment.application.name for moment in played(recording) if moment.cell.journey is Journey.DRIFTED}
    if recording.stem in WITHOUT_DRIFT:
        assert drifted == set()


@pytest.mark.parametrize("recording", recordings(), ids=lambda path: path.stem)
def test_an_unknown_sync_is_never_green(recording: Path) -> None:
    for moment in played(recording):
        if moment.application.sync == "Unknown":
            assert moment.cell.journey in {Journey.FAILED, Journey.UNKNOWN, Journey.SYNCING, Journey.MERGED}, moment
