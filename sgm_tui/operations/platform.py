"""What a commit of the repository says of Argo CD: the Application of every cell, its project, and its windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sgm_tui.config.schema import Config
from sgm_tui.fleet.argo.globs import matches
from sgm_tui.fleet.argo.objects import IN_CLUSTER, Application, AppProject, SyncWindow
from sgm_tui.fleet.argo.schedule import ScheduleError, check_sync_window, schedule
from sgm_tui.fleet.argo.windows import Window
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
        one = self.applications.get(key)
        return one.project if one is not None else live.project if live is not None else ""

    def admission(self, key: CellKey, found: Project) -> ProjectPermission:
        """Whether its project lets the cell's Application be what it is (protocols A10)."""
        one, project = self.applications.get(key), found.value
        if one is None:
            return ProjectPermission(None, f"no Application of {key} is found in git")
        if project is None:
            if one.project == _BUILT_IN:
                return ProjectPermission(None, f"project default is not {found.place}")
            return ProjectPermission(
                False, f"there is no AppProject {clean(one.project) or '(none named)'} {found.place}"
            )
        refusal = next(_refusals(one, project, self.destination(one)), "")
        return ProjectPermission(not refusal, refusal or f"project {project.name} allows it")

    def windows(self, key: CellKey, found: Project, live: Live | None = None) -> tuple[Window, ...] | str:
        """The sync windows of its project that speak of the cell's Application, or why they are not known.

        `live` is the Application as Argo CD has it: it counts where no ApplicationSet that is understood makes it.
        """
        one = self.applications.get(key)
        if one is not None:
            name, destination = one.name, self.destination(one)
        elif live is not None and live.project:
            name, destination = live.name, self._placed(live.destination, live.destination_namespace)
        else:
            return f"no Application of {key} is found, so its sync windows are unknown"
        project = found.value
        if project is None:
            return f"project {clean(found.name) or '(none)'} is not {found.place}, so its sync windows are unknown"
        try:
            return tuple(_window(window) for window in project.windows if _speaks_of(window, name, destination))
        except ScheduleError as error:
            return f"a sync window of project {project.name} cannot be read: {clean(error)}"

    def destination(self, one: Application) -> Destination:
        """The destination of an Application, name and server from one another."""
        return self._placed(one.destination_name or one.destination_server, one.destination_namespace)

    def _placed(self, where: str, namespace: str) -> Destination:
        names = {server: name for name, server in self.servers.items()}
        if where in self.servers or "://" not in where:
            return Destination(where, self.servers.get(where, ""), namespace)
        return Destination(names.get(where, ""), where, namespace)


def read_platform(files: Mapping[str, bytes], config: Config) -> Platform:
    """Read every Argo CD object of a repository; ApplicationSets become the Applications they make."""
    repository, naming = ParsedRepository(Checkout(files), config), Naming(config)
    applications: dict[CellKey, Application] = {}
    for one in repository.applications:
        service, where = one.labels.get("service", ""), one.destination_name or one.destination_server
        key = naming.of_application(one.name, service=service, destination=where, namespace=one.destination_namespace)
        if key is not None:
            applications.setdefault(key, one)
    servers = dict([IN_CLUSTER]) | {one.name: one.server for one in config.clusters if one.server}
    servers |= {one.name: one.server for one in repository.argo.clusters}
    return Platform(
        applications, {one.name: one for one in repository.argo.projects}, servers, repository.is_this_repository
    )


def _refusals(one: Application, project: AppProject, destination: Destination) -> Iterator[str]:
    for source in one.sources:
        if source.repo_url and not project.allows_source(source.repo_url):
            yield f"project {project.name} does not allow the repository {clean(source.repo_url)}"
    name, server, namespace = destination.name, destination.server, destination.namespace
    if not project.allows_destination(name, server, None):
        yield f"project {project.name} does not allow the cluster {clean(name or server)}"
    elif not project.allows_destination(name, server, namespace):
        yield f"project {project.name} does not allow the namespace {clean(namespace)} on {clean(name or server)}"


def _speaks_of(window: SyncWindow, name: str, destination: Destination) -> bool:
    """Lists are or-ed, unless the window asks for all of them."""
    facts = (
        (window.applications, (name,)),
        (window.namespaces, (destination.namespace,)),
        (window.clusters, (destination.name, destination.server)),
    )
    found = [
        any(value and matches(glob, value) for glob in globs for value in values) for globs, values in facts if globs
    ]
    return bool(found) and (all(found) if window.and_operator else any(found))


def _window(one: SyncWindow) -> Window:
    if one.kind not in {"allow", "deny"}:
        raise ScheduleError(f"{one.kind!r} is neither allow nor deny")
    name = clean(one.description or one.schedule)
    try:
        check_sync_window(one.schedule, one.duration)
    except ScheduleError as error:
        return Window(one.kind == "allow", None, name, unreadable=clean(error))
    opens = schedule(one.schedule, one.duration, "UTC" if one.time_zone == "Local" else one.time_zone)
    return Window(one.kind == "allow", opens, name, one.manual_sync)
