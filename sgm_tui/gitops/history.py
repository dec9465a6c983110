"""The past of every cell, read from the branch's first-parent history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from threading import Lock

from sgm_tui.config.schema import Config
from sgm_tui.fleet.history.cell_history import PastVersion, PastVersionKind
from sgm_tui.fleet.history.last_promotion import LastPromotion, last_promotion, newest_promotion
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
    """What one clone knows of the past; read once for each head of the branch."""

    def __init__(self, config: Config, repository: Repository) -> None:
        self._config = config
        self._repository = repository
        self._lock = Lock()
        self._head = ""
        self._commits: list[Commit] = []
        self._positions: dict[str, int] = {}
        self._pasts: dict[CellKey, tuple[PastVersion, ...]] = {}
        self._marks: Marks = {}
        self._people: dict[str, str] = {}
        """Merged commit → who is behind it; a commit never changes."""
        self._ours: dict[str, bool] = {}
        self._identities: dict[str, frozenset[str]] = {}

    def past_versions(self, key: CellKey) -> tuple[PastVersion, ...]:
        """The versions of a cell, newest first, one entry for each commit that changed it.

        Raises:
            SgmError: the repository cannot be read.
        """
        with self._lock:
            self._look()
            if key not in self._pasts:
                self._pasts[key] = self._read(key)
            return self._pasts[key]

    def versions_of(self, service: ServiceName) -> tuple[Version, ...]:
        """Every version git ever wanted of a service in any stage, newest first.

        Raises:
            SgmError: the repository cannot be read.
        """
        keys = [CellKey(service, StageName(one.stage), ClusterName(one.name)) for one in self._config.clusters]
        pasts = sorted(
            (past for key in keys for past in self.past_versions(key)), key=lambda past: past.at, reverse=True
        )
        return tuple(dict.fromkeys(past.version for past in pasts))

    def known_bad(self, service: ServiceName) -> dict[Version, str]:
        """Version → why it is known bad, as commits of the branch say.

        Raises:
            SgmError: the repository cannot be read.
        """
        with self._lock:
            self._look()
            return dict(self._marks.get(service, {}))

    def last_promotion(self, keys: Iterable[CellKey]) -> LastPromotion | None:
        """The newest promotion among the cells of one service in one stage; None where git has none.

        Raises:
            SgmError: the repository cannot be read.
        """
        pasts = {key: those for key in keys if (those := self.past_versions(key))}
        newest = [past for those in pasts.values() if (past := newest_promotion(those)) is not None]
        with self._lock:
            order = self._positions
        return last_promotion(pasts, order, {past.revision: self._identities_of(past) for past in newest})

    def reverts_without_trailers(self, service: ServiceName) -> dict[str, tuple[int, Version]]:
        """Commit → pull request it names (0: none) and the version that was left, of each way back without our words.

        It went back to an earlier version, and somebody wrote another message when it was squashed.

        Raises:
            SgmError: the repository cannot be read.
        """
        found: dict[str, tuple[int, Version]] = {}
        for cluster in self._config.clusters:
            pasts = self.past_versions(CellKey(service, StageName(cluster.stage), ClusterName(cluster.name)))
            for at, past in enumerate(pasts):
                has_gone_back = any(past.version == older.version for older in pasts[at + 2 :])
                if has_gone_back and not self._is_ours(past):
                    found[past.revision] = past.number or 0, pasts[at + 1].version
        return found

    def is_unmarked_since(self, revision: str, service: ServiceName, version: Version) -> bool:
        """Whether a commit after this one lets a version go again."""
        later = self._repository.messages(f"{revision}..{self._repository.head()}", (UNMARK,))
        return any(unmarks_version(one, service, version) for one in later)

    def _is_ours(self, past: PastVersion) -> bool:
        """Whether a commit, or what it merged, still says which change of ours it is."""
        if past.revision not in self._ours:
            merged = self._repository.messages(f"{past.parent}..{past.revision}", (CHANGE,)) if past.parent else ()
            self._ours[past.revision] = bool(merged)
        return self._ours[past.revision]

    def _identities_of(self, past: PastVersion) -> frozenset[str]:
        """The promotion a commit, or what it merged, says it belongs to."""
        if past.revision not in self._identities:
            merged = f"{past.parent}..{past.revision}" if past.parent else past.revision
            self._identities[past.revision] = identities_in(self._repository.messages(merged, (CHANGE, PROMOTION)))
        return self._identities[past.revision]

    def find_past_version(self, key: CellKey, revision: str) -> PastVersion | None:
        """What a cell wanted at a commit, given in full or by its first characters; None when that is not known."""
        pasts = self.past_versions(key)
        with self._lock:
            positions = self._positions
        found = [at for sha, at in positions.items() if len(revision) >= 4 and sha.startswith(revision)]
        if len(found) != 1:
            return None
        return next((past for past in pasts if positions.get(past.revision, found[0] + 1) <= found[0]), None)

    def find_last_commit(self, past: PastVersion, pasts: Sequence[PastVersion]) -> str:
        """The last commit at which git wanted a version: the one before the next version came."""
        at = pasts.index(past)
        return pasts[at - 1].parent if at else self._head

    def _look(self) -> None:
        head = self._repository.head()
        if head != self._head:
            self._commits = self._repository.first_parents(head)
            self._positions = {commit.sha: at for at, commit in enumerate(self._commits)}
            self._marks = marks_in(self._repository.messages(head, (KNOWN_BAD, UNMARK)))
            self._pasts.clear()
            self._head = head

    def _read(self, key: CellKey) -> tuple[PastVersion, ...]:
        paths = self._paths(key)
        touching = [(at, one) for at, one in enumerate(self._commits) if not paths.isdisjoint(one.paths)]
        ordered = [path for path in self._templates(key) if path in paths]
        places = [(commit.sha, path) for _, commit in touching for path in ordered]
        contents = iter(self._repository.read_at(places))
        found: list[PastVersion] = []
        for at, commit in touching:
            files = {path: data for path in ordered if (data := next(contents)) is not None}
            path = next((one for one in ordered if one in files), "")
            version = self._version(files[path]) if path else None
            if version is None or (found and found[-1].version == version):
                continue
            parent = self._commits[at - 1].sha if at else ""
            newest = _past(key, version, commit, parent, path)
            found = _continued(found, newest, self._who(newest) if found and newest.kind == "revert" else "")
        return tuple(reversed(found))

    def _who(self, past: PastVersion) -> str:
        """Who is behind what was merged: not who merged it, where its commits or their messages name somebody."""
        if past.revision not in self._people and past.parent:
            merged = self._repository.messages(f"{past.parent}..{past.revision}", ())
            named = [name for name in map(name_person, merged) if name != SGM]
            self._people[past.revision] = named[-1] if named else past.author
        return self._people.get(past.revision, past.author)

    def _templates(self, key: CellKey) -> list[str]:
        values = {"{service}": key.service, "{stage}": key.stage, "{cluster}": key.cluster}
        paths = []
        for template in self._config.layout.values:
            path = template
            for name, value in values.items():
                path = path.replace(name, value)
            paths.append(path)
        return paths

    def _paths(self, key: CellKey) -> set[str]:
        return set(self._templates(key))

    def _version(self, data: bytes) -> Version | None:
        try:
            return Version(clean(read_version(data, self._config.layout.image_key)))
        except UnreadableError:
            return None


def _past(key: CellKey, version: Version, commit: Commit, parent: str, path: str) -> PastVersion:
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
        kind=_kind(commit.subject),
        number=commit.number,
    )


def _continued(found: list[PastVersion], newest: PastVersion, by: str) -> list[PastVersion]:
    """The past with one more entry; a revert, by somebody, tells against the version it took away."""
    if not found:
        return [newest]
    bad = f"reverted by {by} ({newest.revision[:8]})" if by else ""
    return [*found[:-1], replace(found[-1], until=newest.at, known_bad=bad), newest]


def _kind(subject: str) -> PastVersionKind:
    # git itself writes `Revert "…"` around what it reverts: reverting a revert brings back what was good.
    around, depth = subject, 0
    while match := _REVERT.match(around):
        around, depth = around[match.end() :].strip(), depth + 1
    if depth % 2:
        return "revert"
    return "promotion" if _PROMOTION.match(subject) else "edit"
