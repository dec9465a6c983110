"""Months of believable history for the embedded repository, ending in exactly the files it starts with.

It is told backwards: from what stands today, each version is taken back through the stages it came through, so that
every commit changes what its subject says and the last one leaves the files as they are.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sgm_tui.sandbox.seed import Files, service_names

DAY = 86_400.0
_TAG = re.compile(rb"(tag:\s*[\"']?)(v\d+\.\d+\.\d+)")
_PEOPLE = {
    "Ana Pereira": "ana", "Jonas Weber": "jonas", "Mei Tanaka": "mei", "Sam Okafor": "sam", "Lena Fischer": "lena",
    "Priya Nair": "priya", "Tom Hughes": "tom", "Ines Moreau": "ines",
}  # fmt: skip
_FIRST_NUMBER = 101
"""Of the pull requests in the history."""


@dataclass(frozen=True, slots=True)
class CommitSpec:
    """One commit to be written."""

    at: float
    """Seconds relative to the start, negative."""
    author: str
    email: str
    subject: str
    body: str
    writes: Mapping[str, bytes] = field(default_factory=dict)
    merge_of_pull_request: int | None = None
    """Written as a branch commit and a merge of that pull request, as GitHub does."""


@dataclass(frozen=True, slots=True)
class _Bump:
    """One version arriving in one place."""

    service: str
    place: str
    path: str
    old: str
    new: str
    age: float
    """Seconds before the start."""


def history(files: Files, seed: str = "sgm", *, promotions: int = 200) -> list[CommitSpec]:
    """Every commit in order of time, the last one leaving `files`; at most `promotions` version changes."""
    chance = random.Random(f"{seed}:history")
    bumps = _bumps(files, chance, promotions)
    start = dict(files)
    for bump in sorted(bumps, key=lambda one: one.age):
        start[bump.path] = _with_version(start[bump.path], bump.old)
    oldest = max((bump.age for bump in bumps), default=DAY) + 20 * DAY
    commits = _foundation(start, oldest)
    current = dict(start)
    for number, bump in enumerate(sorted(bumps, key=lambda one: -one.age), _FIRST_NUMBER):
        current[bump.path] = _with_version(current[bump.path], bump.new)
        commits.append(_commit_of(bump, number, current[bump.path], chance))
    return commits


def version_in(data: bytes) -> str:
    """The image tag a values file of the bundled shape carries; "" when it has none."""
    match = _TAG.search(data)
    return match[2].decode() if match else ""


def _with_version(data: bytes, version: str) -> bytes:
    return _TAG.sub(lambda match: match[1] + version.encode(), data, count=1)


def _bumps(files: Files, chance: random.Random, most: int) -> list[_Bump]:
    """Version changes of every service, newest generation first, each stage behind the one before it."""
    services = service_names(files)
    generations = max(1, min(4, most // max(1, 5 * len(services))))
    bumps: list[_Bump] = []
    for service in services:
        places = [path for path in files if f"/app-service/{service}/" in path and path.endswith("values.yaml")]
        for path in places:
            bumps += _bumps_of(service, path, version_in(files[path]), generations, chance)
    return sorted(bumps, key=lambda one: one.age)[:most]


def _bumps_of(service: str, path: str, version: str, generations: int, chance: random.Random) -> list[_Bump]:
    if not version:
        return []
    parts = path.split("/")
    stage, place = parts[0], parts[1] if parts[0] == "prod" else parts[0]
    lag = {"dev": 0.0, "staging": 0.6, "prod": 1.8}.get(stage, 2.0)
    known = random.Random(f"{service}:{version}")
    first = known.uniform(2, 9) * DAY
    bumps: list[_Bump] = []
    for generation in range(generations):
        older = _before(version)
        age = max(0.1 * DAY, first + generation * known.uniform(9, 16) * DAY - lag * DAY - chance.uniform(0, 0.3) * DAY)
        bumps.append(_Bump(service, place, path, older, version, age))
        version = older
    return bumps


def _before(version: str) -> str:
    """A version that may well have come before."""
    major, minor, patch = (int(part) for part in version.removeprefix("v").split("."))
    if patch:
        return f"v{major}.{minor}.{patch - 1}"
    if minor:
        return f"v{major}.{minor - 1}.{(minor * 7 + major) % 5}"
    return f"v{max(0, major - 1)}.{9 + major % 3}.{major % 4}"


def _commit_of(bump: _Bump, number: int, data: bytes, chance: random.Random) -> CommitSpec:
    author = chance.choice(sorted(_PEOPLE))
    stage = bump.place.partition("-")[0]
    trailers = [
        f"Sgm-Change-Id: {chance.getrandbits(64):016x}",
        f"Sgm-From: {bump.old}",
        f"Sgm-To: {bump.new}",
        f"Sgm-Stage: {stage}",
        f"Sgm-Clusters: {bump.place if stage == 'prod' else stage + '-eu1'}",
    ]
    return CommitSpec(
        at=-bump.age,
        author=author,
        email=f"{_PEOPLE[author]}@acme.example",
        subject=f"feat({bump.service}): {bump.place} -> {bump.new}",
        body="\n".join(trailers),
        writes={bump.path: data},
        merge_of_pull_request=number,
    )


def _foundation(start: Files, oldest: float) -> list[CommitSpec]:
    """The first commits: the platform, then the services one after the other."""
    services = service_names(start)
    owned = {path for path in start if "/app-service/" in path}
    base = {path: data for path, data in start.items() if path not in owned}
    commits = [_plain(-oldest, "Tom Hughes", "chore: the platform, its projects and the chart", base)]
    step = min(0.5 * DAY, 15 * DAY / max(1, len(services)))
    for index, service in enumerate(services, 1):
        writes = {path: start[path] for path in sorted(owned) if f"/app-service/{service}/" in path}
        author = sorted(_PEOPLE)[index % len(_PEOPLE)]
        commits.append(_plain(-oldest + index * step, author, f"feat({service}): deploy it everywhere", writes))
    return commits


def _plain(at: float, author: str, subject: str, writes: Mapping[str, bytes]) -> CommitSpec:
    return CommitSpec(at, author, f"{_PEOPLE[author]}@acme.example", subject, "", writes)


def people() -> Sequence[tuple[str, str]]:
    """Everyone who commits: name and login."""
    return sorted(_PEOPLE.items())
