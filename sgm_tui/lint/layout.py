"""Whether files are where sgm.yaml says that versions are written."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sgm_tui.config.schema import Config
from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.lint.findings import Finding, Said, Skipped, found, several
from sgm_tui.lint.image_key import locate
from sgm_tui.yaml_reader.marked import Place

_RULES = ("layout-unmatched", "layout-unknown-stage", "layout-unknown-cluster", "layout-shadowed", "service-gap")

_MANY = 4
"""So many files outside the layout are one finding."""
_SERVICE = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")


def check(repository: ParsedRepository) -> Said:
    """Values files nobody looks at, folders of unknown names, services that are not everywhere."""
    if repository.config is None:
        yield Skipped(_RULES, "sgm.yaml cannot be used")
        return
    if not repository.cells:
        yield Skipped(("service-gap", "layout-shadowed"), "no file matches layout.values")
    yield from _strays(repository, repository.config)
    yield from _gaps(repository, repository.config)
    for path in sorted(repository.checkout.links & set(repository.cells.values())):
        yield found("values-symlink", Place(path), "the values file is a symbolic link")


@dataclass(frozen=True, slots=True)
class _Names:
    """What a path says by one template, whether the names are known or not."""

    stage: str
    cluster: str
    service: str
    folder: str
    """The folder of the last of these names."""
    telling: bool
    """A folder of the template is a plain word: else any path of its depth would look like it."""


class _Layout:
    """The templates, and the names sgm.yaml knows."""

    def __init__(self, config: Config) -> None:
        self.image_key = config.layout.image_key
        self.stages = {stage.name: [cluster.name for cluster in stage.clusters] for stage in config.stages}
        self.home = {cluster.name: cluster.stage for cluster in config.clusters}
        names = {one.rpartition("/")[2] for one in config.layout.values}
        self.endings = set() if any("{" in name for name in names) else names
        self._templates = [(one, _loose(one)) for one in config.layout.values]

    def read(self, path: str) -> list[_Names]:
        """A path by each template it fits with any names, most specific template first."""
        found: list[_Names] = []
        for template, pattern in self._templates:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            names = match.groupdict()
            stage, cluster = names.get("stage", ""), names.get("cluster", "")
            last = "cluster" if cluster and (not stage or stage in self.stages) else "stage" if stage else "service"
            telling = any("{" not in part for part in template.split("/")[:-1])
            found.append(_Names(stage, cluster, names["service"], _up_to(path, match.end(last)), telling))
        return found

    def knows(self, names: _Names) -> bool:
        """Stage and cluster are both known, and belong together."""
        if names.stage and names.stage not in self.stages:
            return False
        return not names.cluster or names.cluster in self.stages.get(
            names.stage or self.home.get(names.cluster, ""), []
        )

    def unknown(self, names: _Names) -> tuple[str, str]:
        """The rule and the words for the name that is not known."""
        if names.stage and names.stage not in self.stages:
            return "layout-unknown-stage", f"there is no stage {names.stage}{_nearest(names.stage, self.stages)}"
        if home := self.home.get(names.cluster):
            return "layout-unknown-cluster", f"{names.cluster} is a cluster of {home}, not of {names.stage}"
        of = f" of {names.stage}" if names.stage else ""
        mine = self.stages.get(names.stage) or list(self.home)
        return "layout-unknown-cluster", f"there is no cluster {names.cluster}{of}{_nearest(names.cluster, mine)}"


def _up_to(path: str, end: int) -> str:
    """The folder a name ends, or the whole path where the name is part of the file's own."""
    return path[: end + 1] if path[end] == "/" else path


def _loose(template: str) -> re.Pattern[str]:
    pattern = re.escape(template)
    for name in ("stage", "cluster", "service"):
        marker = re.escape("{" + name + "}")
        pattern = pattern.replace(marker, f"(?P<{name}>[^/]+)", 1).replace(marker, f"(?P={name})")
    return re.compile(pattern)


def _strays(repository: ParsedRepository, config: Config) -> Iterator[Finding]:
    """Files that look like values files, and are none of any cell."""
    layout = _Layout(config)
    unknown: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    unmatched: list[str] = []
    for path in repository.paths:
        folder, _, name = path.rpartition("/")
        if (
            path in repository.cells_by_file
            or folder in repository.charts
            or (layout.endings and name not in layout.endings)
        ):
            continue
        readings = layout.read(path)
        holds = _holds_version(repository, layout, path)
        guesses = [one for one in readings if (one.telling or holds) and (holds or one.stage in layout.stages)]
        known = next((one for one in readings if layout.knows(one)), None)
        if known is not None and not _SERVICE.fullmatch(known.service):
            yield found(
                "layout-unmatched", Place(path), f"{known.service} is not a valid Kubernetes name for a service"
            )
        elif known is not None:
            yield found("layout-shadowed", Place(path), "every cluster of the stage has a file of its own")
        elif guesses:
            rule, message = layout.unknown(guesses[0])
            unknown[rule, guesses[0].folder, message].append(path)
        elif holds:
            unmatched.append(path)
    yield from _unmatched(unmatched, layout.image_key)
    for (rule, folder, message), paths in sorted(unknown.items()):
        count = f"{len(paths)} values files" if len(paths) > 1 else "a values file"
        yield found(rule, Place(paths[0]), f"{message}: {count} under {folder}")


def _unmatched(paths: Sequence[str], image_key: str) -> Iterator[Finding]:
    """Each file that holds a version outside the layout; many of them are one fact about the layout."""
    if len(paths) < _MANY:
        message = f"it holds {image_key}, and no template of layout.values matches"
        yield from (found("layout-unmatched", Place(path), message) for path in paths)
        return
    message = f"{len(paths)} files hold {image_key}, and no template of layout.values matches: {several(paths, 3)}"
    yield replace(found("layout-unmatched", Place(paths[0]), message), asked=tuple(map(Place, paths[1:])))


def _nearest(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def _holds_version(repository: ParsedRepository, layout: _Layout, path: str) -> bool:
    if not path.endswith((".yaml", ".yml")):
        return False
    return locate(repository.parse_file(path).nodes, layout.image_key).node is not None


def _gaps(repository: ParsedRepository, config: Config) -> Iterator[Finding]:
    where: dict[str, dict[str, str]] = defaultdict(dict)
    for key, path in repository.cells.items():
        where[key.service][key.cluster] = path
    for service, clusters in sorted(where.items()):
        missing: list[str] = []
        for stage in config.stages:
            absent = [one.name for one in stage.clusters if one.name not in clusters]
            if absent and len(absent) == len(stage.clusters):
                missing.append(stage.name)
            else:
                missing += absent
        if missing:
            path = next(clusters[one.name] for one in config.clusters if one.name in clusters)
            message = f"{service} is not in {several(missing, 3)}"
            yield found("service-gap", Place(path), message)
