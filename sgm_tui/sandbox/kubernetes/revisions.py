"""The objects of one kind and their recent past, from which lists, watches and old pages are served.

The window is bounded as a real server's watch cache is: a revision from before it has expired.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

KubeObject = dict[str, Any]
"""A Kubernetes object as decoded JSON; treated as immutable."""

_encode = msgspec.json.Encoder().encode

_WARM_CHANGES = 256
"""How many of the newest changes keep their JSON though superseded, because watches are about to send them."""


class Version:
    """A stored version of an object, with its JSON cached once requested."""

    __slots__ = ("_json", "key", "object", "revision")

    def __init__(self, obj: KubeObject, key: str, revision: int) -> None:
        self.object = obj
        self.key = key
        self.revision = revision
        self._json: bytes | None = None

    @property
    def json(self) -> bytes:
        """Return the object as it is sent."""
        if self._json is None:
            self._json = _encode(self.object)
        return self._json

    def cool(self) -> None:
        """Drop the cached JSON."""
        self._json = None


@dataclass(frozen=True, slots=True)
class Change:
    """An event: the new and the previous version of an object."""

    type: str
    """ADDED, MODIFIED or DELETED."""
    version: Version
    previous: Version | None


class Shelf:
    """The objects of one kind in list order, and their newest changes."""

    def __init__(self, window: int, floor: int) -> None:
        self._window = window
        self._versions: dict[str, Version] = {}
        self._keys: list[str] = []
        self._changes: list[Change] = []
        self._wakers: set[Callable[[], None]] = set()
        self.floor = floor
        """The oldest revision after which all changes are available."""

    def __contains__(self, key: str) -> bool:
        return key in self._versions

    def get(self, key: str) -> Version | None:
        """Return the newest version under a key (`namespace/name`)."""
        return self._versions.get(key)

    def versions(self, namespace: str | None = None) -> list[Version]:
        """Return the newest versions sorted by key, of one namespace or of all."""
        keys: Sequence[str] = self._keys
        if namespace is not None:
            # "0" is the character after "/": the half-open range of one namespace's keys.
            keys = keys[bisect_left(keys, f"{namespace}/") : bisect_left(keys, f"{namespace}0")]
        return [self._versions[key] for key in keys]

    def versions_at(self, revision: int) -> list[Version] | None:
        """Return all versions at a revision, by undoing later changes; None if it has expired."""
        changes = self.changes_since(revision)
        if changes is None:
            return None
        if not changes:
            return self.versions()
        versions = dict(self._versions)
        for change in reversed(changes):
            if change.previous is None:
                versions.pop(change.version.key, None)
            else:
                versions[change.version.key] = change.previous
        return [versions[key] for key in sorted(versions)]

    def changes_since(self, revision: int) -> list[Change] | None:
        """Return the changes after a revision, oldest first; None if some have expired."""
        if revision < self.floor:
            return None
        changes = self._changes
        if not changes or changes[-1].version.revision <= revision:
            return []
        return changes[bisect_right(changes, revision, key=lambda change: change.version.revision) :]

    def record(self, change: Change) -> None:
        """Record a change."""
        key = change.version.key
        if change.type == "DELETED":
            del self._versions[key]
            del self._keys[bisect_left(self._keys, key)]
        else:
            if change.previous is None:
                insort(self._keys, key)
            self._versions[key] = change.version
        self._changes.append(change)
        self._trim()

    def _trim(self) -> None:
        changes = self._changes
        if len(changes) > _WARM_CHANGES:
            old = changes[-_WARM_CHANGES]
            if old.previous is not None:
                old.previous.cool()
            if old.type == "DELETED":
                old.version.cool()
        if len(changes) > 2 * self._window:
            self.floor = changes[-self._window - 1].version.revision
            del changes[: -self._window]

    def subscribe(self, waker: Callable[[], None]) -> Callable[[], None]:
        """Call `waker` after every change; return the function that unsubscribes."""
        self._wakers.add(waker)
        return lambda: self._wakers.discard(waker)

    def wake(self) -> None:
        """Call everybody who waits for a change."""
        for waker in tuple(self._wakers):
            waker()

    def compact(self, revision: int) -> None:
        """Forget the past up to a revision, as etcd does every few minutes."""
        self._changes.clear()
        self.floor = revision
        self.wake()
