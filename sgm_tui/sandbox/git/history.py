"""Build months of plausible history for the embedded repository, ending in exactly the files it starts with.

The platform comes first, then the services, then promotions through the stages (`lineage`), with raised limits and
updated components in between. An earlier version of a file is today's version with its later changes undone, so every
commit changes what its subject says, and the last one results in today's files.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sgm_tui.sandbox.git.fleet_files import with_version
from sgm_tui.sandbox.git.lineage import DAY, Arrival, arrivals
from sgm_tui.sandbox.git.seed import Files, service_names

_PEOPLE = {
    "Ana Pereira": "ana", "Jonas Weber": "jonas", "Mei Tanaka": "mei", "Sam Okafor": "sam", "Lena Fischer": "lena",
    "Priya Nair": "priya", "Tom Hughes": "tom", "Ines Moreau": "ines",
}  # fmt: skip
_FIRST_NUMBER = 101
"""The number of the first pull request in the history."""
_TWEAKS = 12
_SHORTEST = 45 * DAY
"""The shortest history in seconds, however few versions are in it."""
_LIMIT = re.compile(rb"maxReplicas: (\d+)")
_STAGE = re.compile(rb"(?m)^    stage: (\w+)$")
_COMPONENT = ("argo-rollouts", b"version: 2.40.4", b"version: 2.40.2")


@dataclass(frozen=True, slots=True)
class CommitSpec:
    """A commit to write."""

    at: float
    """Seconds relative to the start; negative."""
    author: str
    email: str
    subject: str
    body: str
    writes: Mapping[str, bytes] = field(default_factory=dict)
    merge_of_pull_request: int | None = None
    """The number of the pull request; written as a branch commit and its merge, as GitHub does."""


@dataclass(frozen=True, slots=True)
class _Tweak:
    """A change of a text in one file other than a version."""

    age: float
    path: str
    old: bytes
    new: bytes
    subject: str


def history(files: Files, seed: str = "sgm", *, promotions: int = 200) -> list[CommitSpec]:
    """Return every commit, oldest first; the last one results in `files`.

    At most `promotions` of them change a version.
    """
    chance = random.Random(f"{seed}:history")
    travelled = arrivals(files, chance, promotions)
    months = max([_SHORTEST, *(one.age for one in travelled)])
    changes: list[Arrival | _Tweak] = [*travelled, *_tweaks(files, chance, months)]
    changes.sort(key=lambda one: -one.age)
    current = _before(files, changes)
    commits = _foundation(current, months + 20 * DAY)
    clusters = _clusters(files)
    for number, change in enumerate(changes, _FIRST_NUMBER):
        path = change.place.path if isinstance(change, Arrival) else change.path
        current[path] = _changed(change, current[path])
        subject, body = _message(change, clusters, chance)
        author = chance.choice(sorted(_PEOPLE))
        commits.append(CommitSpec(-change.age, author, _email(author), subject, body, {path: current[path]}, number))
    return commits


def people() -> Sequence[tuple[str, str]]:
    """Return the authors: name and login."""
    return sorted(_PEOPLE.items())


def _before(files: Files, changes: Sequence[Arrival | _Tweak]) -> Files:
    """Return the files before some changes."""
    start = dict(files)
    for change in reversed(changes):
        if isinstance(change, Arrival):
            start[change.place.path] = with_version(start[change.place.path], change.old)
        else:
            start[change.path] = start[change.path].replace(change.new, change.old, 1)
    return start


def _changed(change: Arrival | _Tweak, data: bytes) -> bytes:
    if isinstance(change, Arrival):
        return with_version(data, change.new)
    return data.replace(change.old, change.new, 1)


def _message(change: Arrival | _Tweak, clusters: Mapping[str, Sequence[str]], chance: random.Random) -> tuple[str, str]:
    """Return subject and body of a commit."""
    if isinstance(change, _Tweak):
        return change.subject, ""
    place = change.place
    everywhere = clusters.get(place.stage, ()) if place.where == place.stage else (place.where,)
    trailers = [
        f"Sgm-Change-Id: {chance.getrandbits(64):016x}",
        f"Sgm-From: {change.old}",
        f"Sgm-To: {change.new}",
        f"Sgm-Stage: {place.stage}",
        f"Sgm-Clusters: {', '.join(everywhere)}",
    ]
    verb = "revert" if change.reverts else "feat"
    return f"{verb}({place.service}): {place.where} -> {change.new}", "\n".join(trailers)


def _tweaks(files: Files, chance: random.Random, months: float) -> list[_Tweak]:
    """Return raised limits, and the update of a component stage by stage."""
    scaled = [path for path in files if path.startswith("prod/") and "/app-service/" in path]
    tweaks: list[_Tweak] = []
    for path in chance.sample(scaled, min(_TWEAKS, len(scaled))):
        limit = _LIMIT.search(files[path])
        if limit is not None:
            cluster, service = path.split("/")[1], path.split("/")[3]
            less = b"maxReplicas: %d" % (int(limit[1]) - 1)
            subject = f"chore({service}): {cluster} may scale to {int(limit[1])}"
            tweaks.append(_Tweak(chance.uniform(1.0 * DAY, months), path, less, limit[0], subject))
    component, new, old = _COMPONENT
    charts = [path for path in files if path.endswith(f"/platform/{component}/Chart.yaml") and new in files[path]]
    for number, path in enumerate(sorted(charts, key=_caution)):
        where = PurePosixPath(path).parts[-4]
        age = months * (0.4 - 0.2 * number / len(charts))
        tweaks.append(_Tweak(age, path, old, new, f"chore(platform): {component} 2.40.4 in {where}"))
    return tweaks


def _caution(path: str) -> tuple[int, str]:
    """Return the sort key of a path: dev first, prod last."""
    return ("dev", "staging", "prod").index(path.partition("/")[0]), path


def _clusters(files: Files) -> dict[str, list[str]]:
    """Return stage → its declared clusters."""
    clusters: dict[str, list[str]] = {}
    for path, data in files.items():
        if path.startswith("argocd/clusters/") and (stage := _STAGE.search(data)):
            clusters.setdefault(stage[1].decode(), []).append(PurePosixPath(path).stem)
    return clusters


def _foundation(start: Files, oldest: float) -> list[CommitSpec]:
    """Return the first commits: the platform, then each service."""
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
    return CommitSpec(at, author, _email(author), subject, "", writes)


def _email(author: str) -> str:
    return f"{_PEOPLE[author]}@acme.example"
