"""Where the change of a cell is, and how the cell stands: the ladder of `fleet.join`, a row a rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sgm_tui.fleet.cell import Cell, CellFacts, Journey, Verdict
from sgm_tui.fleet.desired import Desired
from sgm_tui.fleet.facts import Alert, Application, Condition, Metrics, Operation, PendingVersion, Rollout
from sgm_tui.fleet.join import DRIFT_GRACE_SECONDS, UNSEEN_GRACE_SECONDS, join
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
KEY = CellKey(ServiceName("checkout"), StageName("prod"), ClusterName("prod-eu1"))
V1, V2 = Version("v1.4.1"), Version("v1.4.2")
DESIRED = Desired(
    "prod/values.yaml", "image.tag", V2, revision="b" * 40, position=7, committed_at=NOW - timedelta(hours=1)
)
APPLICATION = Application(
    "prod-eu1-checkout",
    "argocd",
    "Synced",
    "Healthy",
    revision="b" * 40,
    detailed=True,
    auto_sync=True,
    deployed_revision="b" * 40,
    deployed_at=NOW - timedelta(minutes=50),
)
ROLLOUT = Rollout(
    "checkout",
    "app-checkout",
    ClusterName("prod-eu1"),
    "Canary",
    "Healthy",
    step=8,
    steps=8,
    stable_version=V2,
    spec_version=V2,
    updated_at=NOW - timedelta(minutes=40),
)
QUIET = CellFacts(KEY, desired=DESIRED, synced=True, deployed=True, application=APPLICATION, rollout=ROLLOUT)
RUNNING = Operation("Running", started_at=NOW - timedelta(seconds=3))


def judged(facts: CellFacts, previous: Cell | None = None, now: datetime = NOW) -> Cell:
    return join(facts, previous, now)


def with_application(**changes: object) -> CellFacts:
    return replace(QUIET, application=replace(APPLICATION, **changes))


def with_rollout(**changes: object) -> CellFacts:
    return replace(QUIET, rollout=replace(ROLLOUT, **changes))


CASES = {
    "quiet": (QUIET, Journey.SETTLED, Verdict.GOOD),
    "a firing alert asks for attention": (
        replace(QUIET, alerts=(Alert("HighErrors", "page", "firing", KEY.cluster, "checkout"),)),
        Journey.SETTLED,
        Verdict.ATTENTION,
    ),
    "a pending alert does not": (
        replace(QUIET, alerts=(Alert("HighErrors", "page", "pending", KEY.cluster, "checkout"),)),
        Journey.SETTLED,
        Verdict.GOOD,
    ),
    "staged in the plan": (replace(QUIET, staged=Version("v1.5.0")), Journey.STAGED, Verdict.GOOD),
    "staging what git already wants is nothing": (replace(QUIET, staged=V2), Journey.SETTLED, Verdict.GOOD),
    "an open pull request": (
        replace(QUIET, pending=(PendingVersion(Version("v1.5.0"), 42, ""),)),
        Journey.PROPOSED,
        Verdict.BUSY,
    ),
    "merged and not seen by Argo CD": (replace(QUIET, synced=False), Journey.MERGED, Verdict.BUSY),
    "synced and healthy at the old revision is the head of a sync, not settled": (
        replace(QUIET, synced=False, rollout=replace(ROLLOUT, stable_version=V1, spec_version=V1)),
        Journey.MERGED,
        Verdict.BUSY,
    ),
    "an operation at the old revision": (
        replace(with_application(requested=True, operation=RUNNING), synced=False),
        Journey.SYNCING,
        Verdict.BUSY,
    ),
    "being deleted": (with_application(deleting=True), Journey.SYNCING, Verdict.BUSY),
    "never applied, and nothing of it is there": (
        replace(
            with_application(sync="OutOfSync", health="Missing", deployed_revision="", auto_sync=False),
            deployed=None,
            rollout=None,
        ),
        Journey.MERGED,
        Verdict.BUSY,
    ),
    "an operation under way": (with_application(sync="OutOfSync", operation=RUNNING), Journey.SYNCING, Verdict.BUSY),
    "succeeded and out of sync is the tail of a sync, not drift": (
        with_application(sync="OutOfSync", operation=Operation("Succeeded", finished_at=NOW)),
        Journey.SYNCING,
        Verdict.BUSY,
    ),
    "out of sync and never applied is merged, not drift": (
        replace(with_application(sync="OutOfSync"), deployed=False),
        Journey.MERGED,
        Verdict.BUSY,
    ),
    "a sync that keeps failing": (
        with_application(
            sync="OutOfSync", operation=Operation("Running", "one or more tasks failed", retry_count=2, retry_limit=5)
        ),
        Journey.FAILED,
        Verdict.BAD,
    ),
    "synced while the old operation still fails": (
        with_application(operation=Operation("Running", "Retrying operation", retry_count=3)),
        Journey.FAILED,
        Verdict.BAD,
    ),
    "a failed operation is no past while Argo CD is in sync with an older commit than git has": (
        replace(
            with_application(operation=Operation("Failed", "one or more tasks failed", finished_at=NOW)), synced=False
        ),
        Journey.FAILED,
        Verdict.BAD,
    ),
    "a failed operation of the past does not stain a synced cell": (
        with_application(operation=Operation("Failed", finished_at=NOW - timedelta(days=1))),
        Journey.SETTLED,
        Verdict.GOOD,
    ),
    "unknown and healthy is a broken manifest": (
        with_application(sync="Unknown", conditions=(Condition("ComparisonError", "failed to generate manifest"),)),
        Journey.FAILED,
        Verdict.BAD,
    ),
    "unknown without a condition is unknown": (with_application(sync="Unknown"), Journey.UNKNOWN, Verdict.UNKNOWN),
    "a sync word of tomorrow is unknown": (with_application(sync="Mostly"), Journey.UNKNOWN, Verdict.UNKNOWN),
    "a warning is not an error": (
        with_application(conditions=(Condition("SharedResourceWarning", "shared"),)),
        Journey.SETTLED,
        Verdict.GOOD,
    ),
    "a table row that is out of sync waits for its details": (
        with_application(sync="OutOfSync", detailed=False),
        Journey.UNKNOWN,
        Verdict.UNKNOWN,
    ),
    "no application yet": (
        replace(QUIET, application=None, rollout=None, synced=False),
        Journey.MERGED,
        Verdict.BUSY,
    ),
    "rolling": (with_rollout(phase="Progressing", step=3, message="more replicas"), Journey.ROLLING, Verdict.BUSY),
    "a timed pause is rolling": (
        with_rollout(phase="Paused", step=2, pause_reason="CanaryPauseStep", pause_seconds=30.0),
        Journey.ROLLING,
        Verdict.BUSY,
    ),
    "a gate waits for a person": (
        with_rollout(phase="Paused", step=2, pause_reason="CanaryPauseStep", paused_since=NOW - timedelta(minutes=9)),
        Journey.PAUSED,
        Verdict.ATTENTION,
    ),
    "aborted": (with_rollout(phase="Degraded", message="RolloutAborted: …", aborted=True), Journey.FAILED, Verdict.BAD),
    "a phase of tomorrow is unknown": (with_rollout(phase="Napping"), Journey.UNKNOWN, Verdict.UNKNOWN),
    "degraded by something else than the rollout": (
        with_application(health="Degraded", health_message="HorizontalPodAutoscaler"),
        Journey.FAILED,
        Verdict.BAD,
    ),
    "healthy rollout, progressing application": (with_application(health="Progressing"), Journey.ROLLING, Verdict.BUSY),
    "suspended for another reason than the rollout": (
        with_application(health="Suspended"),
        Journey.SETTLED,
        Verdict.GOOD,
    ),
    "suspended, and no Rollout tells why": (
        replace(with_application(health="Suspended"), rollout=None),
        Journey.PAUSED,
        Verdict.ATTENTION,
    ),
    "not applied yet, by time, where no history is kept": (
        replace(
            with_application(
                sync="OutOfSync",
                deployed_revision="",
                deployed_at=None,
                operation=Operation("Succeeded", finished_at=NOW - timedelta(hours=2)),
            ),
            deployed=None,
        ),
        Journey.MERGED,
        Verdict.BUSY,
    ),
    "a failed operation of the past at a revision nobody here knows": (
        replace(with_application(operation=Operation("Failed", finished_at=NOW - timedelta(days=1))), synced=None),
        Journey.SETTLED,
        Verdict.GOOD,
    ),
    "health of tomorrow": (with_application(health="Vibrant"), Journey.UNKNOWN, Verdict.UNKNOWN),
    "unreadable values": (
        replace(QUIET, desired=replace(DESIRED, version=None, error="image.tag is a number")),
        Journey.FAILED,
        Verdict.BAD,
    ),
    "a silent cluster is unknown whatever the hub says": (
        replace(QUIET, stale=("rollouts prod-eu1",), stale_since=NOW, stale_reason="timed out"),
        Journey.UNKNOWN,
        Verdict.UNKNOWN,
    ),
    "not answered yet": (replace(QUIET, loading=True), Journey.UNKNOWN, Verdict.UNKNOWN),
    "a silent Prometheus blocks nothing": (replace(QUIET, stale=("metrics prod-eu1",)), Journey.SETTLED, Verdict.GOOD),
    "without Argo CD the cluster and git decide": (
        replace(QUIET, application=None, synced=None, deployed=None),
        Journey.SETTLED,
        Verdict.GOOD,
    ),
    "without a Rollout the Application decides": (replace(QUIET, rollout=None), Journey.SETTLED, Verdict.GOOD),
}


@pytest.mark.parametrize(("facts", "journey", "verdict"), CASES.values(), ids=CASES.keys())
def test_the_ladder_decides(facts: CellFacts, journey: Journey, verdict: Verdict) -> None:
    cell = judged(facts)
    assert (cell.journey, cell.verdict) == (journey, verdict)


@pytest.mark.parametrize(
    "facts",
    [with_application(sync="OutOfSync"), with_rollout(spec_version=V1, stable_version=V1)],
    ids=["out of sync", "runs another version than git wants"],
)
def test_drift_is_called_so_only_when_it_lasts(facts: CellFacts) -> None:
    first = judged(facts)
    soon = judged(facts, first, NOW + timedelta(seconds=DRIFT_GRACE_SECONDS - 1))
    late = judged(facts, soon, NOW + timedelta(seconds=DRIFT_GRACE_SECONDS))
    assert [first.journey, soon.journey, late.journey] == [Journey.SYNCING, Journey.SYNCING, Journey.DRIFTED]
    assert late.since == NOW


@pytest.mark.parametrize(
    "facts",
    [with_application(sync="OutOfSync"), with_rollout(spec_version=V1, stable_version=V1)],
    ids=["out of sync", "runs another version than git wants"],
)
def test_argo_cd_ahead_of_our_clone_is_no_drift_before_the_clone_would_have_caught_up(facts: CellFacts) -> None:
    ahead = replace(facts, synced=None)
    first = judged(ahead)
    soon = judged(ahead, first, NOW + timedelta(seconds=UNSEEN_GRACE_SECONDS - 1))
    late = judged(ahead, soon, NOW + timedelta(seconds=UNSEEN_GRACE_SECONDS))
    assert [first.journey, soon.journey, late.journey] == [Journey.SYNCING, Journey.SYNCING, Journey.DRIFTED]


def test_a_comparison_older_than_the_end_of_the_sync_is_no_drift_however_late_the_next_one_is() -> None:
    ended = Operation("Succeeded", finished_at=NOW)
    slow = with_application(sync="OutOfSync", operation=ended, reconciled_at=NOW - timedelta(seconds=2))
    late = judged(slow, judged(slow), NOW + timedelta(minutes=3))
    assert late.journey is Journey.SYNCING
    compared = with_application(sync="OutOfSync", operation=ended, reconciled_at=NOW + timedelta(minutes=3))
    suspicious = judged(compared, late, NOW + timedelta(minutes=3))
    assert judged(compared, suspicious, NOW + timedelta(minutes=4)).journey is Journey.DRIFTED


def test_drift_healed_in_between_starts_to_count_again() -> None:
    suspicious = with_application(sync="OutOfSync")
    healed = judged(QUIET, judged(suspicious), NOW + timedelta(seconds=5))
    again = judged(suspicious, healed, NOW + timedelta(seconds=DRIFT_GRACE_SECONDS + 1))
    assert again.journey is Journey.SYNCING


def test_the_age_of_a_journey_is_kept_while_it_lasts() -> None:
    rolling = with_rollout(phase="Progressing", step=1)
    first = judged(rolling)
    later = judged(with_rollout(phase="Progressing", step=2), first, NOW + timedelta(minutes=3))
    assert later.since == first.since == NOW


def test_a_settled_cell_counts_from_the_controllers_own_times() -> None:
    assert judged(QUIET).since == NOW - timedelta(minutes=40)


def test_health_is_as_old_as_argo_cd_says() -> None:
    since = NOW - timedelta(minutes=5)
    for health in ("Degraded", "Progressing", "Healthy"):
        assert judged(with_application(health=health, health_since=since)).since == since, health


def test_a_rollout_seen_for_the_first_time_is_as_old_as_the_controller_says() -> None:
    begun = NOW - timedelta(minutes=7)
    rolling = with_rollout(phase="Progressing", rolling_since=begun)
    assert judged(rolling).since == begun
    assert judged(rolling, judged(CellFacts(KEY, loading=True))).since == begun
    aborted = judged(with_rollout(phase="Degraded"))
    assert judged(rolling, aborted).since == NOW, "tried again: what was before the abort does not count"


def test_times_from_a_clock_ahead_of_ours_never_give_a_negative_age() -> None:
    assert judged(with_rollout(updated_at=NOW + timedelta(hours=1))).since == NOW


@pytest.mark.parametrize("phase", ["Failed", "Error"])
@pytest.mark.parametrize(
    ("synced", "sync", "failed"),
    [(False, "Synced", True), (True, "Synced", False), (None, "Synced", False), (True, "OutOfSync", True)],
)
def test_a_failed_sync_is_history_only_once_the_application_has_what_git_wants(
    phase: str, synced: bool | None, sync: str, failed: bool
) -> None:
    operation = Operation(phase, "tasks failed", started_at=NOW, finished_at=NOW)
    cell = judged(replace(with_application(sync=sync, operation=operation), synced=synced))
    assert (cell.journey is Journey.FAILED) is failed, cell.reason


def test_a_failing_sync_says_which_attempt_of_how_many() -> None:
    operation = Operation("Running", "tasks failed", retry_count=2, retry_limit=5)
    cell = judged(with_application(sync="OutOfSync", operation=operation))
    assert cell.reason == "sync failing, attempt 2 of 5: tasks failed"


def test_one_look_is_enough_where_nothing_heals_by_itself() -> None:
    ended = Operation("Succeeded", finished_at=NOW - timedelta(minutes=5))
    drifted = with_application(sync="OutOfSync", operation=ended)
    first = judged(drifted)
    assert (first.journey, first.verdict) == (Journey.DRIFTED, Verdict.ATTENTION)
    assert judged(drifted, first, NOW + timedelta(seconds=1)).journey is Journey.DRIFTED
    assert judged(with_application(sync="OutOfSync", operation=ended, self_heal=True)).journey is Journey.SYNCING
    just = replace(ended, finished_at=NOW - timedelta(seconds=2))
    assert judged(with_application(sync="OutOfSync", operation=just)).journey is Journey.SYNCING
    assert judged(drifted, judged(QUIET)).journey is Journey.SYNCING


def test_an_error_and_a_persons_pause_are_as_old_as_the_controllers_say() -> None:
    ago = NOW - timedelta(minutes=9)
    broken = judged(with_application(sync="Unknown", conditions=(Condition("InvalidSpecError", "no", ago),)))
    assert (broken.journey, broken.since) == (Journey.FAILED, ago)
    paused = judged(with_rollout(phase="Paused", pause_reason="spec.paused", updated_at=ago))
    assert (paused.journey, paused.since) == (Journey.PAUSED, ago)


def test_what_is_proposed_is_as_old_as_its_pull_request() -> None:
    opened = NOW - timedelta(minutes=8)
    facts = replace(QUIET, pending=(PendingVersion(Version("v1.5.0"), 42, "", opened),))
    cell = join(facts, None, NOW)
    assert (cell.journey, cell.since) == (Journey.PROPOSED, opened)
    later = join(facts, cell, NOW + timedelta(minutes=1))
    assert later.since == opened
    unknown = join(replace(QUIET, pending=(PendingVersion(Version("v1.5.0"), 42, ""),)), None, NOW)
    assert join(unknown.facts, unknown, NOW + timedelta(minutes=1)).since == NOW  # first seen, where nobody tells


@pytest.mark.parametrize(
    ("wanted", "runs", "journey"),
    [
        ("v1.4.2", f"v1.4.2@sha256:{'a' * 64}", Journey.SETTLED),
        (f"v1.4.2@sha256:{'a' * 64}", f"v1.4.2@sha256:{'a' * 64}", Journey.SETTLED),
        (f"v1.4.2@sha256:{'a' * 64}", f"sha256:{'a' * 64}", Journey.SETTLED),
        (f"sha256:{'a' * 64}", f"v1.4.2@sha256:{'a' * 64}", Journey.SETTLED),
        (f"v1.4.2@sha256:{'a' * 64}", f"v1.4.2@sha256:{'b' * 64}", Journey.SYNCING),
        (f"sha256:{'a' * 64}", "v1.4.2", Journey.SYNCING),
    ],
)
def test_an_image_pinned_by_its_digest_is_told_from_others(wanted: str, runs: str, journey: Journey) -> None:
    facts = replace(
        with_rollout(stable_version=Version(runs), spec_version=Version(runs)),
        desired=replace(DESIRED, version=Version(wanted)),
    )
    cell = judged(facts)
    assert cell.journey is journey
    assert cell.live_version == (wanted if journey is Journey.SETTLED else runs)


def out_of_sync(**changes: object) -> CellFacts:
    return with_application(sync="OutOfSync", **changes)


LONG_AGO = NOW - timedelta(hours=3)
SYNCED = Operation("Succeeded", "successfully synced", revision="b" * 40, started_at=LONG_AGO, finished_at=LONG_AGO)


@pytest.mark.parametrize(
    "facts",
    [
        out_of_sync(health="Degraded", operation=SYNCED),
        out_of_sync(health="Degraded"),
        replace(out_of_sync(operation=SYNCED), rollout=replace(ROLLOUT, phase="Degraded", message="aborted")),
        replace(with_rollout(spec_version=V1, stable_version=V1), application=replace(APPLICATION, health="Degraded")),
    ],
    ids=["degraded Application", "never synced", "degraded Rollout", "another version than git wants"],
)
def test_degraded_outranks_drifted_and_drift_is_said_beside_it(facts: CellFacts) -> None:
    cell = judged(facts)
    assert (cell.journey, cell.verdict) == (Journey.FAILED, Verdict.BAD)
    assert "drifted too: " in cell.reason
    assert judged(facts, cell, NOW + timedelta(minutes=5)).journey is Journey.FAILED


def test_health_right_after_a_sync_is_that_of_before() -> None:
    just = replace(SYNCED, finished_at=NOW - timedelta(seconds=1))
    assert judged(out_of_sync(health="Degraded", operation=just)).journey is Journey.SYNCING


REFUSALS = (
    "Skipping sync attempt to b: auto-sync will wipe out all resources",
    "Failed last sync attempt to b: one or more objects failed to apply",
    "error setting app operation: the object has been modified",
)


@pytest.mark.parametrize("message", REFUSALS)
@pytest.mark.parametrize("deployed", [True, False, None])
def test_what_argo_cd_refuses_to_sync_needs_attention_with_its_reason(message: str, deployed: bool | None) -> None:
    facts = replace(out_of_sync(conditions=(Condition("SyncError", message, LONG_AGO),)), deployed=deployed)
    cell = judged(facts)
    assert cell.verdict is Verdict.ATTENTION
    assert message in cell.reason
    assert "waiting for auto-sync" not in cell.reason


@pytest.mark.parametrize("kind", ["ComparisonError", "InvalidSpecError", "UnknownError", "DeletionError"])
@pytest.mark.parametrize("sync", ["Synced", "OutOfSync", "Unknown"])
def test_every_other_error_condition_has_failed(kind: str, sync: str) -> None:
    cell = judged(with_application(sync=sync, conditions=(Condition(kind, "no"),)))
    assert (cell.verdict, cell.reason) == (Verdict.BAD, f"{kind}: no")


@pytest.mark.parametrize(
    ("operation", "deployed"),
    [
        (SYNCED, False),
        (replace(SYNCED, finished_at=None), False),
        (replace(SYNCED, finished_at=None), None),
        (replace(SYNCED, finished_at=None, revision="", started_at=NOW - timedelta(minutes=30)), False),
    ],
)
def test_what_was_synced_and_stays_out_of_sync_does_not_wait_for_auto_sync(
    operation: Operation, deployed: bool | None
) -> None:
    names = ("Deployment cart", "Service cart")
    facts = out_of_sync(operation=operation, differing=names, differing_count=2, deployed_at=None)
    facts = replace(facts, deployed=deployed)
    later = judged(facts, judged(facts), NOW + timedelta(hours=2))
    assert (later.journey, later.verdict) == (Journey.DRIFTED, Verdict.ATTENTION)
    assert later.reason == (
        "synced, still OutOfSync since 2026-11-23 14:00 UTC; 2 resources differ: Deployment cart, Service cart"
    )
    assert later.since == NOW


@pytest.mark.parametrize(
    ("count", "limit", "text"),
    [(3, -1, "attempt 3"), (3, 0, "attempt 3"), (3, 5, "attempt 3 of 5"), (1, -100, "attempt 1")],
)
def test_an_attempt_without_a_limit_is_not_one_of_minus_one(count: int, limit: int, text: str) -> None:
    operation = Operation("Running", "tasks failed", retry_count=count, retry_limit=limit)
    assert judged(out_of_sync(operation=operation)).reason == f"sync failing, {text}: tasks failed"


TROUBLES = {
    "a firing alert": replace(QUIET, alerts=(Alert("HighErrors", "page", "firing", KEY.cluster, "checkout"),)),
    "41.8 % errors": replace(QUIET, metrics=Metrics(error_ratio=0.418)),
    "more errors than the policy lets": replace(QUIET, metrics=Metrics(error_ratio=0.02), error_ratio_max=0.01),
}


@pytest.mark.parametrize("facts", TROUBLES.values(), ids=TROUBLES.keys())
@pytest.mark.parametrize("under_way", ["settled", "staged", "proposed", "merged", "rolling"])
def test_errors_and_alerts_need_attention_whatever_is_under_way(facts: CellFacts, under_way: str) -> None:
    match under_way:
        case "staged":
            facts = replace(facts, staged=Version("v9"))
        case "proposed":
            facts = replace(facts, pending=(PendingVersion(Version("v9"), 42, ""),))
        case "merged":
            facts = replace(facts, synced=False)
        case "rolling":
            facts = replace(facts, rollout=replace(ROLLOUT, phase="Progressing"))
    assert judged(facts).journey.value == under_way
    assert judged(facts).verdict is Verdict.ATTENTION


@pytest.mark.parametrize("ratio", [0.0, 0.01, None])
def test_few_errors_are_good(ratio: float | None) -> None:
    assert judged(replace(QUIET, metrics=Metrics(error_ratio=ratio))).verdict is Verdict.GOOD
    tolerant = replace(QUIET, metrics=Metrics(error_ratio=0.2), error_ratio_max=0.3)
    assert judged(tolerant).verdict is Verdict.GOOD


def test_an_earlier_sighting_counts_only_for_a_cell_nobody_watched_meanwhile() -> None:
    before = replace(out_of_sync(operation=SYNCED), drifted_before=NOW - timedelta(hours=2))
    assert judged(before).since == NOW - timedelta(hours=2)
    watched = judged(QUIET)
    assert judged(before, watched).journey is Journey.SYNCING
