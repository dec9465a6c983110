"""The files of a checkout on disk, read when they are used; no file outside its folder is ever opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from sgm_tui.errors import UnreachableError
from sgm_tui.gitops.parsed_repository import Checkout
from sgm_tui.yaml_reader.nodes import LARGEST

_NOT_OURS = frozenset({".git", "node_modules", "__pycache__", ".venv", ".tox", ".terraform"})


class _Files(Mapping[str, bytes]):
    """Path from the root → content, which is read from disk at each access."""

    def __init__(self, root: Path, paths: list[str]) -> None:
        self._root = root
        self._paths = dict.fromkeys(paths)

    def __getitem__(self, path: str) -> bytes:
        if path not in self._paths:
            raise KeyError(path)
        try:
            with (self._root / path).open("rb") as file:
                # One byte more than the limit shows that the file is too large.
                return file.read(LARGEST + 1)
        except OSError as error:
            raise UnreachableError(f"{self._root / path}: {error.strerror}", "It has to be readable.") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def read_checkout(root: Path, team_file: Path | None = None) -> Checkout:
    """Return a checkout as it is on disk now, with uncommitted changes; repositories nested in it are left out.

    Args:
        root: the folder that paths are relative to.
        team_file: its sgm.yaml; if that is not below the root, its path is its name.
    """
    paths: list[str] = []
    links: set[str] = set()
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = sorted(name for name in names if name not in _NOT_OURS and not (here / name / ".git").exists())
        for name in files:
            path = here / name
            relative = path.relative_to(root).as_posix()
            if path.is_symlink():
                links.add(relative)
            elif path.is_file():
                paths.append(relative)
    file = team_file or root / "sgm.yaml"
    name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    return Checkout(_Files(root, paths), frozenset(links), name)
