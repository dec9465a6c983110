"""The fleet as its files say: which service wants which version where, and how it would get there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PATH = re.compile(r"^(?:(dev|staging)|prod/([^/]+))/app-service/([^/]+)/values\.yaml$")
_TAG = re.compile(rb"(?m)^([^#\n]*\btag:\s*[\"']?)(v\d+\.\d+\.\d+)")
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Place:
    """One values file: a service in a stage, or in one prod cluster."""

    path: str
    service: str
    stage: str
    where: str
    """The stage, or the prod cluster."""


class FleetFiles:
    """Reads, and before a world starts changes, versions in the files of a fleet."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files
        self.places = [place for path in sorted(files) if (place := _place(path))]

    @property
    def services(self) -> list[str]:
        """Every service, by name."""
        return sorted({place.service for place in self.places})

    def of(self, service: str, stage: str) -> list[Place]:
        """The service's files in a stage: one, or one a prod cluster."""
        return [place for place in self.places if place.service == service and place.stage == stage]

    def version(self, place: Place) -> str:
        """The version a place asks for, "" when its file has none."""
        return version_in(self._files[place.path])

    def text(self, place: Place) -> str:
        """The values file."""
        return self._files[place.path].decode()

    def set(self, place: Place, version: str) -> None:
        """Let a place ask for another version from the beginning."""
        self._files[place.path] = with_version(self._files[place.path], version)

    def replace(self, path: str, old: str, new: str) -> None:
        """Change words of a file from the beginning."""
        self._files[path] = self._files[path].replace(old.encode(), new.encode())

    def waiting(self, stage: str, following: str) -> list[tuple[Place, str]]:
        """Places of the following stage that are behind the stage before, and the version they could have."""
        promotable: list[tuple[Place, str]] = []
        for service in self.services:
            before = [self.version(place) for place in self.of(service, stage)]
            if before:
                promotable += [
                    (one, before[0]) for one in self.of(service, following) if self.version(one) != before[0]
                ]
        return promotable

    def advance(self, service: str, stages: Sequence[str]) -> str:
        """Let a service be one version further in these stages from the beginning; returns that version."""
        places = [place for stage in stages for place in self.of(service, stage)]
        version = next_version(max((self.version(place) for place in places), key=order, default="v1.0.0"))
        for place in places:
            self.set(place, version)
        return version


def version_in(data: bytes) -> str:
    """The version a values file asks for, "" when it has none."""
    match = _TAG.search(data)
    return match[2].decode() if match else ""


def with_version(data: bytes, version: str) -> bytes:
    """A values file that asks for another version and is otherwise the same, byte for byte."""
    return _TAG.sub(lambda found: found[1] + version.encode(), data, count=1)


def next_version(version: str, steps: int = 1) -> str:
    """The version so many minor releases later."""
    major, minor, _ = order(version)
    return f"v{major}.{minor + steps}.0"


def order(version: str) -> tuple[int, int, int]:
    """What versions sort by."""
    match = _VERSION.fullmatch(version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def _place(path: str) -> Place | None:
    match = _PATH.match(path)
    if match is None:
        return None
    stage = match[1] or "prod"
    return Place(path, match[3], stage, match[2] or stage)
