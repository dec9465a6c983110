"""Find what a branch changes besides versions: other keys of the values files, and every other file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sgm_tui.config.schema import Config
from sgm_tui.fleet.facts import UnrelatedChange
from sgm_tui.fleet.model import StageName
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.tree import Tree
from sgm_tui.gitops.yaml.compare import find_differing_keys
from sgm_tui.gitops.yaml.values import UnreadableError
from sgm_tui.untrusted_text import clean

_MOST_FILES = 40
"""At most so many files are listed; the rest is counted."""
_MOST_HEADS = 512


class UnrelatedChangeReader:
    """Compares branches with their merge base; caches each comparison as long as neither side moves."""

    def __init__(self, config: Config, tree: Tree, repository: Repository) -> None:
        self._key = config.layout.image_key
        self._folders = _stage_folders(config)
        self._tree = tree
        self._repository = repository
        self._cache: dict[tuple[str, str], tuple[UnrelatedChange, ...]] = {}

    def of(self, head: str) -> tuple[UnrelatedChange, ...] | None:
        """Return what a branch changes besides versions, by path; None if its commit is not in the clone."""
        at = (self._repository.head(), head)
        if at in self._cache:
            return self._cache[at]
        base = self._repository.merge_base(*at) if self._repository.has(head) else ""
        if not base:
            return None
        if len(self._cache) > _MOST_HEADS:
            self._cache.clear()
        self._cache[at] = tuple(self._between(base, head))
        return self._cache[at]

    def _between(self, base: str, head: str) -> Iterator[UnrelatedChange]:
        before, after = self._repository.tree(base), self._repository.tree(head)
        changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        values_files = {place.path for place in self._tree.places(after).values()} & before.keys()
        count = 0
        for path in changed:
            keys = self._other_keys(before[path], after[path]) if path in values_files else None
            if keys == ():
                continue
            count += 1
            if count <= _MOST_FILES:
                yield UnrelatedChange(
                    clean(path), keys or (), _describe_change(path, before, after), self._stage_of(path)
                )
        if count > _MOST_FILES:
            yield UnrelatedChange(f"{count - _MOST_FILES} more files")

    def _other_keys(self, before: str, after: str) -> tuple[str, ...] | None:
        """Return the differing keys without the image key and the lists around it; None if a file cannot be read."""
        blobs = self._repository.read_blobs([before, after])
        try:
            keys = find_differing_keys(blobs[before], blobs[after])
            return tuple(clean(key) for key in keys if not f"{self._key}.".startswith((f"{key}.", f"{key}[")))
        except (KeyError, UnreadableError):
            return None

    def _stage_of(self, path: str) -> StageName | None:
        """Return the stage whose own folder (or file) this is; None for a file that several stages may share."""
        return next((stage for pattern, stage in self._folders if pattern.match(path)), None)


def _stage_folders(config: Config) -> list[tuple[re.Pattern[str], StageName]]:
    """Return each stage's own folders: each template up to the first part that names a stage or a cluster.

    A folder of that name elsewhere (`charts/web/ci/dev`, `argocd/projects/dev`) belongs to no stage.
    """
    return [
        (_folder_pattern(template, stage.name, cluster.name), StageName(stage.name))
        for template in config.layout.values
        for stage in config.stages
        for cluster in stage.clusters
        if "{stage}" in template or "{cluster}" in template
    ]


def _folder_pattern(template: str, stage: str, cluster: str) -> re.Pattern[str]:
    parts = template.split("/")
    first = next(at for at, part in enumerate(parts) if "{stage}" in part or "{cluster}" in part)
    folder = re.escape("/".join(parts[: first + 1]))
    for name, pattern in (("stage", re.escape(stage)), ("cluster", re.escape(cluster)), ("service", "[^/]+")):
        folder = folder.replace(re.escape("{" + name + "}"), pattern)
    return re.compile(folder + ("$" if first == len(parts) - 1 else "/"))


def _describe_change(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    return "new" if path not in before else "taken away" if path not in after else ""
