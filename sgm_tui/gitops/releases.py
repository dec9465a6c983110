"""Every version git has wanted of each service, so that "releases behind" is counted and not guessed from numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sgm_tui.fleet.desired import DesiredState
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.yaml.values import UnreadableError, read_version
from sgm_tui.untrusted_text import clean

_MOST_READ = 2_000
"""So many files of earlier commits are read, the newest first: a version that is not among them is not counted."""

Releases = Mapping[ServiceName, frozenset[Version]]


def knows_all(releases: Releases, state: DesiredState) -> bool:
    """Whether every version git wants now is among the known releases."""
    return all(
        desired.version is None or desired.version in releases.get(key.service, frozenset())
        for key, desired in state.cells.items()
    )


def releases_in(repository: Repository, state: DesiredState, image_key: str) -> Releases:
    """Return what the commits that touched the cells' files wanted, and what git wants now.

    Raises:
        UnreachableError: git cannot read its own clone.
    """
    found: defaultdict[ServiceName, set[Version]] = defaultdict(set)
    services: defaultdict[str, set[ServiceName]] = defaultdict(set)
    for key, desired in state.cells.items():
        services[desired.path].add(key.service)
        if desired.version is not None:
            found[key.service].add(desired.version)
    commits = reversed(repository.first_parents(state.revision))
    touched = [
        (commit.sha, path) for commit in commits for path in commit.paths if path in services and "\n" not in path
    ]
    places = touched[:_MOST_READ]
    for (_, path), data in zip(places, repository.read_at(places), strict=True):
        try:
            version = Version(clean(read_version(data, image_key))) if data is not None else None
        except UnreadableError:
            continue  # it held no version then
        if version is not None:
            for service in services[path]:
                found[service].add(version)
    return {service: frozenset(versions) for service, versions in found.items()}
