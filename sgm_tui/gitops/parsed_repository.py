"""The files of a repository, each parsed once, and the Applications Argo CD would create from them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgm_tui.config.schema import Config
from sgm_tui.errors import ConfigError
from sgm_tui.fleet.argo.application_sets.context import GeneratorInputs
from sgm_tui.fleet.argo.application_sets.expansion import Expansion, expand
from sgm_tui.fleet.argo.globs import matches
from sgm_tui.fleet.argo.objects import (
    Application,
    ApplicationSet,
    AppProject,
    ArgoObjects,
    Source,
    read_object,
)
from sgm_tui.fleet.argo.values_files import value_paths
from sgm_tui.fleet.git_urls import is_same_repository
from sgm_tui.fleet.model import CellKey
from sgm_tui.gitops.kustomize import changed_files
from sgm_tui.gitops.tree import Tree
from sgm_tui.yaml_reader.marked import compose, plain
from sgm_tui.yaml_reader.nodes import LARGEST, Node, YamlError

_YAML = (".yaml", ".yml")
_GLOB = re.compile(r"[*?\[{]")
PLACEHOLDER = re.compile(r"\$\{|\{\{|\{%|<%|%[A-Z_]+%|<[A-Za-z_][\w-]*>|@@\w+@@")
"""Placeholders that Backstage, envsubst, cookiecutter and similar programs fill in."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """The files of a repository on a branch or on a disk."""

    files: Mapping[str, bytes]
    """Path from the root → content, which may be read only when it is used."""
    links: frozenset[str] = frozenset()
    """Paths that are symbolic links; they are not among the files."""
    team_file: str = "sgm.yaml"
    """The path of its sgm.yaml."""


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A YAML file: its text, its documents as nodes and as plain values, and the error if it cannot be read."""

    text: str
    nodes: Sequence[Node]
    values: Sequence[Any]
    error: YamlError | None = None


class ParsedRepository:
    """One repository; each file is parsed at most once."""

    def __init__(self, checkout: Checkout, config: Config | None, config_error: ConfigError | None = None) -> None:
        self.checkout = checkout
        self.config = config
        self.config_error = config_error
        self.placeholder_files: list[str] = []
        """Files with objects of Argo CD whose names are placeholders; filled when `argo` is read."""
        self._parsed: dict[str, ParsedFile] = {}

    @functools.cached_property
    def paths(self) -> list[str]:
        """The path of every file, sorted."""
        return sorted(self.checkout.files)

    @functools.cached_property
    def directories(self) -> frozenset[str]:
        """Every directory with a file in it or below it."""
        split_paths = (path.split("/") for path in self.paths)
        return frozenset("/".join(parts[:end]) for parts in split_paths for end in range(1, len(parts)))

    @functools.cached_property
    def charts(self) -> frozenset[str]:
        """Directories with a Helm chart."""
        return frozenset(path.rpartition("/")[0] for path in self.paths if path.rpartition("/")[2] == "Chart.yaml")

    @functools.cached_property
    def yaml_paths(self) -> list[str]:
        """Files that have to be YAML, by their name or the layout; templates of charts are left out."""
        named = [path for path in self.paths if path.endswith(_YAML) and not self._is_chart_template(path)]
        return sorted({*named, *self.cells_by_file})

    def _is_chart_template(self, path: str) -> bool:
        parts = path.split("/")
        return any(
            "/".join(parts[:at]) in self.charts for at, part in enumerate(parts) if part in {"templates", "crds"}
        )

    def parse_file(self, path: str) -> ParsedFile:
        """Return a file as YAML; with the error and no documents if it cannot be read."""
        if path not in self._parsed:
            self._parsed[path] = self._parse(path)
        return self._parsed[path]

    def _parse(self, path: str) -> ParsedFile:
        data = self.checkout.files[path]
        if len(data) > LARGEST:
            return ParsedFile("", (), (), YamlError("larger than 1 MB"))
        try:
            text = data.decode("utf-8-sig")
            nodes = compose(text)
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            return ParsedFile("", (), (), YamlError("not UTF-8", line))
        except YamlError as error:
            return ParsedFile(text, (), (), error)
        return ParsedFile(text, nodes, [plain(node) for node in nodes])

    @functools.cached_property
    def cells(self) -> Mapping[CellKey, str]:
        """Every cell of the layout and its file."""
        if self.config is None:
            return {}
        paths = dict.fromkeys([*self.paths, *sorted(self.checkout.links)], "")
        return {key: placed.path for key, placed in Tree(self.config).places(paths).items()}

    @functools.cached_property
    def cells_by_file(self) -> Mapping[str, list[CellKey]]:
        """Values file → the cells it is for."""
        cells: dict[str, list[CellKey]] = {}
        for key, path in sorted(self.cells.items()):
            if path in self.checkout.files:
                cells.setdefault(path, []).append(key)
        return cells

    def is_this_repository(self, url: str) -> bool:
        """Whether a repository URL is one of this repository."""
        if self.config is None:
            return False
        return any(is_same_repository(url, own_url) for own_url in self.config.repository_urls)

    def is_current_revision(self, revision: str) -> bool:
        """Return whether a revision of this repository means these files: its default branch, or ours by name."""
        branch = self.config.repository.branch if self.config is not None else ""
        return revision in {"", "HEAD", branch, f"refs/heads/{branch}"}

    def reads_these_files(self, source: Source) -> bool:
        """Whether a source reads these files, and not another repository or revision."""
        return self.is_this_repository(source.repo_url) and self.is_current_revision(source.revision)

    def value_files(self, application: Application) -> list[tuple[Source, str]]:
        """Return the values files of an Application in this repository; a glob becomes the files it matches."""
        files: list[tuple[Source, str]] = []
        for source, path in value_paths(application, self.reads_these_files):
            if not _GLOB.search(path) or path in self.checkout.files:
                files.append((source, path))
            else:
                files += [(source, each) for each in self.paths if matches(path, each, separated=True)]
        return files

    @functools.cached_property
    def argo(self) -> ArgoObjects:
        """Argo CD's objects in the repository; those whose names are placeholders are left out."""
        objects = ArgoObjects()
        for path in self.yaml_paths:
            data = self.checkout.files[path]
            if b"argoproj.io" in data and len(data) <= LARGEST:
                for value in self.parse_file(path).values:
                    if _has_placeholder_name(value):
                        self.placeholder_files.append(path)
                    else:
                        read_object(value, path, objects)
        return objects

    @functools.cached_property
    def kustomized_files(self) -> Mapping[str, str]:
        """File that kustomize changes before Argo CD sees it → a kustomization that does."""
        return changed_files(self.paths, lambda path: self.parse_file(path).values)

    @functools.cached_property
    def expansions(self) -> list[tuple[ApplicationSet, Expansion]]:
        """Every ApplicationSet and its expansion; an ApplicationSet that kustomize changes first is not expanded."""
        inputs = GeneratorInputs(
            self.argo.clusters or None,
            self.paths,
            self.checkout.files.get,
            self.is_this_repository,
            self.is_current_revision,
        )
        return [(application_set, self._expand(application_set, inputs)) for application_set in self.argo.sets]

    def _expand(self, application_set: ApplicationSet, inputs: GeneratorInputs) -> Expansion:
        kustomization = self.kustomized_files.get(application_set.place.path)
        if kustomization is not None:
            return Expansion((), (), (f"{kustomization} changes it",))
        return expand(application_set, inputs)

    @functools.cached_property
    def applications(self) -> list[Application]:
        """Every Application, declared in a file or generated by an ApplicationSet."""
        expansions = (expansion for _, expansion in self.expansions)
        return [*self.argo.applications, *(generated for each in expansions for generated in each.applications)]

    def projects_of(self, application: Application) -> list[AppProject]:
        """Return the AppProjects an Application may refer to: several if several hubs have one of that name."""
        named = [project for project in self.argo.projects if project.name == application.project]
        same = [project for project in named if project.namespace == application.namespace]
        if application.project == "default":
            return same  # every hub has one of this name
        return same or [project for project in named if not project.namespace or not application.namespace]

    @functools.cached_property
    def missing_projects_reason(self) -> str:
        """Why there may be AppProjects that are not in these files; "" if all of them are."""
        if not self.is_fully_expanded:
            return "not every ApplicationSet is expanded"
        if self.placeholder_files:
            return f"{self.placeholder_files[0]} is still to be filled in"
        for path in self.paths:
            if self._is_chart_template(path) and b"kind: AppProject" in self.checkout.files[path]:
                return f"the chart template {path} makes some"
        kustomized = next((one for one in self.argo.projects if one.place.path in self.kustomized_files), None)
        return f"{self.kustomized_files[kustomized.place.path]} changes them" if kustomized is not None else ""

    @property
    def is_fully_expanded(self) -> bool:
        """Whether every ApplicationSet was expanded without a problem, so that all Applications are known."""
        return not any(expansion.unsupported or _has_failed(expansion) for _, expansion in self.expansions)


def _has_placeholder_name(value: Any) -> bool:
    """Whether the name of an object is a placeholder: `${{ values.name }}`, `${NAME}`, `<NAME>`."""
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return isinstance(name, str) and PLACEHOLDER.search(name) is not None


def _has_failed(expansion: Expansion) -> bool:
    return any(problem.kind != "empty" for problem in expansion.problems)
