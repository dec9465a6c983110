"""A report as SARIF 2.1.0, which code scanning of forges reads."""

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


def sarif(report: Report, prefix: str = "") -> str:
    """The report as a SARIF log with one run.

    Args:
        report: what was found.
        prefix: put before every path, so that it counts from the root of the git repository.
    """
    used = {one.rule for one in report.findings}
    rules = [rule for rule in RULES if rule.id in used]
    positions = {rule.id: position for position, rule in enumerate(rules)}
    again: Counter[str] = Counter()
    results: list[dict[str, Any]] = []
    for one in report.findings:
        what = f"{one.rule}\0{prefix}{one.place.path}\0{one.message}"
        results.append(_result(one, positions[one.rule], prefix, _fingerprint(f"{what}\0{again[what]}")))
        again[what] += 1
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


def _result(one: Finding, position: int, prefix: str, fingerprint: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": position,
        "level": one.severity,
        "message": {"text": one.said},
        "locations": [{"physicalLocation": _location(one.place, prefix)}],
        "partialFingerprints": {_FINGERPRINT: fingerprint},
    }
    if one.asked:
        found["relatedLocations"] = [
            {"id": at, "message": {"text": "asked for here"}, "physicalLocation": _location(place, prefix)}
            for at, place in enumerate(one.asked)
        ]
    return found | ({"properties": {"applications": list(one.applications)}} if one.applications else {})


def _location(place: Place, prefix: str) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": quote(f"{prefix}{place.path}", errors="surrogateescape")},
        "region": {"startLine": place.line, "startColumn": place.column},
    }


def _fingerprint(text: str) -> str:
    """The same finding keeps its fingerprint when lines move."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
