"""Path ↔ cell: what the files of a commit say of every cell, by the configured layout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sgm_tui.config.schema import Config
from sgm_tui.fleet.desired import Desired, DesiredState
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.gitops.objects import Commit
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.yaml.values import UnreadableError, read_version
from sgm_tui.untrusted_text import clean

_MOST_PROPOSALS = 500
_LINK = ""
"""Stands for the content of a symbolic link, which is not read."""
_NAME_MOST = 40
"""Characters of a name that is none, where it is told."""
_NAME = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"


@dataclass(frozen=True, slots=True)
class _Template:
    """One path template, ready to match."""

    pattern: re.Pattern[str]
    loose: re.Pattern[str]
    """The same with any name for the service."""
    whole_stage: bool
    """It names no cluster: the file serves every cluster of its stage."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The file of one cell."""

    path: str
    whole_stage: bool


class Tree:
    """Reads desired state; remembers every file it has read by its content."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._templates = [_template(one, config) for one in config.layout.values]
        self._clusters = {stage.name: [cluster.name for cluster in stage.clusters] for stage in config.stages}
        self._versions: dict[str, Version | UnreadableError] = {}
        self._proposals: dict[tuple[str, str], tuple[tuple[CellKey, Version], ...]] = {}
        self._brought: dict[str, tuple[tuple[CellKey, Version], ...]] = {}

    def places(self, paths: Mapping[str, str]) -> dict[CellKey, Placed]:
        """The file of every cell there is: of several templates the first, most specific one wins."""
        found: dict[CellKey, Placed] = {}
        for template in self._templates:
            for path in paths:
                match = template.pattern.fullmatch(path)
                if match is None:
                    continue
                names = match.groupdict()
                stage, service = names.get("stage") or "", names["service"]
                clusters = [names["cluster"]] if names.get("cluster") else self._clusters.get(stage, [])
                for cluster in clusters:
                    if not stage or cluster in self._clusters.get(stage, []):
                        key = CellKey(
                            ServiceName(service), StageName(stage or self._stage_of(cluster)), ClusterName(cluster)
                        )
                        found.setdefault(key, Placed(path, template.whole_stage))
        return found

    def left_out(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Services of known stages and clusters whose names Kubernetes takes for none: they have no cell."""
        found: set[str] = set()
        for path in paths:
            if any(one.pattern.fullmatch(path) for one in self._templates):
                continue
            loose = (one.loose.fullmatch(path) for one in self._templates)
            found.update(clean(match["service"], _NAME_MOST) for match in loose if match is not None)
        return tuple(sorted(found))

    def desired(self, repository: Repository, commit: str) -> DesiredState:
        """What a commit wants of every cell, and which first-parent commit brought it."""
        blobs, links = repository.tree(commit), repository.links(commit)
        places = self.places({**blobs, **dict.fromkeys(links, _LINK)})
        versions = {**self._read(repository, {blobs[one.path] for one in places.values() if one.path in blobs})}
        versions[_LINK] = UnreadableError("it is a symbolic link, which sgm neither follows nor writes")
        commits = repository.first_parents(commit)
        last = _last_touch(commits)
        cells = {
            key: self._cell(place, versions[blobs.get(place.path, _LINK)], last.get(place.path))
            for key, place in places.items()
        }
        newest = commits[-1] if commits else None
        return DesiredState(
            revision=commit,
            branch=repository.branch,
            cells=cells,
            positions={one.sha: position for position, one in enumerate(commits)},
            committed_at=newest.at if newest else None,
            subject=newest.subject if newest else "",
            author=newest.author if newest else "",
            left_out=self.left_out(blobs),
        )

    def versions_at(self, repository: Repository, commit: str) -> dict[CellKey, Version]:
        """The version a commit wants of every cell that can be read."""
        blobs = repository.tree(commit)
        places = self.places(blobs)
        versions = self._read(repository, {blobs[place.path] for place in places.values()})
        found = {key: versions[blobs[place.path]] for key, place in places.items()}
        return {key: version for key, version in found.items() if not isinstance(version, UnreadableError)}

    def proposals(self, repository: Repository, head: str) -> tuple[tuple[CellKey, Version], ...]:
        """What a branch would change: cells whose version differs from where it left the main branch."""
        known = self._proposals.get((repository.head(), head))
        if known is not None:
            return known
        if not repository.has(head):
            return ()
        base = repository.merge_base(repository.head(), head)
        if not base:
            return ()
        before = self.versions_at(repository, base)
        after = self.versions_at(repository, head)
        if len(self._proposals) > _MOST_PROPOSALS:
            self._proposals.clear()
        found = tuple((key, version) for key, version in sorted(after.items()) if before.get(key) != version)
        self._proposals[repository.head(), head] = found
        return found

    def versions_changed_by(self, repository: Repository, commit: str) -> tuple[tuple[CellKey, Version], ...] | None:
        """What a commit of the main branch changed against the one before; None where it is not in the clone."""
        known = self._brought.get(commit)
        if known is not None or not repository.has(commit):
            return known
        before = self.versions_at(repository, f"{commit}^1") if repository.merge_base(f"{commit}^1", commit) else {}
        after = self.versions_at(repository, commit)
        if len(self._brought) > _MOST_PROPOSALS:
            self._brought.clear()
        self._brought[commit] = tuple((key, one) for key, one in sorted(after.items()) if before.get(key) != one)
        return self._brought[commit]

    def _cell(self, place: Placed, version: Version | UnreadableError, touched: tuple[int, Commit] | None) -> Desired:
        readable = not isinstance(version, UnreadableError)
        cell = Desired(
            path=place.path,
            key=self._config.layout.image_key,
            version=version if not isinstance(version, UnreadableError) else None,
            error="" if readable else f"{place.path}: {version}",
            whole_stage=place.whole_stage,
        )
        if touched is None:
            return cell
        position, commit = touched
        return replace(
            cell,
            revision=commit.sha,
            position=position,
            author=commit.author,
            subject=commit.subject,
            committed_at=commit.at,
        )

    def _read(self, repository: Repository, blobs: set[str]) -> Mapping[str, Version | UnreadableError]:
        unread = sorted(blobs - self._versions.keys())
        for blob, data in repository.read_blobs(unread).items():
            try:
                self._versions[blob] = Version(clean(read_version(data, self._config.layout.image_key)))
            except UnreadableError as error:
                self._versions[blob] = error
        return self._versions

    def _stage_of(self, cluster: str) -> str:
        return next((stage for stage, clusters in self._clusters.items() if cluster in clusters), "")


def _template(text: str, config: Config) -> _Template:
    """A path template as a pattern over the configured names."""
    stages = "|".join(re.escape(stage.name) for stage in config.stages)
    clusters = "|".join(re.escape(cluster.name) for cluster in config.clusters)
    names = {"stage": stages, "cluster": clusters}
    strict, loose = _pattern(text, {**names, "service": _NAME}), _pattern(text, {**names, "service": "[^/]+"})
    return _Template(strict, loose, "{cluster}" not in text)


def _pattern(text: str, names: Mapping[str, str]) -> re.Pattern[str]:
    pattern = re.escape(text)
    for name, values in names.items():
        marker = re.escape("{" + name + "}")
        pattern = pattern.replace(marker, f"(?P<{name}>{values})", 1).replace(marker, f"(?P={name})")
    return re.compile(pattern)


def _last_touch(commits: list[Commit]) -> dict[str, tuple[int, Commit]]:
    """Path → position and commit of the newest first-parent commit that changed it."""
    return {path: (position, commit) for position, commit in enumerate(commits) for path in commit.paths}
