"""Collect every version git ever had of each service, so that "releases behind" is a count, not a guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sgm_tui.fleet.desired import DesiredState
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.yaml.values import UnreadableError, read_version
from sgm_tui.untrusted_text import clean

_MOST_READ = 2_000
"""At most so many files of earlier commits are read, the newest first; older versions are not counted."""

Releases = Mapping[ServiceName, frozenset[Version]]
"""Service → every version git ever had of it."""


def cover_desired_versions(releases: Releases, state: DesiredState) -> bool:
    """Whether every version that is desired now is among the releases."""
    return all(
        desired.version is None or desired.version in releases.get(key.service, frozenset())
        for key, desired in state.cells.items()
    )


def collect_releases(repository: Repository, state: DesiredState, image_key: str) -> Releases:
    """Return the versions in the commits that changed the cells' files, and the versions desired now.

    Raises:
        UnreachableError: git cannot read its own clone.
    """
    releases: defaultdict[ServiceName, set[Version]] = defaultdict(set)
    services: defaultdict[str, set[ServiceName]] = defaultdict(set)
    for key, desired in state.cells.items():
        services[desired.path].add(key.service)
        if desired.version is not None:
            releases[key.service].add(desired.version)
    commits = reversed(repository.first_parents(state.revision))
    changed_files = [
        (commit.sha, path) for commit in commits for path in commit.paths if path in services and "\n" not in path
    ]
    places = changed_files[:_MOST_READ]
    for (_, path), data in zip(places, repository.read_at(places), strict=True):
        try:
            version = Version(clean(read_version(data, image_key))) if data is not None else None
        except UnreadableError:
            continue  # the file had no readable version then
        if version is not None:
            for service in services[path]:
                releases[service].add(version)
    return {service: frozenset(versions) for service, versions in releases.items()}
