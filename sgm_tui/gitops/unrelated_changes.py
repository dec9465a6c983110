"""What a branch changes besides versions: other keys of the files that hold them, and every other file."""

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

_MOST = 40
"""So many files are told one by one."""
_MOST_HEADS = 512


class UnrelatedChangeReader:
    """Compares branches with where they left the main branch; remembers each as long as neither moves."""

    def __init__(self, config: Config, tree: Tree, repository: Repository) -> None:
        self._key = config.layout.image_key
        self._folders = _stage_folders(config)
        self._tree = tree
        self._repository = repository
        self._known: dict[tuple[str, str], tuple[UnrelatedChange, ...]] = {}

    def of(self, head: str) -> tuple[UnrelatedChange, ...] | None:
        """What a branch changes besides versions, by path; None where its commit is not in the clone."""
        at = (self._repository.head(), head)
        if at in self._known:
            return self._known[at]
        base = self._repository.merge_base(*at) if self._repository.has(head) else ""
        if not base:
            return None
        if len(self._known) > _MOST_HEADS:
            self._known.clear()
        self._known[at] = tuple(self._between(base, head))
        return self._known[at]

    def _between(self, base: str, head: str) -> Iterator[UnrelatedChange]:
        before, after = self._repository.tree(base), self._repository.tree(head)
        changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        holds = {place.path for place in self._tree.places(after).values()} & before.keys()
        told = 0
        for path in changed:
            keys = self._other_keys(before[path], after[path]) if path in holds else None
            if keys == ():
                continue
            told += 1
            if told <= _MOST:
                yield UnrelatedChange(clean(path), keys or (), _how(path, before, after), self._stage_of(path))
        if told > _MOST:
            yield UnrelatedChange(f"{told - _MOST} more files")

    def _other_keys(self, before: str, after: str) -> tuple[str, ...] | None:
        """The keys that differ and are not the version, nor the list that holds it; None where nobody can tell."""
        blobs = self._repository.read_blobs([before, after])
        try:
            found = find_differing_keys(blobs[before], blobs[after])
            return tuple(clean(key) for key in found if not f"{self._key}.".startswith((f"{key}.", f"{key}[")))
        except (KeyError, UnreadableError):
            return None

    def _stage_of(self, path: str) -> StageName | None:
        """The stage whose own folder (or file) this is; None for everything else, which every stage may share."""
        return next((stage for pattern, stage in self._folders if pattern.match(path)), None)


def _stage_folders(config: Config) -> list[tuple[re.Pattern[str], StageName]]:
    """What the layout keeps apart for each stage: each template up to the first part that names a stage or a cluster.

    A folder of that name elsewhere (`charts/web/ci/dev`, `argocd/projects/dev`) is nobody's own.
    """
    return [
        (_own(template, stage.name, cluster.name), StageName(stage.name))
        for template in config.layout.values
        for stage in config.stages
        for cluster in stage.clusters
        if "{stage}" in template or "{cluster}" in template
    ]


def _own(template: str, stage: str, cluster: str) -> re.Pattern[str]:
    parts = template.split("/")
    last = next(at for at, part in enumerate(parts) if "{stage}" in part or "{cluster}" in part)
    own = re.escape("/".join(parts[: last + 1]))
    for name, pattern in (("stage", re.escape(stage)), ("cluster", re.escape(cluster)), ("service", "[^/]+")):
        own = own.replace(re.escape("{" + name + "}"), pattern)
    return re.compile(own + ("$" if last == len(parts) - 1 else "/"))


def _how(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    return "new" if path not in before else "taken away" if path not in after else ""
