"""Whether a revert makes the pods that are stable already: its values, its chart and how it is deployed against then.

Everything is told from git. What is rendered with something git does not hold, or held otherwise at that time, is not
known to make the same pods, and then nobody is promised to be back at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.fleet.argo.objects import Application, Source, value_paths
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
"""Revisions that always mean the same: an exact version, or a commit."""


class Repository(Files, Trees, Protocol):
    """The clone, as far as it takes to compare two commits."""

    def head(self) -> str:
        """The head of the branch as last fetched."""
        ...


@dataclass(frozen=True, slots=True)
class _Between:
    """Two commits of the repository: when the stable pods were created, and now."""

    then: Mapping[str, str]
    now: Mapping[str, str]
    """Path → content id."""

    def changed(self, path: str) -> bool:
        """Whether a file is not what it was."""
        return self.then.get(path) != self.now.get(path)

    def changed_in(self, folder: str) -> list[str]:
        """The files of a folder that are not what they were."""
        inside = f"{folder}/" if folder else ""
        paths = {path for tree in (self.then, self.now) for path in tree if path.startswith(inside)}
        return sorted(path for path in paths if self.changed(path))


class PodTemplates:
    """Compares the pods of a revert with the stable ones; it blocks."""

    def __init__(self, config: Config, repository: Repository, history: History, commits: CommitReader) -> None:
        self._branches = {"", "HEAD", config.repository.branch, f"refs/heads/{config.repository.branch}"}
        self._repository = repository
        self._history = history
        self._commits = commits

    def template(self, change: Change) -> TemplateComparison:
        """Whether the pods after a revert are those of the version it goes back to.

        Raises:
            SgmError: the repository cannot be read.
        """
        pasts = self._history.past_versions(change.cells[0])
        # What it goes back to is the entry below the last one it undoes, not just any of that version.
        undone = [at for at, past in enumerate(pasts) if past.revision in change.undoes]
        target = pasts[max(undone) + 1] if undone and max(undone) + 1 < len(pasts) else None
        if target is None:
            return TemplateComparison(None, reason="the creation time of the stable pods is unknown")
        made_at, head = self._history.find_last_commit(target, pasts), self._repository.head()
        then = self._repository.read(made_at, target.path)
        if then is None:
            return TemplateComparison(None, reason=f"{target.path} did not exist when the stable pods were created")
        try:
            differs = find_differing_keys(then, apply_change(self._repository, head, change).after)
        except (EditRefusedError, UnreadableError) as error:
            return TemplateComparison(None, reason=clean(error))
        platform = self._commits.at(head).platform
        if isinstance(platform, str):
            return TemplateComparison(None, reason=platform)
        between = _Between(self._repository.tree(made_at), self._repository.tree(head))
        return self._judged(change, platform, differs, between)

    def _judged(
        self, change: Change, platform: Platform, differs: tuple[str, ...], between: _Between
    ) -> TemplateComparison:
        found: set[str] = set()
        for key in change.cells:
            application = platform.applications.get(key)
            if application is None:
                return TemplateComparison(None, reason=f"the source of {key} is unknown: git has no Application for it")
            doubt = next(self._doubts(application, platform, change.path, between), "")
            if doubt:
                return TemplateComparison(None, reason=doubt)
            reached = self._reached(application, platform, differs, between.now)
            if isinstance(reached, str):
                return TemplateComparison(None, reason=reached)
            found.update(reached)
        return TemplateComparison(not found, tuple(clean(one) for one in sorted(found)))

    def _doubts(self, one: Application, platform: Platform, own: str, between: _Between) -> Iterator[str]:
        """Everything besides the cell's own values for which its pods may have become other ones."""
        if between.changed(one.place.path):
            yield f"{one.place.path}, which deploys it, has changed since the stable pods were created"
        for source in _rendered(one):
            if not platform.ours(source.repo_url):
                if not _FIXED.fullmatch(source.revision):
                    at = clean(source.revision) or "HEAD"
                    yield f"its chart comes from {clean(source.repo_url)} at {at}, a moving reference"
            elif source.revision not in self._branches:
                yield f"it is rendered from {clean(source.revision)}, not from the branch"
            else:
                yield from _changed_chart(source.path.strip("/"), own, between)
        for _, path in value_paths(one, lambda source: platform.ours(source.repo_url)):
            if path != own and between.changed(path):
                yield f"{path}, which it is rendered with, has changed since the stable pods were created"

    def _reached(
        self, one: Application, platform: Platform, differs: tuple[str, ...], now: Mapping[str, str]
    ) -> tuple[str, ...] | str:
        """The keys among `differs` that reach the pods, or why that cannot be told."""
        if not differs:
            return ()
        keys: set[str] = set()
        for source in _rendered(one):
            read = self._pod_values(source.path.strip("/"), now) if platform.ours(source.repo_url) else None
            if read is None:
                named = clean(", ".join(differs[:3]))
                return f"{named} will differ, and its chart does not show whether that changes the pods"
            keys.update(filter_keys_read(differs, read))
        return tuple(sorted(keys))

    def _pod_values(self, folder: str, tree: Mapping[str, str]) -> frozenset[str] | None:
        inside = f"{folder}/"
        if f"{inside}Chart.yaml" not in tree:
            return None
        paths = {path: blob for path, blob in tree.items() if path.startswith(inside)}
        blobs = self._repository.read_blobs(sorted(set(paths.values())))
        return find_pod_values({path.removeprefix(inside): blobs.get(blob, b"") for path, blob in paths.items()})


def _rendered(one: Application) -> list[Source]:
    """The sources manifests come from; one that is only there for its values files is none."""
    return [source for source in one.sources if source.path or source.chart]


def _changed_chart(folder: str, own: str, between: _Between) -> Iterator[str]:
    if f"{folder}/Chart.yaml" not in between.now:
        yield f"{folder or 'the repository'} is not a Helm chart, so sgm cannot compare the pods"
    changed = [path for path in between.changed_in(folder) if path != own]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        name = changed[0].removeprefix(f"{folder}/")
        yield f"the chart {folder} has changed since the stable pods were created ({name}{more})"
