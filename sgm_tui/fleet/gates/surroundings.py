"""Gates about what is around a version: its image, its project, the hour, how the cells fare, who has to agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sgm_tui.fleet.argo.windows import Standing, Window, standing
from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.facts import Application
from sgm_tui.fleet.gates.case import NOT_YET, Case, Finding, failed, passed, unknown
from sgm_tui.fleet.gates.evidence import ProjectOrigin, image_of

_REFUSED = "InvalidSpecError"
"""The condition Argo CD sets when an Application may not be what it says (protocols A2)."""


def image(case: Case) -> Finding:
    """The registry has the image."""
    version, known = case.change.to_version, case.evidence.images
    found = known.get(image_of(case.change), known.get(version))
    if found is None:
        return case.unasked("image")
    if isinstance(found, str):
        return unknown(found)
    return passed(f"the registry has {version}") if found else failed(f"the registry has no {version}")


def project(case: Case) -> Finding:
    """The AppProject allows the repository, the destination and the namespace; Argo CD itself has not refused."""
    application = case.cell.facts.application if case.cell else None
    refused = next((one for one in application.conditions if one.type == _REFUSED), None) if application else None
    if refused is not None:
        return failed(f"Argo CD refuses it: {refused.message}")
    found, read = case.evidence.projects.get(case.key), case.evidence.read.get(case.key)
    differs = read is not None and read.permission_differs
    if found is None:
        return case.unasked("project")
    if found.allowed is False:
        return _as_read(failed(found.reason), read, differs=differs)
    if found.allowed:
        return _as_read(passed(found.reason or "the AppProject allows it"), read, differs=differs)
    if application is not None and _compared(application):
        # A new version changes neither source nor destination, and of these Argo CD has said nothing bad.
        return passed(f"Argo CD accepts {application.name} ({found.reason})")
    return _as_read(unknown(found.reason), read, differs=differs)


def _as_read(finding: Finding, read: ProjectOrigin | None, *, differs: bool) -> Finding:
    """The finding with where the AppProject was read. What passes by the hub's, while git wants another, is a warning:
    it will not stay so."""
    if read is None:
        return finding
    note = f"per {read.where}"
    if read.why:
        note = f"per git: {read.why}"
    elif read.missing:
        note = "git has one"
    elif differs:
        note = f"per {read.where}; git differs"
    kind = "warn" if differs and finding.kind == "pass" else finding.kind
    return replace(finding, kind=kind, reason=f"{finding.reason} ({note})")


def _compared(application: Application) -> bool:
    return application.detailed and application.sync in {"Synced", "OutOfSync"}


def window(case: Case) -> Finding:
    """No sync window and no freeze is active. A revert minds what Argo CD would not apply, and no freeze."""
    freezes = () if case.reverts else tuple(
        Window(allows=False, schedule=one.schedule, name=one.reason or one.schedule.text, freeze=True)
        for one in case.rules.freezes
    )  # fmt: skip
    found, read = case.evidence.windows.get(case.key), case.evidence.read.get(case.key)
    differs = read is not None and read.windows_differ
    windows = (*freezes, *(found if isinstance(found, tuple) else ()))
    application = case.cell.facts.application if case.cell else None
    manual = application is not None and application.detailed and not application.auto_sync
    stands = standing(windows, case.now, manual=manual)
    if not stands.opened:
        closed = failed(_closed(stands, by_hand=any(one.manual_sync for one in windows)), stands.changes_at)
        return closed if stands.by is not None and stands.by.freeze else _as_read(closed, read, differs=differs)
    if found is None:
        return case.unasked("window")
    if isinstance(found, str):
        return _as_read(unknown(found), read, differs=differs)
    free = "no sync window or freeze is active" if windows else "there are no sync windows or freezes"
    return _as_read(passed(free), read, differs=differs)


def _closed(stands: Standing, *, by_hand: bool) -> str:
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


def alerts(case: Case) -> Finding:
    """No alert that counts fires for the cell, or for its cluster as a whole."""
    if case.reverts:
        return passed("alerts do not block a revert")
    firing = [
        one
        for one in case.snapshot.firing
        if one.cluster == case.key.cluster
        and one.service in {"", case.key.service}
        and one.severity in case.rules.severities
    ]
    if firing:
        first = firing[0]
        more = f", and {len(firing) - 1} more" if len(firing) > 1 else ""
        whose = "" if first.service else f" for the cluster {first.cluster}"
        return failed(f"{first.name} is firing{whose} ({first.severity}){more}")
    return case.silent("alerts", "alerts", case.key.cluster) or passed("no alerts firing")


def sli(case: Case) -> Finding | None:
    """Error ratio and latency are within bounds, in the stage before and here."""
    rules = case.rules
    if case.reverts or (rules.error_ratio_max is None and rules.latency_p99_max is None):
        return None
    cells = _measured(case)
    findings = [found for cell in cells for found in _bounds(case, cell)]
    worst = next((one for one in findings if one.kind == "fail"), next(iter(findings), None))
    return worst or passed(f"errors and latency are within bounds in {_names(cells)}")


def _bounds(case: Case, cell: Cell) -> Iterator[Finding]:
    metrics, where, rules = cell.facts.metrics, cell.key.cluster, case.rules
    if rules.error_ratio_max is not None:
        errors = metrics.error_ratio if metrics else None
        if errors is None:
            yield unknown(_unmeasured(case, "error ratio", where))
        elif errors > rules.error_ratio_max:
            yield failed(f"{_percent(errors)} of requests fail in {where}; at most {_percent(rules.error_ratio_max)}")
    if rules.latency_p99_max is not None:
        slow = metrics.latency_p99_seconds if metrics else None
        if slow is None:
            yield unknown(_unmeasured(case, "latency", where))
        elif slow > rules.latency_p99_max:
            yield failed(f"p99 is {slow * 1000:.0f} ms in {where}; at most {rules.latency_p99_max * 1000:.0f} ms")
    if case.silent("sli", "metrics", where) is not None:
        yield unknown(f"the metrics of {where} are stale")


def _unmeasured(case: Case, what: str, where: str) -> str:
    """Why there is no number: who measures does not answer, or nobody does."""
    source = case.source("metrics", where)
    if source is not None and source.state == "stale":
        return f"the {what} in {where} is unknown: {source.name} is not responding: {source.short_reason}"
    return f"no metric for the {what} in {where}"


def error_budget(case: Case) -> Finding | None:
    """Enough of the cell's error budget is left to risk a change."""
    wanted = case.rules.error_budget_min
    metrics = case.cell.facts.metrics if case.cell else None
    measured = metrics.error_budget_remaining if metrics else None
    if case.reverts or (wanted is None and measured is None):
        return None
    errors, most = metrics.error_ratio if metrics else None, case.rules.error_ratio_max
    left, how = measured, ""
    if left is None and errors is not None and most:
        left, how = 1 - errors / most, ", estimated from the current error ratio"
    if left is None:
        return unknown(_unmeasured(case, "error budget", case.key.cluster))
    if case.silent("error-budget", "metrics", case.key.cluster) is not None:
        return unknown(f"the metrics of {case.key.cluster} are stale")
    if left <= 0:
        return failed(f"the error budget is exhausted{how}")
    text = f"{_percent(left)} of the error budget is left{how}"
    return failed(f"{text}; {_percent(wanted)} required") if wanted is not None and left < wanted else passed(text)


def owners(case: Case) -> Finding:
    """CODEOWNERS name somebody for the file."""
    found = case.evidence.owners.get(case.change.path)
    if found is None:
        return unknown(NOT_YET)
    return (
        passed(f"owned by {', '.join(found)}") if found else failed(f"CODEOWNERS has no owner for {case.change.path}")
    )


def _measured(case: Case) -> tuple[Cell, ...]:
    return (*case.before, *((case.cell,) if case.cell is not None else ()))


def _names(cells: Iterable[Cell]) -> str:
    return ", ".join(cell.key.cluster for cell in cells)


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.3g} %"
