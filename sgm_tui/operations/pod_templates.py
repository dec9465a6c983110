"""Compare the pod template of a revert with that of the stable pods: its values, its chart and its Application.

The comparison is made in git. If anything is rendered from outside git, or has changed in git since the stable pods
were created, the templates are not known to be equal, and no instant revert is promised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.fleet.argo.objects import Application, Source
from sgm_tui.fleet.argo.values_files import value_paths
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.reverts.targets import TemplateComparison
from sgm_tui.gitops.chart import filter_keys_read, find_pod_values
from sgm_tui.gitops.history import History
from sgm_tui.gitops.yaml.compare import find_differing_keys
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.gitops.yaml.values import UnreadableError
from sgm_tui.operations.commit_reader import CommitReader, Trees
from sgm_tui.operations.file_changes import Files, apply_change
from sgm_tui.operations.platform import Platform
from sgm_tui.untrusted_text import clean

_FIXED = re.compile(r"v?\d+\.\d+\.\d+[-+.\w]*|[0-9a-f]{40}")
"""Revisions that never move: an exact version, or a commit."""


class Repository(Files, Trees, Protocol):
    """Read access to the clone."""

    def head(self) -> str:
        """Return the head of the deployed branch as last fetched."""
        ...


@dataclass(frozen=True, slots=True)
class _TreeComparison:
    """The files of the repository when the stable pods were created, and now."""

    then: Mapping[str, str]
    """Path → content id when the stable pods were created."""
    now: Mapping[str, str]
    """Path → content id at the head."""

    def has_changed(self, path: str) -> bool:
        """Return whether a file has changed."""
        return self.then.get(path) != self.now.get(path)

    def changed_files(self, folder: str) -> list[str]:
        """Return the changed files of a folder, sorted."""
        prefix = f"{folder}/" if folder else ""
        paths = {path for tree in (self.then, self.now) for path in tree if path.startswith(prefix)}
        return sorted(path for path in paths if self.has_changed(path))


class PodTemplates:
    """Compares the pod template of a revert with the stable one; it blocks."""

    def __init__(self, config: Config, repository: Repository, history: History, commits: CommitReader) -> None:
        self._branches = {"", "HEAD", config.repository.branch, f"refs/heads/{config.repository.branch}"}
        self._repository = repository
        self._history = history
        self._commits = commits

    def compare(self, change: Change) -> TemplateComparison:
        """Compare the pod template after a revert with that of the version it restores.

        Raises:
            SgmError: the repository cannot be read.
        """
        pasts = self._history.past_versions(change.cells[0])
        # The target is the entry below the last one it undoes, not just any with that version.
        undone = [index for index, past in enumerate(pasts) if past.revision in change.undoes]
        target = pasts[max(undone) + 1] if undone and max(undone) + 1 < len(pasts) else None
        if target is None:
            return TemplateComparison(None, reason="the creation time of the stable pods is unknown")
        created_at, head = self._history.find_last_commit(target, pasts), self._repository.head()
        then = self._repository.read(created_at, target.path)
        if then is None:
            return TemplateComparison(None, reason=f"{target.path} did not exist when the stable pods were created")
        try:
            differs = find_differing_keys(then, apply_change(self._repository, head, change).after)
        except (EditRefusedError, UnreadableError) as error:
            return TemplateComparison(None, reason=clean(error))
        platform = self._commits.read(head).platform
        if isinstance(platform, str):
            return TemplateComparison(None, reason=platform)
        trees = _TreeComparison(self._repository.tree(created_at), self._repository.tree(head))
        return self._compare_cells(change, platform, differs, trees)

    def _compare_cells(
        self, change: Change, platform: Platform, differs: tuple[str, ...], trees: _TreeComparison
    ) -> TemplateComparison:
        pod_keys: set[str] = set()
        for key in change.cells:
            application = platform.applications.get(key)
            if application is None:
                return TemplateComparison(None, reason=f"the source of {key} is unknown: git has no Application for it")
            other_change = next(self._find_other_changes(application, platform, change.path, trees), "")
            if other_change:
                return TemplateComparison(None, reason=other_change)
            keys = self._find_pod_keys(application, platform, differs, trees.now)
            if isinstance(keys, str):
                return TemplateComparison(None, reason=keys)
            pod_keys.update(keys)
        return TemplateComparison(not pod_keys, tuple(clean(key) for key in sorted(pod_keys)))

    def _find_other_changes(
        self, application: Application, platform: Platform, own_path: str, trees: _TreeComparison
    ) -> Iterator[str]:
        """Find everything besides the cell's own values that may have changed its pods."""
        if trees.has_changed(application.place.path):
            yield f"{application.place.path}, which deploys it, has changed since the stable pods were created"
        for source in _rendered_sources(application):
            if not platform.ours(source.repo_url):
                if not _FIXED.fullmatch(source.revision):
                    revision = clean(source.revision) or "HEAD"
                    yield f"its chart comes from {clean(source.repo_url)} at {revision}, a moving reference"
            elif source.revision not in self._branches:
                yield f"it is rendered from {clean(source.revision)}, not from the branch"
            else:
                yield from _find_chart_changes(source.path.strip("/"), own_path, trees)
        for _, path in value_paths(application, lambda source: platform.ours(source.repo_url)):
            if path != own_path and trees.has_changed(path):
                yield f"{path}, which it is rendered with, has changed since the stable pods were created"

    def _find_pod_keys(
        self, application: Application, platform: Platform, differs: tuple[str, ...], now: Mapping[str, str]
    ) -> tuple[str, ...] | str:
        """Return the keys among `differs` that affect the pods, or why that is unknown."""
        if not differs:
            return ()
        keys: set[str] = set()
        for source in _rendered_sources(application):
            read = self._pod_values(source.path.strip("/"), now) if platform.ours(source.repo_url) else None
            if read is None:
                names = clean(", ".join(differs[:3]))
                return f"{names} will differ, and its chart does not show whether that changes the pods"
            keys.update(filter_keys_read(differs, read))
        return tuple(sorted(keys))

    def _pod_values(self, folder: str, tree: Mapping[str, str]) -> frozenset[str] | None:
        prefix = f"{folder}/"
        if f"{prefix}Chart.yaml" not in tree:
            return None
        paths = {path: blob for path, blob in tree.items() if path.startswith(prefix)}
        blobs = self._repository.read_blobs(sorted(set(paths.values())))
        return find_pod_values({path.removeprefix(prefix): blobs.get(blob, b"") for path, blob in paths.items()})


def _rendered_sources(application: Application) -> list[Source]:
    """Return the sources with manifests; a source used only for its values files has none."""
    return [source for source in application.sources if source.path or source.chart]


def _find_chart_changes(folder: str, own_path: str, trees: _TreeComparison) -> Iterator[str]:
    if f"{folder}/Chart.yaml" not in trees.now:
        yield f"{folder or 'the repository'} is not a Helm chart, so sgm cannot compare the pods"
    changed = [path for path in trees.changed_files(folder) if path != own_path]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        name = changed[0].removeprefix(f"{folder}/")
        yield f"the chart {folder} has changed since the stable pods were created ({name}{more})"
