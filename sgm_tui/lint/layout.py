"""Check that the values files are where the layout of sgm.yaml expects them."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sgm_tui.config.schema import Config
from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.gitops.yaml.keys import locate
from sgm_tui.lint.findings import Finding, Results, Skipped, abbreviate, make_finding
from sgm_tui.yaml_reader.marked import Place

_RULES = ("layout-unmatched", "layout-unknown-stage", "layout-unknown-cluster", "layout-shadowed", "service-gap")

_MANY = 4
"""So many files outside the layout are reported as one finding."""
_SERVICE = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")


def check(repository: ParsedRepository) -> Results:
    """Find values files that no cell uses, folders of unknown names, and services missing in a stage or cluster."""
    if repository.config is None:
        yield Skipped(_RULES, "sgm.yaml cannot be used")
        return
    if not repository.cells:
        yield Skipped(("service-gap", "layout-shadowed"), "no file matches layout.values")
    yield from _find_strays(repository, repository.config)
    yield from _find_gaps(repository, repository.config)
    for path in sorted(repository.checkout.links & set(repository.cells.values())):
        yield make_finding("values-symlink", Place(path), "the values file is a symbolic link")


@dataclass(frozen=True, slots=True)
class _Names:
    """The names in a path according to one template, known or not."""

    stage: str
    cluster: str
    service: str
    folder: str
    """The folder with the last of these names."""
    is_distinctive: bool
    """Whether a folder of the template is a literal word; otherwise any path of its depth matches."""


class _Layout:
    """The path templates, stages and clusters of sgm.yaml."""

    def __init__(self, config: Config) -> None:
        self.image_key = config.layout.image_key
        self.stages = {stage.name: [cluster.name for cluster in stage.clusters] for stage in config.stages}
        self.home = {cluster.name: cluster.stage for cluster in config.clusters}
        names = {one.rpartition("/")[2] for one in config.layout.values}
        self.endings = set() if any("{" in name for name in names) else names
        self._templates = [(one, _compile_loosely(one)) for one in config.layout.values]

    def parse(self, path: str) -> list[_Names]:
        """Return the names in a path by each template that matches it, most specific template first."""
        parsed: list[_Names] = []
        for template, pattern in self._templates:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            names = match.groupdict()
            stage, cluster = names.get("stage", ""), names.get("cluster", "")
            last = "cluster" if cluster and (not stage or stage in self.stages) else "stage" if stage else "service"
            is_distinctive = any("{" not in part for part in template.split("/")[:-1])
            parsed.append(_Names(stage, cluster, names["service"], _up_to(path, match.end(last)), is_distinctive))
        return parsed

    def is_known(self, names: _Names) -> bool:
        """Whether stage and cluster are both known and belong together."""
        if names.stage and names.stage not in self.stages:
            return False
        return not names.cluster or names.cluster in self.stages.get(
            names.stage or self.home.get(names.cluster, ""), []
        )

    def explain_unknown(self, names: _Names) -> tuple[str, str]:
        """Return the rule and the message for the name that is unknown."""
        if names.stage and names.stage not in self.stages:
            return "layout-unknown-stage", f"there is no stage {names.stage}{_suggest(names.stage, self.stages)}"
        if home := self.home.get(names.cluster):
            return "layout-unknown-cluster", f"{names.cluster} is a cluster of {home}, not of {names.stage}"
        of = f" of {names.stage}" if names.stage else ""
        mine = self.stages.get(names.stage) or list(self.home)
        return "layout-unknown-cluster", f"there is no cluster {names.cluster}{of}{_suggest(names.cluster, mine)}"


def _up_to(path: str, end: int) -> str:
    """Return the path up to the folder in which a name ends; the whole path if the name is in the file's name."""
    return path[: end + 1] if path[end] == "/" else path


def _compile_loosely(template: str) -> re.Pattern[str]:
    pattern = re.escape(template)
    for name in ("stage", "cluster", "service"):
        marker = re.escape("{" + name + "}")
        pattern = pattern.replace(marker, f"(?P<{name}>[^/]+)", 1).replace(marker, f"(?P={name})")
    return re.compile(pattern)


def _find_strays(repository: ParsedRepository, config: Config) -> Iterator[Finding]:
    """Yield files that look like values files but belong to no cell."""
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
        readings = layout.parse(path)
        has_version = _has_version(repository, layout, path)
        guesses = [
            names
            for names in readings
            if (names.is_distinctive or has_version) and (has_version or names.stage in layout.stages)
        ]
        match = next((one for one in readings if layout.is_known(one)), None)
        if match is not None and not _SERVICE.fullmatch(match.service):
            yield make_finding(
                "layout-unmatched", Place(path), f"{match.service} is not a valid Kubernetes name for a service"
            )
        elif match is not None:
            yield make_finding("layout-shadowed", Place(path), "every cluster of the stage has a file of its own")
        elif guesses:
            rule, message = layout.explain_unknown(guesses[0])
            unknown[rule, guesses[0].folder, message].append(path)
        elif has_version:
            unmatched.append(path)
    yield from _explain_unmatched(unmatched, layout.image_key)
    for (rule, folder, message), paths in sorted(unknown.items()):
        count = f"{len(paths)} values files" if len(paths) > 1 else "a values file"
        yield make_finding(rule, Place(paths[0]), f"{message}: {count} under {folder}")


def _explain_unmatched(paths: Sequence[str], image_key: str) -> Iterator[Finding]:
    """Yield a finding for each file with a version outside the layout; one finding if there are many."""
    if len(paths) < _MANY:
        message = f"it holds {image_key}, and no template of layout.values matches"
        yield from (make_finding("layout-unmatched", Place(path), message) for path in paths)
        return
    message = f"{len(paths)} files hold {image_key}, and no template of layout.values matches: {abbreviate(paths, 3)}"
    yield replace(make_finding("layout-unmatched", Place(paths[0]), message), related=tuple(map(Place, paths[1:])))


def _suggest(name: str, names: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def _has_version(repository: ParsedRepository, layout: _Layout, path: str) -> bool:
    if not path.endswith((".yaml", ".yml")):
        return False
    return locate(repository.parse_file(path).nodes, layout.image_key).node is not None


def _find_gaps(repository: ParsedRepository, config: Config) -> Iterator[Finding]:
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
            message = f"{service} is not in {abbreviate(missing, 3)}"
            yield make_finding("service-gap", Place(path), message)
