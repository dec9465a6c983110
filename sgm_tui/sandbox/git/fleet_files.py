"""Read and change the versions in the files of a fleet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PATH = re.compile(r"^(?:(dev|staging)|prod/([^/]+))/app-service/([^/]+)/values\.yaml$")
_TAG = re.compile(rb"(?m)^([^#\n]*\btag:\s*[\"']?)(v\d+\.\d+\.\d+)")
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Place:
    """A values file: a service in a stage, or in one prod cluster."""

    path: str
    service: str
    stage: str
    where: str
    """The stage, or the prod cluster."""


class FleetFiles:
    """The values files of a fleet, which can be changed before a world starts."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files
        self.places = [place for path in sorted(files) if (place := _place(path))]

    @property
    def services(self) -> list[str]:
        """The names of all services, sorted."""
        return sorted({place.service for place in self.places})

    def of(self, service: str, stage: str) -> list[Place]:
        """Return the places of a service in a stage: one, or one for each prod cluster."""
        return [place for place in self.places if place.service == service and place.stage == stage]

    def version(self, place: Place) -> str:
        """Return the version of a place; "" if its file has none."""
        return version_in(self._files[place.path])

    def text(self, place: Place) -> str:
        """Return the text of a values file."""
        return self._files[place.path].decode()

    def set(self, place: Place, version: str) -> None:
        """Set the version of a place."""
        self._files[place.path] = with_version(self._files[place.path], version)

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file."""
        self._files[path] = self._files[path].replace(old.encode(), new.encode())

    def waiting(self, stage: str, following: str) -> list[tuple[Place, str]]:
        """Return the places of a stage that differ from the previous stage, each with the version to promote."""
        promotable: list[tuple[Place, str]] = []
        for service in self.services:
            before = [self.version(place) for place in self.of(service, stage)]
            if before:
                promotable += [
                    (one, before[0]) for one in self.of(service, following) if self.version(one) != before[0]
                ]
        return promotable

    def advance(self, service: str, stages: Sequence[str]) -> str:
        """Set the next version of a service in some stages, and return it."""
        places = [place for stage in stages for place in self.of(service, stage)]
        version = next_version(max((self.version(place) for place in places), key=order, default="v1.0.0"))
        for place in places:
            self.set(place, version)
        return version


def version_in(data: bytes) -> str:
    """Return the version in a values file; "" if there is none."""
    match = _TAG.search(data)
    return match[2].decode() if match else ""


def with_version(data: bytes, version: str) -> bytes:
    """Return a values file with another version, otherwise unchanged byte for byte."""
    return _TAG.sub(lambda found: found[1] + version.encode(), data, count=1)


def next_version(version: str, steps: int = 1) -> str:
    """Return the version some minor releases later."""
    major, minor, _ = order(version)
    return f"v{major}.{minor + steps}.0"


def order(version: str) -> tuple[int, int, int]:
    """Return the sort key of a version."""
    match = _VERSION.fullmatch(version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def _place(path: str) -> Place | None:
    match = _PATH.match(path)
    if match is None:
        return None
    stage = match[1] or "prod"
    return Place(path, match[3], stage, match[2] or stage)
