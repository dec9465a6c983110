"""What the AppProjects allow, against what the Applications ask for; and projects that allow too much."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sgm_tui.config.schema import ClusterConfig, Config
from sgm_tui.durations import DurationError, go_seconds
from sgm_tui.fleet.argo.objects import IN_CLUSTER, Application, AppProject, DestinationRule, SyncWindow
from sgm_tui.fleet.argo.schedule import ScheduleError, cron
from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.lint.findings import Finding, Said, Skipped, found, several
from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.marked import Place, place_of

_ASKED = ("project-unknown", "project-source", "project-destination", "project-namespace")
_BLOCKS = "Argo CD blocks every sync it applies to"
_BUILT_IN = "default"
_SHOWN = 3
"""How many Applications a message names."""


def check(repository: ParsedRepository) -> Said:
    """Applications against their projects, then the projects themselves."""
    for problem in repository.argo.malformed:
        yield found("argo-object", problem.place, problem.message)
    if not repository.argo.projects:
        yield Skipped((*_ASKED, "project-wildcard", "project-window"), "no AppProject is in this repository")
        return
    if repository.applications:
        yield from _asked(repository)
    else:
        yield Skipped(_ASKED, "no Application is known")
    for project in repository.argo.projects:
        yield from _windows(project)
        if repository.config is not None:
            yield from _wildcards(project, repository.config)


class _Servers:
    """Names and servers of the declared clusters, either from the other."""

    def __init__(self, repository: ParsedRepository) -> None:
        self._server = {one.name: one.server for one in repository.argo.clusters}
        self._server.setdefault(*IN_CLUSTER)
        self._name = {server: name for name, server in self._server.items()}

    def of(self, one: Application) -> tuple[str, str]:
        """Name and server of an Application's destination, as far as they are known."""
        name = one.destination_name or self._name.get(one.destination_server, "")
        return name, one.destination_server or self._server.get(one.destination_name, "")

    def told(self, one: Application) -> str:
        """What people call the cluster an Application goes to."""
        name, server = self.of(one)
        return name or server


def _asked(repository: ParsedRepository) -> Said:
    """One finding a place and thing that is not allowed, however many Applications ask for it."""
    servers = _Servers(repository)
    refused: dict[tuple[str, Place, str], list[str]] = defaultdict(list)
    outside: dict[tuple[str, tuple[DestinationRule, ...]], list[Application]] = defaultdict(list)
    unseen: dict[str, None] = {}
    for one in repository.applications:
        projects = repository.projects_of(one)
        if len(projects) > 1:
            yield Skipped(_ASKED, f"there are {len(projects)} AppProjects {one.project}, of different hubs")
        elif projects:
            for rule, place, message in _violations(one, projects[0], servers):
                refused[rule, place, message].append(one.name)
            if rules := _rules_it_is_outside_of(one, projects[0], servers):
                outside[projects[0].name, rules].append(one)
        elif not one.project:
            refused["project-unknown", one.project_place, "the Application names no project"].append(one.name)
        elif one.project != _BUILT_IN and repository.missing_projects_reason:
            unseen[one.project] = None
        elif one.project != _BUILT_IN:
            refused["project-unknown", one.project_place, f"there is no AppProject {one.project}"].append(one.name)
    if unseen:
        reason = f"AppProject {several(list(unseen), 3)} is not declared here, and {repository.missing_projects_reason}"
        yield Skipped(("project-unknown",), reason)
    for (rule, place, message), names in refused.items():
        yield found(rule, place, f"{message} ({several(names)})")
    for (name, rules), those in outside.items():
        yield _outside(name, rules, those, servers)


def _violations(one: Application, project: AppProject, servers: _Servers) -> Iterator[tuple[str, Place, str]]:
    for source in one.sources:
        if source.repo_url and not project.allows_source(source.repo_url):
            yield "project-source", source.repo_place, f"project {project.name} does not allow {source.repo_url}"
    name, server = servers.of(one)
    if (name or server) and not project.allows_destination(name, server, None):
        message = f"project {project.name} does not allow cluster {name or server}"
        yield "project-destination", one.destination_place, message


def _rules_it_is_outside_of(one: Application, project: AppProject, servers: _Servers) -> tuple[DestinationRule, ...]:
    """The rules that let an Application onto its cluster and not into its namespace; () where it may go there."""
    name, server = servers.of(one)
    if project.allows_destination(name, server, one.destination_namespace):
        return ()
    return tuple(rule for rule in project.destinations if _alone(project, rule).allows_destination(name, server, None))


def _outside(name: str, rules: Sequence[DestinationRule], those: Sequence[Application], servers: _Servers) -> Finding:
    """One Application is wrong at its own place; where several are, it is the rule that they all meet."""
    wanted = [f"{one.destination_namespace or '(none)'} on {servers.told(one)} ({one.name})" for one in those]
    if len(those) == 1:
        message = f"project {name} does not allow namespace {wanted[0]}"
        return found("project-namespace", those[0].destination_place, message)
    allowed = ", ".join(dict.fromkeys(rule.namespace for rule in rules))
    message = f"project {name} allows {allowed} here, which leaves out {len(those)} Applications"
    made = found("project-namespace", rules[0].place, f"{message}: {several(wanted, _SHOWN)}")
    asked = tuple(dict.fromkeys(one.destination_place for one in those))
    return replace(made, applications=tuple(sorted(clean(one.name) for one in those)), asked=asked)


def _wildcards(project: AppProject, config: Config) -> Iterator[Finding]:
    """A project that reaches a protected stage (the last one, where none is) must not allow everything."""
    protected = [stage for stage in config.stages if stage.protected] or list(config.stages[-1:])
    clusters = [cluster for stage in protected for cluster in stage.clusters]
    if not any(_reaches(project, cluster) for cluster in clusters):
        return
    stage = protected[-1].name
    for pattern in project.source_repos:
        if pattern in {"*", "**"}:
            place = place_of(pattern, project.place.path)
            yield found("project-wildcard", place, f"project {project.name} reaches {stage} from any repository")
    for rule in project.destinations:
        if rule.namespace == "*" and any(_reaches(_alone(project, rule), cluster) for cluster in clusters):
            message = f"project {project.name} reaches every namespace of {stage}"
            yield found("project-wildcard", rule.place, message)


def _alone(project: AppProject, rule: DestinationRule) -> AppProject:
    """The project as it would be with one destination only."""
    return AppProject(project.name, (), (rule,), (), (), None, (), (), project.place)


def _reaches(project: AppProject, cluster: ClusterConfig) -> bool:
    return project.allows_destination(cluster.name, cluster.server, None)


def _windows(project: AppProject) -> Iterator[Finding]:
    for window in project.windows:
        for message in _window_mistakes(window):
            yield found("project-window", window.place, f"project {project.name}: {message}")


def _unreadable(schedule: str) -> str:
    """Why Argo CD cannot read a schedule; "" where it can."""
    try:
        cron(schedule)
    except ScheduleError as error:
        return clean(error)
    return ""


def _window_mistakes(window: SyncWindow) -> Iterator[str]:
    if window.kind not in {"allow", "deny"}:
        yield f"kind is {window.kind or 'missing'}, and has to be allow or deny"
    if reason := _unreadable(window.schedule):
        written = clean(window.schedule) or "(none)"
        yield f"schedule {written} is not five fields of cron as Argo CD reads it: {reason}; {_BLOCKS}"
    try:
        go_seconds(window.duration)
    except DurationError as error:
        yield f"duration {clean(error)}; {_BLOCKS}"
    zones = zoneinfo.available_timezones()
    if window.time_zone and zones and window.time_zone not in zones | {"Local"}:
        yield f"there is no time zone {window.time_zone}"
    if not (window.applications or window.namespaces or window.clusters):
        yield "it applies to nothing: give applications, namespaces or clusters"
