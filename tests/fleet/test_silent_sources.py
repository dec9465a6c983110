"""A source that does not respond takes away what it alone knows: every silent source against every journey."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sgm_tui.fleet.cell import Cell, CellFacts, Journey, Verdict
from sgm_tui.fleet.desired import Desired, DesiredState
from sgm_tui.fleet.facts import Application, Condition, Metrics, Operation, PullRequest, Rollout
from sgm_tui.fleet.join import join
from sgm_tui.fleet.model import CellKey, Cluster, ClusterName, Fleet, ServiceName, Stage, StageName, Version
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import (
    ApplicationDeleted,
    ApplicationsListed,
    DesiredStateCached,
    DesiredStateRead,
    MetricsListed,
    PullRequestsListed,
    RolloutDeleted,
    RolloutsListed,
    SourceAnswered,
    SourceUnreachable,
)
from sgm_tui.report.status import report
from sgm_tui.report.tables import table
from sgm_tui.store.fleet_store import Store
from sgm_tui.store.source_health import DEADLINES

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
PROD, EU = StageName("prod"), ClusterName("prod-eu1")
KEY = CellKey(ServiceName("checkout"), PROD, EU)
OLD, NEW, ELSEWHERE = "a" * 40, "b" * 40, "e" * 40
V1, V2 = Version("v1.4.1"), Version("v1.4.2")
SOURCES = {
    "git": SourceId("git"),
    "argocd": SourceId("argocd", "hub"),
    "rollouts": SourceId("rollouts", EU),
    "metrics": SourceId("metrics", EU),
    "forge": SourceId("forge"),
}
APPLICATION = Application(
    "prod-eu1-checkout",
    "argocd",
    "Synced",
    "Healthy",
    revision=ELSEWHERE,
    detailed=True,
    auto_sync=True,
    deployed_revision=NEW,
    deployed_at=NOW - timedelta(minutes=50),
)
ROLLOUT = Rollout("checkout", "app-checkout", EU, "Canary", "Healthy", stable_version=V2, spec_version=V2)
ENDED = Operation("Succeeded", revision=NEW, finished_at=NOW - timedelta(hours=2))
METRICS = Metrics(requests_per_second=10.0, error_ratio=0.001)
REQUEST = PullRequest(42, "feat", "https://h/42", "ana", "b", NEW, "open", proposes=((KEY, Version("v1.5.0")),))

CELLS: dict[str, tuple[Application, Rollout, bool]] = {
    "settled": (APPLICATION, ROLLOUT, False),
    "proposed": (APPLICATION, ROLLOUT, True),
    "merged": (replace(APPLICATION, revision=OLD, deployed_revision=OLD), ROLLOUT, False),
    "syncing": (replace(APPLICATION, sync="OutOfSync", operation=Operation("Running")), ROLLOUT, False),
    "rolling": (replace(APPLICATION, health="Progressing"), replace(ROLLOUT, phase="Progressing"), False),
    "paused": (
        replace(APPLICATION, health="Suspended"),
        replace(ROLLOUT, phase="Paused", pause_reason="CanaryPauseStep"),
        False,
    ),
    "degraded": (
        replace(APPLICATION, health="Degraded"),
        replace(ROLLOUT, phase="Degraded", message="RolloutAborted", aborted=True),
        False,
    ),
    "sync fails": (replace(APPLICATION, sync="OutOfSync", operation=Operation("Failed", "no")), ROLLOUT, False),
    "broken manifest": (
        replace(APPLICATION, sync="Unknown", conditions=(Condition("ComparisonError", "bad yaml"),)),
        ROLLOUT,
        False,
    ),
    "drifted": (replace(APPLICATION, sync="OutOfSync", operation=ENDED), ROLLOUT, False),
}
J = Journey


def by_silent_source(*journeys: Journey) -> dict[str, Journey]:
    """The journey while all sources respond, and while each of them does not."""
    return dict(zip(("", *SOURCES), journeys, strict=True))


EXPECTED = {
    # silent:                           none        git         argocd     rollouts    metrics     forge
    "settled": by_silent_source(J.SETTLED, J.UNKNOWN, J.UNKNOWN, J.UNKNOWN, J.SETTLED, J.SETTLED),
    "proposed": by_silent_source(J.PROPOSED, J.UNKNOWN, J.UNKNOWN, J.UNKNOWN, J.PROPOSED, J.PROPOSED),
    "merged": by_silent_source(J.MERGED, J.UNKNOWN, J.UNKNOWN, J.MERGED, J.MERGED, J.MERGED),
    "syncing": by_silent_source(J.SYNCING, J.SYNCING, J.UNKNOWN, J.SYNCING, J.SYNCING, J.SYNCING),
    "rolling": by_silent_source(*[J.ROLLING] * 6),
    "paused": by_silent_source(*[J.PAUSED] * 6),
    "degraded": by_silent_source(*[J.FAILED] * 6),
    "sync fails": by_silent_source(J.FAILED, J.FAILED, J.UNKNOWN, J.FAILED, J.FAILED, J.FAILED),
    "broken manifest": by_silent_source(J.FAILED, J.FAILED, J.UNKNOWN, J.FAILED, J.FAILED, J.FAILED),
    "drifted": by_silent_source(J.DRIFTED, J.DRIFTED, J.UNKNOWN, J.DRIFTED, J.DRIFTED, J.DRIFTED),
}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def desired_state(**changes: object) -> DesiredState:
    desired = Desired(
        "prod/values.yaml", "image.tag", V2, revision=NEW, position=1, committed_at=NOW - timedelta(hours=1)
    )
    state = DesiredState(ELSEWHERE, "main", {KEY: desired}, {OLD: 0, NEW: 1, ELSEWHERE: 2})
    return replace(state, **changes)


def store_with(name: str, clock: Clock) -> Store:
    application, rollout, proposed = CELLS[name]
    store = Store(Fleet((Stage(PROD),), (Cluster(EU, PROD, "eu1"),)), sources=SOURCES.values(), clock=clock)
    store.apply(DesiredStateRead(SOURCES["git"], desired_state()))
    store.apply(ApplicationsListed(SOURCES["argocd"], {KEY: application}))
    store.apply(RolloutsListed(SOURCES["rollouts"], {KEY: rollout}))
    store.apply(MetricsListed(SOURCES["metrics"], {KEY: METRICS}))
    store.apply(PullRequestsListed(SOURCES["forge"], (REQUEST,) if proposed else ()))
    return store


@pytest.mark.parametrize("silent", ["", *SOURCES])
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("how", ["lost", "no word"])
def test_a_silent_source_takes_away_what_it_alone_knows(name: str, silent: str, how: str) -> None:
    clock = Clock()
    store = store_with(name, clock)
    store.publish()
    if silent and how == "lost":
        store.apply(SourceUnreachable(SOURCES[silent], "timed out"))
    elif silent:
        clock.now += timedelta(seconds=DEADLINES[SOURCES[silent].kind] + 1)
        for source in SOURCES.values():
            if source != SOURCES[silent]:
                store.apply(SourceAnswered(source))
    snapshot = store.publish()
    cell = snapshot.cells[KEY]
    assert cell.journey is EXPECTED[name][silent]
    if silent in {"git", "argocd", "rollouts"}:
        assert cell.verdict is not Verdict.GOOD
        if cell.journey is Journey.UNKNOWN:
            assert str(SOURCES[silent]) in cell.reason
    (document,) = json.loads(json.dumps(report(snapshot)))["cells"]
    facts = {key: document[key] for key in ("desired", "live", "sync", "health")}
    application = CELLS[name][0]
    assert facts == {"desired": V2, "live": V2, "sync": application.sync, "health": application.health}
    assert document["metrics"]["requests_per_second"] == 10.0
    assert document["stale"] == ([str(SOURCES[silent])] if silent else [])
    assert document["desired_as_of"] is not None


@pytest.mark.parametrize(
    ("name", "journey"),
    [("settled", J.UNKNOWN), ("rolling", J.ROLLING), ("degraded", J.FAILED), ("merged", J.UNKNOWN)],
)
def test_two_silent_sources_take_away_what_both_know(name: str, journey: Journey) -> None:
    store = store_with(name, Clock())
    store.apply(SourceUnreachable(SOURCES["git"], "gone"))
    store.apply(SourceUnreachable(SOURCES["argocd"], "gone"))
    assert store.publish().cells[KEY].journey is journey


def test_what_was_fetched_before_is_desired_as_of_then_while_git_does_not_respond() -> None:
    store = store_with("settled", Clock())
    fresh = Store(Fleet((Stage(PROD),), (Cluster(EU, PROD, "eu1"),)), sources=SOURCES.values(), clock=Clock())
    fetched = NOW - timedelta(hours=3)
    fresh.apply(DesiredStateCached(SOURCES["git"], desired_state(fetched_at=fetched)))
    fresh.apply(SourceUnreachable(SOURCES["git"], "cannot be reached"))
    fresh.apply(ApplicationsListed(SOURCES["argocd"], {KEY: CELLS["degraded"][0]}))
    fresh.apply(RolloutsListed(SOURCES["rollouts"], {KEY: CELLS["degraded"][1]}))
    snapshot = fresh.publish()
    (document,) = report(snapshot)["cells"]
    assert (document["desired"], document["desired_as_of"]) == (V2, "2026-11-23T11:00:00Z")
    assert (document["journey"], document["verdict"]) == ("failed", "bad")
    text = table(snapshot)
    assert V2 in text
    assert "DESIRED is as of 2026-11-23T11:00:00Z" in text
    assert "DESIRED is as of" not in table(store.publish())


@pytest.mark.parametrize("awaited", ["git", "argocd", "rollouts"])
def test_what_has_not_answered_yet_is_not_judged_and_hides_no_failure(awaited: str) -> None:
    application, rollout, _ = CELLS["degraded"]
    settled = CellFacts(
        KEY, desired=desired_state().cells[KEY], synced=True, deployed=True, application=APPLICATION, rollout=ROLLOUT,
        loading=True, awaited=(str(SOURCES[awaited]),),
    )  # fmt: skip
    assert join(settled, None, NOW).journey is Journey.UNKNOWN
    assert join(replace(settled, application=application, rollout=rollout), None, NOW).journey is Journey.FAILED


class TestAnApplicationThatIsGone:
    def gone(self, clock: Clock, *, rollout: bool = True) -> Store:
        store = store_with("settled", clock)
        store.publish()
        store.apply(ApplicationDeleted(SOURCES["argocd"], KEY))
        if rollout:
            store.apply(RolloutDeleted(SOURCES["rollouts"], KEY))
        return store

    def cell(self, store: Store) -> Cell:
        return store.publish().cells[KEY]

    def test_is_bad_where_nothing_runs_any_more(self) -> None:
        cell = self.cell(self.gone(Clock()))
        assert (cell.journey, cell.verdict) == (Journey.FAILED, Verdict.BAD)
        assert cell.reason == "its Application is gone and so is its Rollout: the desired version is not running"

    def test_needs_attention_where_its_pods_run_on(self) -> None:
        cell = self.cell(self.gone(Clock(), rollout=False))
        assert (cell.journey, cell.verdict) == (Journey.SETTLED, Verdict.ATTENTION)
        assert "its Application is gone" in cell.reason

    def test_is_not_bad_before_git_was_read_again_that_may_no_longer_want_it(self) -> None:
        clock = Clock()
        store = store_with("settled", clock)
        clock.now += timedelta(seconds=5)
        store.apply(ApplicationsListed(SOURCES["argocd"], {}))
        store.apply(RolloutsListed(SOURCES["rollouts"], {}))
        cell = self.cell(store)
        assert (cell.journey, cell.verdict) == (Journey.SYNCING, Verdict.ATTENTION)
        store.apply(SourceAnswered(SOURCES["git"]))
        assert self.cell(store).verdict is Verdict.BAD

    def test_is_well_again_once_it_is_back(self) -> None:
        store = self.gone(Clock())
        store.apply(ApplicationsListed(SOURCES["argocd"], {KEY: APPLICATION}))
        store.apply(RolloutsListed(SOURCES["rollouts"], {KEY: ROLLOUT}))
        assert self.cell(store).journey is Journey.SETTLED

    def test_is_unknown_where_its_hub_does_not_respond(self) -> None:
        store = self.gone(Clock())
        store.apply(SourceUnreachable(SOURCES["argocd"], "timed out"))
        assert self.cell(store).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("committed", "journey", "verdict"),
    [
        (timedelta(minutes=2), Journey.MERGED, Verdict.BUSY),
        (timedelta(minutes=59), Journey.MERGED, Verdict.BUSY),
        (timedelta(hours=5), Journey.FAILED, Verdict.BAD),
        (timedelta(days=18), Journey.FAILED, Verdict.BAD),
        (None, Journey.MERGED, Verdict.BUSY),
    ],
)
def test_what_has_no_application_is_new_or_lost_by_the_age_of_its_commit(
    committed: timedelta | None, journey: Journey, verdict: Verdict
) -> None:
    desired = replace(desired_state().cells[KEY], committed_at=None if committed is None else NOW - committed)
    cell = join(CellFacts(KEY, desired=desired, synced=False), None, NOW)
    assert (cell.journey, cell.verdict) == (journey, verdict)


def test_a_table_row_does_not_say_which_applications_there_are_not() -> None:
    store = Store(Fleet((Stage(PROD),), (Cluster(EU, PROD, "eu1"),)), sources=SOURCES.values(), clock=Clock())
    other = CellKey(ServiceName("cart"), PROD, EU)
    state = desired_state()
    old = replace(state.cells[KEY], committed_at=NOW - timedelta(days=9))
    store.apply(DesiredStateRead(SOURCES["git"], replace(state, cells={KEY: old, other: old})))
    store.apply(ApplicationsListed(SOURCES["argocd"], {other: replace(APPLICATION, detailed=False)}))
    store.apply(RolloutsListed(SOURCES["rollouts"], {}))
    assert store.publish().cells[KEY].verdict is Verdict.UNKNOWN
    store.apply(ApplicationsListed(SOURCES["argocd"], {other: APPLICATION}))
    assert store.publish().cells[KEY].verdict is Verdict.BAD
