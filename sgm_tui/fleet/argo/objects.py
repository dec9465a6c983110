"""Argo CD's objects as a repository declares them: typed, each knowing where it is written.

AppProjects, ApplicationSets, Applications and the Secrets that declare clusters are read from any YAML file of a
repository. What is malformed is reported and left out; nothing here asks a cluster.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sgm_tui.fleet.argo.globs import matches
from sgm_tui.yaml_reader.marked import Place, place_of

_SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)")
IN_CLUSTER = ("in-cluster", "https://kubernetes.default.svc")
"""Name and server of the hub's own cluster, which needs no declaration."""


class MalformedError(Exception):
    """An object that cannot be what it says it is."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


@dataclass(frozen=True, slots=True)
class DestinationRule:
    """`spec.destinations[]`: globs; `!` in front denies."""

    server: str
    name: str
    namespace: str
    place: Place


@dataclass(frozen=True, slots=True)
class KindRule:
    """`clusterResourceWhitelist[]` and its like: globs over group and kind."""

    group: str
    kind: str


@dataclass(frozen=True, slots=True)
class SyncWindow:
    """`spec.syncWindows[]`: when syncs of the selected Applications may run."""

    kind: str
    """allow or deny; deny beats allow."""
    schedule: str
    """Five fields of cron: when it opens."""
    duration: str
    """As Go writes it: 1h30m."""
    applications: tuple[str, ...]
    namespaces: tuple[str, ...]
    clusters: tuple[str, ...]
    """Globs over the destination's name or server."""
    manual_sync: bool
    time_zone: str
    and_operator: bool
    description: str
    place: Place


@dataclass(frozen=True, slots=True)
class Cluster:
    """A declared cluster: the Secret Argo CD reads, without what is secret in it."""

    name: str
    server: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    place: Place
    credentials: bool = False
    """The declaration carries credentials: it must not be in git."""
    project: str = ""
    """The AppProject the cluster is scoped to; "" for every project."""


@dataclass(frozen=True, slots=True)
class Source:
    """`spec.source` or one of `spec.sources`."""

    repo_url: str
    revision: str
    path: str
    chart: str
    ref: str
    value_files: tuple[str, ...]
    ignore_missing: bool
    place: Place
    """Where its path is written."""
    repo_place: Place


@dataclass(frozen=True, slots=True)
class Application:
    """An Application, written down or made by an ApplicationSet."""

    name: str
    namespace: str
    project: str
    destination_name: str
    destination_server: str
    destination_namespace: str
    sources: tuple[Source, ...]
    labels: Mapping[str, str]
    place: Place
    destination_place: Place
    project_place: Place
    origin: str = ""
    """The ApplicationSet that makes it; "" when it is written down."""


@dataclass(frozen=True, slots=True)
class ApplicationSet:
    """An ApplicationSet; its `spec` stays as written, for it is templates all over."""

    name: str
    namespace: str
    spec: Mapping[str, Any]
    go_template: bool
    """Go's templates; plain `{{key}}` ones otherwise."""
    options: tuple[str, ...]
    """`goTemplateOptions`: missingkey=error, where somebody thought of it."""
    place: Place


@dataclass(frozen=True, slots=True)
class AppProject:
    """What the Applications of a project may read and where they may write (protocol: Argo CD's AppProject)."""

    name: str
    source_repos: tuple[str, ...]
    destinations: tuple[DestinationRule, ...]
    cluster_allow: tuple[KindRule, ...]
    """Cluster-scoped kinds; none when empty."""
    cluster_deny: tuple[KindRule, ...]
    namespace_allow: tuple[KindRule, ...] | None
    """Namespaced kinds; None allows all."""
    namespace_deny: tuple[KindRule, ...]
    windows: tuple[SyncWindow, ...]
    place: Place
    namespace: str = ""
    """Of the Argo CD it belongs to; "" where whoever applies it says."""

    def allows_source(self, url: str) -> bool:
        """Whether a repository may be read: in order, a `!` that matches denies, one that does not permits."""
        permitted = False
        for pattern in self.source_repos:
            if pattern.startswith("!"):
                if _source_matches(pattern[1:], url):
                    return False
                permitted = True
            else:
                permitted = permitted or _source_matches(pattern, url)
        return permitted

    def allows_destination(self, name: str, server: str, namespace: str | None) -> bool:
        """Whether a destination may be written to; `namespace` None asks for the cluster in any namespace."""
        permitted = False
        for rule in self.destinations:
            by_name = bool(name and rule.name) and _negatable(rule.name, name)
            by_server = bool(server and rule.server) and _negatable(rule.server, server)
            inside = namespace is None or _negatable(rule.namespace, namespace)
            if (by_name or by_server) and inside:
                permitted = True
            elif _denied(rule, by_name=by_name, by_server=by_server, inside=inside):
                return False
        return permitted

    def allows_kind(self, group: str, kind: str, *, namespaced: bool) -> bool:
        """Whether an Application may bring an object of this kind."""

        def listed(rules: Iterable[KindRule]) -> bool:
            return any(matches(rule.group, group) and matches(rule.kind, kind) for rule in rules)

        if not namespaced:
            return listed(self.cluster_allow) and not listed(self.cluster_deny)
        allowed = self.namespace_allow is None or listed(self.namespace_allow)
        return allowed and not listed(self.namespace_deny)


@dataclass(slots=True)
class ArgoObjects:
    """Everything Argo CD would find in a repository."""

    projects: list[AppProject] = field(default_factory=list)
    sets: list[ApplicationSet] = field(default_factory=list)
    applications: list[Application] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    malformed: list[MalformedError] = field(default_factory=list)


def normalized_repository(url: str) -> str:
    """A repository URL as AppProjects compare it: lower case, scp form as a URL, without `.git`."""
    text = url.strip().lower()
    scp = _SCP.fullmatch(text)
    if scp and "://" not in text:
        text = f"ssh://git@{scp[1]}/{scp[2]}"
    return text.rstrip("/").removesuffix(".git")


def read_object(data: Any, path: str, into: ArgoObjects) -> None:
    """Take one YAML document where Argo CD would take it; everything else is somebody else's."""
    if not isinstance(data, Mapping):
        return
    kind, api = data.get("kind"), str(data.get("apiVersion") or "")
    try:
        if kind == "Secret" and _labels(data).get("argocd.argoproj.io/secret-type") == "cluster":
            into.clusters.append(_cluster(data, path))
        elif not api.startswith("argoproj.io/"):
            return
        elif kind == "AppProject":
            into.projects.append(_project(data, path))
        elif kind == "ApplicationSet":
            into.sets.append(_application_set(data, path))
        elif kind == "Application":
            into.applications.append(application(data, path))
    except MalformedError as error:
        into.malformed.append(error)


def application(data: Mapping[str, Any], path: str, *, origin: ApplicationSet | None = None) -> Application:
    """An Application from its manifest.

    Raises:
        MalformedError: a part of it has another shape than Argo CD takes.
    """
    reader = _Reader(path, data)
    metadata = reader.mapping(data, "metadata")
    spec = reader.mapping(data, "spec")
    destination = reader.mapping(spec, "destination")
    sources = reader.mappings(spec, "sources") or ([reader.mapping(spec, "source")] if spec.get("source") else [])
    name, project = reader.text(metadata, "name"), reader.text(spec, "project")
    return Application(
        name=name,
        namespace=reader.text(metadata, "namespace") or (origin.namespace if origin else ""),
        project=project,
        destination_name=reader.text(destination, "name"),
        destination_server=reader.text(destination, "server"),
        destination_namespace=reader.text(destination, "namespace"),
        sources=tuple(_source(reader, one) for one in sources),
        labels=_labels(data),
        place=reader.place(name or data),
        destination_place=reader.place(destination or name or data),
        project_place=reader.place(project or name or data),
        origin=origin.name if origin else "",
    )


def read_sync_window(data: Mapping[str, Any], path: str) -> SyncWindow:
    """Return a sync window of an AppProject.

    Raises:
        MalformedError: a part of it has another type than Argo CD accepts.
    """
    reader = _Reader(path, data)
    return SyncWindow(
        kind=reader.text(data, "kind"),
        schedule=reader.text(data, "schedule"),
        duration=reader.text(data, "duration"),
        applications=reader.texts(data, "applications"),
        namespaces=reader.texts(data, "namespaces"),
        clusters=reader.texts(data, "clusters"),
        manual_sync=reader.flag(data, "manualSync"),
        time_zone=reader.text(data, "timeZone"),
        and_operator=reader.flag(data, "andOperator"),
        description=reader.text(data, "description"),
        place=reader.place(data),
    )


class _Reader:
    """Reads one object and says where it is not what it should be."""

    def __init__(self, path: str, data: Mapping[str, Any]) -> None:
        self._path = path
        self._data = data

    def place(self, value: object) -> Place:
        return place_of(value, self._path, self._data)

    def mapping(self, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = data.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self._wrong(data, key, "a mapping")
        return value

    def mappings(self, data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        value = data.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise self._wrong(data, key, "a list of mappings")
        return value

    def texts(self, data: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = data.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(data, key, "a list of strings")
        return tuple(value)

    def text(self, data: Mapping[str, Any], key: str) -> str:
        value = data.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._wrong(data, key, "a string")
        return value

    def flag(self, data: Mapping[str, Any], key: str) -> bool:
        value = data.get(key)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(data, key, "true or false")
        return bool(value)

    def _wrong(self, data: Mapping[str, Any], key: str, word: str) -> MalformedError:
        written = next((one for one in data if one == key), None)
        return MalformedError(f"{key} has to be {word}", self.place(written))


def _source(reader: _Reader, data: Mapping[str, Any]) -> Source:
    helm = reader.mapping(data, "helm")
    return Source(
        repo_url=reader.text(data, "repoURL"),
        revision=reader.text(data, "targetRevision"),
        path=reader.text(data, "path"),
        chart=reader.text(data, "chart"),
        ref=reader.text(data, "ref"),
        value_files=reader.texts(helm, "valueFiles"),
        ignore_missing=reader.flag(helm, "ignoreMissingValueFiles"),
        place=reader.place(data.get("path") or data.get("repoURL") or data),
        repo_place=reader.place(data.get("repoURL") or data),
    )


def _application_set(data: Mapping[str, Any], path: str) -> ApplicationSet:
    reader = _Reader(path, data)
    metadata = reader.mapping(data, "metadata")
    name = reader.text(metadata, "name")
    spec = reader.mapping(data, "spec")
    reader.mapping(reader.mapping(spec, "template"), "spec")
    reader.mappings(spec, "generators")
    return ApplicationSet(
        name=name,
        namespace=reader.text(metadata, "namespace"),
        spec=spec,
        go_template=reader.flag(spec, "goTemplate"),
        options=reader.texts(spec, "goTemplateOptions"),
        place=reader.place(name or data),
    )


def _project(data: Mapping[str, Any], path: str) -> AppProject:
    reader = _Reader(path, data)
    metadata = reader.mapping(data, "metadata")
    name = reader.text(metadata, "name")
    spec = reader.mapping(data, "spec")

    def kinds(key: str) -> tuple[KindRule, ...]:
        return tuple(
            KindRule(reader.text(rule, "group"), reader.text(rule, "kind")) for rule in reader.mappings(spec, key)
        )

    return AppProject(
        name=name,
        source_repos=reader.texts(spec, "sourceRepos"),
        destinations=tuple(
            DestinationRule(
                reader.text(destination, "server"),
                reader.text(destination, "name"),
                reader.text(destination, "namespace"),
                reader.place(destination),
            )
            for destination in reader.mappings(spec, "destinations")
        ),
        cluster_allow=kinds("clusterResourceWhitelist"),
        cluster_deny=kinds("clusterResourceBlacklist"),
        namespace_allow=None if spec.get("namespaceResourceWhitelist") is None else kinds("namespaceResourceWhitelist"),
        namespace_deny=kinds("namespaceResourceBlacklist"),
        windows=tuple(read_sync_window(window, path) for window in reader.mappings(spec, "syncWindows")),
        place=reader.place(name or data),
        namespace=reader.text(metadata, "namespace"),
    )


def _cluster(data: Mapping[str, Any], path: str) -> Cluster:
    reader = _Reader(path, data)
    metadata = reader.mapping(data, "metadata")
    plain, encoded = reader.mapping(data, "stringData"), reader.mapping(data, "data")

    def value(key: str) -> str:
        return reader.text(plain, key) or _decoded(reader.text(encoded, key))

    written = reader.text(metadata, "name")
    return Cluster(
        name=value("name") or written,
        server=value("server"),
        labels=_labels(data),
        annotations=_texts(reader.mapping(metadata, "annotations")),
        place=reader.place(written or data),
        credentials=bool(plain.get("config") or encoded.get("config")),
        project=value("project"),
    )


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _labels(data: Mapping[str, Any]) -> Mapping[str, str]:
    metadata = data.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return _texts(labels if isinstance(labels, Mapping) else {})


def _texts(data: Mapping[str, Any]) -> Mapping[str, str]:
    return {str(key): value for key, value in data.items() if isinstance(value, str)}


def _denied(rule: DestinationRule, *, by_name: bool, by_server: bool, inside: bool) -> bool:
    """Whether a rule that does not match speaks against: one of its parts is a `!`, and the other part matches."""
    elsewhere = (rule.name[:1] == "!" and not by_name) or (rule.server[:1] == "!" and not by_server)
    return (inside and elsewhere) or ((by_name or by_server) and rule.namespace[:1] == "!")


def _negatable(pattern: str, value: str) -> bool:
    if pattern.startswith("!"):
        return not matches(pattern[1:], value)
    return matches(pattern, value)


def _source_matches(pattern: str, url: str) -> bool:
    return pattern == "*" or matches(normalized_repository(pattern), normalized_repository(url), separated=True)


Sources = Callable[[Source], bool]
"""Whether a source is the files that are read: their repository, and where that matters their revision."""


def value_paths(application: Application, ours: Sources) -> Sequence[tuple[Source, str]]:
    """Return the values files of an Application that lie in this repository, as (source, path or glob from the root).

    A leading `/` counts from the repository of the source, `$ref/` from that of the source with this `ref`, everything
    else from the source's path; a URL is nobody's file. Variables of the build environment are filled in as Argo CD
    does (reposerver, `newEnv`); a file whose name holds another variable is left out.
    """
    refs = {source.ref: source for source in application.sources if source.ref}
    paths: list[tuple[Source, str]] = []
    for source in application.sources:
        for written in source.value_files:
            home, path = source, written
            name, _, below = written[1:].partition("/")
            if written.startswith("$") and name in refs:
                home, path = refs[name], f"/{below}"
            path = _with_environment(path, application, source)
            if "$" in path or "://" in path or not ours(home) or (home is source and source.chart):
                continue
            paths.append((source, _joined("" if path.startswith("/") else source.path, path)))
    return paths


def _with_environment(path: str, application: Application, source: Source) -> str:
    environment = {
        "ARGOCD_APP_NAME": application.name,
        "ARGOCD_APP_NAMESPACE": application.destination_namespace,
        "ARGOCD_APP_PROJECT_NAME": application.project,
        "ARGOCD_APP_SOURCE_PATH": source.path,
        "ARGOCD_APP_SOURCE_REPO_URL": source.repo_url,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.revision,
    }

    def value(variable: re.Match[str]) -> str:
        return environment.get(variable[1] or variable[2], variable[0])

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, path)


def _joined(base: str, path: str) -> str:
    parts: list[str] = []
    for part in f"{base}/{path}".split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", ".", ".."}:
            parts.append(part)
    return "/".join(parts)
