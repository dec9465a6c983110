"""The repository under inspection: its files, parsed once, and what Argo CD would make of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgm_tui.config import Config
from sgm_tui.errors import ConfigError
from sgm_tui.fleet.git_urls import same_repository
from sgm_tui.fleet.model import CellKey
from sgm_tui.gitops.applicationset import Expansion, Ground, expand
from sgm_tui.gitops.argo_objects import Application, ApplicationSet, ArgoObjects, read_object
from sgm_tui.gitops.marked import Place, compose, plain
from sgm_tui.gitops.tree import Tree
from sgm_tui.yaml_nodes import LARGEST, Node, YamlError

_YAML = (".yaml", ".yml")


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
class Parsed:
    """One YAML file."""

    text: str
    nodes: Sequence[Node]
    values: Sequence[Any]
    error: YamlError | None = None


class Subject:
    """One repository, each file parsed at most once."""

    def __init__(self, checkout: Checkout, config: Config | None, config_error: ConfigError | None = None) -> None:
        self.checkout = checkout
        self.config = config
        self.config_error = config_error
        self._parsed: dict[str, Parsed] = {}

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
        return sorted({*named, *self.cells_of})

    def _is_chart_template(self, path: str) -> bool:
        parts = path.split("/")
        return any(
            "/".join(parts[:at]) in self.charts for at, part in enumerate(parts) if part in {"templates", "crds"}
        )

    def parsed(self, path: str) -> Parsed:
        """A file as YAML; where it is none, the error and no documents."""
        if path not in self._parsed:
            self._parsed[path] = self._parse(path)
        return self._parsed[path]

    def _parse(self, path: str) -> Parsed:
        data = self.checkout.files[path]
        if len(data) > LARGEST:
            return Parsed("", (), (), YamlError("larger than 1 MB"))
        try:
            text = data.decode("utf-8-sig")
            nodes = compose(text)
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            return Parsed("", (), (), YamlError("not UTF-8", line))
        except YamlError as error:
            return Parsed(text, (), (), error)
        return Parsed(text, nodes, [plain(node) for node in nodes])

    @functools.cached_property
    def cells(self) -> Mapping[CellKey, str]:
        """Every cell the layout finds, with its file."""
        if self.config is None:
            return {}
        paths = dict.fromkeys([*self.paths, *sorted(self.checkout.links)], "")
        return {key: placed.path for key, placed in Tree(self.config).places(paths).items()}

    @functools.cached_property
    def cells_of(self) -> Mapping[str, list[CellKey]]:
        """Values file → the cells it speaks for."""
        found: dict[str, list[CellKey]] = {}
        for key, path in sorted(self.cells.items()):
            if path in self.checkout.files:
                found.setdefault(path, []).append(key)
        return found

    def ours(self, url: str) -> bool:
        """Whether a repository URL means this repository."""
        if self.config is None:
            return False
        return any(same_repository(url, one) for one in self.config.repository_urls)

    @functools.cached_property
    def argo(self) -> ArgoObjects:
        """Argo CD's objects in the repository."""
        objects = ArgoObjects()
        for path in self.yaml_paths:
            data = self.checkout.files[path]
            if b"argoproj.io" in data and len(data) <= LARGEST:
                for value in self.parsed(path).values:
                    read_object(value, path, objects)
        return objects

    @functools.cached_property
    def expansions(self) -> list[tuple[ApplicationSet, Expansion]]:
        """Every ApplicationSet with what it makes."""
        ground = Ground(self.argo.clusters, self.paths, self.checkout.files.get, self.ours)
        return [(one, expand(one, ground)) for one in self.argo.sets]

    @functools.cached_property
    def applications(self) -> list[Application]:
        """Every Application, written down or made."""
        made = [one for _, expansion in self.expansions for one in expansion.applications]
        return [*self.argo.applications, *made]

    @property
    def whole(self) -> bool:
        """Every ApplicationSet was understood: the Applications are all there are."""
        return not any(one.unsupported or _failed(one) for _, one in self.expansions)


def _failed(expansion: Expansion) -> bool:
    return any(problem.kind != "empty" for problem in expansion.problems)


def node_place(node: Node, path: str) -> Place:
    """Where a node is written."""
    return Place(path, node.start_mark.line + 1, node.start_mark.column + 1)
