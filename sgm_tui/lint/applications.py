"""What ApplicationSets make: failing templates, generators that find nothing, names twice, paths that are not there."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from sgm_tui.fleet.argo.application_sets import Expansion, Problem
from sgm_tui.fleet.argo.objects import IN_CLUSTER, Application, Source, value_paths
from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.lint.findings import Finding, Said, Skipped, found, several
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
"""So many of one kind are one finding."""
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")


def check(repository: ParsedRepository) -> Said:
    """Every ApplicationSet, then all Applications together."""
    if not repository.argo.sets:
        yield Skipped(_SET_RULES, "no ApplicationSet is in this repository")
    if repository.placeholder_files:
        yield Skipped(
            _RULES, f"{several(sorted(set(repository.placeholder_files)), 3)}: names are still to be filled in"
        )
    yield from _selectors(repository)
    unsupported: dict[str, dict[str, None]] = defaultdict(dict)
    for one, expansion in repository.expansions:
        yield from _problems(expansion)
        for reason in expansion.unsupported:
            unsupported[reason][one.name] = None
    for reason, sets in unsupported.items():
        yield Skipped((*_SET_RULES, *_RULES), f"ApplicationSet {several(list(sets), 3)} is not expanded: {reason}")
    if not repository.applications:
        yield Skipped(_RULES, "no Application is known")
        return
    yield from _names(repository)
    yield from _revisions(repository)
    yield from _paths(repository)
    yield from _clusters(repository)
    yield from _unused(repository)


def _selectors(repository: ParsedRepository) -> Iterator[Finding]:
    """Selectors that fit no declared cluster; where most do not, the clusters are declared elsewhere: one note."""
    places = list(
        dict.fromkeys(one.place for _, made in repository.expansions for one in made.problems if _of_cluster(one))
    )
    if not places:
        return
    count = len(repository.argo.clusters)
    message = f"the selector fits none of the {count} declared clusters"
    if len(places) < _MANY:
        yield from (found("applicationset-empty", place, message) for place in places)
        return
    message = f"{len(places)} selectors fit none of the {count} clusters that are declared here"
    fix = "Declare the others here too, unless they are declared elsewhere."
    note = found("applicationset-empty", repository.argo.clusters[0].place, message, fix, severity="note")
    yield replace(note, asked=tuple(places))


def _of_cluster(problem: Problem) -> bool:
    return problem.kind == "empty" and problem.generator == "clusters"


def _problems(expansion: Expansion) -> Iterator[Finding]:
    """The same mistake for several clusters is one finding; so is every search of one generator that found nothing."""
    grouped: dict[tuple[str, Place, str], list[Problem]] = defaultdict(list)
    for problem in expansion.problems:
        if _of_cluster(problem):
            continue
        same = "" if problem.kind == "empty" else problem.message
        grouped[_KIND_RULES[problem.kind], problem.place, same].append(problem)
    for (rule, place, _), problems in grouped.items():
        named = [one.subject for one in problems if one.subject]
        message = problems[0].message
        yield found(rule, place, f"{message} (for {several(named)})" if named else message)


def _names(repository: ParsedRepository) -> Iterator[Finding]:
    """Names that clash for certain: in one ApplicationSet, or in one folder, which one hub gets as a whole.

    The same name in two folders may be meant for two hubs.
    """
    known: dict[tuple[str, str, str], list[Application]] = defaultdict(list)
    for one in repository.applications:
        known[posixpath.dirname(one.place.path), one.namespace, one.name].append(one)
    clashes: dict[tuple[Place, str], list[str]] = defaultdict(list)
    for (_, _, name), group in known.items():
        if len(group) > 1:
            first, second = group[0], group[-1]
            other = "" if first.place == second.place else f", also made in {first.place.path}:{first.place.line}"
            clashes[second.place, other].append(name)
    for (place, other), names in clashes.items():
        yield found("application-clash", place, f"{several(names)}: there is more than one{other}")
    for one in repository.applications:
        if one.name and not _NAME.fullmatch(one.name):
            yield found("application-name", one.place, f"{one.name} is not a valid Kubernetes name")


def _revisions(repository: ParsedRepository) -> Said:
    """Applications that read this repository at another revision: its files there are not these."""
    elsewhere: dict[str, dict[str, None]] = defaultdict(dict)
    for one in repository.applications:
        for source in one.sources:
            if repository.is_this_repository(source.repo_url) and not repository.is_current_revision(source.revision):
                elsewhere[source.revision][one.name] = None
    for revision, names in elsewhere.items():
        yield Skipped(_REVISION_RULES, f"{several(list(names), 3)}: this repository is read at {revision}")


def _paths(repository: ParsedRepository) -> Said:
    if not any(
        repository.is_this_repository(source.repo_url) for one in repository.applications for source in one.sources
    ):
        yield Skipped(("application-path",), "no Application reads the repository sgm.yaml names")
    missing: dict[Place, list[str]] = defaultdict(list)
    for one in repository.applications:
        for source in one.sources:
            if (
                source.path
                and not source.chart
                and repository.reads_these_files(source)
                and _absent(repository, source.path)
            ):
                missing[source.place].append(source.path)
        for source, path in repository.value_files(one):
            absent = path not in repository.checkout.files and path not in repository.checkout.links
            if absent and not source.ignore_missing:
                missing[_value_file_place(source)].append(path)
    for place, paths in missing.items():
        different = list(dict.fromkeys(paths))
        verb = "do" if len(different) > 1 else "does"
        yield found("application-path", place, f"{several(different)} {verb} not exist")


def _absent(repository: ParsedRepository, written: str) -> bool:
    path = "/".join(part for part in written.split("/") if part not in {"", "."})
    return bool(path) and path not in repository.directories and path not in repository.checkout.files


def _value_file_place(source: Source) -> Place:
    """The list of values files stands right below the path."""
    file = next((one for one in source.value_files if isinstance(one, Marked)), None)
    return Place(source.place.path, file.line, file.column) if file is not None else source.place


def _clusters(repository: ParsedRepository) -> Said:
    if not repository.argo.clusters:
        yield Skipped(("application-cluster",), "no cluster is declared in this repository")
        return
    names = {one.name for one in repository.argo.clusters} | {IN_CLUSTER[0]}
    servers = {one.server for one in repository.argo.clusters} | {IN_CLUSTER[1]}
    unknown: dict[tuple[Place, str], list[str]] = defaultdict(list)
    for one in repository.applications:
        if one.destination_name and one.destination_name not in names:
            unknown[one.destination_place, f"there is no cluster {one.destination_name}"].append(one.name)
        elif one.destination_server and one.destination_server not in servers:
            unknown[one.destination_place, f"there is no cluster at {one.destination_server}"].append(one.name)
    for (place, message), applications in unknown.items():
        yield found("application-cluster", place, f"{message} ({several(applications)})")


def _unused(repository: ParsedRepository) -> Said:
    """Values files of the layout that no Application reads."""
    used = {path for one in repository.applications for _, path in repository.value_files(one)}
    used |= {
        path
        for one in repository.applications
        for _, path in value_paths(one, lambda at: repository.is_this_repository(at.repo_url))
    }
    folders = {
        source.path.strip("/")
        for one in repository.applications
        for source in one.sources
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
            yield found("values-unused", Place(path), "no Application reads this file")
