"""Derive how today's versions were promoted through dev, staging and prod, backwards from the files.

All places of a service share one sequence of versions: a version reaches dev first and the others later or never, one
prod cluster after the other in the order of `sgm.yaml`. Sometimes one is reverted in the first prod cluster, and the
others never get it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sgm_tui.sandbox.git.fleet_files import FleetFiles, Place, order, version_in

DAY = 86_400.0
_LAGS = {"dev": 0.0, "staging": 0.6 * DAY, "prod": 1.2 * DAY}
_SPREAD = 0.6 * DAY
"""Seconds between the first and the last prod cluster. Lag and spread stay below the age of the newest version."""
_REVERTED_SHARE = 0.4
"""The share of services with a reverted version."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A version that is deployed to a place, or reverted there."""

    age: float
    """Seconds before the start."""
    place: Place
    old: str
    new: str
    reverts: bool = False


def arrivals(files: dict[str, bytes], chance: random.Random, most: int) -> list[Arrival]:
    """Return the newest arrivals, oldest first, up to a limit."""
    fleet = FleetFiles(files)
    services = fleet.services
    older = max(1, min(3, most // max(1, len(fleet.places))))
    arrivals_by_time = [
        one for service in services for one in _arrivals_of_service(fleet.places, files, service, older, chance)
    ]
    return sorted(arrivals_by_time, key=lambda one: one.age, reverse=True)[-most:]


def _arrivals_of_service(
    places: Sequence[Place], files: Mapping[str, bytes], service: str, older: int, chance: random.Random
) -> list[Arrival]:
    now = {place: version_in(files[place.path]) for place in places if place.service == service}
    now = {place: version for place, version in now.items() if version}
    if not now:
        return []
    line = _list_versions(set(now.values()), older)
    ages = [chance.uniform(2.0, 9.0) * DAY]
    for _ in line[1:]:
        ages.append(ages[-1] + chance.uniform(6.0, 14.0) * DAY)
    rank = files["sgm.yaml"].find
    prod = sorted(
        (place for place in now if place.stage == "prod"), key=lambda place: rank(f"- name: {place.where}\n".encode())
    )
    bad = _pick_reverted(line, [now[place] for place in prod], chance)
    arrivals: list[Arrival] = []
    for place, version in now.items():
        late = _LAGS[place.stage] + (_SPREAD * prod.index(place) / len(prod) if place in prod else 0.0)
        first = bool(prod) and place == prod[0]
        reached = range(len(line) - 2, line.index(version) - 1, -1)
        candidates = [index for index in reached if index != bad or place not in prod or first]
        arrivals += _arrivals_at_place(
            place, line, [(ages[index] - late, index) for index in candidates], bad if first else None, chance
        )
    return arrivals


def _arrivals_at_place(
    place: Place, line: Sequence[str], steps: Sequence[tuple[float, int]], bad: int | None, chance: random.Random
) -> list[Arrival]:
    """Return the arrivals of a place, oldest first, each with the version it replaces."""
    arrivals: list[Arrival] = []
    standing = line[-1]
    for planned, index in steps:
        age = planned - chance.uniform(0.0, 0.15) * DAY
        arrivals.append(Arrival(age, place, standing, line[index]))
        if index == bad:
            arrivals.append(Arrival(age - chance.uniform(0.05, 0.15) * DAY, place, line[index], standing, reverts=True))
        else:
            standing = line[index]
    return arrivals


def _list_versions(present: set[str], older: int) -> list[str]:
    """Return the versions of a service, newest first: those deployed somewhere, and some older ones."""
    line = sorted(present, key=order, reverse=True)
    for _ in range(older):
        line.append(_previous_version(line[-1]))
    return line


def _pick_reverted(line: Sequence[str], in_prod: Sequence[str], chance: random.Random) -> int | None:
    """Return the index of the reverted version, which is neither in prod today nor the first; None if there is none."""
    candidates = range(max((line.index(version) for version in in_prod), default=len(line)) + 1, len(line) - 1)
    return chance.choice(candidates) if candidates and chance.random() < _REVERTED_SHARE else None


def _previous_version(version: str) -> str:
    """Return a plausible previous version."""
    major, minor, patch = order(version)
    if patch:
        return f"v{major}.{minor}.{patch - 1}"
    if minor:
        return f"v{major}.{minor - 1}.{(minor * 7 + major) % 5}"
    return f"v{max(0, major - 1)}.{9 + major % 3}.{major % 4}"
