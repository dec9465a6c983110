"""The join: facts of one cell → its journey and verdict, by the rules of Argo CD and Argo Rollouts.

A ladder of questions, in the order a change travels; the first that has an answer decides. The two traps the
recordings show are handled with time: right after a sync an Application is Succeeded *and* OutOfSync for up to a
second, and right before one it is Synced and Healthy at the *old* revision (protocols §J). So revisions are
compared by containment, and `drifted` needs to last `DRIFT_GRACE_SECONDS` with no operation near.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sgm_tui.fleet.cell import Cell, CellFacts, Journey, Verdict
from sgm_tui.fleet.observed import UNREADABLE, Application, Rollout
from sgm_tui.fleet.standstill import with_standstill
from sgm_tui.fleet.versions import is_same_image
from sgm_tui.fleet.weights import percent_text

DRIFT_GRACE_SECONDS = 10.0
"""How long a cell may look drifted before it is called so: an automated sync needs about one second of it."""
UNSEEN_GRACE_SECONDS = 90.0
"""The same where Argo CD compares with a commit our clone does not have: it hears of a merge at once, our next fetch
may be late, and when git is silent for so long the cell is unknown anyway."""


@dataclass(frozen=True, slots=True)
class _Finding:
    journey: Journey
    reason: str = ""
    since: datetime | None = None
    begun: datetime | None = None
    """The same, of a cell that nobody has watched until now; otherwise the first look at it counts."""
    grace: float | None = None
    """It looks drifted, and is when it has for so many seconds."""


def join(facts: CellFacts, previous: Cell | None, now: datetime) -> Cell:
    """Decide one cell.

    Args:
        facts: everything known of it.
        previous: the cell as it was joined last, for how long things have been so.
        now: the time of this join.
    """
    facts = _in_the_words_of_git(facts)
    finding = _decide(facts)
    suspect_since = None
    if finding.grace is not None:
        grace = timedelta(seconds=finding.grace)
        suspect_since = (previous.suspect_since if previous else None) or now
        if (previous is None or previous.journey is Journey.UNKNOWN) and _stays_so(facts, now):
            suspect_since = now - grace
        if now - suspect_since >= grace:
            finding = replace(finding, journey=Journey.DRIFTED, since=suspect_since)
    finding = _with_intent(facts, finding)
    cell = Cell(
        facts=facts,
        journey=finding.journey,
        verdict=_verdict(facts, finding.journey),
        since=_since(finding, previous, now),
        reason=finding.reason,
        suspect_since=suspect_since,
    )
    return with_standstill(cell, previous, now)


def _in_the_words_of_git(facts: CellFacts) -> CellFacts:
    """A pinned image reads the same on both sides: `v1@sha256:…` runs where git wants `v1`, or the digest alone."""
    wanted, rollout = facts.desired.version if facts.desired else None, facts.rollout
    if wanted is None or rollout is None:
        return facts
    versions = (rollout.stable_version, rollout.active_version, rollout.new_version, rollout.spec_version)
    if not any(":" in version for version in (wanted, *versions) if version):
        return facts  # no digest anywhere: tags are compared as they are
    stable, active, new, spec = (wanted if one and is_same_image(one, wanted) else one for one in versions)
    said = replace(rollout, stable_version=stable, active_version=active, new_version=new, spec_version=spec)
    return replace(facts, rollout=said)


def _stays_so(facts: CellFacts, now: datetime) -> bool:
    """Whether one look is enough: nothing heals by itself here, and the last operation has long ended."""
    application = facts.application
    if application is None or not application.detailed or application.operating:
        return False
    if application.auto_sync and application.self_heal:
        return False
    ended = application.operation.finished_at if application.operation else None
    return ended is not None and now - ended >= timedelta(seconds=DRIFT_GRACE_SECONDS)


def _since(finding: _Finding, previous: Cell | None, now: datetime) -> datetime:
    if previous is not None and previous.journey is finding.journey and finding.since is None:
        return previous.since
    unwatched = previous is None or previous.journey is Journey.UNKNOWN
    since = finding.since or (finding.begun if unwatched else None) or now
    return min(since, now)


def _verdict(facts: CellFacts, journey: Journey) -> Verdict:
    match journey:
        case Journey.FAILED:
            return Verdict.BAD
        case Journey.UNKNOWN:
            return Verdict.UNKNOWN
        case Journey.PAUSED | Journey.DRIFTED:
            return Verdict.ATTENTION
        case Journey.MERGED | Journey.SYNCING | Journey.ROLLING | Journey.PROPOSED | Journey.SOAKING:
            return Verdict.BUSY
        case Journey.SETTLED | Journey.STAGED:
            firing = any(alert.state == "firing" for alert in facts.alerts)
            return Verdict.ATTENTION if firing else Verdict.GOOD


def _with_intent(facts: CellFacts, finding: _Finding) -> _Finding:
    """What is about to be wanted shows only where nothing more urgent is under way."""
    if finding.journey is not Journey.SETTLED:
        return finding
    current = facts.desired.version if facts.desired else None
    if facts.staged is not None and facts.staged != current:
        return _Finding(Journey.STAGED, f"{facts.staged} is staged in the plan")
    wanted = [pending for pending in facts.pending if pending.version != current]
    if wanted:
        return _Finding(Journey.PROPOSED, f"#{wanted[0].number} wants {wanted[0].version}", wanted[0].opened_at)
    return finding


def _decide(facts: CellFacts) -> _Finding:
    if facts.elsewhere:
        return _decided_elsewhere(facts)
    if facts.stale_since is not None:
        return _Finding(Journey.UNKNOWN, facts.stale_reason, facts.stale_since)
    if facts.loading:
        return _Finding(Journey.UNKNOWN, "waiting for the first answer")
    if facts.desired is not None and facts.desired.version is None:
        return _Finding(Journey.FAILED, facts.desired.error or "no version in git", facts.desired.committed_at)
    application = facts.application
    if application is not None:
        return _told(facts, application) or _live(facts, application)
    if facts.desired is not None and facts.synced is not None and facts.rollout is None:
        return _Finding(Journey.MERGED, "Argo CD has no Application for it yet", facts.desired.committed_at)
    return _live(facts, None)


def _decided_elsewhere(facts: CellFacts) -> _Finding:
    """What runs is told all the same; what git wants says nothing about it, so it is neither drifted nor settled."""
    finding = _decide(replace(facts, elsewhere="", desired=None, synced=None, deployed=None))
    if finding.journey in {Journey.FAILED, Journey.PAUSED, Journey.ROLLING} or facts.stale_since or facts.loading:
        return finding
    return _Finding(Journey.UNKNOWN, f"Argo CD follows {facts.elsewhere} here, not the branch of repository.branch")


def _told(facts: CellFacts, application: Application) -> _Finding | None:
    """What Argo CD says: seen, compared, applied. None when the cluster has been told all of it."""
    if application.deleting:
        return _Finding(Journey.SYNCING, "its Application is being deleted")
    if (broken := _comparison_error(application)) is not None:
        return broken
    operation = application.operation
    if operation is not None and operation.failing and not _is_history(facts, application):
        return _Finding(Journey.FAILED, _failing(application), operation.finished_at or operation.started_at)
    if facts.desired is not None and facts.synced is False:
        if application.operating:
            return _Finding(Journey.SYNCING, _operating(application), operation.started_at if operation else None)
        reason = f"Argo CD has not seen {facts.desired.revision[:7]} yet"
        return _Finding(Journey.MERGED, reason, facts.desired.committed_at)
    if application.operating:
        return _Finding(Journey.SYNCING, _operating(application), operation.started_at if operation else None)
    if application.sync == "OutOfSync":
        return _out_of_sync(facts, application)
    return None


def _comparison_error(application: Application) -> _Finding | None:
    """Sync Unknown with health Healthy is the usual look of a broken manifest; it is never green (§J)."""
    error = next((condition for condition in application.conditions if condition.is_error), None)
    if error is not None and (application.sync == "Unknown" or error.type != "SyncError"):
        return _Finding(Journey.FAILED, f"{error.type}: {error.message}", error.since)
    if application.sync in {"Synced", "OutOfSync"}:
        return None
    if not application.detailed or not application.sync:
        return _Finding(Journey.UNKNOWN, "Argo CD has not compared it yet")
    return _Finding(Journey.UNKNOWN, f"Argo CD cannot tell: sync {application.sync}")


def _is_history(facts: CellFacts, application: Application) -> bool:
    """A finished failed operation is history once the Application is in sync again by other means."""
    operation = application.operation
    ended = operation is not None and not operation.in_flight
    return ended and application.sync == "Synced" and facts.synced is not False


def _failing(application: Application) -> str:
    operation = application.operation
    if operation is None:
        return "sync failed"
    if operation.in_flight:
        limit = f" of {operation.retry_limit}" if operation.retry_limit else ""
        return f"sync failing, attempt {operation.retry_count}{limit}: {operation.message}"
    return f"sync {operation.phase.lower()}: {operation.message}"


def _operating(application: Application) -> str:
    operation = application.operation
    if operation is not None and operation.message:
        return operation.message
    return "sync requested" if operation is None else "syncing"


def _out_of_sync(facts: CellFacts, application: Application) -> _Finding:
    if not application.detailed:
        return _Finding(Journey.UNKNOWN, "OutOfSync; details are on their way")
    if facts.desired is None:
        return _Finding(Journey.SYNCING, "git no longer wants it", grace=DRIFT_GRACE_SECONDS)
    if _not_applied(facts.deployed, facts.desired.committed_at, application):
        why = "waiting for auto-sync" if application.auto_sync else "auto-sync is off; sync it"
        return _Finding(Journey.MERGED, f"seen, not applied: {why}", facts.desired.committed_at)
    if _compared_before_its_end(application):
        return _Finding(Journey.SYNCING, "synced; Argo CD has not compared it since", application.deployed_at)
    return _Finding(Journey.SYNCING, "OutOfSync: the cluster differs from git", grace=_grace(facts))


def _not_applied(deployed: bool | None, committed_at: datetime | None, application: Application) -> bool:
    """Whether the wanted change has still to be applied: by revision, else (a history that is not kept, or says
    nothing we know) by time."""
    if deployed is not None:
        return not deployed
    if application.health == "Missing" and not application.deployed_revision:
        return True
    operation = application.operation
    applied = application.deployed_at or (operation.finished_at if operation else None)
    return committed_at is not None and applied is not None and committed_at > applied


def _compared_before_its_end(application: Application) -> bool:
    """A busy controller compares long after a sync has ended; what it said before is about what was before."""
    ended = application.operation.finished_at if application.operation else None
    return ended is not None and application.reconciled_at is not None and application.reconciled_at < ended


def _grace(facts: CellFacts) -> float:
    """How long what looks like drift may be our clone that is behind Argo CD."""
    unseen = facts.application is not None and bool(facts.application.revision) and facts.synced is None
    return UNSEEN_GRACE_SECONDS if unseen else DRIFT_GRACE_SECONDS


def _live(facts: CellFacts, application: Application | None) -> _Finding:
    """What runs, once the cluster has been told."""
    rollout = facts.rollout
    if rollout is None:
        return _without_rollout(facts, application)
    if rollout.phase == UNREADABLE:
        return _unreadable(rollout, application)
    if rollout.phase == "Degraded":
        return _Finding(Journey.FAILED, rollout.message or "degraded", rollout.updated_at)
    if rollout.pause_error:
        reason = f"Argo Rollouts refuses the pause: {rollout.pause_error}"
        return _Finding(Journey.FAILED, _with_step(rollout, reason), rollout.updated_at)
    if _runs_something_else(facts, rollout):
        reason = f"runs {rollout.spec_version}, git wants {facts.desired.version}" if facts.desired else ""
        return _Finding(Journey.SYNCING, reason, grace=_grace(facts))
    if rollout.phase == "Paused":
        return _paused(rollout)
    if rollout.phase == "Progressing":
        return _Finding(Journey.ROLLING, _with_step(rollout, rollout.message), begun=rollout.rolling_since)
    if rollout.phase != "Healthy":
        return _Finding(Journey.UNKNOWN, f"unknown rollout phase {rollout.phase or '(none)'}")
    return _settled(facts, application)


def _unreadable(rollout: Rollout, application: Application | None) -> _Finding:
    """Nobody here can tell how it rolls; that it is degraded Argo CD can."""
    why = f"the Rollout cannot be read: {rollout.message}"
    if application is not None and application.health == "Degraded":
        said = f"degraded: {application.health_message}" if application.health_message else "degraded"
        return _Finding(Journey.FAILED, f"{said}; {why}", application.health_since)
    return _Finding(Journey.UNKNOWN, why)


def _runs_something_else(facts: CellFacts, rollout: Rollout) -> bool:
    if facts.desired is None or facts.desired.version is None or rollout.spec_version is None:
        return False
    return not is_same_image(rollout.spec_version, facts.desired.version)


def _without_rollout(facts: CellFacts, application: Application | None) -> _Finding:
    if application is None:
        return _Finding(Journey.UNKNOWN, "neither Argo CD nor the cluster knows it")
    if application.health in {"Progressing", "Missing"}:
        reason = application.health_message or f"health {application.health}"
        return _Finding(Journey.ROLLING, reason, begun=application.health_since)
    if application.health == "Suspended":
        # Every pause looks so to Argo CD, a gate that waits for a person too: without the Rollout nobody can tell.
        return _Finding(
            Journey.PAUSED, application.health_message or "Argo CD says Suspended", application.health_since
        )
    return _settled(facts, application)


def _paused(rollout: Rollout) -> _Finding:
    """A timed pause is part of rolling; a pause that waits for a person is a gate."""
    if rollout.pause_seconds is not None:
        reason = _with_step(rollout, f"pause {rollout.pause_seconds:g}s")
        return _Finding(Journey.ROLLING, reason, begun=rollout.rolling_since)
    reason = rollout.pause_reason or rollout.message
    return _Finding(Journey.PAUSED, _with_step(rollout, reason), rollout.paused_since or rollout.updated_at)


def _with_step(rollout: Rollout, text: str) -> str:
    if rollout.step is None or not rollout.steps:
        return text
    weight = f", {percent_text(rollout.actual_weight)}" if rollout.actual_weight is not None else ""
    return f"step {rollout.step}/{rollout.steps}{weight}: {text}" if text else f"step {rollout.step}/{rollout.steps}"


def _settled(facts: CellFacts, application: Application | None) -> _Finding:
    health = application.health if application else "Healthy"
    why = application.health_message if application else ""
    since = application.health_since if application else None
    if health == "Degraded":
        return _Finding(Journey.FAILED, f"degraded: {why}" if why else "degraded", since)
    if health == "Progressing":
        return _Finding(Journey.ROLLING, why or "Argo CD says Progressing", begun=since)
    if health == "Missing":
        return _Finding(Journey.SYNCING, why or "resources are missing", grace=DRIFT_GRACE_SECONDS)
    if health not in {"Healthy", "Suspended"}:
        return _Finding(Journey.UNKNOWN, f"health {health or 'not known'}")
    if facts.desired is None:
        return _Finding(Journey.UNKNOWN, "git does not say what it wants here")
    times = [application.deployed_at if application else None, facts.rollout.updated_at if facts.rollout else None]
    return _Finding(Journey.SETTLED, "", max((time for time in (since, *times) if time is not None), default=None))
