"""Check what an AppProject allows: sources, destinations and kinds; refusals in Argo CD's words (protocols §A10)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

KubeObject = dict[str, Any]


def sources_of(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the sources of an Application; `sources` takes precedence over `source`."""
    several = spec.get("sources")
    if several:
        return list(several)
    return [spec["source"]] if spec.get("source") else []


def violation(application: KubeObject, project: KubeObject | None, clusters: Mapping[str, str]) -> str:
    """Return why an Application is refused, else ""; `clusters` maps the clusters of Argo CD to their servers."""
    spec = application.get("spec") or {}
    malformed = _malformed(spec)
    if malformed:
        return malformed
    if project is None:
        return f"Application referencing project {spec.get('project', '')} which does not exist"
    destination = spec["destination"]
    name = destination.get("name", "")
    if name and name not in clusters:
        return f"there are no clusters with this name: {name}"
    rules = project["spec"]
    for source in sources_of(spec):
        if not source_allowed(rules.get("sourceRepos") or (), source["repoURL"]):
            return f"application repo {source['repoURL']} is not permitted in project '{spec['project']}'"
    if not _destination_allowed(rules.get("destinations") or (), destination, clusters):
        where = destination.get("server") or name
        return (
            f"application destination server '{where}' and namespace '{destination.get('namespace', '')}' "
            f"do not match any of the allowed destinations in project '{spec['project']}'"
        )
    return ""


def _malformed(spec: Mapping[str, Any]) -> str:
    """Return what an Application lacks before it can be checked."""
    destination = spec.get("destination") or {}
    if not destination.get("name") and not destination.get("server"):
        return "Destination server missing from app spec"
    sources = sources_of(spec)
    complete = all(one.get("repoURL") and (one.get("path") or one.get("chart") or one.get("ref")) for one in sources)
    if not sources or not complete:
        return "spec.source.repoURL and either spec.source.path, spec.source.chart, or spec.source.ref are required"
    return ""


def kind_allowed(project: KubeObject, group: str, kind: str, *, namespaced: bool) -> bool:
    """Return whether a project allows objects of a kind."""
    rules = project["spec"]

    def listed(name: str) -> bool:
        return any(
            fnmatch.fnmatchcase(group, rule.get("group", "")) and fnmatch.fnmatchcase(kind, rule.get("kind", ""))
            for rule in rules.get(name) or ()
        )

    if namespaced:
        allowed = rules.get("namespaceResourceWhitelist") is None or listed("namespaceResourceWhitelist")
        return allowed and not listed("namespaceResourceBlacklist")
    return listed("clusterResourceWhitelist") and not listed("clusterResourceBlacklist")


def source_allowed(patterns: Sequence[str], url: str) -> bool:
    """Return whether `sourceRepos` allows a URL: a `!` that matches denies, the pattern `*` allows everything."""
    normalized = _normalized(url)
    return _allowed(patterns, lambda pattern: pattern == "*" or _glob(_normalized(pattern), normalized))


def _destination_allowed(
    rules: Sequence[Mapping[str, Any]], destination: Mapping[str, Any], clusters: Mapping[str, str]
) -> bool:
    name = destination.get("name", "")
    server = destination.get("server") or clusters.get(name, "")
    name = name or next((known for known, url in clusters.items() if url == server), "")
    for rule in rules:
        cluster = (rule.get("server") and _matches(rule["server"], server)) or (
            rule.get("name") and _matches(rule["name"], name)
        )
        if cluster and _matches(rule.get("namespace", "*"), destination.get("namespace", "")):
            return True
    return False


def _matches(pattern: str, value: str) -> bool:
    if pattern.startswith("!"):
        return not fnmatch.fnmatchcase(value, pattern[1:])
    return fnmatch.fnmatchcase(value, pattern)


def _allowed(patterns: Sequence[str], matches: Callable[[str], bool]) -> bool:
    permitted = False
    for pattern in patterns:
        if not pattern.startswith("!"):
            permitted = permitted or matches(pattern)
        elif matches(pattern[1:]):
            return False
        else:
            permitted = True
    return permitted


def _normalized(url: str) -> str:
    return url.lower().removesuffix(".git")


def _glob(pattern: str, url: str) -> bool:
    """Return whether a glob matches; `*` stays inside a path segment, `**` does not."""
    expression = "".join(
        {"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
        for part in re.split(r"(\*\*|\*|\?)", pattern)
    )
    return re.fullmatch(expression, url) is not None
