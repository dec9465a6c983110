"""Read the Argo CD objects and code owners of a commit, once for each head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.errors import SgmError
from sgm_tui.fleet.codeowners import PLACES, Owners
from sgm_tui.operations.platform import Platform, read_platform
from sgm_tui.untrusted_text import clean

_YAML = (".yaml", ".yml")


class Trees(Protocol):
    """Bulk access to the files of commits."""

    def tree(self, commit: str) -> Mapping[str, str]:
        """Return path → content id of every file of a commit."""
        ...

    def read_blobs(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return content id → content, for many ids at once."""
        ...


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """The Argo CD objects and code owners of one commit."""

    head: str
    platform: Platform | str
    """Its Argo CD objects, or why they cannot be read."""
    owners: Owners


class CommitReader:
    """Reads commits and caches the newest one; it blocks, and is safe to use from several threads."""

    def __init__(self, config: Config, repository: Trees) -> None:
        self._config = config
        self._repository = repository
        self._lock = Lock()
        self._newest: CommitFacts | None = None

    def read(self, head: str) -> CommitFacts:
        """Read a commit.

        Raises:
            SgmError: it cannot be read.
        """
        with self._lock:
            if self._newest is None or self._newest.head != head:
                self._newest = self._parse(head)
            return self._newest

    def _parse(self, head: str) -> CommitFacts:
        tree = self._repository.tree(head)
        yaml_blobs = {blob for path, blob in tree.items() if path.endswith(_YAML)}
        owners_blob = next((tree[path] for path in PLACES if path in tree), "")
        blobs = self._repository.read_blobs(sorted(yaml_blobs | ({owners_blob} if owners_blob else set())))
        owners = Owners(blobs.get(owners_blob, b"").decode("utf-8-sig", "replace"))
        files = {path: blobs.get(blob, b"") for path, blob in tree.items()}
        try:
            return CommitFacts(head, read_platform(files, self._config), owners)
        except (SgmError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # A repository may contain anything; objects that cannot be understood are unknown, with the reason.
            return CommitFacts(head, f"Argo CD's objects in git cannot be read: {clean(error)}", owners)
