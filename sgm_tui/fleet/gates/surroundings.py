"""Gates about the surroundings of a change: image, AppProject, sync windows, alerts, metrics and code owners."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sgm_tui.fleet.argo.windows import Standing, Window, standing
from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.facts import Application
from sgm_tui.fleet.gates.context import NOT_YET, Finding, GateContext, failed, passed, unknown
from sgm_tui.fleet.gates.evidence import ProjectOrigin, image_of

_REFUSED = "InvalidSpecError"
"""The condition Argo CD sets when it refuses the spec of an Application (protocols A2)."""


def image(context: GateContext) -> Finding:
    """Check that the registry has the image."""
    version, images = context.change.to_version, context.evidence.images
    result = images.get(image_of(context.change), images.get(version))
    if result is None:
        return context.missing_evidence("image")
    if isinstance(result, str):
        return unknown(result)
    return passed(f"the registry has {version}") if result else failed(f"the registry has no {version}")


def project(context: GateContext) -> Finding:
    """Check that the AppProject allows repository, destination and namespace, and Argo CD does not refuse the spec."""
    application = context.cell.facts.application if context.cell else None
    conditions = application.conditions if application else ()
    refusal = next((one for one in conditions if one.type == _REFUSED), None)
    if refusal is not None:
        return failed(f"Argo CD refuses it: {refusal.message}")
    permission, origin = context.evidence.projects.get(context.key), context.evidence.read.get(context.key)
    differs = origin is not None and origin.permission_differs
    if permission is None:
        return context.missing_evidence("project")
    if permission.allowed is False:
        return _with_origin(failed(permission.reason), origin, differs=differs)
    if permission.allowed:
        return _with_origin(passed(permission.reason or "the AppProject allows it"), origin, differs=differs)
    if application is not None and _is_compared(application):
        # A new version changes neither source nor destination, and Argo CD has accepted both.
        return passed(f"Argo CD accepts {application.name} ({permission.reason})")
    return _with_origin(unknown(permission.reason), origin, differs=differs)


def _with_origin(finding: Finding, origin: ProjectOrigin | None, *, differs: bool) -> Finding:
    """Append which AppProject was evaluated.

    Passing by the hub's copy while git has another is a warning: it ends when git's is applied.
    """
    if origin is None:
        return finding
    note = f"per {origin.where}"
    if origin.why:
        note = f"per git: {origin.why}"
    elif origin.missing:
        note = "git has one"
    elif differs:
        note = f"per {origin.where}; git differs"
    kind = "warn" if differs and finding.kind == "pass" else finding.kind
    return replace(finding, kind=kind, reason=f"{finding.reason} ({note})")


def _is_compared(application: Application) -> bool:
    return application.detailed and application.sync in {"Synced", "OutOfSync"}


def window(context: GateContext) -> Finding:
    """Check that no sync window denies a sync and no freeze is active; a revert ignores freezes."""
    freezes = () if context.is_revert else tuple(
        Window(allows=False, schedule=freeze.schedule, name=freeze.reason or freeze.schedule.text, freeze=True)
        for freeze in context.rules.freezes
    )  # fmt: skip
    sync_windows, origin = context.evidence.windows.get(context.key), context.evidence.read.get(context.key)
    differs = origin is not None and origin.windows_differ
    windows = (*freezes, *(sync_windows if isinstance(sync_windows, tuple) else ()))
    application = context.cell.facts.application if context.cell else None
    manual = application is not None and application.detailed and not application.auto_sync
    stands = standing(windows, context.now, manual=manual)
    if not stands.opened:
        closed = failed(_describe_closed(stands, by_hand=any(one.manual_sync for one in windows)), stands.changes_at)
        return closed if stands.by is not None and stands.by.freeze else _with_origin(closed, origin, differs=differs)
    if sync_windows is None:
        return context.missing_evidence("window")
    if isinstance(sync_windows, str):
        return _with_origin(unknown(sync_windows), origin, differs=differs)
    free = "no sync window or freeze is active" if windows else "there are no sync windows or freezes"
    return _with_origin(passed(free), origin, differs=differs)


def _describe_closed(stands: Standing, *, by_hand: bool) -> str:
    by = stands.by
    if by is None:
        return "closed"
    if by.unreadable:
        return f"Argo CD cannot read a sync window and blocks every sync: {by.unreadable}"
    if by.freeze:
        return f"frozen: {by.name}"
    until = "" if stands.changes_at is not None else ", with no end time"
    hint = "; a manual sync is allowed" if by_hand and by.manual_sync else ""
    if by.allows:
        return f"outside every sync window ({by.name}): Argo CD would not apply it{until}{hint}"
    return f"a sync window denies it ({by.name}): Argo CD would not apply it{until}{hint}"


def alerts(context: GateContext) -> Finding:
    """Check that no alert of a relevant severity fires for the cell, or for its cluster as a whole."""
    if context.is_revert:
        return passed("alerts do not block a revert")
    firing = [
        alert
        for alert in context.snapshot.firing
        if alert.cluster == context.key.cluster
        and alert.service in {"", context.key.service}
        and alert.severity in context.rules.severities
    ]
    if firing:
        first = firing[0]
        more = f", and {len(firing) - 1} more" if len(firing) > 1 else ""
        whose = "" if first.service else f" for the cluster {first.cluster}"
        return failed(f"{first.name} is firing{whose} ({first.severity}){more}")
    return context.check_source("alerts", "alerts", context.key.cluster) or passed("no alerts firing")


def sli(context: GateContext) -> Finding | None:
    """Check that error ratio and latency are within bounds, in the previous stage and here."""
    rules = context.rules
    if rules.error_ratio_max is None and rules.latency_p99_max is None:
        return None
    cells = (*context.previous_cells, *((context.cell,) if context.cell is not None else ()))
    findings = [finding for cell in cells for finding in _check_bounds(context, cell)]
    worst = next((finding for finding in findings if finding.kind == "fail"), next(iter(findings), None))
    return worst or passed(f"errors and latency are within bounds in {', '.join(cell.key.cluster for cell in cells)}")


def _check_bounds(context: GateContext, cell: Cell) -> Iterator[Finding]:
    metrics, where, rules = cell.facts.metrics, cell.key.cluster, context.rules
    if rules.error_ratio_max is not None:
        errors = metrics.error_ratio if metrics else None
        if errors is None:
            yield unknown(_why_unmeasured(context, "error ratio", where))
        elif errors > rules.error_ratio_max:
            yield failed(f"{_percent(errors)} of requests fail in {where}; at most {_percent(rules.error_ratio_max)}")
    if rules.latency_p99_max is not None:
        slow = metrics.latency_p99_seconds if metrics else None
        if slow is None:
            yield unknown(_why_unmeasured(context, "latency", where))
        elif slow > rules.latency_p99_max:
            yield failed(f"p99 is {slow * 1000:.0f} ms in {where}; at most {rules.latency_p99_max * 1000:.0f} ms")
    if context.check_source("sli", "metrics", where) is not None:
        yield unknown(f"the metrics of {where} are stale")


def _why_unmeasured(context: GateContext, what: str, where: str) -> str:
    """Return why there is no value: the source does not respond, or no metric is configured."""
    source = context.find_source("metrics", where)
    if source is not None and source.state == "stale":
        return f"the {what} in {where} is unknown: {source.name} is not responding: {source.short_reason}"
    return f"no metric for the {what} in {where}"


def error_budget(context: GateContext) -> Finding | None:
    """Check that enough of the cell's error budget is left to risk a change."""
    required = context.rules.error_budget_min
    metrics = context.cell.facts.metrics if context.cell else None
    measured = metrics.error_budget_remaining if metrics else None
    if required is None and measured is None:
        return None
    errors, most = metrics.error_ratio if metrics else None, context.rules.error_ratio_max
    remaining, how = measured, ""
    if remaining is None and errors is not None and most:
        remaining, how = 1 - errors / most, ", estimated from the current error ratio"
    if remaining is None:
        return unknown(_why_unmeasured(context, "error budget", context.key.cluster))
    if context.check_source("error-budget", "metrics", context.key.cluster) is not None:
        return unknown(f"the metrics of {context.key.cluster} are stale")
    if remaining <= 0:
        return failed(f"the error budget is exhausted{how}")
    text = f"{_percent(remaining)} of the error budget is left{how}"
    return (
        failed(f"{text}; {_percent(required)} required")
        if required is not None and remaining < required
        else passed(text)
    )


def owners(context: GateContext) -> Finding:
    """Check that CODEOWNERS name an owner of the file."""
    names = context.evidence.owners.get(context.change.path)
    if names is None:
        return unknown(NOT_YET)
    return (
        passed(f"owned by {', '.join(names)}")
        if names
        else failed(f"CODEOWNERS has no owner for {context.change.path}")
    )


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.3g} %"
