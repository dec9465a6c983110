"""Check ApplicationSets and Applications: templates, generators, names, paths and destinations."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from sgm_tui.fleet.argo.application_sets.context import Problem
from sgm_tui.fleet.argo.application_sets.expansion import Expansion
from sgm_tui.fleet.argo.objects import IN_CLUSTER, Application, Source
from sgm_tui.fleet.argo.values_files import value_paths
from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.lint.findings import Finding, Results, Skipped, abbreviate, make_finding
from sgm_tui.yaml_reader.marked import Marked, Place

_SET_RULES = ("applicationset-template", "applicationset-generator", "applicationset-empty")
_RULES = ("application-clash", "application-name", "application-path", "application-cluster", "values-unused")
_REVISION_RULES = ("application-path", "values-unread", "project-kind")
_KIND_RULES = {
    "template": "applicationset-template",
    "generator": "applicationset-generator",
    "empty": "applicationset-empty",
    "malformed": "argo-object",
}
_MANY = 4
"""So many selectors are reported as one finding."""
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")


def check(repository: ParsedRepository) -> Results:
    """Check every ApplicationSet, then all Applications together."""
    if not repository.argo.sets:
        yield Skipped(_SET_RULES, "no ApplicationSet is in this repository")
    if repository.placeholder_files:
        yield Skipped(
            _RULES, f"{abbreviate(sorted(set(repository.placeholder_files)), 3)}: names are still to be filled in"
        )
    yield from _check_selectors(repository)
    unsupported: dict[str, dict[str, None]] = defaultdict(dict)
    for application_set, expansion in repository.expansions:
        yield from _check_expansion(expansion)
        for reason in expansion.unsupported:
            unsupported[reason][application_set.name] = None
    for reason, sets in unsupported.items():
        yield Skipped((*_SET_RULES, *_RULES), f"ApplicationSet {abbreviate(list(sets), 3)} is not expanded: {reason}")
    if not repository.applications:
        yield Skipped(_RULES, "no Application is known")
        return
    yield from _check_names(repository)
    yield from _check_revisions(repository)
    yield from _check_paths(repository)
    yield from _check_clusters(repository)
    yield from _find_unused_files(repository)


def _check_selectors(repository: ParsedRepository) -> Iterator[Finding]:
    """Find selectors that match no declared cluster; many are one note, since clusters may be declared elsewhere."""
    places = list(
        dict.fromkeys(
            problem.place
            for _, expansion in repository.expansions
            for problem in expansion.problems
            if _is_cluster_selector(problem)
        )
    )
    if not places:
        return
    count = len(repository.argo.clusters)
    message = f"the selector fits none of the {count} declared clusters"
    if len(places) < _MANY:
        yield from (make_finding("applicationset-empty", place, message) for place in places)
        return
    message = f"{len(places)} selectors fit none of the {count} clusters that are declared here"
    fix = "Declare the others here too, unless they are declared elsewhere."
    note = make_finding("applicationset-empty", repository.argo.clusters[0].place, message, fix, severity="note")
    yield replace(note, related=tuple(places))


def _is_cluster_selector(problem: Problem) -> bool:
    return problem.kind == "empty" and problem.generator == "clusters"


def _check_expansion(expansion: Expansion) -> Iterator[Finding]:
    """Yield one finding for the same problem with several clusters, and one for each generator without results."""
    grouped: dict[tuple[str, Place, str], list[Problem]] = defaultdict(list)
    for problem in expansion.problems:
        if _is_cluster_selector(problem):
            continue
        same = "" if problem.kind == "empty" else problem.message
        grouped[_KIND_RULES[problem.kind], problem.place, same].append(problem)
    for (rule, place, _), problems in grouped.items():
        subjects = [one.subject for one in problems if one.subject]
        message = problems[0].message
        yield make_finding(rule, place, f"{message} (for {abbreviate(subjects)})" if subjects else message)


def _check_names(repository: ParsedRepository) -> Iterator[Finding]:
    """Find invalid names, and names used twice in one ApplicationSet or in one folder, which one hub gets as a whole.

    The same name in two folders may be for two hubs.
    """
    by_name: dict[tuple[str, str, str], list[Application]] = defaultdict(list)
    for application in repository.applications:
        folder = posixpath.dirname(application.place.path)
        by_name[folder, application.namespace, application.name].append(application)
    clashes: dict[tuple[Place, str], list[str]] = defaultdict(list)
    for (_, _, name), group in by_name.items():
        if len(group) > 1:
            first, second = group[0], group[-1]
            other = "" if first.place == second.place else f", also made in {first.place.path}:{first.place.line}"
            clashes[second.place, other].append(name)
    for (place, other), names in clashes.items():
        yield make_finding("application-clash", place, f"{abbreviate(names)}: there is more than one{other}")
    for application in repository.applications:
        if application.name and not _NAME.fullmatch(application.name):
            yield make_finding(
                "application-name", application.place, f"{application.name} is not a valid Kubernetes name"
            )


def _check_revisions(repository: ParsedRepository) -> Results:
    """Skip Applications that read this repository at another revision: its files there may differ from these."""
    elsewhere: dict[str, dict[str, None]] = defaultdict(dict)
    for application in repository.applications:
        for source in application.sources:
            if repository.is_this_repository(source.repo_url) and not repository.is_current_revision(source.revision):
                elsewhere[source.revision][application.name] = None
    for revision, names in elsewhere.items():
        yield Skipped(_REVISION_RULES, f"{abbreviate(list(names), 3)}: this repository is read at {revision}")


def _check_paths(repository: ParsedRepository) -> Results:
    if not any(
        repository.is_this_repository(source.repo_url)
        for application in repository.applications
        for source in application.sources
    ):
        yield Skipped(("application-path",), "no Application reads the repository sgm.yaml names")
    missing: dict[Place, list[str]] = defaultdict(list)
    for application in repository.applications:
        for source in application.sources:
            if (
                source.path
                and not source.chart
                and repository.reads_these_files(source)
                and _is_missing(repository, source.path)
            ):
                missing[source.place].append(source.path)
        for source, path in repository.value_files(application):
            absent = path not in repository.checkout.files and path not in repository.checkout.links
            if absent and not source.ignore_missing:
                missing[_value_file_place(source)].append(path)
    for place, paths in missing.items():
        different = list(dict.fromkeys(paths))
        verb = "do" if len(different) > 1 else "does"
        yield make_finding("application-path", place, f"{abbreviate(different)} {verb} not exist")


def _is_missing(repository: ParsedRepository, source_path: str) -> bool:
    path = "/".join(part for part in source_path.split("/") if part not in {"", "."})
    return bool(path) and path not in repository.directories and path not in repository.checkout.files


def _value_file_place(source: Source) -> Place:
    """Return the place of a source's first values file."""
    file = next((one for one in source.value_files if isinstance(one, Marked)), None)
    return Place(source.place.path, file.line, file.column) if file is not None else source.place


def _check_clusters(repository: ParsedRepository) -> Results:
    if not repository.argo.clusters:
        yield Skipped(("application-cluster",), "no cluster is declared in this repository")
        return
    names = {cluster.name for cluster in repository.argo.clusters} | {IN_CLUSTER[0]}
    servers = {cluster.server for cluster in repository.argo.clusters} | {IN_CLUSTER[1]}
    unknown: dict[tuple[Place, str], list[str]] = defaultdict(list)
    for application in repository.applications:
        if application.destination_name and application.destination_name not in names:
            unknown[application.destination_place, f"there is no cluster {application.destination_name}"].append(
                application.name
            )
        elif application.destination_server and application.destination_server not in servers:
            unknown[application.destination_place, f"there is no cluster at {application.destination_server}"].append(
                application.name
            )
    for (place, message), applications in unknown.items():
        yield make_finding("application-cluster", place, f"{message} ({abbreviate(applications)})")


def _find_unused_files(repository: ParsedRepository) -> Results:
    """Find values files of the layout that no Application reads."""
    used = {path for one in repository.applications for _, path in repository.value_files(one)}
    used |= {
        path
        for application in repository.applications
        for _, path in value_paths(application, lambda at: repository.is_this_repository(at.repo_url))
    }
    folders = {
        source.path.strip("/")
        for application in repository.applications
        for source in application.sources
        if source.path and repository.is_this_repository(source.repo_url)
    }

    def reads(path: str) -> bool:
        parts = path.split("/")
        return path in used or any("/".join(parts[:end]) in folders for end in range(1, len(parts)))

    if not repository.is_fully_expanded or not any(reads(path) for path in repository.cells_by_file):
        yield Skipped(("values-unused",), "not every Application that reads values files is known")
        return
    for path in sorted(repository.cells_by_file):
        if not reads(path):
            yield make_finding("values-unused", Place(path), "no Application reads this file")
