"""A report for people, for programs, and for GitHub's annotations."""

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
"""How many notes of one rule people read before they stop reading."""
_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def text(report: Report, prefix: str = "", *, every_note: bool = False) -> str:
    """Findings by file, each with its fix, the reason of each rule once, and how many there are.

    Args:
        report: what was found.
        prefix: put before every path, so that it leads there from where people are.
        every_note: show all notes; else the first few of each rule, for they are not urgent.
    """
    lines: list[str] = []
    told: set[str] = set()
    shown, left_out = (report.findings, Counter[str]()) if every_note else _calm(report.findings)
    for path, findings in itertools.groupby(shown, key=lambda one: one.place.path):
        group = list(findings)
        lines.append(clean(f"{prefix}{path}"))
        places = [f"{one.place.line}:{one.place.column}" for one in group]
        width = max(map(len, places))
        for one, place in zip(group, places, strict=True):
            reason = "" if one.rule in told else f"{one.why} "
            lines += _indented(f"{one.message}  [{one.rule}]", width + 13, f"  {place:<{width}}  {one.severity:<7}  ")
            lines += _indented(f"{reason}{one.fix}", width + 13)
            told.add(one.rule)
        lines.append("")
    for rule, count in left_out.items():
        lines += [f"{count} more {_plural('note', count)} [{rule}]: sgm lint --rule {rule}", ""]
    return "\n".join([*lines, _summary(report)])


def _calm(findings: Sequence[Finding]) -> tuple[Sequence[Finding], Counter[str]]:
    """Findings without the notes that repeat themselves, and how many of each rule those are."""
    met: Counter[str] = Counter()
    shown: list[Finding] = []
    for one in findings:
        met[one.rule] += one.severity == "note"
        if one.severity != "note" or met[one.rule] <= _NOTES:
            shown.append(one)
    return shown, Counter({rule: count - _NOTES for rule, count in met.items() if count > _NOTES})


def _indented(paragraph: str, by: int, first: str = "") -> list[str]:
    margin = " " * by
    return textwrap.wrap(
        paragraph,
        _WIDTH,
        initial_indent=first or margin,
        subsequent_indent=margin,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _summary(report: Report) -> str:
    files = f"{report.files} {_plural('file', report.files)}"
    if not report.findings:
        return f"Nothing wrong in {files}."
    counts = [(report.count(severity), severity) for severity in _SEVERITIES]
    found = ", ".join(f"{count} {_plural(severity, count)}" for count, severity in counts if count)
    return f"{found} in {files}."


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def document(report: Report) -> str:
    """The report as JSON, schema 1 (docs/lint.md)."""
    summary = {f"{severity}s": report.count(severity) for severity in _SEVERITIES}
    whole: dict[str, Any] = {
        "schema": SCHEMA,
        "files": report.files,
        "summary": summary,
        "findings": [_finding(one) for one in report.findings],
        "applications": [_application(one) for one in report.applications],
        "skipped": [{"rules": list(one.rules), "reason": clean(one.reason)} for one in report.skipped],
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _application(one: Application) -> dict[str, Any]:
    return {
        "name": clean(one.name),
        "namespace": clean(one.namespace),
        "project": clean(one.project),
        "cluster": clean(one.destination_name) or None,
        "server": clean(one.destination_server) or None,
        "destination_namespace": clean(one.destination_namespace) or None,
        "applicationset": clean(one.origin) or None,
        "path": clean(one.place.path, _LONGEST_PATH),
        "line": one.place.line,
    }


def applications(report: Report) -> str:
    """Every Application for people: its name, where it goes, and what makes it."""
    headings = ("APPLICATION", "PROJECT", "CLUSTER", "NAMESPACE", "MADE BY")
    rows = [
        (one.name, one.project, one.destination_name or one.destination_server, one.destination_namespace,
         one.origin or f"{one.place.path}:{one.place.line}")
        for one in report.applications
    ]  # fmt: skip
    return "\n".join(align([headings, *(tuple(clean(word) or "-" for word in row) for row in rows)]))


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "severity": one.severity,
        "path": clean(one.place.path, _LONGEST_PATH),
        "line": one.place.line,
        "column": one.place.column,
        "message": one.message,
        "why": one.why,
        "fix": one.fix,
        "applications": list(one.applications),
        "related": [{"path": clean(place.path, _LONGEST_PATH), "line": place.line} for place in one.asked],
    }


def github(report: Report, prefix: str = "") -> str:
    """Workflow commands: GitHub shows each beside its line in the pull request.

    Values escape `%`, CR and LF; properties also `:` and `,` (GitHub's toolkit, `command.ts`).
    """
    return "\n".join(_command(one, prefix) for one in report.findings)


def _command(one: Finding, prefix: str) -> str:
    properties: list[tuple[str, object]] = [
        ("file", clean(f"{prefix}{one.place.path}", _LONGEST_PATH)),
        ("line", one.place.line),
        ("col", one.place.column),
        ("title", one.rule),
    ]
    written = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in properties)
    return f"::{_COMMANDS[one.severity]} {written}::{_escaped(one.said)}"


def _escaped(value: str, more: str = "") -> str:
    return "".join(f"%{ord(character):02X}" if character in f"%\r\n{more}" else character for character in value)
