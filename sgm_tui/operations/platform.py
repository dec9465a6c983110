"""What a commit of the repository says of Argo CD: the Application of every cell, its project, and its windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sgm_tui.config.schema import Config
from sgm_tui.fleet.argo.objects import IN_CLUSTER, Application, AppProject
from sgm_tui.fleet.argo.schedule import ScheduleError
from sgm_tui.fleet.argo.windows import Window, applies_to, read_window
from sgm_tui.fleet.facts import Application as Live
from sgm_tui.fleet.gates.evidence import ProjectPermission
from sgm_tui.fleet.model import CellKey
from sgm_tui.gitops.parsed_repository import Checkout, ParsedRepository
from sgm_tui.live.naming import Naming
from sgm_tui.untrusted_text import clean

_BUILT_IN = "default"
"""The project Argo CD makes by itself."""


@dataclass(frozen=True, slots=True)
class Project:
    """An AppProject as somebody has it."""

    name: str
    value: AppProject | None
    """None: there is none of that name."""
    place: str = "in git"
    """Where it was looked for, as a sentence says it."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an Application deploys to, with name and server as far as either is known."""

    name: str
    server: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Platform:
    """The Applications and projects of one commit."""

    applications: Mapping[CellKey, Application] = field(default_factory=dict)
    projects: Mapping[str, AppProject] = field(default_factory=dict)
    servers: Mapping[str, str] = field(default_factory=dict)
    """Cluster name → API server, as Argo CD knows them."""
    ours: Callable[[str], bool] = lambda _: False
    """Whether a repository URL means the repository that was read."""

    def project_name(self, key: CellKey, live: Live | None) -> str:
        """The project of a cell's Application, as git wants it, else as Argo CD has it; "" when neither is known."""
        application = self.applications.get(key)
        return application.project if application is not None else live.project if live is not None else ""

    def admission(self, key: CellKey, project_read: Project) -> ProjectPermission:
        """Whether its project lets the cell's Application be what it is (protocols A10)."""
        application, project = self.applications.get(key), project_read.value
        if application is None:
            return ProjectPermission(None, f"no Application of {key} is found in git")
        if project is None:
            if application.project == _BUILT_IN:
                return ProjectPermission(None, f"project default is not {project_read.place}")
            return ProjectPermission(
                False, f"there is no AppProject {clean(application.project) or '(none named)'} {project_read.place}"
            )
        refusal = next(_refusals(application, project, self.destination(application)), "")
        return ProjectPermission(not refusal, refusal or f"project {project.name} allows it")

    def windows(self, key: CellKey, project_read: Project, live: Live | None = None) -> tuple[Window, ...] | str:
        """The sync windows of its project that speak of the cell's Application, or why they are not known.

        `live` is the Application as Argo CD has it: it counts where no ApplicationSet that is understood makes it.
        """
        application = self.applications.get(key)
        if application is not None:
            name, destination = application.name, self.destination(application)
        elif live is not None and live.project:
            name, destination = live.name, self._placed(live.destination, live.destination_namespace)
        else:
            return f"no Application of {key} is found, so its sync windows are unknown"
        project = project_read.value
        if project is None:
            shown = clean(project_read.name) or "(none)"
            return f"project {shown} is not {project_read.place}, so its sync windows are unknown"
        cluster = (destination.name, destination.server)
        try:
            return tuple(
                read_window(window)
                for window in project.windows
                if applies_to(window, name, destination.namespace, cluster)
            )
        except ScheduleError as error:
            return f"a sync window of project {project.name} cannot be read: {clean(error)}"

    def destination(self, application: Application) -> Destination:
        """The destination of an Application, name and server from one another."""
        return self._placed(
            application.destination_name or application.destination_server, application.destination_namespace
        )

    def _placed(self, where: str, namespace: str) -> Destination:
        names = {server: name for name, server in self.servers.items()}
        if where in self.servers or "://" not in where:
            return Destination(where, self.servers.get(where, ""), namespace)
        return Destination(names.get(where, ""), where, namespace)


def read_platform(files: Mapping[str, bytes], config: Config) -> Platform:
    """Read every Argo CD object of a repository; ApplicationSets become the Applications they make."""
    repository, naming = ParsedRepository(Checkout(files), config), Naming(config)
    applications: dict[CellKey, Application] = {}
    for application in repository.applications:
        service, where = (
            application.labels.get("service", ""),
            application.destination_name or application.destination_server,
        )
        key = naming.of_application(
            application.name, service=service, destination=where, namespace=application.destination_namespace
        )
        if key is not None:
            applications.setdefault(key, application)
    servers = dict([IN_CLUSTER]) | {
        application.name: application.server for application in config.clusters if application.server
    }
    servers |= {application.name: application.server for application in repository.argo.clusters}
    return Platform(
        applications,
        {application.name: application for application in repository.argo.projects},
        servers,
        repository.is_this_repository,
    )


def _refusals(application: Application, project: AppProject, destination: Destination) -> Iterator[str]:
    for source in application.sources:
        if source.repo_url and not project.allows_source(source.repo_url):
            yield f"project {project.name} does not allow the repository {clean(source.repo_url)}"
    name, server, namespace = destination.name, destination.server, destination.namespace
    if not project.allows_destination(name, server, None):
        yield f"project {project.name} does not allow the cluster {clean(name or server)}"
    elif not project.allows_destination(name, server, namespace):
        yield f"project {project.name} does not allow the namespace {clean(namespace)} on {clean(name or server)}"
