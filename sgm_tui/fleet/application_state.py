"""Decide a cell by its Application: has Argo CD seen, compared and applied the change (protocols A2, A5, §J)?"""

from __future__ import annotations

from datetime import datetime

from sgm_tui.fleet.cell import CellFacts, Journey
from sgm_tui.fleet.facts import Application, Condition
from sgm_tui.fleet.finding import DRIFT_GRACE_SECONDS, Finding, drift_grace

_NAMED = 3
"""The number of differing resources that a reason names."""


def application_finding(facts: CellFacts, application: Application) -> Finding | None:
    """Decide by the state of the Application; None when everything is applied and the live state decides."""
    if application.deleting:
        return Finding(Journey.SYNCING, "its Application is being deleted")
    if (error := _comparison_error(application)) is not None:
        return error
    operation = application.operation
    if operation is not None and operation.failing and not _is_superseded(facts, application):
        return Finding(Journey.FAILED, _describe_failure(application), operation.finished_at or operation.started_at)
    if facts.desired is not None and facts.synced is False:
        if application.is_operating:
            return Finding(
                Journey.SYNCING, _describe_operation(application), operation.started_at if operation else None
            )
        reason = f"Argo CD has not seen commit {facts.desired.revision[:7]} yet"
        return Finding(Journey.MERGED, reason, facts.desired.committed_at)
    if application.is_operating:
        return Finding(Journey.SYNCING, _describe_operation(application), operation.started_at if operation else None)
    if application.sync == "OutOfSync":
        return _decide_out_of_sync(facts, application)
    return None


def describe_differences(application: Application) -> str:
    """Name the resources that differ; "" where Argo CD does not say."""
    names = application.differing
    if not names:
        return ""
    count = application.differing_count
    more = ", …" if count > _NAMED else ""
    return f"{count} resource{'s' if count > 1 else ''} differ{'' if count > 1 else 's'}: " + (
        ", ".join(names[:_NAMED]) + more
    )


def _comparison_error(application: Application) -> Finding | None:
    """Return why Argo CD could not compare; None when it did.

    A broken manifest usually shows as sync Unknown with health Healthy, which never counts as good (§J).
    """
    error = next((condition for condition in application.conditions if condition.is_error), None)
    if error is not None and (application.sync == "Unknown" or error.type != "SyncError"):
        return Finding(Journey.FAILED, f"{error.type}: {error.message}", error.since)
    if application.sync in {"Synced", "OutOfSync"}:
        return None
    if not application.detailed or not application.sync:
        return Finding(Journey.UNKNOWN, "Argo CD has not compared it yet")
    return Finding(Journey.UNKNOWN, f"Argo CD reports sync {application.sync}")


def _is_superseded(facts: CellFacts, application: Application) -> bool:
    """Return whether a failed operation no longer matters: the Application is in sync again by other means."""
    operation = application.operation
    ended = operation is not None and not operation.in_flight
    return ended and application.sync == "Synced" and facts.synced is not False


def _describe_failure(application: Application) -> str:
    operation = application.operation
    if operation is None:
        return "sync failed"
    if operation.in_flight:
        return f"sync failing, {operation.attempt}: {operation.message}"
    return f"sync {operation.phase.lower()}: {operation.message}"


def _describe_operation(application: Application) -> str:
    operation = application.operation
    if operation is not None and operation.message:
        return operation.message
    return "sync requested" if operation is None else "syncing"


def _decide_out_of_sync(facts: CellFacts, application: Application) -> Finding:
    if not application.detailed:
        return Finding(Journey.UNKNOWN, "OutOfSync; details are loading")
    refusal = _find_refusal(application)
    if facts.desired is None:
        return _decide_out_of_sync_without_git(facts, application, refusal)
    committed_at = facts.desired.committed_at
    applied = _was_synced(application, committed_at)
    if not applied and _is_not_applied(facts.deployed, committed_at, application):
        if refusal is not None:
            reason = f"Argo CD refuses to sync: {refusal.message}"
            return Finding(Journey.MERGED, reason, refusal.since or committed_at, needs_person=True)
        why = "waiting for auto-sync" if application.auto_sync else "auto-sync is off; sync it"
        return Finding(Journey.MERGED, f"seen, not applied: {why}", committed_at)
    if _is_comparison_older_than_sync(application):
        return Finding(Journey.SYNCING, "synced; Argo CD has not compared it since", application.deployed_at)
    return _report_drift(application, refusal, drift_grace(facts))


def _decide_out_of_sync_without_git(facts: CellFacts, application: Application, refusal: Condition | None) -> Finding:
    """Decide OutOfSync where git does not respond, or does not have the cell any more."""
    if "git" not in facts.unavailable_kinds:
        return Finding(Journey.SYNCING, "no longer in git", grace=DRIFT_GRACE_SECONDS)
    applied = facts.synced and facts.deployed  # the newest commit that could be read, which the cluster has
    if refusal is not None or applied or application.revision == application.deployed_revision:
        return _report_drift(application, refusal, DRIFT_GRACE_SECONDS)
    return Finding(Journey.UNKNOWN, "OutOfSync: drift or a new commit (git is unreachable)")


def _report_drift(application: Application, refusal: Condition | None, grace: float) -> Finding:
    """Report that the cluster differs from what was applied; Argo CD's reason not to correct it comes first."""
    parts = [f"Argo CD refuses to sync: {refusal.message}"] if refusal is not None else []
    operation = application.operation
    synced = operation is not None and operation.phase == "Succeeded"
    parts.append("synced, still OutOfSync" if synced else "OutOfSync: the cluster differs from git")
    parts.extend(filter(None, (describe_differences(application),)))
    since = refusal.since if refusal is not None else None
    return Finding(Journey.SYNCING, "; ".join(parts), since, grace=grace, needs_person=refusal is not None)


def _find_refusal(application: Application) -> Condition | None:
    """Return the condition by which Argo CD refuses to auto-sync; None when it does not refuse.

    It refuses where it would prune everything, or failed on this revision before (autoSync in
    controller/appcontroller.go).
    """
    return next((one for one in application.conditions if one.type == "SyncError"), None)


def _was_synced(application: Application, committed_at: datetime | None) -> bool:
    """Return whether an operation succeeded with the revision that Argo CD compares now, whatever the history says."""
    operation = application.operation
    if operation is None or operation.phase != "Succeeded":
        return False
    if operation.revision:
        return operation.revision == application.revision
    began = operation.started_at or operation.finished_at
    return began is not None and committed_at is not None and began > committed_at


def _is_not_applied(deployed: bool | None, committed_at: datetime | None, application: Application) -> bool:
    """Return whether the desired change is still to be applied.

    By revision, else by time where the history is not kept or has only unknown revisions.
    """
    if deployed is not None:
        return not deployed
    if application.health == "Missing" and not application.deployed_revision:
        return True
    operation = application.operation
    applied = application.deployed_at or (operation.finished_at if operation else None)
    return committed_at is not None and applied is not None and committed_at > applied


def _is_comparison_older_than_sync(application: Application) -> bool:
    """Return whether the last comparison is older than the end of the last sync: a busy controller compares late."""
    ended = application.operation.finished_at if application.operation else None
    return ended is not None and application.reconciled_at is not None and application.reconciled_at < ended
