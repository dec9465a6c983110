"""The past versions of every cell, read from the branch's first-parent history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from threading import Lock

from sgm_tui.config.schema import Config
from sgm_tui.fleet.history.cell_history import PastVersion, PastVersionKind
from sgm_tui.fleet.history.last_promotion import LastPromotion, find_newest_promotion, last_promotion
from sgm_tui.fleet.history.trailers import (
    CHANGE,
    KNOWN_BAD,
    PROMOTION,
    SGM,
    UNMARK,
    Marks,
    identities_in,
    marks_in,
    name_person,
    unmarks_version,
)
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.gitops.objects import Commit
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.yaml.values import UnreadableError, read_version
from sgm_tui.untrusted_text import clean

_REVERT = re.compile(r"revert(?:\([^)]*\))?!?:|Revert \"", re.IGNORECASE)
_PROMOTION = re.compile(r".*(?:->|→|\bpromote)", re.IGNORECASE)


class History:
    """The past versions in one clone; read again whenever the head of the branch moves."""

    def __init__(self, config: Config, repository: Repository) -> None:
        self._config = config
        self._repository = repository
        self._lock = Lock()
        self._head = ""
        self._commits: list[Commit] = []
        self._positions: dict[str, int] = {}
        self._pasts: dict[CellKey, tuple[PastVersion, ...]] = {}
        self._marks: Marks = {}
        self._authors: dict[str, str] = {}
        """Merged commit → its author; a commit never changes."""
        self._has_trailer: dict[str, bool] = {}
        """Merged commit → whether a message names a change of sgm."""
        self._identities: dict[str, frozenset[str]] = {}

    def past_versions(self, key: CellKey) -> tuple[PastVersion, ...]:
        """Return the versions of a cell, newest first, with one entry for each commit that changed it.

        Raises:
            SgmError: the repository cannot be read.
        """
        with self._lock:
            self._refresh()
            if key not in self._pasts:
                self._pasts[key] = self._read_past(key)
            return self._pasts[key]

    def versions_of(self, service: ServiceName) -> tuple[Version, ...]:
        """Return every version git ever had of a service in any stage, newest first.

        Raises:
            SgmError: the repository cannot be read.
        """
        keys = [CellKey(service, StageName(one.stage), ClusterName(one.name)) for one in self._config.clusters]
        pasts = sorted(
            (past for key in keys for past in self.past_versions(key)), key=lambda past: past.at, reverse=True
        )
        return tuple(dict.fromkeys(past.version for past in pasts))

    def known_bad(self, service: ServiceName) -> dict[Version, str]:
        """Return version → why it is known bad, according to the commits of the branch.

        Raises:
            SgmError: the repository cannot be read.
        """
        with self._lock:
            self._refresh()
            return dict(self._marks.get(service, {}))

    def last_promotion(self, keys: Iterable[CellKey]) -> LastPromotion | None:
        """Return the newest promotion among the cells of one service in one stage; None if git has none.

        Raises:
            SgmError: the repository cannot be read.
        """
        pasts = {key: past_versions for key in keys if (past_versions := self.past_versions(key))}
        promotions = map(find_newest_promotion, pasts.values())
        newest = [promotion for promotion in promotions if promotion is not None]
        with self._lock:
            order = self._positions
        return last_promotion(pasts, order, {past.revision: self._identities_of(past) for past in newest})

    def reverts_without_trailers(self, service: ServiceName) -> dict[str, tuple[int, Version]]:
        """Return commit → (pull request number or 0, reverted version) of each revert whose message has no trailers.

        Such a commit brings back an earlier version; its message was rewritten when it was squashed.

        Raises:
            SgmError: the repository cannot be read.
        """
        reverts: dict[str, tuple[int, Version]] = {}
        for cluster in self._config.clusters:
            pasts = self.past_versions(CellKey(service, StageName(cluster.stage), ClusterName(cluster.name)))
            for at, past in enumerate(pasts):
                is_revert = any(past.version == older.version for older in pasts[at + 2 :])
                if is_revert and not self._has_change_trailer(past):
                    reverts[past.revision] = past.number or 0, pasts[at + 1].version
        return reverts

    def is_unmarked_since(self, revision: str, service: ServiceName, version: Version) -> bool:
        """Whether a commit after this one unmarks a version as bad."""
        later = self._repository.messages(f"{revision}..{self._repository.head()}", (UNMARK,))
        return any(unmarks_version(message, service, version) for message in later)

    def _has_change_trailer(self, past: PastVersion) -> bool:
        """Whether the message of a commit, or of a commit it merged, names a change of sgm."""
        if past.revision not in self._has_trailer:
            merged = self._repository.messages(f"{past.parent}..{past.revision}", (CHANGE,)) if past.parent else ()
            self._has_trailer[past.revision] = bool(merged)
        return self._has_trailer[past.revision]

    def _identities_of(self, past: PastVersion) -> frozenset[str]:
        """Return the promotions that a commit, or the commits it merged, belong to."""
        if past.revision not in self._identities:
            merged = f"{past.parent}..{past.revision}" if past.parent else past.revision
            self._identities[past.revision] = identities_in(self._repository.messages(merged, (CHANGE, PROMOTION)))
        return self._identities[past.revision]

    def find_past_version(self, key: CellKey, revision: str) -> PastVersion | None:
        """Return the version of a cell at a commit; None if it is unknown.

        Args:
            key: the cell.
            revision: the commit in full, or at least its first four characters.
        """
        pasts = self.past_versions(key)
        with self._lock:
            positions = self._positions
        matches = [at for sha, at in positions.items() if len(revision) >= 4 and sha.startswith(revision)]
        if len(matches) != 1:
            return None
        return next((past for past in pasts if positions.get(past.revision, matches[0] + 1) <= matches[0]), None)

    def find_last_commit(self, past: PastVersion, pasts: Sequence[PastVersion]) -> str:
        """Return the last commit with a past version: the one before the next version."""
        at = pasts.index(past)
        return pasts[at - 1].parent if at else self._head

    def _refresh(self) -> None:
        """Read the commits again if the head has moved."""
        head = self._repository.head()
        if head != self._head:
            self._commits = self._repository.first_parents(head)
            self._positions = {commit.sha: at for at, commit in enumerate(self._commits)}
            self._marks = marks_in(self._repository.messages(head, (KNOWN_BAD, UNMARK)))
            self._pasts.clear()
            self._head = head

    def _read_past(self, key: CellKey) -> tuple[PastVersion, ...]:
        templates = self._paths(key)
        paths = set(templates)
        touching = [(at, commit) for at, commit in enumerate(self._commits) if not paths.isdisjoint(commit.paths)]
        ordered = [path for path in templates if path in paths]
        places = [(commit.sha, path) for _, commit in touching for path in ordered]
        contents = iter(self._repository.read_at(places))
        past: list[PastVersion] = []
        for at, commit in touching:
            files = {path: data for path in ordered if (data := next(contents)) is not None}
            path = next((one for one in ordered if one in files), "")
            version = self._version(files[path]) if path else None
            if version is None or (past and past[-1].version == version):
                continue
            parent = self._commits[at - 1].sha if at else ""
            newest = _make_past_version(key, version, commit, parent, path)
            past = _append_version(past, newest, self._author_of(newest) if past and newest.kind == "revert" else "")
        return tuple(reversed(past))

    def _author_of(self, past: PastVersion) -> str:
        """Return who made the merged change: not who merged it, if its commits or their messages name somebody."""
        if past.revision not in self._authors and past.parent:
            merged = self._repository.messages(f"{past.parent}..{past.revision}", ())
            names = [name for name in map(name_person, merged) if name != SGM]
            self._authors[past.revision] = names[-1] if names else past.author
        return self._authors.get(past.revision, past.author)

    def _paths(self, key: CellKey) -> list[str]:
        """Return the paths a cell's file may have, most specific first."""
        values = {"{service}": key.service, "{stage}": key.stage, "{cluster}": key.cluster}
        paths = []
        for template in self._config.layout.values:
            path = template
            for name, value in values.items():
                path = path.replace(name, value)
            paths.append(path)
        return paths

    def _version(self, data: bytes) -> Version | None:
        try:
            return Version(clean(read_version(data, self._config.layout.image_key)))
        except UnreadableError:
            return None


def _make_past_version(key: CellKey, version: Version, commit: Commit, parent: str, path: str) -> PastVersion:
    return PastVersion(
        key=key,
        version=version,
        revision=commit.sha,
        parent=parent,
        path=path,
        author=commit.author,
        subject=commit.subject,
        at=commit.at,
        until=None,
        kind=_classify(commit.subject),
        number=commit.number,
    )


def _append_version(past: list[PastVersion], newest: PastVersion, reverted_by: str) -> list[PastVersion]:
    """Return the past with one more version; if that reverts the version before it, that one is known bad."""
    if not past:
        return [newest]
    bad = f"reverted by {reverted_by} ({newest.revision[:8]})" if reverted_by else ""
    return [*past[:-1], replace(past[-1], until=newest.at, known_bad=bad), newest]


def _classify(subject: str) -> PastVersionKind:
    # git itself writes `Revert "…"` around what it reverts: reverting a revert brings back what was good.
    rest, depth = subject, 0
    while match := _REVERT.match(rest):
        rest, depth = rest[match.end() :].strip(), depth + 1
    if depth % 2:
        return "revert"
    return "promotion" if _PROMOTION.match(subject) else "edit"
