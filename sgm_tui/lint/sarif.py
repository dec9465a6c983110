"""Format a report as SARIF 2.1.0, which code scanning on GitHub and other forges reads."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any
from urllib.parse import quote

from sgm_tui import __version__
from sgm_tui.lint.catalogue import RULES, Rule
from sgm_tui.lint.findings import Finding, Report
from sgm_tui.yaml_reader.marked import Place

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT = "sgmLint/v1"


def format_sarif(report: Report, prefix: str = "") -> str:
    """Return the report as a SARIF log with one run.

    Args:
        report: the findings.
        prefix: prepended to every path, so that it is relative to the root of the git repository.
    """
    used = {finding.rule for finding in report.findings}
    rules = [rule for rule in RULES if rule.id in used]
    positions = {rule.id: position for position, rule in enumerate(rules)}
    repetitions: Counter[str] = Counter()
    results: list[dict[str, Any]] = []
    for finding in report.findings:
        identity = f"{finding.rule}\0{prefix}{finding.place.path}\0{finding.message}"
        fingerprint = _fingerprint(f"{identity}\0{repetitions[identity]}")
        results.append(_result(finding, positions[finding.rule], prefix, fingerprint))
        repetitions[identity] += 1
    driver = {
        "name": "sgm lint",
        "semanticVersion": __version__,
        "rules": [_rule(rule) for rule in rules],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(finding: Finding, position: int, prefix: str, fingerprint: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": position,
        "level": finding.severity,
        "message": {"text": finding.explanation},
        "locations": [{"physicalLocation": _location(finding.place, prefix)}],
        "partialFingerprints": {_FINGERPRINT: fingerprint},
    }
    if finding.related:
        result["relatedLocations"] = [
            {"id": at, "message": {"text": "asked for here"}, "physicalLocation": _location(place, prefix)}
            for at, place in enumerate(finding.related)
        ]
    return result | ({"properties": {"applications": list(finding.applications)}} if finding.applications else {})


def _location(place: Place, prefix: str) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": quote(f"{prefix}{place.path}", errors="surrogateescape")},
        "region": {"startLine": place.line, "startColumn": place.column},
    }


def _fingerprint(text: str) -> str:
    """Return a fingerprint that stays the same when lines move."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
