"""The join: decide journey and verdict of a cell from its facts, by the rules of Argo CD and Argo Rollouts.

Questions are asked in the order in which a change travels; the first that has an answer decides. Time handles the two
traps that the recordings show: right after a sync an Application is Succeeded *and* OutOfSync for up to a
second, and right before one it is Synced and Healthy at the *old* revision (protocols §J). So revisions are
compared by containment, and drift counts only once it has lasted `DRIFT_GRACE_SECONDS` with no operation near.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sgm_tui.fleet.application_state import application_finding
from sgm_tui.fleet.cell import Cell, CellFacts, Journey, Verdict
from sgm_tui.fleet.desired import Desired
from sgm_tui.fleet.facts import UNREADABLE, Application, Rollout
from sgm_tui.fleet.finding import DRIFT_GRACE_SECONDS, UNSEEN_GRACE_SECONDS, Finding, drift_grace
from sgm_tui.fleet.rollouts.weights import percent_text
from sgm_tui.fleet.soak import with_soak
from sgm_tui.fleet.standstill import with_standstill
from sgm_tui.fleet.versions import is_same_image

__all__ = ["DRIFT_GRACE_SECONDS", "UNSEEN_GRACE_SECONDS", "join"]

_CREATED_WITHIN = timedelta(hours=1)
"""How long a controller may take to create the Application of a new commit: it requeues every three minutes."""
_GIT_READ_WITHIN = timedelta(seconds=60)
"""How long git may take to be read again after an Application was deleted: the cell may be deleted there too."""
_DATED_AFTER = timedelta(minutes=1)
"""The reason of drift that is older says since when."""


def join(facts: CellFacts, previous: Cell | None, now: datetime) -> Cell:
    """Decide journey, verdict and reason of one cell.

    Args:
        facts: everything the store knows of it.
        previous: the result of the last join, which tells how long the cell has been in its state.
        now: the time of this join.
    """
    facts = _match_digests(facts)
    finding = _decide(facts, now)
    suspect_since = None
    if finding.grace is not None:
        suspect_since = _suspect_since(facts, previous, now)
        finding = _confirm_drift(facts, finding, suspect_since, previous, now)
    finding = _with_intent(facts, finding)
    cell = Cell(
        facts=facts,
        journey=finding.journey,
        verdict=_verdict(facts, finding),
        since=_start_of_journey(finding, previous, now),
        reason=finding.reason or _describe_errors(facts),
        suspect_since=suspect_since,
    )
    # The last state of an unreachable cluster proves nothing about now.
    return cell if "rollouts" in facts.unavailable_kinds else with_soak(with_standstill(cell, previous, now), now)


def _suspect_since(facts: CellFacts, previous: Cell | None, now: datetime) -> datetime:
    """Return since when the cell has looked drifted: by an earlier join, else by this one."""
    if previous is not None and previous.suspect_since is not None:
        return previous.suspect_since
    is_watched = previous is not None and previous.journey is not Journey.UNKNOWN
    return now if is_watched else min(facts.drifted_before or now, now)


def _confirm_drift(
    facts: CellFacts, finding: Finding, since: datetime, previous: Cell | None, now: datetime
) -> Finding:
    """Turn apparent drift into drift once it has lasted, or into a failure where the cell is Degraded too."""
    is_new = previous is None or previous.journey is Journey.UNKNOWN
    if (failure := _find_degraded(facts)) is not None and _operation_is_over(facts, now):
        reason = f"{failure.reason}; drifted too: {finding.reason}"
        return Finding(Journey.FAILED, reason, failure.since, failure.first_seen)
    has_lasted = now - since >= timedelta(seconds=finding.grace or 0.0)
    is_drifted = previous is not None and previous.journey is Journey.DRIFTED
    if has_lasted or is_drifted or (is_new and _cannot_heal(facts, now)):
        text = f" since {since:%Y-%m-%d %H:%M} UTC" if now - since >= _DATED_AFTER else ""
        reason = finding.reason.replace("OutOfSync", f"OutOfSync{text}", 1)
        return replace(finding, journey=Journey.DRIFTED, since=since, reason=reason)
    return finding


def _find_degraded(facts: CellFacts) -> Finding | None:
    """Return the failure of a cell that also differs from git; None when nothing is Degraded."""
    rollout, application = facts.rollout, facts.application
    if rollout is not None and rollout.phase == "Degraded":
        return Finding(Journey.FAILED, rollout.message or "degraded", rollout.updated_at)
    if application is not None and application.health == "Degraded":
        why = f"degraded: {application.health_message}" if application.health_message else "degraded"
        return Finding(Journey.FAILED, why, application.health_since)
    return None


def _operation_is_over(facts: CellFacts, now: datetime) -> bool:
    """Return whether health is that of the newest sync: right after a sync it is still that of the version before."""
    operation = facts.application.operation if facts.application else None
    ended = operation.finished_at if operation else None
    return ended is None or now - ended >= timedelta(seconds=DRIFT_GRACE_SECONDS)


def _match_digests(facts: CellFacts) -> CellFacts:
    """Treat `v1@sha256:x`, `v1` and the bare digest as one version: use git's spelling for what runs."""
    desired, rollout = facts.desired.version if facts.desired else None, facts.rollout
    if desired is None or rollout is None:
        return facts
    versions = (rollout.stable_version, rollout.active_version, rollout.new_version, rollout.spec_version)
    if not any(":" in version for version in (desired, *versions) if version):
        return facts  # no digest anywhere: tags are compared as they are
    stable, active, new, spec = (desired if one and is_same_image(one, desired) else one for one in versions)
    matched = replace(rollout, stable_version=stable, active_version=active, new_version=new, spec_version=spec)
    return replace(facts, rollout=matched)


def _cannot_heal(facts: CellFacts, now: datetime) -> bool:
    """Return whether drift is certain at first sight: no automatic sync corrects it, and no operation just ended."""
    application = facts.application
    if application is None or not application.detailed or application.is_operating:
        return False
    if application.auto_sync and application.self_heal:
        return False
    ended = application.operation.finished_at if application.operation else None
    return ended is not None and now - ended >= timedelta(seconds=DRIFT_GRACE_SECONDS)


def _start_of_journey(finding: Finding, previous: Cell | None, now: datetime) -> datetime:
    if previous is not None and _is_same_journey(previous, finding) and finding.since is None:
        return previous.since
    is_new = previous is None or previous.journey is Journey.UNKNOWN
    since = finding.since or (finding.first_seen if is_new else None) or now
    return min(since, now)


def _is_same_journey(previous: Cell, finding: Finding) -> bool:
    """Return whether the journey is the previous one; soaking is settled whose soak time is not over."""
    before = Journey.SETTLED if previous.journey is Journey.SOAKING else previous.journey
    return before is finding.journey


def _verdict(facts: CellFacts, finding: Finding) -> Verdict:
    match finding.journey:
        case Journey.FAILED:
            return Verdict.BAD
        case Journey.UNKNOWN:
            return Verdict.UNKNOWN
        case Journey.PAUSED | Journey.DRIFTED:
            return Verdict.ATTENTION
        case Journey.MERGED | Journey.SYNCING | Journey.ROLLING | Journey.PROPOSED | Journey.SOAKING:
            usual = Verdict.BUSY
        case Journey.SETTLED | Journey.STAGED:
            usual = Verdict.GOOD
    return Verdict.ATTENTION if finding.needs_person or _has_bad_service(facts) else usual


def _has_bad_service(facts: CellFacts) -> bool:
    """Return whether an alert fires or too many requests fail, whatever else is in progress."""
    return any(alert.state == "firing" for alert in facts.alerts) or facts.excessive_errors is not None


def _describe_errors(facts: CellFacts) -> str:
    errors = facts.excessive_errors
    return "" if errors is None else f"{errors:.1%} of requests fail"


def _with_intent(facts: CellFacts, finding: Finding) -> Finding:
    """Show a staged or proposed version where the cell is settled; anything else is more urgent."""
    if finding.journey is not Journey.SETTLED:
        return finding
    current = facts.desired.version if facts.desired else None
    if facts.staged is not None and facts.staged != current:
        return Finding(Journey.STAGED, f"{facts.staged} is staged in the plan", needs_person=finding.needs_person)
    proposed = [pending for pending in facts.pending if pending.version != current]
    if proposed:
        reason = f"#{proposed[0].number} proposes {proposed[0].version}"
        return Finding(Journey.PROPOSED, reason, proposed[0].opened_at, needs_person=finding.needs_person)
    return finding


def _decide(facts: CellFacts, now: datetime) -> Finding:
    """Decide by the sources that respond; a source that does not removes only the facts it alone has."""
    unavailable = facts.unavailable_kinds
    if not unavailable:
        return _decide_tracked(facts, now)
    finding = _decide_tracked(_without(facts, unavailable), now)
    if finding.journey in {Journey.FAILED, Journey.PAUSED, Journey.ROLLING}:
        return finding
    if finding.journey in {Journey.MERGED, Journey.SYNCING} and "argocd" not in unavailable:
        return finding
    if facts.stale_since is not None:
        return Finding(Journey.UNKNOWN, facts.stale_reason, facts.stale_since)
    return Finding(Journey.UNKNOWN, "waiting for the first answer")


def _without(facts: CellFacts, unavailable: frozenset[str]) -> CellFacts:
    """Return the facts without those of the given kinds of sources."""
    if "git" in unavailable:
        facts = replace(facts, desired=None)
    if "argocd" in unavailable:
        facts = replace(facts, application=None, synced=None, deployed=None, missing_since=None)
    if "rollouts" in unavailable:
        facts = replace(facts, rollout=None)
    return facts


def _decide_tracked(facts: CellFacts, now: datetime) -> Finding:
    """Report failures and pauses of an Application that follows another branch, never drifted or settled."""
    if not facts.elsewhere or facts.application is None:
        return _decide_by_git(facts, now)
    finding = _decide_by_git(replace(facts, elsewhere="", desired=None, synced=None, deployed=None), now)
    if finding.journey in {Journey.FAILED, Journey.PAUSED, Journey.ROLLING}:
        return finding
    return Finding(Journey.UNKNOWN, f"Argo CD follows {facts.elsewhere} here, not the branch of repository.branch")


def _decide_by_git(facts: CellFacts, now: datetime) -> Finding:
    if facts.desired is not None and facts.desired.version is None:
        return Finding(Journey.FAILED, facts.desired.error or "no version in git", facts.desired.committed_at)
    application = facts.application
    if application is not None:
        return application_finding(facts, application) or _decide_live(facts, application)
    if facts.desired is not None and facts.synced is not None:
        return _decide_without_application(facts, facts.desired, now)
    return _decide_live(facts, None)


def _decide_without_application(facts: CellFacts, desired: Desired, now: datetime) -> Finding:
    """Decide where the hub responds and has no Application for the desired version: not created yet, or deleted."""
    if facts.rollout is not None:
        return _decide_orphan(facts)
    if facts.missing_since is not None:
        rest = " and so is its Rollout" if facts.missing_rollout else ""
        reason = f"its Application is gone{rest}: the desired version is not running"
        read_at = facts.desired_as_of
        if read_at is not None and read_at < facts.missing_since and now - facts.missing_since < _GIT_READ_WITHIN:
            return Finding(Journey.SYNCING, f"{reason}, as far as git has been read", needs_person=True)
        return Finding(Journey.FAILED, reason, facts.missing_since)
    committed_at = desired.committed_at
    if committed_at is None or now - committed_at <= _CREATED_WITHIN:
        return Finding(Journey.MERGED, "Argo CD has no Application for it yet", committed_at)
    reason = f"Argo CD has no Application for it, and git has had it since {committed_at:%Y-%m-%d %H:%M} UTC"
    return Finding(Journey.FAILED, reason, committed_at)


def _decide_orphan(facts: CellFacts) -> Finding:
    """Decide where a Rollout runs that no Application reconciles any more."""
    finding = _decide_live(facts, None)
    if finding.journey is not Journey.SETTLED:
        return finding
    reason = "its Application is gone" if facts.missing_since is not None else "Argo CD has no Application for it"
    return replace(finding, reason=f"{reason}: the running workload is no longer reconciled", needs_person=True)


def _decide_live(facts: CellFacts, application: Application | None) -> Finding:
    """Decide by the live state, once everything desired is applied."""
    rollout = facts.rollout
    if rollout is None:
        return _decide_without_rollout(facts, application)
    if rollout.phase == UNREADABLE:
        return _decide_unreadable(rollout, application)
    if rollout.phase == "Degraded":
        return Finding(Journey.FAILED, rollout.message or "degraded", rollout.updated_at)
    if rollout.pause_error:
        reason = f"Argo Rollouts refuses the pause: {rollout.pause_error}"
        return Finding(Journey.FAILED, _with_step(rollout, reason), rollout.updated_at)
    if _runs_other_version(facts, rollout):
        reason = f"live {rollout.spec_version}, desired {facts.desired.version}" if facts.desired else ""
        return Finding(Journey.SYNCING, reason, grace=drift_grace(facts))
    if rollout.phase == "Paused":
        return _decide_paused(rollout)
    if rollout.phase == "Progressing":
        return Finding(Journey.ROLLING, _with_step(rollout, rollout.message), first_seen=rollout.rolling_since)
    if rollout.phase != "Healthy":
        return Finding(Journey.UNKNOWN, f"unknown rollout phase {rollout.phase or '(none)'}")
    return _decide_settled(facts, application)


def _decide_unreadable(rollout: Rollout, application: Application | None) -> Finding:
    """Decide a Rollout that cannot be read: Argo CD can still say that it is degraded."""
    why = f"the Rollout cannot be read: {rollout.message}"
    if application is not None and application.health == "Degraded":
        health = f"degraded: {application.health_message}" if application.health_message else "degraded"
        return Finding(Journey.FAILED, f"{health}; {why}", application.health_since)
    return Finding(Journey.UNKNOWN, why)


def _runs_other_version(facts: CellFacts, rollout: Rollout) -> bool:
    if facts.desired is None or facts.desired.version is None or rollout.spec_version is None:
        return False
    return not is_same_image(rollout.spec_version, facts.desired.version)


def _decide_without_rollout(facts: CellFacts, application: Application | None) -> Finding:
    if application is None:
        return Finding(Journey.UNKNOWN, "neither Argo CD nor the cluster has it")
    if application.health in {"Progressing", "Missing"}:
        reason = application.health_message or f"health {application.health}"
        return Finding(Journey.ROLLING, reason, first_seen=application.health_since)
    if application.health == "Suspended":
        # Argo CD reports every pause so, a manual gate too; only the Rollout itself would tell them apart.
        return Finding(
            Journey.PAUSED, application.health_message or "Argo CD reports Suspended", application.health_since
        )
    return _decide_settled(facts, application)


def _decide_paused(rollout: Rollout) -> Finding:
    """Decide a paused Rollout: a timed pause is part of rolling, any other is a manual gate."""
    if rollout.pause_seconds is not None:
        reason = _with_step(rollout, f"pause {rollout.pause_seconds:g}s")
        return Finding(Journey.ROLLING, reason, first_seen=rollout.rolling_since)
    reason = rollout.pause_reason or rollout.message
    return Finding(Journey.PAUSED, _with_step(rollout, reason), rollout.paused_since or rollout.updated_at)


def _with_step(rollout: Rollout, text: str) -> str:
    if rollout.step is None or not rollout.steps:
        return text
    weight = f", {percent_text(rollout.actual_weight)}" if rollout.actual_weight is not None else ""
    return f"step {rollout.step}/{rollout.steps}{weight}: {text}" if text else f"step {rollout.step}/{rollout.steps}"


def _decide_settled(facts: CellFacts, application: Application | None) -> Finding:
    health = application.health if application else "Healthy"
    why = application.health_message if application else ""
    since = application.health_since if application else None
    if health == "Degraded":
        return Finding(Journey.FAILED, f"degraded: {why}" if why else "degraded", since)
    if health == "Progressing":
        return Finding(Journey.ROLLING, why or "Argo CD reports Progressing", first_seen=since)
    if health == "Missing":
        return Finding(Journey.SYNCING, why or "resources are missing", grace=DRIFT_GRACE_SECONDS)
    if health not in {"Healthy", "Suspended"}:
        return Finding(Journey.UNKNOWN, f"health {health or 'unknown'}")
    if facts.desired is None:
        return Finding(Journey.UNKNOWN, "no desired version in git")
    times = [application.deployed_at if application else None, facts.rollout.updated_at if facts.rollout else None]
    return Finding(Journey.SETTLED, "", max((time for time in (since, *times) if time is not None), default=None))
