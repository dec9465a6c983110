"""What ApplicationSets make: failing templates, generators that find nothing, names twice, paths that are not there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from sgm_tui.gitops.applicationset import Expansion, Problem
from sgm_tui.gitops.argo_objects import IN_CLUSTER, Application, Source, value_paths
from sgm_tui.gitops.lint.findings import Finding, Said, Skipped, found, several
from sgm_tui.gitops.lint.subject import Subject
from sgm_tui.gitops.marked import Marked, Place

_SET_RULES = ("applicationset-template", "applicationset-generator", "applicationset-empty")
_RULES = ("application-clash", "application-name", "application-path", "application-cluster", "values-unused")
_KIND_RULES = {
    "template": "applicationset-template",
    "generator": "applicationset-generator",
    "empty": "applicationset-empty",
    "malformed": "argo-object",
}
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")


def check(subject: Subject) -> Said:
    """Every ApplicationSet, then all Applications together."""
    if not subject.argo.sets:
        yield Skipped(_SET_RULES, "no ApplicationSet is in this repository")
    unsupported: dict[str, dict[str, None]] = defaultdict(dict)
    for one, expansion in subject.expansions:
        yield from _problems(expansion)
        for reason in expansion.unsupported:
            unsupported[reason][one.name] = None
    for reason, sets in unsupported.items():
        yield Skipped((*_SET_RULES, *_RULES), f"ApplicationSet {several(list(sets), 3)} is not expanded: {reason}")
    if not subject.applications:
        yield Skipped(_RULES, "no Application is known")
        return
    yield from _names(subject)
    yield from _paths(subject)
    yield from _clusters(subject)
    yield from _unused(subject)


def _problems(expansion: Expansion) -> Iterator[Finding]:
    """The same mistake for several clusters is one finding; so is every search of one generator that found nothing."""
    grouped: dict[tuple[str, Place, str], list[Problem]] = defaultdict(list)
    for problem in expansion.problems:
        same = "" if problem.kind == "empty" else problem.message
        grouped[_KIND_RULES[problem.kind], problem.place, same].append(problem)
    for (rule, place, _), problems in grouped.items():
        named = [one.subject for one in problems if one.subject]
        message = problems[0].message
        yield found(rule, place, f"{message} (for {several(named)})" if named else message)


def _names(subject: Subject) -> Iterator[Finding]:
    known: dict[tuple[str, str], list[Application]] = defaultdict(list)
    for one in subject.applications:
        known[one.namespace, one.name].append(one)
    clashes: dict[tuple[Place, str], list[str]] = defaultdict(list)
    for (_, name), group in known.items():
        if len(group) > 1:
            first, second = group[0], group[-1]
            other = "" if first.place == second.place else f", also made in {first.place.path}:{first.place.line}"
            clashes[second.place, other].append(name)
    for (place, other), names in clashes.items():
        yield found("application-clash", place, f"{several(names)}: there is more than one{other}")
    for one in subject.applications:
        if one.name and not _NAME.fullmatch(one.name):
            yield found("application-name", one.place, f"{one.name} is no name Kubernetes takes")


def _paths(subject: Subject) -> Said:
    if not any(subject.ours(source.repo_url) for one in subject.applications for source in one.sources):
        yield Skipped(("application-path",), "no Application reads the repository sgm.yaml names")
    missing: dict[Place, list[str]] = defaultdict(list)
    for one in subject.applications:
        for source in one.sources:
            if source.path and not source.chart and subject.ours(source.repo_url) and _absent(subject, source.path):
                missing[source.place].append(source.path)
        for source, path in value_paths(one, subject.ours):
            absent = path not in subject.checkout.files and path not in subject.checkout.links
            if absent and not source.ignore_missing:
                missing[_value_file_place(source)].append(path)
    for place, paths in missing.items():
        different = list(dict.fromkeys(paths))
        verb = "do" if len(different) > 1 else "does"
        yield found("application-path", place, f"{several(different)} {verb} not exist")


def _absent(subject: Subject, written: str) -> bool:
    path = "/".join(part for part in written.split("/") if part not in {"", "."})
    return bool(path) and path not in subject.directories and path not in subject.checkout.files


def _value_file_place(source: Source) -> Place:
    """The list of values files stands right below the path."""
    file = next((one for one in source.value_files if isinstance(one, Marked)), None)
    return Place(source.place.path, file.line, file.column) if file is not None else source.place


def _clusters(subject: Subject) -> Said:
    if not subject.argo.clusters:
        yield Skipped(("application-cluster",), "no cluster is declared in this repository")
        return
    names = {one.name for one in subject.argo.clusters} | {IN_CLUSTER[0]}
    servers = {one.server for one in subject.argo.clusters} | {IN_CLUSTER[1]}
    unknown: dict[tuple[Place, str], list[str]] = defaultdict(list)
    for one in subject.applications:
        if one.destination_name and one.destination_name not in names:
            unknown[one.destination_place, f"there is no cluster {one.destination_name}"].append(one.name)
        elif one.destination_server and one.destination_server not in servers:
            unknown[one.destination_place, f"there is no cluster at {one.destination_server}"].append(one.name)
    for (place, message), applications in unknown.items():
        yield found("application-cluster", place, f"{message} ({several(applications)})")


def _unused(subject: Subject) -> Said:
    """Values files of the layout that no Application reads."""
    used = {path for one in subject.applications for _, path in value_paths(one, subject.ours)}
    folders = {
        source.path.strip("/")
        for one in subject.applications
        for source in one.sources
        if source.path and subject.ours(source.repo_url)
    }

    def reads(path: str) -> bool:
        parts = path.split("/")
        return path in used or any("/".join(parts[:end]) in folders for end in range(1, len(parts)))

    if not subject.whole or not any(reads(path) for path in subject.cells_of):
        yield Skipped(("values-unused",), "not every Application that reads values files is known")
        return
    for path in sorted(subject.cells_of):
        if not reads(path):
            yield found("values-unused", Place(path), "no Application reads this file")
