"""Compare the Applications with what their AppProjects allow; find projects that allow too much."""

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
from sgm_tui.lint.findings import Finding, Results, Skipped, abbreviate, make_finding
from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.marked import Place, place_of

_APPLICATION_RULES = ("project-unknown", "project-source", "project-destination", "project-namespace")
_BLOCKS = "Argo CD blocks every sync it applies to"
_BUILT_IN = "default"
_SHOWN = 3
"""At most so many Applications are named in a message."""


def check(repository: ParsedRepository) -> Results:
    """Check the Applications against their projects, then the projects themselves."""
    for problem in repository.argo.malformed:
        yield make_finding("argo-object", problem.place, problem.message)
    if not repository.argo.projects:
        yield Skipped(
            (*_APPLICATION_RULES, "project-wildcard", "project-window"), "no AppProject is in this repository"
        )
        return
    if repository.applications:
        yield from _check_applications(repository)
    else:
        yield Skipped(_APPLICATION_RULES, "no Application is known")
    for project in repository.argo.projects:
        yield from _check_windows(project)
        if repository.config is not None:
            yield from _check_wildcards(project, repository.config)


class _Servers:
    """Names and servers of the declared clusters; finds one by the other."""

    def __init__(self, repository: ParsedRepository) -> None:
        self._server = {cluster.name: cluster.server for cluster in repository.argo.clusters}
        self._server.setdefault(*IN_CLUSTER)
        self._name = {server: name for name, server in self._server.items()}

    def of(self, application: Application) -> tuple[str, str]:
        """Return name and server of an Application's destination, "" for what is unknown."""
        name = application.destination_name or self._name.get(application.destination_server, "")
        return name, application.destination_server or self._server.get(application.destination_name, "")

    def label(self, application: Application) -> str:
        """Return the name of the cluster an Application deploys to, or its server if the name is unknown."""
        name, server = self.of(application)
        return name or server


def _check_applications(repository: ParsedRepository) -> Results:
    """Yield one finding for each place and thing that is not allowed, however many Applications ask for it."""
    servers = _Servers(repository)
    refused: dict[tuple[str, Place, str], list[str]] = defaultdict(list)
    outside: dict[tuple[str, tuple[DestinationRule, ...]], list[Application]] = defaultdict(list)
    unseen: dict[str, None] = {}
    for application in repository.applications:
        projects = repository.projects_of(application)
        if len(projects) > 1:
            yield Skipped(
                _APPLICATION_RULES, f"there are {len(projects)} AppProjects {application.project}, of different hubs"
            )
        elif projects:
            for rule, place, message in _find_violations(application, projects[0], servers):
                refused[rule, place, message].append(application.name)
            if rules := _rules_excluding_namespace(application, projects[0], servers):
                outside[projects[0].name, rules].append(application)
        elif not application.project:
            message = "the Application names no project"
            refused["project-unknown", application.project_place, message].append(application.name)
        elif application.project != _BUILT_IN and repository.missing_projects_reason:
            unseen[application.project] = None
        elif application.project != _BUILT_IN:
            message = f"there is no AppProject {application.project}"
            refused["project-unknown", application.project_place, message].append(application.name)
    if unseen:
        reason = (
            f"AppProject {abbreviate(list(unseen), 3)} is not declared here, and {repository.missing_projects_reason}"
        )
        yield Skipped(("project-unknown",), reason)
    for (rule, place, message), refused_names in refused.items():
        yield make_finding(rule, place, f"{message} ({abbreviate(refused_names)})")
    for (name, rules), applications in outside.items():
        yield _explain_namespace(name, rules, applications, servers)


def _find_violations(
    application: Application, project: AppProject, servers: _Servers
) -> Iterator[tuple[str, Place, str]]:
    for source in application.sources:
        if source.repo_url and not project.allows_source(source.repo_url):
            yield "project-source", source.repo_place, f"project {project.name} does not allow {source.repo_url}"
    name, server = servers.of(application)
    if (name or server) and not project.allows_destination(name, server, None):
        message = f"project {project.name} does not allow cluster {name or server}"
        yield "project-destination", application.destination_place, message


def _rules_excluding_namespace(
    application: Application, project: AppProject, servers: _Servers
) -> tuple[DestinationRule, ...]:
    """Return the rules that allow an Application's cluster but not its namespace; () if its destination is allowed."""
    name, server = servers.of(application)
    if project.allows_destination(name, server, application.destination_namespace):
        return ()
    return tuple(
        rule for rule in project.destinations if _with_only(project, rule).allows_destination(name, server, None)
    )


def _explain_namespace(
    name: str, rules: Sequence[DestinationRule], refused: Sequence[Application], servers: _Servers
) -> Finding:
    """Return the finding for a refused namespace: at the Application, or at the rule if several are refused."""
    destinations = [
        f"{application.destination_namespace or '(none)'} on {servers.label(application)} ({application.name})"
        for application in refused
    ]
    if len(refused) == 1:
        message = f"project {name} does not allow namespace {destinations[0]}"
        return make_finding("project-namespace", refused[0].destination_place, message)
    allowed = ", ".join(dict.fromkeys(rule.namespace for rule in rules))
    message = f"project {name} allows {allowed} here, which leaves out {len(refused)} Applications"
    result = make_finding("project-namespace", rules[0].place, f"{message}: {abbreviate(destinations, _SHOWN)}")
    places = tuple(dict.fromkeys(application.destination_place for application in refused))
    return replace(
        result,
        applications=tuple(sorted(clean(application.name) for application in refused)),
        related=places,
    )


def _check_wildcards(project: AppProject, config: Config) -> Iterator[Finding]:
    """Find wildcards in a project that reaches a protected stage, or the last stage if none is protected."""
    protected = [stage for stage in config.stages if stage.protected] or list(config.stages[-1:])
    clusters = [cluster for stage in protected for cluster in stage.clusters]
    if not any(_reaches(project, cluster) for cluster in clusters):
        return
    stage = protected[-1].name
    for pattern in project.source_repos:
        if pattern in {"*", "**"}:
            place = place_of(pattern, project.place.path)
            yield make_finding("project-wildcard", place, f"project {project.name} reaches {stage} from any repository")
    for rule in project.destinations:
        if rule.namespace == "*" and any(_reaches(_with_only(project, rule), cluster) for cluster in clusters):
            message = f"project {project.name} reaches every namespace of {stage}"
            yield make_finding("project-wildcard", rule.place, message)


def _with_only(project: AppProject, rule: DestinationRule) -> AppProject:
    """Return the project with one destination only."""
    return AppProject(project.name, (), (rule,), (), (), None, (), (), project.place)


def _reaches(project: AppProject, cluster: ClusterConfig) -> bool:
    return project.allows_destination(cluster.name, cluster.server, None)


def _check_windows(project: AppProject) -> Iterator[Finding]:
    for window in project.windows:
        for message in _find_window_mistakes(window):
            yield make_finding("project-window", window.place, f"project {project.name}: {message}")


def _reason_unreadable(schedule: str) -> str:
    """Return why Argo CD cannot read a schedule; "" if it can."""
    try:
        cron(schedule)
    except ScheduleError as error:
        return clean(error)
    return ""


def _find_window_mistakes(window: SyncWindow) -> Iterator[str]:
    if window.kind not in {"allow", "deny"}:
        yield f"kind is {window.kind or 'missing'}, and has to be allow or deny"
    if reason := _reason_unreadable(window.schedule):
        shown = clean(window.schedule) or "(none)"
        yield f"schedule {shown} is not five fields of cron as Argo CD reads it: {reason}; {_BLOCKS}"
    try:
        go_seconds(window.duration)
    except DurationError as error:
        yield f"duration {clean(error)}; {_BLOCKS}"
    zones = zoneinfo.available_timezones()
    if window.time_zone and zones and window.time_zone not in zones | {"Local"}:
        yield f"there is no time zone {window.time_zone}"
    if not (window.applications or window.namespaces or window.clusters):
        yield "it applies to nothing: give applications, namespaces or clusters"
