"""Read the desired state of every cell from the files of a commit, by the configured layout."""

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
"""The blob id of a symbolic link, which is not read."""
_NAME_MOST = 40
"""At most so many characters of an invalid name are shown."""
_NAME = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"


@dataclass(frozen=True, slots=True)
class _Template:
    """A compiled path template of `layout.values`."""

    pattern: re.Pattern[str]
    loose: re.Pattern[str]
    """The same pattern with any name for the service."""
    whole_stage: bool
    """Whether it names no cluster: the file serves every cluster of its stage."""


@dataclass(frozen=True, slots=True)
class CellFile:
    """The file of one cell."""

    path: str
    whole_stage: bool


class Tree:
    """Reads desired state; caches the version of every file by its blob id."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._templates = [_compile_template(text, config) for text in config.layout.values]
        self._clusters = {stage.name: [cluster.name for cluster in stage.clusters] for stage in config.stages}
        self._versions: dict[str, Version | UnreadableError] = {}
        self._proposals: dict[tuple[str, str], tuple[tuple[CellKey, Version], ...]] = {}
        self._changes: dict[str, tuple[tuple[CellKey, Version], ...]] = {}

    def places(self, paths: Iterable[str]) -> dict[CellKey, CellFile]:
        """Return the file of every cell; of several templates the first, most specific one wins.

        Args:
            paths: the paths of all files.
        """
        files: dict[CellKey, CellFile] = {}
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
                        files.setdefault(key, CellFile(path, template.whole_stage))
        return files

    def invalid_services(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return the services of known stages and clusters whose names Kubernetes does not allow: they have no cell."""
        names: set[str] = set()
        for path in paths:
            if any(template.pattern.fullmatch(path) for template in self._templates):
                continue
            loose = (template.loose.fullmatch(path) for template in self._templates)
            names.update(clean(match["service"], _NAME_MOST) for match in loose if match is not None)
        return tuple(sorted(names))

    def read_desired_state(self, repository: Repository, commit: str) -> DesiredState:
        """Return what a commit has for every cell, and which first-parent commit changed it last."""
        blobs, links = repository.tree(commit), repository.links(commit)
        places = self.places({**blobs, **dict.fromkeys(links, _LINK)})
        versions = {
            **self._read_versions(repository, {blobs[place.path] for place in places.values() if place.path in blobs})
        }
        versions[_LINK] = UnreadableError("it is a symbolic link, which sgm neither follows nor writes")
        commits = repository.first_parents(commit)
        last_changes = _find_last_changes(commits)
        cells = {
            key: self._cell(place, versions[blobs.get(place.path, _LINK)], last_changes.get(place.path))
            for key, place in places.items()
        }
        newest = commits[-1] if commits else None
        return DesiredState(
            revision=commit,
            branch=repository.branch,
            cells=cells,
            positions={entry.sha: position for position, entry in enumerate(commits)},
            committed_at=newest.at if newest else None,
            subject=newest.subject if newest else "",
            author=newest.author if newest else "",
            invalid_services=self.invalid_services(blobs),
        )

    def read_versions_at(self, repository: Repository, commit: str) -> dict[CellKey, Version]:
        """Return the version a commit has for every cell; cells whose file cannot be read are left out."""
        blobs = repository.tree(commit)
        places = self.places(blobs)
        versions = self._read_versions(repository, {blobs[place.path] for place in places.values()})
        by_cell = {key: versions[blobs[place.path]] for key, place in places.items()}
        return {key: version for key, version in by_cell.items() if not isinstance(version, UnreadableError)}

    def proposals(self, repository: Repository, head: str) -> tuple[tuple[CellKey, Version], ...]:
        """Return the cells whose version a branch changes since its merge base; () if it is not in the clone."""
        cached = self._proposals.get((repository.head(), head))
        if cached is not None:
            return cached
        if not repository.has(head):
            return ()
        base = repository.merge_base(repository.head(), head)
        if not base:
            return ()
        before = self.read_versions_at(repository, base)
        after = self.read_versions_at(repository, head)
        if len(self._proposals) > _MOST_PROPOSALS:
            self._proposals.clear()
        changes = tuple((key, version) for key, version in sorted(after.items()) if before.get(key) != version)
        self._proposals[repository.head(), head] = changes
        return changes

    def versions_changed_by(self, repository: Repository, commit: str) -> tuple[tuple[CellKey, Version], ...] | None:
        """Return the cells whose version a commit of the main branch changed; None if it is not in the clone."""
        cached = self._changes.get(commit)
        if cached is not None or not repository.has(commit):
            return cached
        before = (
            self.read_versions_at(repository, f"{commit}^1") if repository.merge_base(f"{commit}^1", commit) else {}
        )
        after = self.read_versions_at(repository, commit)
        if len(self._changes) > _MOST_PROPOSALS:
            self._changes.clear()
        self._changes[commit] = tuple((key, new) for key, new in sorted(after.items()) if before.get(key) != new)
        return self._changes[commit]

    def _cell(
        self, file: CellFile, version: Version | UnreadableError, last_change: tuple[int, Commit] | None
    ) -> Desired:
        is_readable = not isinstance(version, UnreadableError)
        cell = Desired(
            path=file.path,
            key=self._config.layout.image_key,
            version=version if not isinstance(version, UnreadableError) else None,
            error="" if is_readable else f"{file.path}: {version}",
            whole_stage=file.whole_stage,
        )
        if last_change is None:
            return cell
        position, commit = last_change
        return replace(
            cell,
            revision=commit.sha,
            position=position,
            author=commit.author,
            subject=commit.subject,
            committed_at=commit.at,
        )

    def _read_versions(self, repository: Repository, blobs: set[str]) -> Mapping[str, Version | UnreadableError]:
        unread = sorted(blobs - self._versions.keys())
        for blob, data in repository.read_blobs(unread).items():
            try:
                self._versions[blob] = Version(clean(read_version(data, self._config.layout.image_key)))
            except UnreadableError as error:
                self._versions[blob] = error
        return self._versions

    def _stage_of(self, cluster: str) -> str:
        return next((stage for stage, clusters in self._clusters.items() if cluster in clusters), "")


def _compile_template(text: str, config: Config) -> _Template:
    """Compile a path template into patterns over the configured names."""
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


def _find_last_changes(commits: list[Commit]) -> dict[str, tuple[int, Commit]]:
    """Return path → position and commit of the newest first-parent commit that changed it."""
    return {path: (position, commit) for position, commit in enumerate(commits) for path in commit.paths}
