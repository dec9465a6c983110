"""What Argo CD says of a cell: whether it has seen, compared and applied what git wants (protocols A2, A5, §J)."""

from __future__ import annotations

from datetime import datetime

from sgm_tui.fleet.cell import CellFacts, Journey
from sgm_tui.fleet.facts import Application, Condition
from sgm_tui.fleet.finding import DRIFT_GRACE_SECONDS, Finding, drift_grace

_NAMED = 3
"""How many differing resources a reason names."""


def application_finding(facts: CellFacts, application: Application) -> Finding | None:
    """Decide by what Argo CD says; None when the cluster has been given everything and the rest decides."""
    if application.deleting:
        return Finding(Journey.SYNCING, "its Application is being deleted")
    if (broken := _comparison_error(application)) is not None:
        return broken
    operation = application.operation
    if operation is not None and operation.failing and not _is_history(facts, application):
        return Finding(Journey.FAILED, _failing(application), operation.finished_at or operation.started_at)
    if facts.desired is not None and facts.synced is False:
        if application.is_operating:
            return Finding(Journey.SYNCING, _operating(application), operation.started_at if operation else None)
        reason = f"Argo CD has not seen commit {facts.desired.revision[:7]} yet"
        return Finding(Journey.MERGED, reason, facts.desired.committed_at)
    if application.is_operating:
        return Finding(Journey.SYNCING, _operating(application), operation.started_at if operation else None)
    if application.sync == "OutOfSync":
        return _out_of_sync(facts, application)
    return None


def describe_differences(application: Application) -> str:
    """Which resources differ, in a few words; "" where Argo CD does not say."""
    names = application.differing
    if not names:
        return ""
    count = application.differing_count
    more = ", …" if count > _NAMED else ""
    return f"{count} resource{'s' if count > 1 else ''} differ{'' if count > 1 else 's'}: " + (
        ", ".join(names[:_NAMED]) + more
    )


def _comparison_error(application: Application) -> Finding | None:
    """Sync Unknown with health Healthy is the usual look of a broken manifest; it is never green (§J)."""
    error = next((condition for condition in application.conditions if condition.is_error), None)
    if error is not None and (application.sync == "Unknown" or error.type != "SyncError"):
        return Finding(Journey.FAILED, f"{error.type}: {error.message}", error.since)
    if application.sync in {"Synced", "OutOfSync"}:
        return None
    if not application.detailed or not application.sync:
        return Finding(Journey.UNKNOWN, "Argo CD has not compared it yet")
    return Finding(Journey.UNKNOWN, f"Argo CD reports sync {application.sync}")


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
        return f"sync failing, {operation.attempt}: {operation.message}"
    return f"sync {operation.phase.lower()}: {operation.message}"


def _operating(application: Application) -> str:
    operation = application.operation
    if operation is not None and operation.message:
        return operation.message
    return "sync requested" if operation is None else "syncing"


def _out_of_sync(facts: CellFacts, application: Application) -> Finding:
    if not application.detailed:
        return Finding(Journey.UNKNOWN, "OutOfSync; details are loading")
    refused = _refusal(application)
    if facts.desired is None:
        return _out_of_sync_without_git(facts, application, refused)
    committed_at = facts.desired.committed_at
    applied = _was_synced(application, committed_at)
    if not applied and _not_applied(facts.deployed, committed_at, application):
        if refused is not None:
            reason = f"Argo CD refuses to sync: {refused.message}"
            return Finding(Journey.MERGED, reason, refused.since or committed_at, needs_person=True)
        why = "waiting for auto-sync" if application.auto_sync else "auto-sync is off; sync it"
        return Finding(Journey.MERGED, f"seen, not applied: {why}", committed_at)
    if _compared_before_its_end(application):
        return Finding(Journey.SYNCING, "synced; Argo CD has not compared it since", application.deployed_at)
    return _drift(application, refused, drift_grace(facts))


def _out_of_sync_without_git(facts: CellFacts, application: Application, refused: Condition | None) -> Finding:
    """Git is not responding, or does not have the cell any more."""
    if "git" not in facts.unavailable_kinds:
        return Finding(Journey.SYNCING, "no longer in git", grace=DRIFT_GRACE_SECONDS)
    applied = facts.synced and facts.deployed  # the newest commit that could be read, which the cluster has
    if refused is not None or applied or application.revision == application.deployed_revision:
        return _drift(application, refused, DRIFT_GRACE_SECONDS)
    return Finding(Journey.UNKNOWN, "OutOfSync: drift or a new commit (git is unreachable)")


def _drift(application: Application, refused: Condition | None, grace: float) -> Finding:
    """The cluster differs from what was applied; where Argo CD refuses to correct it, its reason comes first."""
    parts = [f"Argo CD refuses to sync: {refused.message}"] if refused is not None else []
    operation = application.operation
    synced = operation is not None and operation.phase == "Succeeded"
    parts.append("synced, still OutOfSync" if synced else "OutOfSync: the cluster differs from git")
    parts.extend(filter(None, (describe_differences(application),)))
    since = refused.since if refused is not None else None
    return Finding(Journey.SYNCING, "; ".join(parts), since, grace=grace, needs_person=refused is not None)


def _refusal(application: Application) -> Condition | None:
    """The condition by which Argo CD says that auto-sync does not act: it would prune everything, or it failed on this
    revision before and does not try again (autoSync in controller/appcontroller.go)."""
    return next((one for one in application.conditions if one.type == "SyncError"), None)


def _was_synced(application: Application, committed_at: datetime | None) -> bool:
    """Whether an operation has succeeded with what Argo CD compares now, whatever the history says of it."""
    operation = application.operation
    if operation is None or operation.phase != "Succeeded":
        return False
    if operation.revision:
        return operation.revision == application.revision
    began = operation.started_at or operation.finished_at
    return began is not None and committed_at is not None and began > committed_at


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
