"""The repository under inspection: its files, parsed once, and what Argo CD would make of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgm_tui.config.schema import Config
from sgm_tui.errors import ConfigError
from sgm_tui.fleet.argo.application_sets import Expansion, Ground, expand
from sgm_tui.fleet.argo.globs import matches
from sgm_tui.fleet.argo.objects import (
    Application,
    ApplicationSet,
    AppProject,
    ArgoObjects,
    Source,
    read_object,
    value_paths,
)
from sgm_tui.fleet.git_urls import is_same_repository
from sgm_tui.fleet.model import CellKey
from sgm_tui.gitops.kustomize import changed_files
from sgm_tui.gitops.tree import Tree
from sgm_tui.yaml_reader.marked import compose, plain
from sgm_tui.yaml_reader.nodes import LARGEST, Node, YamlError

_YAML = (".yaml", ".yml")
_GLOB = re.compile(r"[*?\[{]")
PLACEHOLDER = re.compile(r"\$\{|\{\{|\{%|<%|%[A-Z_]+%|<[A-Za-z_][\w-]*>|@@\w+@@")
"""What Backstage, envsubst, cookiecutter and their like fill in."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """The files of a repository as they are on a branch or a disk."""

    files: Mapping[str, bytes]
    """Path from the root → content; content may be read late."""
    links: frozenset[str] = frozenset()
    """Paths that are symbolic links; they are not among the files."""
    team_file: str = "sgm.yaml"
    """Where its sgm.yaml is."""


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """One YAML file."""

    text: str
    nodes: Sequence[Node]
    values: Sequence[Any]
    error: YamlError | None = None


class ParsedRepository:
    """One repository, each file parsed at most once."""

    def __init__(self, checkout: Checkout, config: Config | None, config_error: ConfigError | None = None) -> None:
        self.checkout = checkout
        self.config = config
        self.config_error = config_error
        self.placeholder_files: list[str] = []
        """Files with objects of Argo CD that are templates of another program, known once `argo` was read."""
        self._parsed: dict[str, ParsedFile] = {}

    @functools.cached_property
    def paths(self) -> list[str]:
        """Every file, in order."""
        return sorted(self.checkout.files)

    @functools.cached_property
    def directories(self) -> frozenset[str]:
        """Every directory that holds something."""
        parts = (path.split("/") for path in self.paths)
        return frozenset("/".join(one[:end]) for one in parts for end in range(1, len(one)))

    @functools.cached_property
    def charts(self) -> frozenset[str]:
        """Directories that hold a Helm chart."""
        return frozenset(path.rpartition("/")[0] for path in self.paths if path.rpartition("/")[2] == "Chart.yaml")

    @functools.cached_property
    def yaml_paths(self) -> list[str]:
        """Files that have to be YAML: by their name or the layout, templates of charts left out."""
        named = [path for path in self.paths if path.endswith(_YAML) and not self._is_chart_template(path)]
        return sorted({*named, *self.cells_by_file})

    def _is_chart_template(self, path: str) -> bool:
        parts = path.split("/")
        return any(
            "/".join(parts[:at]) in self.charts for at, part in enumerate(parts) if part in {"templates", "crds"}
        )

    def parse_file(self, path: str) -> ParsedFile:
        """A file as YAML; where it is none, the error and no documents."""
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
        """Every cell the layout finds, with its file."""
        if self.config is None:
            return {}
        paths = dict.fromkeys([*self.paths, *sorted(self.checkout.links)], "")
        return {key: placed.path for key, placed in Tree(self.config).places(paths).items()}

    @functools.cached_property
    def cells_by_file(self) -> Mapping[str, list[CellKey]]:
        """Values file → the cells it speaks for."""
        found: dict[str, list[CellKey]] = {}
        for key, path in sorted(self.cells.items()):
            if path in self.checkout.files:
                found.setdefault(path, []).append(key)
        return found

    def is_this_repository(self, url: str) -> bool:
        """Whether a repository URL means this repository."""
        if self.config is None:
            return False
        return any(is_same_repository(url, one) for one in self.config.repository_urls)

    def is_current_revision(self, revision: str) -> bool:
        """Return whether a revision of this repository means these files: its default branch, or ours by name."""
        branch = self.config.repository.branch if self.config is not None else ""
        return revision in {"", "HEAD", branch, f"refs/heads/{branch}"}

    def reads_these_files(self, source: Source) -> bool:
        """Return whether a source is read from these files; of another revision nothing can be said."""
        return self.is_this_repository(source.repo_url) and self.is_current_revision(source.revision)

    def value_files(self, one: Application) -> list[tuple[Source, str]]:
        """Return the values files of an Application among these files; a glob becomes the files it matches."""
        files: list[tuple[Source, str]] = []
        for source, path in value_paths(one, self.reads_these_files):
            if not _GLOB.search(path) or path in self.checkout.files:
                files.append((source, path))
            else:
                files += [(source, each) for each in self.paths if matches(path, each, separated=True)]
        return files

    @functools.cached_property
    def argo(self) -> ArgoObjects:
        """Argo CD's objects in the repository; skeletons, whose names are still to be filled in, are left out."""
        objects = ArgoObjects()
        for path in self.yaml_paths:
            data = self.checkout.files[path]
            if b"argoproj.io" in data and len(data) <= LARGEST:
                for value in self.parse_file(path).values:
                    if _is_skeleton(value):
                        self.placeholder_files.append(path)
                    else:
                        read_object(value, path, objects)
        return objects

    @functools.cached_property
    def kustomized_files(self) -> Mapping[str, str]:
        """Files that kustomize changes before Argo CD sees them, each with a kustomization that does."""
        return changed_files(self.paths, lambda path: self.parse_file(path).values)

    @functools.cached_property
    def expansions(self) -> list[tuple[ApplicationSet, Expansion]]:
        """Every ApplicationSet with what it makes; one that kustomize changes first is not expanded."""
        ground = Ground(
            self.argo.clusters, self.paths, self.checkout.files.get, self.is_this_repository, self.is_current_revision
        )
        return [(one, self._expansion(one, ground)) for one in self.argo.sets]

    def _expansion(self, one: ApplicationSet, ground: Ground) -> Expansion:
        kustomization = self.kustomized_files.get(one.place.path)
        if kustomization is not None:
            return Expansion((), (), (f"{kustomization} changes it",))
        return expand(one, ground)

    @functools.cached_property
    def applications(self) -> list[Application]:
        """Every Application, written down or made."""
        made = [one for _, expansion in self.expansions for one in expansion.applications]
        return [*self.argo.applications, *made]

    def projects_of(self, one: Application) -> list[AppProject]:
        """Return the AppProjects an Application may mean: more than one where several hubs have one of this name."""
        named = [project for project in self.argo.projects if project.name == one.project]
        same = [project for project in named if project.namespace == one.namespace]
        if one.project == "default":
            return same  # every hub has one of this name
        return same or [project for project in named if not project.namespace or not one.namespace]

    @functools.cached_property
    def missing_projects_reason(self) -> str:
        """Why there may be AppProjects that are not seen here; "" where all of them are."""
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
        """Every ApplicationSet was understood: the Applications are all there are."""
        return not any(one.unsupported or _failed(one) for _, one in self.expansions)


def _is_skeleton(value: Any) -> bool:
    """Whether an object's name is a placeholder (`${{ values.name }}`, `${NAME}`, `<NAME>`) for another program."""
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return isinstance(name, str) and PLACEHOLDER.search(name) is not None


def _failed(expansion: Expansion) -> bool:
    return any(problem.kind != "empty" for problem in expansion.problems)
