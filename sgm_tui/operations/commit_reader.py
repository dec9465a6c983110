"""What a commit of the repository says of the platform, read once for each head and shared by whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from sgm_tui.config.schema import Config
from sgm_tui.errors import SgmError
from sgm_tui.fleet.codeowners import PLACES, Owners
from sgm_tui.operations.platform import Platform, platform_of
from sgm_tui.untrusted_text import clean

_YAML = (".yaml", ".yml")


class Trees(Protocol):
    """Where the files of a commit are read in bulk."""

    def tree(self, commit: str) -> Mapping[str, str]:
        """Path → content id of every file of a commit."""
        ...

    def read_blobs(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """The content of many ids in one go."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """One commit, as far as all changes need it."""

    head: str
    platform: Platform | str
    """What it says of Argo CD, or why that cannot be told."""
    owners: Owners


class CommitReader:
    """Reads commits; the newest one is kept. It blocks, and may be asked from several threads."""

    def __init__(self, config: Config, repository: Trees) -> None:
        self._config = config
        self._repository = repository
        self._lock = Lock()
        self._read: Read | None = None

    def at(self, head: str) -> Read:
        """What a commit says.

        Raises:
            SgmError: it cannot be read.
        """
        with self._lock:
            if self._read is None or self._read.head != head:
                self._read = self._read_anew(head)
            return self._read

    def _read_anew(self, head: str) -> Read:
        tree = self._repository.tree(head)
        wanted = {blob for path, blob in tree.items() if path.endswith(_YAML)}
        place = next((tree[one] for one in PLACES if one in tree), "")
        blobs = self._repository.read_blobs(sorted(wanted | ({place} if place else set())))
        owners = Owners(blobs.get(place, b"").decode("utf-8-sig", "replace"))
        files = {path: blobs.get(blob, b"") for path, blob in tree.items()}
        try:
            return Read(head, platform_of(files, self._config), owners)
        except (SgmError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # Anything may lie in a repository; what is not understood is not known, and says so.
            return Read(head, f"Argo CD's objects in git cannot be read: {clean(error)}", owners)
