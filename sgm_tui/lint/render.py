"""Format a report as text, as JSON, and as GitHub's annotations."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sgm_tui.fleet.argo.objects import Application
from sgm_tui.lint.catalogue import Severity
from sgm_tui.lint.findings import Finding, Report
from sgm_tui.report.tables import align
from sgm_tui.untrusted_text import clean

SCHEMA = 1
_WIDTH = 110
_LONGEST_PATH = 4096
_NOTES = 5
"""At most so many notes of one rule are shown; people stop reading after a few."""
_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def format_text(report: Report, prefix: str = "", *, every_note: bool = False) -> str:
    """Return the findings by file, each with its fix, the reason of each rule once, and the totals.

    Args:
        report: the findings.
        prefix: prepended to every path, so that it is relative to the working directory.
        every_note: show all notes; else the first few of each rule, since they are not urgent.
    """
    lines: list[str] = []
    explained: set[str] = set()
    shown, left_out = (report.findings, Counter[str]()) if every_note else _limit_notes(report.findings)
    for path, findings in itertools.groupby(shown, key=lambda one: one.place.path):
        group = list(findings)
        lines.append(clean(f"{prefix}{path}"))
        places = [f"{one.place.line}:{one.place.column}" for one in group]
        width = max(map(len, places))
        for finding, place in zip(group, places, strict=True):
            reason = "" if finding.rule in explained else f"{finding.why} "
            lines += _wrap(
                f"{finding.message}  [{finding.rule}]", width + 13, f"  {place:<{width}}  {finding.severity:<7}  "
            )
            lines += _wrap(f"{reason}{finding.fix}", width + 13)
            explained.add(finding.rule)
        lines.append("")
    for rule, count in left_out.items():
        lines += [f"{count} more {_pluralize('note', count)} [{rule}]: sgm lint --rule {rule}", ""]
    return "\n".join([*lines, _format_summary(report)])


def _limit_notes(findings: Sequence[Finding]) -> tuple[Sequence[Finding], Counter[str]]:
    """Return the findings with a few notes of each rule, and rule → how many notes are left out."""
    notes: Counter[str] = Counter()
    shown: list[Finding] = []
    for finding in findings:
        notes[finding.rule] += finding.severity == "note"
        if finding.severity != "note" or notes[finding.rule] <= _NOTES:
            shown.append(finding)
    return shown, Counter({rule: count - _NOTES for rule, count in notes.items() if count > _NOTES})


def _wrap(paragraph: str, by: int, first: str = "") -> list[str]:
    margin = " " * by
    return textwrap.wrap(
        paragraph,
        _WIDTH,
        initial_indent=first or margin,
        subsequent_indent=margin,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _format_summary(report: Report) -> str:
    files = f"{report.files} {_pluralize('file', report.files)}"
    if not report.findings:
        return f"Nothing wrong in {files}."
    counts = [(report.count(severity), severity) for severity in _SEVERITIES]
    totals = ", ".join(f"{count} {_pluralize(severity, count)}" for count, severity in counts if count)
    return f"{totals} in {files}."


def _pluralize(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def format_json(report: Report) -> str:
    """Return the report as JSON, schema 1 (docs/lint.md)."""
    summary = {f"{severity}s": report.count(severity) for severity in _SEVERITIES}
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "files": report.files,
        "summary": summary,
        "findings": [_finding_document(finding) for finding in report.findings],
        "applications": [_application_document(application) for application in report.applications],
        "skipped": [{"rules": list(one.rules), "reason": clean(one.reason)} for one in report.skipped],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _application_document(application: Application) -> dict[str, Any]:
    return {
        "name": clean(application.name),
        "namespace": clean(application.namespace),
        "project": clean(application.project),
        "cluster": clean(application.destination_name) or None,
        "server": clean(application.destination_server) or None,
        "destination_namespace": clean(application.destination_namespace) or None,
        "applicationset": clean(application.origin) or None,
        "path": clean(application.place.path, _LONGEST_PATH),
        "line": application.place.line,
    }


def format_applications(report: Report) -> str:
    """Return a table of every Application: its name, destination, and what generates it."""
    headings = ("APPLICATION", "PROJECT", "CLUSTER", "NAMESPACE", "MADE BY")
    rows = [
        (application.name, application.project, application.destination_name or application.destination_server,
         application.destination_namespace,
         application.origin or f"{application.place.path}:{application.place.line}")
        for application in report.applications
    ]  # fmt: skip
    return "\n".join(align([headings, *(tuple(clean(word) or "-" for word in row) for row in rows)]))


def _finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "path": clean(finding.place.path, _LONGEST_PATH),
        "line": finding.place.line,
        "column": finding.place.column,
        "message": finding.message,
        "why": finding.why,
        "fix": finding.fix,
        "applications": list(finding.applications),
        "related": [{"path": clean(place.path, _LONGEST_PATH), "line": place.line} for place in finding.related],
    }


def format_github(report: Report, prefix: str = "") -> str:
    """Return workflow commands, which GitHub shows as annotations of a pull request.

    Values escape `%`, CR and LF; properties also `:` and `,` (GitHub's toolkit, `command.ts`).
    """
    return "\n".join(_format_command(finding, prefix) for finding in report.findings)


def _format_command(finding: Finding, prefix: str) -> str:
    properties: list[tuple[str, object]] = [
        ("file", clean(f"{prefix}{finding.place.path}", _LONGEST_PATH)),
        ("line", finding.place.line),
        ("col", finding.place.column),
        ("title", finding.rule),
    ]
    parameters = ",".join(f"{name}={_escape(str(value), ':,')}" for name, value in properties)
    return f"::{_COMMANDS[finding.severity]} {parameters}::{_escape(finding.explanation)}"


def _escape(value: str, more: str = "") -> str:
    return "".join(f"%{ord(character):02X}" if character in f"%\r\n{more}" else character for character in value)
