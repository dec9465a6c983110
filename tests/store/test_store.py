"""The store: facts in, the newest joined snapshot out; freshness is part of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sgm_tui.fleet.cell import Journey, Verdict
from sgm_tui.fleet.desired import Desired, DesiredState
from sgm_tui.fleet.facts import Application, Metrics, PullRequest, Rollout, Scaling
from sgm_tui.fleet.model import CellKey, Cluster, ClusterName, Fleet, ServiceName, Stage, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.policy import Policy, RuleSet
from sgm_tui.fleet.source import SourceId, SourceKind
from sgm_tui.fleet.standstill import DOWN_AFTER
from sgm_tui.fleet.updates import (
    AlertsListed,
    ApplicationChanged,
    ApplicationDeleted,
    ApplicationsListed,
    DesiredStateRead,
    MetricsListed,
    PullRequestsListed,
    RolloutChanged,
    RolloutDeleted,
    RolloutsListed,
    ScalingListed,
    SourceAnswered,
    SourceOff,
    SourceUnreachable,
    SourceUpdate,
)
from sgm_tui.report.status import source_report
from sgm_tui.report.tables import table
from sgm_tui.store.fleet_store import Store
from sgm_tui.store.source_health import DEADLINES

STAGING, PROD = StageName("staging"), StageName("prod")
EU, US = ClusterName("prod-eu1"), ClusterName("prod-us1")
CHECKOUT = ServiceName("checkout")
IN_EU, IN_US = CellKey(CHECKOUT, PROD, EU), CellKey(CHECKOUT, PROD, US)
GIT, ARGO = SourceId("git"), SourceId("argocd", "hub")
ROLLOUTS_EU, ROLLOUTS_US = SourceId("rollouts", EU), SourceId("rollouts", US)
V1, V2 = Version("v1"), Version("v2")
OLD, NEW = "a" * 40, "b" * 40


class ManualClock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> Store:
    fleet = Fleet((Stage(PROD, protected=True),), (Cluster(EU, PROD, "eu1"), Cluster(US, PROD, "us1")))
    sources = (GIT, ARGO, ROLLOUTS_EU, ROLLOUTS_US)
    return Store(fleet, repository="acme/gitops", sources=sources, clock=clock)


def desired(version: Version, position: int) -> Desired:
    return Desired("prod/values.yaml", "image.tag", version, revision=OLD, position=position)


def application(revision: str = OLD, **changes: object) -> Application:
    base = Application(
        "a", "argocd", "Synced", "Healthy", revision=revision, detailed=True, auto_sync=True, deployed_revision=revision
    )
    return replace(base, **changes)


def rollout(cluster: ClusterName, version: Version = V1) -> Rollout:
    return Rollout(
        "checkout", "app-checkout", cluster, "Canary", "Healthy", stable_version=version, spec_version=version
    )


def settle(store: Store) -> None:
    cells = {IN_EU: desired(V1, 0), IN_US: desired(V1, 0)}
    store.apply(DesiredStateRead(GIT, DesiredState(OLD, "main", cells, {OLD: 0})))
    store.apply(ApplicationsListed(ARGO, {IN_EU: application(), IN_US: application()}))
    store.apply(RolloutsListed(ROLLOUTS_EU, {IN_EU: rollout(EU)}))
    store.apply(RolloutsListed(ROLLOUTS_US, {IN_US: rollout(US)}))


def journeys(store: Store) -> dict[CellKey, Journey]:
    return {key: cell.journey for key, cell in store.publish().cells.items()}


def test_a_cell_is_not_judged_before_every_source_it_needs_has_answered(store: Store) -> None:
    store.apply(DesiredStateRead(GIT, DesiredState(OLD, "main", {IN_EU: desired(V1, 0)}, {OLD: 0})))
    store.apply(ApplicationsListed(ARGO, {IN_EU: application()}))
    assert journeys(store) == {IN_EU: Journey.UNKNOWN}
    store.apply(RolloutsListed(ROLLOUTS_EU, {IN_EU: rollout(EU)}))
    assert journeys(store) == {IN_EU: Journey.SETTLED}


def test_what_is_left_out_of_the_matrix_is_said_until_it_is_there(store: Store) -> None:
    store.apply(DesiredStateRead(GIT, DesiredState(OLD, "main", {}, {OLD: 0}, invalid_services=("UPPER",))))
    (git,) = [one for one in store.publish().sources if one.source == GIT]
    assert (git.state, git.note) == ("fresh", "not shown: UPPER: not a valid Kubernetes service name (sgm lint)")
    store.apply(DesiredStateRead(GIT, DesiredState(NEW, "main", {}, {NEW: 0})))
    (git,) = [one for one in store.publish().sources if one.source == GIT]
    assert git.note == ""


def test_a_commit_elsewhere_moves_no_cell(store: Store) -> None:
    settle(store)
    cells = {IN_EU: desired(V1, 0), IN_US: desired(V1, 0)}
    store.apply(DesiredStateRead(GIT, DesiredState(NEW, "main", cells, {OLD: 0, NEW: 1})))
    assert set(journeys(store).values()) == {Journey.SETTLED}


def test_a_change_is_merged_until_argo_cd_compares_a_revision_that_contains_it(store: Store) -> None:
    settle(store)
    cells = {IN_EU: desired(V2, 1), IN_US: desired(V1, 0)}
    store.apply(DesiredStateRead(GIT, DesiredState(NEW, "main", cells, {OLD: 0, NEW: 1})))
    assert journeys(store) == {IN_EU: Journey.MERGED, IN_US: Journey.SETTLED}
    store.apply(ApplicationChanged(ARGO, IN_EU, application(NEW, requested=True)))
    assert journeys(store)[IN_EU] is Journey.SYNCING


def test_a_cell_soaks_for_the_next_stage_until_its_time_is_over_or_that_stage_has_the_version(
    clock: ManualClock,
) -> None:
    staging_eu = ClusterName("staging-eu1")
    here = CellKey(CHECKOUT, STAGING, staging_eu)
    fleet = Fleet((Stage(STAGING), Stage(PROD)), (Cluster(staging_eu, STAGING, "eu1"), Cluster(EU, PROD, "eu1")))
    sources = (GIT, ARGO, SourceId("rollouts", staging_eu), ROLLOUTS_EU)
    store = Store(clock=clock)
    policy = Policy(stages={"prod": RuleSet(soak_seconds=60.0)})
    store.configure(fleet, sources=sources, policy=policy)
    cells = {here: desired(V2, 0), IN_EU: desired(V1, 0)}
    store.apply(DesiredStateRead(GIT, DesiredState(OLD, "main", cells, {OLD: 0})))
    deployed = application(deployed_at=clock.now - timedelta(seconds=20))
    store.apply(ApplicationsListed(ARGO, {here: deployed, IN_EU: application()}))
    store.apply(RolloutsListed(SourceId("rollouts", staging_eu), {here: rollout(staging_eu, V2)}))
    store.apply(RolloutsListed(ROLLOUTS_EU, {IN_EU: rollout(EU)}))
    assert journeys(store) == {here: Journey.SOAKING, IN_EU: Journey.SETTLED}
    clock.advance(10)
    store.apply(DesiredStateRead(GIT, DesiredState(NEW, "main", {**cells, IN_EU: desired(V2, 1)}, {OLD: 0, NEW: 1})))
    assert journeys(store)[here] is Journey.SETTLED
    store.apply(DesiredStateRead(GIT, DesiredState(NEW, "main", cells, {OLD: 0, NEW: 1})))
    assert journeys(store)[here] is Journey.SOAKING
    clock.advance(31)
    assert journeys(store)[here] is Journey.SETTLED


def test_what_time_alone_proves_is_shown_when_its_time_has_come(store: Store, clock: ManualClock) -> None:
    settle(store)
    crashed = replace(
        rollout(EU), phase="Progressing", desired=3, current_hash="h", stable_hash="h", rolling_since=clock.now
    )
    store.apply(RolloutChanged(ROLLOUTS_EU, IN_EU, crashed))
    assert journeys(store)[IN_EU] is Journey.ROLLING
    clock.advance(30)
    assert journeys(store)[IN_EU] is Journey.ROLLING
    clock.advance(DOWN_AFTER.total_seconds())
    for source in (GIT, ARGO, ROLLOUTS_EU, ROLLOUTS_US):
        store.apply(SourceAnswered(source))
    assert journeys(store)[IN_EU] is Journey.FAILED


def test_a_lost_cluster_makes_its_own_cells_unknown_and_no_others(store: Store) -> None:
    settle(store)
    store.apply(SourceUnreachable(ROLLOUTS_US, "timed out"))
    snapshot = store.publish()
    assert snapshot.cells[IN_EU].journey is Journey.SETTLED
    assert snapshot.cells[IN_US].verdict is Verdict.UNKNOWN
    assert snapshot.cells[IN_US].reason == "rollouts prod-us1: timed out"
    assert snapshot.cells[IN_US].facts.stale == ("rollouts prod-us1",)


def test_silence_past_the_deadline_is_stale_even_if_nobody_said_lost(store: Store, clock: ManualClock) -> None:
    settle(store)
    clock.advance(DEADLINES["rollouts"] + 1)
    for source in (GIT, ARGO, ROLLOUTS_EU):
        store.apply(SourceAnswered(source))
    assert journeys(store) == {IN_EU: Journey.SETTLED, IN_US: Journey.UNKNOWN}
    store.apply(SourceAnswered(ROLLOUTS_US))
    assert journeys(store) == {IN_EU: Journey.SETTLED, IN_US: Journey.SETTLED}


@pytest.mark.parametrize("kind", list(DEADLINES))
def test_a_source_is_silent_since_its_last_answer_not_since_that_was_noticed(
    clock: ManualClock, kind: SourceKind
) -> None:
    source = SourceId(kind, "hub")
    store = Store(sources=(source,), clock=clock)
    asked = clock.now

    def silent() -> float:
        (health,) = store.publish().sources
        assert (health.state, health.since is not None) == ("stale", True)
        return (clock.now - (health.since or clock.now)).total_seconds()

    clock.advance(13)
    store.apply(SourceUnreachable(source, "did not answer within 5 s"))
    assert silent() == (clock.now - asked).total_seconds() == 13
    store.apply(SourceAnswered(source))
    clock.advance(13)
    store.apply(SourceUnreachable(source, "did not answer within 5 s"))
    assert silent() == 13
    clock.advance(30)
    store.apply(SourceUnreachable(source, "did not answer within 5 s"))
    assert silent() == 43
    store.apply(SourceAnswered(source))
    clock.advance(DEADLINES[kind] + 1)
    assert silent() == DEADLINES[kind] + 1


def test_what_a_source_may_not_tell_is_said_and_judges_nothing(store: Store) -> None:
    settle(store)
    store.apply(SourceAnswered(ROLLOUTS_US, "no access to analysisruns"))
    store.apply(RolloutChanged(ROLLOUTS_US, IN_US, rollout(US)))
    health = next(one for one in store.publish().sources if one.source == ROLLOUTS_US)
    assert (health.state, health.note) == ("fresh", "no access to analysisruns")
    assert journeys(store)[IN_US] is Journey.SETTLED
    store.apply(SourceAnswered(ROLLOUTS_US))
    assert next(one for one in store.publish().sources if one.source == ROLLOUTS_US).note == ""


def test_what_is_not_configured_is_off_and_judges_nothing(store: Store) -> None:
    settle(store)
    store.apply(SourceOff(SourceId("metrics", EU), "no Prometheus is configured"))
    snapshot = store.publish()
    assert snapshot.cells[IN_EU].journey is Journey.SETTLED
    assert {str(one.source): one.state for one in snapshot.sources}["metrics prod-eu1"] == "off"


def test_what_is_not_there_any_more_says_nothing_any_more(store: Store) -> None:
    settle(store)
    store.apply(SourceOff(ROLLOUTS_EU, "Argo Rollouts is not installed on prod-eu1"))
    cells = store.publish().cells
    assert cells[IN_EU].facts.rollout is None
    assert cells[IN_US].facts.rollout is not None
    store.apply(SourceOff(ARGO, "Argo CD is not installed on hub"))
    assert [cell.facts.application for cell in store.publish().cells.values()] == [None, None]


def test_an_application_that_moves_to_another_hub_is_not_lost_when_the_first_lets_go_of_it(store: Store) -> None:
    settle(store)
    other = SourceId("argocd", "hub2")
    store.apply(ApplicationChanged(other, IN_EU, application(name="moved")))
    store.apply(ApplicationDeleted(ARGO, IN_EU))
    store.apply(ApplicationsListed(ARGO, {IN_US: application()}))
    moved = store.publish().cells[IN_EU].facts.application
    assert moved is not None
    assert moved.name == "moved"


def test_a_silent_hub_blinds_its_own_cells_even_where_it_is_called_like_a_cluster(clock: ManualClock) -> None:
    fleet = Fleet((Stage(PROD, protected=True),), (Cluster(EU, PROD, "eu1"), Cluster(US, PROD, "us1")))
    in_eu = SourceId("argocd", EU)
    store = Store(fleet, sources=(GIT, ARGO, in_eu, ROLLOUTS_EU, ROLLOUTS_US), clock=clock)
    settle(store)
    store.apply(ApplicationsListed(in_eu, {}))
    store.apply(SourceUnreachable(in_eu, "timed out", 1.0))
    assert journeys(store) == {IN_EU: Journey.SETTLED, IN_US: Journey.SETTLED}


def test_what_argo_cd_has_no_application_for_is_merged_where_it_answers(store: Store) -> None:
    settle(store)
    new = CellKey(ServiceName("cart"), PROD, EU)
    cells = {IN_EU: desired(V1, 0), IN_US: desired(V1, 0), new: desired(V1, 0)}
    store.apply(DesiredStateRead(GIT, DesiredState(OLD, "main", cells, {OLD: 0})))
    assert journeys(store)[new] is Journey.MERGED
    store.apply(SourceOff(ARGO, "argocd.hubs is not configured"))
    assert journeys(store)[new] is Journey.UNKNOWN


def test_what_neither_git_nor_argo_cd_wants_is_not_settled(store: Store) -> None:
    settle(store)
    store.apply(DesiredStateRead(GIT, DesiredState(OLD, "main", {IN_US: desired(V1, 0)}, {OLD: 0})))
    store.apply(ApplicationDeleted(ARGO, IN_EU))
    assert journeys(store) == {IN_EU: Journey.UNKNOWN, IN_US: Journey.SETTLED}


def test_what_follows_another_branch_is_not_judged_by_ours(store: Store) -> None:
    settle(store)
    store.apply(ApplicationChanged(ARGO, IN_EU, application("e" * 40, follows="env/prod")))
    store.apply(ApplicationChanged(ARGO, IN_US, application(follows="refs/heads/main")))
    seen = store.publish().cells
    assert (seen[IN_EU].journey, seen[IN_US].journey) == (Journey.UNKNOWN, Journey.SETTLED)
    assert "follows env/prod" in seen[IN_EU].reason
    rolling = replace(rollout(EU, V2), phase="Progressing")
    store.apply(RolloutChanged(ROLLOUTS_EU, IN_EU, rolling))
    assert journeys(store)[IN_EU] is Journey.ROLLING


def test_a_table_row_never_overwrites_details_it_agrees_with(store: Store) -> None:
    settle(store)
    store.apply(ApplicationsListed(ARGO, {IN_EU: application(detailed=False), IN_US: application(NEW, detailed=False)}))
    cells = store.publish().cells
    details = [cells[key].facts.application for key in (IN_EU, IN_US)]
    assert [one.detailed for one in details if one is not None] == [True, False]


def test_an_open_pull_request_shows_in_the_cells_it_would_change(store: Store) -> None:
    settle(store)
    request = PullRequest(42, "feat", "https://h/42", "ana", "b", NEW, "open", proposes=((IN_EU, V2),))
    store.apply(PullRequestsListed(SourceId("forge"), (request,)))
    assert journeys(store)[IN_EU] is Journey.PROPOSED
    store.apply(PullRequestsListed(SourceId("forge"), (replace(request, state="merged"),)))
    assert journeys(store)[IN_EU] is Journey.SETTLED


def test_a_staged_change_shows_and_can_be_taken_back(store: Store) -> None:
    settle(store)
    change = Change("promotion", CHECKOUT, PROD, EU, "prod/values.yaml", "image.tag", V1, V2, (IN_EU,))
    store.set_plan(Plan().with_change(change))
    assert journeys(store) == {IN_EU: Journey.STAGED, IN_US: Journey.SETTLED}
    store.set_plan(store.plan.before_last_step())
    assert journeys(store)[IN_EU] is Journey.SETTLED


def test_a_cell_nobody_knows_any_more_is_gone(store: Store) -> None:
    settle(store)
    store.apply(DesiredStateRead(GIT, DesiredState(NEW, "main", {IN_EU: desired(V1, 0)}, {OLD: 0, NEW: 1})))
    store.apply(ApplicationsListed(ARGO, {IN_EU: application()}))
    store.apply(RolloutDeleted(ROLLOUTS_US, IN_US))
    assert set(journeys(store)) == {IN_EU}


def test_a_cluster_moves_while_a_change_is_in_it(store: Store) -> None:
    settle(store)
    pull = PullRequest(42, "feat", "https://h/42", "ana", "b", NEW, "open", proposes=((IN_US, V2),))
    store.apply(PullRequestsListed(SourceId("forge"), (pull,)))
    assert journeys(store)[IN_US] is Journey.PROPOSED
    assert not store.has_activity(EU)
    assert not store.has_activity(US)
    store.apply(RolloutsListed(ROLLOUTS_EU, {IN_EU: replace(rollout(EU), phase="Progressing")}))
    assert journeys(store)[IN_EU] is Journey.ROLLING
    assert (store.has_activity(EU), store.has_activity(US)) == (True, False)
    store.apply(RolloutsListed(ROLLOUTS_EU, {IN_EU: rollout(EU)}))
    store.publish()
    assert not store.has_activity(EU)


@pytest.fixture
async def running(store: Store) -> AsyncIterator[Store]:
    task = asyncio.create_task(store.run())
    yield store
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_slow_reader_gets_the_newest_snapshot_not_every_one(running: Store) -> None:
    snapshots = running.snapshots()
    await anext(snapshots)
    settle(running)
    for index in range(500):
        running.apply(ApplicationChanged(ARGO, IN_EU, application(uid=str(index))))
    async with asyncio.timeout(60):
        read = 0
        async for snapshot in snapshots:
            read += 1
            cell = snapshot.cells.get(IN_EU)
            if cell is not None and cell.facts.application is not None and cell.facts.application.uid == "499":
                break
    assert read <= 3


@pytest.mark.parametrize(
    "urgent",
    [
        RolloutChanged(ROLLOUTS_EU, IN_EU, rollout(EU, V2)),
        RolloutDeleted(ROLLOUTS_EU, IN_EU),
        ApplicationChanged(ARGO, IN_EU, application(sync="OutOfSync")),
        ApplicationDeleted(ARGO, IN_EU),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("numbers", [MetricsListed, ScalingListed], ids=lambda kind: kind.__name__)
async def test_what_is_urgent_is_published_though_numbers_touched_the_cell_first(
    store: Store, monkeypatch: pytest.MonkeyPatch, numbers: type[MetricsListed | ScalingListed], urgent: SourceUpdate
) -> None:
    monkeypatch.setattr("sgm_tui.store.fleet_store.IDLE_SECONDS", 3600.0)
    settle(store)
    source = SourceId("metrics" if numbers is MetricsListed else "scaling", EU)
    value = Metrics(1.0) if numbers is MetricsListed else Scaling(1, 2, 1, 1)
    store.apply(numbers(source, {}))
    publisher, snapshots = asyncio.create_task(store.run()), store.snapshots()
    async with asyncio.timeout(60):
        await anext(snapshots)
        await anext(snapshots)  # What was touched before is out, and nothing urgent is left.
        store.apply(numbers(source, {IN_EU: value}))
        before = store.snapshot
        for _ in range(20):
            await asyncio.sleep(0)
        assert store.snapshot is before
        store.apply(urgent)
        assert await anext(snapshots) is not before
    publisher.cancel()
    await asyncio.gather(publisher, return_exceptions=True)


async def test_a_problem_reaches_the_reader(running: Store) -> None:
    running.fail("sgm.yaml:3: stages is missing")
    async with asyncio.timeout(60):
        async for snapshot in running.snapshots():
            if snapshot.problem:
                break
    assert snapshot.problem == "sgm.yaml:3: stages is missing"


def test_a_source_whose_answer_may_be_incomplete_says_so_until_it_is_whole(store: Store) -> None:
    settle(store)
    metrics, alerts = SourceId("metrics", EU), SourceId("alerts", EU)
    store.apply(MetricsListed(metrics, {}, "may be incomplete: partial response"))
    store.apply(AlertsListed(alerts, (), "may be incomplete: partial response"))
    shown = {one.source: one for one in store.publish().sources}
    assert [(shown[one].state, shown[one].is_incomplete) for one in (metrics, alerts)] == [("fresh", True)] * 2
    document = source_report(shown[metrics], store.snapshot.generated_at)
    assert (document["fresh"], document["error"]) == (True, "may be incomplete: partial response")
    assert "metrics prod-eu1: may be incomplete: partial response" in table(store.snapshot)
    store.apply(MetricsListed(metrics, {}))
    assert not next(one for one in store.publish().sources if one.source == metrics).note
