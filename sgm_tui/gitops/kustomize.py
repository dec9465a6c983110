"""Find the files that kustomize changes before they are applied; what such a file says is not what is deployed."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_CHANGES = (
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "replacements",
    "vars",
    "namePrefix",
    "nameSuffix",
    "components",
    "transformers",
)
"""Fields of a kustomization that change more than images, labels and namespaces."""


def changed_files(paths: Iterable[str], values_of: Callable[[str], Sequence[Any]]) -> Mapping[str, str]:
    """Return every file that a kustomization of this repository changes, with one that does.

    Args:
        paths: every file of the repository.
        values_of: the documents of a YAML file.
    """
    folders = {posixpath.dirname(path): path for path in paths if posixpath.basename(path) in _NAMES}
    specs = {folder: _first_mapping(values_of(path)) for folder, path in folders.items()}
    changed: dict[str, str] = {}
    for folder, spec in specs.items():
        if any(spec.get(field) for field in _CHANGES):
            for path in _included_files(folder, specs, set()):
                changed.setdefault(path, folders[folder])
    return changed


def _first_mapping(documents: Sequence[Any]) -> Mapping[str, Any]:
    return documents[0] if documents and isinstance(documents[0], Mapping) else {}


def _included_files(folder: str, specs: Mapping[str, Mapping[str, Any]], visited: set[str]) -> Iterable[str]:
    """Yield every file a kustomization includes, directly or through other kustomizations."""
    if folder in visited:
        return
    visited.add(folder)
    spec = specs[folder]
    for field in ("resources", "bases", "components"):
        entries = spec.get(field)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, str) and "://" not in entry:
                path = posixpath.normpath(posixpath.join(folder, entry))
                if path in specs:
                    yield from _included_files(path, specs, visited)
                else:
                    yield path
